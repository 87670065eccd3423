"""Replays in a network namespace that has no route: `unshare --net python -m ...`.

Prints the status of each answer: first those of a replay that serves, then those of
programs that it runs. The hosts that are asked for have no address here.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.commands import run, serving
from tests.end_to_end.namespace import check_there_is_no_way_out, loopback_up
from tests.end_to_end.test_fail_closed import KNOWN, PATH, UNKNOWN
from tests.end_to_end.wire import post

ASK = ("sh", "-c", 'curl -s -o /dev/null -w "%{http_code}" -d "$0" "$(eval echo "$1")"')
WAYS = (
    ((), f"https://api.openai.com{PATH}"),
    ((), f"http://api.openai.com{PATH}"),
    (("--base-url",), "$OPENAI_BASE_URL/chat/completions"),
)


def main() -> None:
    """As the module says."""
    folder = Path(sys.argv[1])
    loopback_up()
    check_there_is_no_way_out()
    ca = folder / "home" / "mitmproxy-ca-cert.pem"
    prefix = ("--upstream", "/openai=https://api.openai.com")
    with serving("replay", *prefix, cwd=folder) as player:
        for body in (KNOWN, UNKNOWN):
            print(post(player.url + PATH, body).status)
            print(post(f"{player.url}/openai{PATH}", body).status)
            for host in ("http://api.openai.com:80", "https://api.openai.com"):
                print(post(host + PATH, body, tunnel=player.url, authority=ca).status)
            for scheme in ("http", "https"):
                print(by_socks(f"{scheme}://api.openai.com{PATH}", body, player.url, ca))
    for body in (KNOWN, UNKNOWN):
        for way, url in WAYS:
            print(run("replay", *way, "--", *ASK, json.dumps(body), url, cwd=folder).stdout)


def by_socks(url: str, body: dict[str, object], proxy: str, ca: Path) -> str:
    """The status that curl gets through a SOCKS proxy that has to resolve the name."""
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
    command += ["--proxy", proxy.replace("http:", "socks5h:"), "--cacert", str(ca)]
    command += ["--json", json.dumps(body), url]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
