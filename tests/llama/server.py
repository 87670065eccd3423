"""Run a genuine llama.cpp HTTP server until killed: `python -m tests.llama.server MODEL`.

Prints its URL once it answers requests. This is a program, not a module to import: the
server lives in threads of C++ and can only be ended together with its process.
"""

import argparse
import signal
import sys

import xllamacpp

SLOTS = 4
"""Requests that are answered at the same time; more wait for their turn."""


def start(model: str, *, port: int) -> str:
    """Start the server in this process and return its URL; it is ready by then."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"tiny"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * 2048
    parameters.cpuparams.n_threads = 1
    parameters.n_threads_http = 2 * SLOTS
    parameters.warmup = False
    parameters.fit_params = False  # nothing to fit: the model has a megabyte
    parameters.verbosity = 1  # errors only
    server = xllamacpp.Server(parameters)
    _running.append(server)
    return str(server.listening_address)


_running: list[object] = []
"""The server ends when its object is collected."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run a genuine llama.cpp server.")
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) picks a free one")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input does, so as not to outlive whoever started it",
    )
    arguments = parser.parse_args()
    print(start(arguments.model, port=arguments.port), flush=True)
    if arguments.until_stdin_closes:
        sys.stdin.read()
    else:
        signal.pause()
