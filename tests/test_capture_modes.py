"""What `--upstream` and `--mode` say."""

import pytest
from mitmproxy.proxy.mode_specs import ProxyMode

from replayproxy.address import parse_upstream
from replayproxy.capture_modes import Entrance, Route, entrances, named_upstreams, routed
from replayproxy.errors import UsageError

LISTEN = ("127.0.0.1", 8080)
OPENAI, ANTHROPIC = "https://api.openai.com", "https://api.anthropic.com"


def specs(*, modes: tuple[str, ...] = (), upstreams: tuple[str, ...] = ()) -> list[str]:
    return [entrance.spec for entrance in entrances(LISTEN, modes=modes, upstreams=upstreams)]


def test_nothing_said_is_a_forward_proxy() -> None:
    assert entrances(LISTEN) == (Entrance(mode="regular", address=LISTEN),)


def test_an_upstream_is_a_base_url() -> None:
    assert specs(upstreams=(OPENAI,)) == [f"reverse:{OPENAI}:443@127.0.0.1:8080"]


def test_several_upstreams_have_a_prefix_each_or_a_port_each() -> None:
    first, second = entrances(
        LISTEN, upstreams=(f"9000={ANTHROPIC}", f"/openai={OPENAI}", f"/a/={ANTHROPIC}/v1?a=b")
    )

    assert [route.prefix for route in first.routes] == ["/openai", "/a"]
    assert first.routes[1].upstream.path == "/v1"
    assert first.address == LISTEN
    assert (second.address, second.routes[0].prefix) == (("127.0.0.1", 9000), "")
    named = {upstream.host for upstream in named_upstreams([first, second])}
    assert named == {"api.openai.com", "api.anthropic.com"}


def test_an_equals_sign_in_a_url_is_a_part_of_it() -> None:
    (entrance,) = entrances(LISTEN, upstreams=(f"{OPENAI}/v1?key=value",))

    assert entrance.routes[0].upstream.path == "/v1"


@pytest.mark.parametrize(
    ("modes", "upstreams", "expected"),
    [
        (("socks5",), (), ["socks5@127.0.0.1:8080"]),
        (
            ("regular", "socks5", "wireguard", "local:curl"),
            (),
            ["regular@127.0.0.1:8080", "socks5@127.0.0.1:1080", "wireguard@127.0.0.1:51820",
             "local:curl"],
        ),
        (
            ("Regular@8081", "transparent@0.0.0.0:8082"),
            (OPENAI,),
            ["reverse:https://api.openai.com:443@127.0.0.1:8080", "regular@127.0.0.1:8081",
             "transparent@0.0.0.0:8082"],
        ),
        (("upstream:http://proxy:3128",), (), ["upstream:http://proxy:3128@127.0.0.1:8080"]),
        (("regular@[::1]:8081",), (), ["regular@::1:8081"]),
        (("wireguard",), (), ["wireguard@127.0.0.1:51820"]),
        (("local",), (), ["local"]),
    ],
)  # fmt: skip
def test_each_mode_has_a_port_of_its_own(
    modes: tuple[str, ...], upstreams: tuple[str, ...], expected: list[str]
) -> None:
    found = specs(modes=modes, upstreams=upstreams)

    assert found == expected
    parsed = [ProxyMode.parse(spec) for spec in found]
    assert [mode.type_name for mode in parsed] == [
        entrance.mode for entrance in entrances(LISTEN, modes=modes, upstreams=upstreams)
    ]


@pytest.mark.parametrize(
    ("modes", "upstreams", "said"),
    [
        (("forward",), (), "none of regular, socks5"),
        (("regular:x",), (), "none of regular, socks5"),
        (("reverse:http://x",), (), "--upstream http://x"),
        (("regular", "transparent"), (), "transparent@8081"),
        (("regular@0.0.0.0:port",), (), "neither a port nor HOST:PORT"),
        (("regular@65536",), (), "neither a port nor HOST:PORT"),
        (("upstream",), (), "looks like http://proxy.example:3128"),
        (("upstream:http://me:secret@proxy:1",), (), "REPLAYPROXY_UPSTREAM_AUTH"),
        ((), (OPENAI, ANTHROPIC), "a prefix each"),
        ((), (f"/a={OPENAI}", f"/a/={ANTHROPIC}"), "a prefix each"),
        ((), ("/a=api.openai.com",), "is not a URL"),
        ((), (f"port={OPENAI}",), "neither a port nor HOST:PORT"),
    ],
)
def test_what_makes_no_sense_is_said_with_a_way_out(
    modes: tuple[str, ...], upstreams: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        entrances(LISTEN, modes=modes, upstreams=upstreams)

    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


ROUTES = [
    Route(prefix=prefix, upstream=parse_upstream(f"http://{host}"))
    for prefix, host in (("/a", "one"), ("/a/b", "two"))
]


@pytest.mark.parametrize(
    ("path", "host", "rest"),
    [
        ("/a/v1/models", "one", "/v1/models"),
        ("/a/b/v1", "two", "/v1"),
        ("/a/bc", "one", "/bc"),
        ("/a", "one", "/"),
        ("/a?x=1", "one", "/?x=1"),
    ],
)
def test_the_longest_prefix_tells_the_upstream_and_is_taken_off(
    path: str, host: str, rest: str
) -> None:
    found = routed(path, ROUTES)

    assert found is not None
    assert (found[0].upstream.host, found[1]) == (host, rest)


@pytest.mark.parametrize("path", ["/", "/v1", "/ab", "*", ""])
def test_a_path_without_a_known_prefix_is_nobodys(path: str) -> None:
    assert routed(path, ROUTES) is None


def test_without_a_prefix_every_path_is_the_upstreams() -> None:
    rest = Route(prefix="", upstream=parse_upstream("http://rest"))

    assert [routed(path, [*ROUTES, rest]) for path in ("/v1", "/")] == [(rest, "/v1"), (rest, "/")]
