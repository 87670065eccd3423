"""One exchange and two, in a real browser: what their script does, by pointer and by keyboard."""

import base64
from collections.abc import Iterator

import pytest
import vl_convert

from tests.dashboards.sample import TOOLS_REQUEST, Said, delta, hostile, tool_answer, varied, write
from tests.dashboards.site import HOME
from tests.end_to_end import chromium
from tests.end_to_end.commands import serving

PNG = vl_convert.vegalite_to_png({"mark": "bar", "data": {"values": [{"a": 1}]}})
TEXT = "No, it is dry in Lisbon. Let me look at tomorrow as well."


def pictured() -> Said:
    uri = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    content = [{"type": "image_url", "image_url": {"url": uri}}]
    return Said(request={"model": "m", "messages": [{"role": "user", "content": content}]})


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Chromium]:
    with chromium.running(chromium.required()) as running:
        yield running


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("browser")
    script = hostile("</script><script>document.title='PWNED'</script>")
    emoji = Said(chunks=[(9, delta(content="a😀b")), (12, delta(content="\r\nc\x1b"))])
    write(
        folder / "replayproxy.db",
        Said(request=TOOLS_REQUEST, chunks=tool_answer()),
        pictured(),
        emoji,
        script,
        *varied()[1:],
    )
    with serving("dashboard", cwd=folder) as child:
        yield f"{child.url}{HOME}"


def so_far(browser: chromium.Chromium) -> str:
    return str(browser.evaluate("document.querySelector('.rp-follow-text').textContent"))


def test_the_slider_follows_the_stream_by_keyboard(browser: chromium.Chromium, url: str) -> None:
    visit = browser.visit(f"{url}/exchange/1")
    assert TEXT in so_far(browser)

    browser.evaluate("document.querySelector('.rp-follow input').focus()")
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        for kind in ("rawKeyDown", "keyUp"):
            codes = {"Home": 36, "ArrowRight": 39}
            browser.call(
                "Input.dispatchKeyEvent",
                visit.session,
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
            )

    assert so_far(browser).endswith("The tool says no.\n\nNo, it is ")
    spoken = browser.evaluate(
        "document.querySelector('.rp-follow input').getAttribute('aria-valuetext')"
    )
    assert spoken.startswith("chunk 3, 690 ms, 64 characters: ")
    assert visit.complaints == []


def test_pointing_at_a_mark_shows_the_text_so_far(browser: chromium.Chromium, url: str) -> None:
    browser.visit(f"{url}/exchange/1")

    browser.evaluate(
        """document.querySelector('svg [aria-label^="chunk 4:"]')
        .dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"""
    )

    assert so_far(browser).endswith("No, it is dry in Lisbon. ")
    lit = browser.evaluate("document.querySelector('svg .rp-at').getAttribute('aria-label')")
    assert lit.startswith("chunk 4: 720 ms")


def test_playing_ends_with_all_of_it(browser: chromium.Chromium, url: str) -> None:
    browser.visit(f"{url}/exchange/3")
    whole = so_far(browser)

    ended = browser.call(
        "Runtime.evaluate",
        browser.visit(f"{url}/exchange/3").session,
        expression="""new Promise((resolve) => {
          const button = document.querySelector('.rp-follow button');
          new MutationObserver(() => { if (button.textContent === 'Play') resolve('ended'); })
            .observe(button, {childList: true});
          button.click();
        })""",
        awaitPromise=True,
        returnByValue=True,
    )

    assert ended["result"]["value"] == "ended"
    assert so_far(browser) == whole == "a😀b␍\nc␛"


def test_a_command_is_copied_as_it_is_shown(browser: chromium.Chromium, url: str) -> None:
    visit = browser.visit(f"{url}/exchange/1")
    origin = url.removesuffix(HOME)
    browser.call(
        "Browser.grantPermissions",
        origin=origin,
        permissions=["clipboardReadWrite", "clipboardSanitizedWrite"],
    )

    copied = browser.call(
        "Runtime.evaluate",
        visit.session,
        expression="""(async () => {
          window.focus();
          const button = document.querySelector('[data-copies="as-python"]');
          button.closest('details').open = true;
          button.click();
          await new Promise((resolve) => new MutationObserver(resolve)
            .observe(button, {childList: true}));
          return [button.textContent, document.getElementById('as-python').textContent,
            await navigator.clipboard.readText()];
        })()""",
        awaitPromise=True,
        returnByValue=True,
    )

    said, shown, clipboard = copied["result"]["value"]
    assert said == "Copied"
    assert clipboard == shown
    assert shown.startswith("import os\n\nfrom openai import OpenAI\n")


def test_a_picture_that_was_sent_is_drawn(browser: chromium.Chromium, url: str) -> None:
    visit = browser.visit(f"{url}/exchange/2")

    drawn = browser.evaluate(
        "Array.from(document.images).map((i) => [i.complete, i.naturalWidth > 0, i.alt])"
    )
    assert drawn == [[True, True, "The image url that was sent"]]
    assert visit.complaints == []


def test_without_a_script_nothing_is_missing(browser: chromium.Chromium, url: str) -> None:
    visit = browser.visit("about:blank")
    browser.call("Emulation.setScriptExecutionDisabled", visit.session, value=True)
    browser.call("Page.navigate", visit.session, url=f"{url}/exchange/1")
    browser.wait_for_load()
    browser.call("Emulation.setScriptExecutionDisabled", visit.session, value=False)

    text = browser.evaluate("document.body.innerText")

    assert "Let me look at" in text
    assert "+1180.000 stalled" in text
    hidden = "document.querySelector('.rp-follow').checkVisibility()"
    assert browser.evaluate(hidden) is False
    button = "document.querySelector('[data-copies]').checkVisibility()"
    assert browser.evaluate(button) is False


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "page",
    [
        "/exchange/1",
        "/exchange/2",
        "/exchange/4",
        "/exchange/1/chunks",
        "/compare?a=1&b=4",
        "/compare?a=4&b=2",
        "/compare",
    ],
)
def test_pages_fit_a_phone_with_everything_open(
    page: str, dark: bool, browser: chromium.Chromium, url: str
) -> None:
    visit = browser.visit(url + page, width=390, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")

    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    assert visit.complaints == []
    assert "PWNED" not in visit.title.replace("document.title='PWNED'", "")


@pytest.mark.parametrize("page", ["/exchange/1", "/exchange/6", "/compare?a=1&b=2"])
def test_everything_that_can_be_used_has_a_name(
    page: str, browser: chromium.Chromium, url: str
) -> None:
    visit = browser.visit(url + page)
    browser.call("Accessibility.enable", visit.session)

    tree = browser.call("Accessibility.getFullAXTree", visit.session)["nodes"]

    used = {"button", "link", "slider", "textbox", "checkbox", "image", "region"}
    nameless = [
        (node["role"]["value"], node.get("properties"))
        for node in tree
        if not node.get("ignored")
        and node["role"]["value"] in used
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
