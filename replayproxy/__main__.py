"""`python -m replayproxy` is the same as `replayproxy`."""

from replayproxy.cli import main

if __name__ == "__main__":
    main(prog_name="replayproxy")
