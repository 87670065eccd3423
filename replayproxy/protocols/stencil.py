"""Events that repeat the one before but for a piece of text: most of what a stream is made of.

To see that costs a tenth of parsing them, and tells as much.
"""

_TRIES = 8
"""Of a stream whose events are not alike (each with a random field, say) no more are laid."""


class Stencil:
    """JSON around one string that is the value of `key`.

    >>> stencil = Stencil("content")
    >>> stencil.lay('{"n": 1, "content": "he"}', "he")
    True
    >>> stencil.text('{"n": 1, "content": "llo"}')
    'llo'
    >>> stencil.text('{"n": 2, "content": "llo"}') is None  # it has to be parsed
    True
    """

    def __init__(self, key: str) -> None:
        self._key = f'"{key}"'
        self._before = self._after = ""
        self._around = 0
        self._tries = 0

    def lay(self, data: str, text: str) -> bool:
        """Take the JSON `data`, which holds `text` under the key; False if it can't be taken."""
        if self._tries == _TRIES or not text or not _is_plain(text):
            return False
        self._tries += 1
        if data.count(self._key) != 1 or "\\" in data:
            return False  # another key of this name, perhaps an escaped one, may be the true one
        for colon in (":", ": "):
            before, found, after = data.partition(f'{self._key}{colon}"{text}"')
            if found:
                self._before = f'{before}{self._key}{colon}"'
                self._after = f'"{after}'
                self._around = len(self._before) + len(self._after)
                return True
        return False

    def text(self, data: str) -> str | None:
        """The string, if `data` is the same JSON around another one; else None."""
        if not (
            self._around
            and len(data) >= self._around
            and data.startswith(self._before)
            and data.endswith(self._after)
        ):
            return None
        text = data[len(self._before) : len(data) - len(self._after)]
        return text if _is_plain(text) else None


def _is_plain(text: str) -> bool:
    """Whether it stands in JSON as it is: nothing escaped, and nothing that had to be."""
    return text.isprintable() and '"' not in text and "\\" not in text
