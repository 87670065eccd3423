"""A client inside VCR.py, run by the Python of vcrpy's environment, which has nothing of ours.

    python vcr_client.py fidelity|rate CASSETTE URL COUNT < the request's body
    python vcr_client.py size "" URL 0 < a line of [request's body, answer's body] each

Asks once to record, if there is no cassette, then so many times to replay. `fidelity`
prints when each read of each replay was there, `rate` how many replays it made a second.
`size` prints how many bytes a cassette of these would have.
"""

import base64
import http.client
import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import vcr
from vcr.request import Request
from vcr.serialize import serialize
from vcr.serializers import yamlserializer


def main(what: str, cassette: str, url: str, count: int) -> None:
    """Record once, then replay."""
    if what == "size":
        print(_size(url, [map(base64.b64decode, json.loads(line)) for line in sys.stdin]))
        return
    body = sys.stdin.buffer.read()
    inside = vcr.VCR(match_on=["method", "path", "body"], record_mode="once")
    with inside.use_cassette(cassette):
        _ask(url, body)
    inside.record_mode = "none"
    with inside.use_cassette(cassette, allow_playback_repeats=True):
        start = time.perf_counter()
        answers = [_ask(url, body) for _ in range(count)]
        took_s = time.perf_counter() - start
    print(json.dumps(count / took_s if what == "rate" else answers))


def _size(url: str, exchanges: list[Iterator[bytes]]) -> int:
    asked = {"Content-Type": "application/json", "User-Agent": "OpenAI/Python 2.1.0"}
    answered = {"Content-Type": ["text/event-stream; charset=utf-8"]}
    requests, responses = [], []
    for request, response in exchanges:
        requests.append(Request("POST", url, request, asked))
        status = {"code": 200, "message": "OK"}
        responses.append({"status": status, "headers": answered, "body": {"string": response}})
    cassette = {"requests": requests, "responses": responses}
    return len(serialize(cassette, yamlserializer).encode())


def _ask(url: str, body: bytes) -> list[tuple[float, str]]:
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port)
    start = time.perf_counter()
    connection.request("POST", target.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    reads = []
    while data := answer.read(65536) if not hasattr(answer, "read1") else answer.read1(65536):
        reads.append((time.perf_counter() - start, base64.b64encode(data).decode()))
    connection.close()
    return reads


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
