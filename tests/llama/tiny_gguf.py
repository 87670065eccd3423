"""A language model of about a megabyte that genuine llama.cpp loads and samples.

The weights are a table of which token follows which (a bigram model), written as a
`llama` network that looks nothing else up: the embedding of token `i` is the unit vector
`i`; the layers compute but add zero; the output matrix holds the logarithms of the table.
So the logits after a token are its row of the table, whatever came before. More layers
change no answer, they only take time: that is how a slow model is made.

The table makes the model behave, as far as an API client can see, like a big one:

* plain sentences, with UTF-8 characters of two, three and four bytes, that come to an end;
* a tool call when tools are given and the last message is not a tool's result;
* short strings and an early end when a grammar (a JSON schema, a tool's parameters) has
  narrowed down what may come next.

The file is the same for every run and every Python: no randomness, no corpus from outside.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

type Table = NDArray[np.float64]
"""`table[previous, next]`: how likely `next` is after `previous`. Rows sum to 1."""

SENTENCES = """
The river carries every letter to the sea, and the sea keeps a copy for the reader.
A quiet machine keeps the answer, and the answer comes back in the same order.
The old clerk writes down every word, then the café opens and the clerk drinks tea.
In the morning the stream is fast, and in the evening the stream is slow.
Every answer has a price, and the price is written beside the answer for the reader.
你好, says the machine, and the crowd answers in the same language.
The rocket 🚀 leaves on time, and the crowd waits for the next rocket 🚀.
A naïve clerk cuts a letter in two, but a good clerk waits for the reader.
The café in 東京 opens at nine, and the tea costs two €.
Then the clerk smiles 😀, and the stream comes to an end for the reader.
The next answer is the same answer, word for word, byte for byte.
Nobody waits for the machine, but the machine waits for the reader.
"""

# What a JSON string holds. Each is one token, so that strings are short and end.
PHRASES = ("Lisbon", "tea for two", "café", "東京", "😀", "quiet", "tomorrow at nine", "42 €")

# `add_generation_prompt` ends in a line break or, where a tool ought to be called, in <|act|>.
CHAT_TEMPLATE = """\
{%- if tools %}<|im_start|>system
# Tools
For each function call, return a json object with function name and arguments \
within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>
You are provided with these function signatures:
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == "tool" %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else %}<|im_start|>{{ message.role }}
{% if message.content %}{{ message.content }}{% endif %}
{%- if message.tool_calls %}
{%- for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}
{%- endif %}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% if tools and messages[-1].role != "tool" %}<|act|>{% endif %}{% endif %}"""

END, ACT, CALL, CALL_END = "<|im_end|>", "<|act|>", "<tool_call>", "</tool_call>"
CONTROL = ("<unk>", "<s>", "</s>", "<|im_start|>", END, ACT)
SPACE = "\u2581"
"""How the tokenizer writes a space inside a token."""


def byte(character: str) -> str:
    """The token of one ASCII character on its own; every vocabulary has all 256 bytes."""
    return f"<0x{ord(character):02X}>"


BYTES = tuple(f"<0x{value:02X}>" for value in range(256))
LINE_BREAK = byte("\n")

HEADS = 4
CONTEXT_LENGTH = 8192
NORM_EPSILON = 1e-6
Q4_BLOCK = 32
"""Weights in one block of the Q4_0 format; such a block takes 18 bytes."""


def sentences() -> list[list[str]]:
    """The corpus as tokens: words with their space before them, punctuation without."""
    return [
        [word if word in ".," else SPACE + word for word in re.findall(r"[^\s.,]+|[.,]", line)]
        for line in SENTENCES.split("\n")
        if line
    ]


def vocabulary() -> tuple[list[str], list[gguf.TokenType]]:
    """All tokens and their types, in the order of their ids."""
    words = dict.fromkeys(token for sentence in sentences() for token in sentence)
    kinds: list[tuple[gguf.TokenType, Iterable[str]]] = [
        (gguf.TokenType.UNKNOWN, CONTROL[:1]),
        (gguf.TokenType.CONTROL, CONTROL[1:]),
        (gguf.TokenType.USER_DEFINED, (CALL, CALL_END)),
        (gguf.TokenType.BYTE, BYTES),
        (gguf.TokenType.NORMAL, words),
        (gguf.TokenType.NORMAL, PHRASES),
    ]
    typed = [(token, kind) for kind, tokens in kinds for token in tokens]
    return [token for token, _ in typed], [kind for _, kind in typed]


def follows(tokens: list[str]) -> Table:
    """Which token follows which: the corpus, and the rules that tools and grammars need."""
    ids = {token: number for number, token in enumerate(tokens)}
    table = np.zeros((len(tokens), len(tokens)))

    def rule(previous: str, weights: Mapping[str, float]) -> None:
        table[ids[previous]] = 0
        for token, weight in weights.items():
            table[ids[previous], ids[token]] = weight

    # A grammar may force any token at all. White space least of all, or it would fill pages.
    impossible_but_for_a_grammar = np.full(len(tokens), 1e-9)
    for blank in " \t\r\n":
        impossible_but_for_a_grammar[ids[byte(blank)]] = 1e-15

    for sentence in sentences():
        for previous, token in pairwise([LINE_BREAK, *sentence]):
            table[ids[previous], ids[token]] += 1
    first_words = table[ids[LINE_BREAK]] / table[ids[LINE_BREAK]].sum()
    table[ids["."]] = 0.7 * first_words
    table[ids["."], ids[END]] = 0.3
    table[table.sum(axis=1) == 0] = first_words

    rule(ACT, {CALL: 1})
    rule(CALL, {LINE_BREAK: 1})
    rule(CALL_END, {END: 1})
    # Which of these is meant, only the grammar knows; the earlier, the sooner it all ends.
    rule(byte("}"), {byte("}"): 1, CALL_END: 1e-2, END: 1e-4, LINE_BREAK: 1e-8})
    rule(byte("]"), {byte("}"): 1, byte("]"): 1e-2})
    rule(byte("{"), {byte('"'): 1, byte("}"): 1e-2})
    rule(byte("["), {byte('"'): 1, byte("]"): 1e-2})
    for digit in "0123456789":
        rule(byte(digit), {byte(end): 9 for end in ",}]"} | {byte(d): 1 for d in "0123456789"})
    rule(byte('"'), dict.fromkeys(PHRASES, 1.0) | {byte("}"): 1e-5, byte("]"): 1e-5})
    for phrase in PHRASES:
        rule(phrase, {byte('"'): 1})

    table /= table.sum(axis=1, keepdims=True)
    table += impossible_but_for_a_grammar
    return table / table.sum(axis=1, keepdims=True)


def write_model(path: Path, *, layers: int = 1) -> None:
    """Write the model to `path`. Each layer beyond the first only makes it slower."""
    tokens, types = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    width = _round_up(len(tokens), to=Q4_BLOCK * HEADS)
    feed_forward = Q4_BLOCK if layers == 1 else 4 * width

    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(feed_forward)
    writer.add_block_count(layers)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)
    writer.add_vocab_size(len(tokens))

    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_unk_token_id(tokens.index("<unk>"))
    writer.add_bos_token_id(tokens.index("<s>"))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    _add_table(writer, follows(tokens), width)
    for layer in range(layers):
        _add_idle_layer(writer, layer, width, feed_forward)

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_table(writer: gguf.GGUFWriter, table: Table, width: int) -> None:
    """Unit vectors in, logarithms of the table out."""
    size = len(table)
    embedding = np.eye(size, width, dtype=np.float16)
    # The norm before the output makes a unit vector sqrt(width) long.
    output = np.zeros((size, width), dtype=np.float16)
    output[:, :size] = np.log(table).T / np.sqrt(width)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", np.ones(width, dtype=np.float32))
    writer.add_tensor("output.weight", output)


def _add_idle_layer(writer: gguf.GGUFWriter, layer: int, width: int, feed_forward: int) -> None:
    """A layer whose weights are all zero: it computes, and adds nothing."""

    def add_zeros(name: str, rows: int, columns: int) -> None:
        blocks = np.zeros((rows, columns // Q4_BLOCK * 18), dtype=np.uint8)
        writer.add_tensor(
            f"blk.{layer}.{name}.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q4_0
        )

    for norm in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(width, dtype=np.float32))
    for projection in ("attn_q", "attn_k", "attn_v", "attn_output"):
        add_zeros(projection, width, width)
    add_zeros("ffn_gate", feed_forward, width)
    add_zeros("ffn_up", feed_forward, width)
    add_zeros("ffn_down", width, feed_forward)


def _round_up(number: int, *, to: int) -> int:
    return -(-number // to) * to


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the tiny model.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--layers", type=int, default=1)
    arguments = parser.parse_args()
    write_model(arguments.path, layers=arguments.layers)
