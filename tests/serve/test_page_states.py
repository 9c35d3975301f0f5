"""The web page for everybody and in bad times: keys, fingers, screen readers; servers and microphones that go."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

pytest.importorskip("websockets", reason="the page's tests need `websockets` (extra `serve`)")

from tests.serve import browser, page_mock

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)"),
]

NOTICE = "document.getElementById('notice').hidden ? '' : document.getElementById('notice-text').textContent"
STATE = "document.getElementById('state-text').textContent"
TEXT = "document.getElementById('turns').innerText"
REACHABLE = """
  [...document.querySelectorAll("button, input, select, summary")]
    .map((found) => (found.matches("[type=radio]") ? found.parentElement : found))
    .filter((found) => found.checkVisibility() && (!document.querySelector("dialog[open]") || found.closest("dialog")))
    .map((found) => (found.type === "checkbox" ? found.nextElementSibling : found))
    .map((found) => [found, found.getBoundingClientRect()])
    .filter(([, { width, height }]) => width < 44 || height < 44)
    .map(([found, { width, height }]) => `${found.id || found.textContent.trim()} ${width}x${height}`)
"""
FOCUSED = """
  (({ id, value, tagName }) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    const seen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    return `${id || value || tagName.toLowerCase()}${seen ? "" : ": not to be seen"}`;
  })(document.activeElement)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[page_mock.Mock]:
    with page_mock.running() as mock:
        yield mock


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Page]:
    with browser.browsing(None, "--lang=en-US") as page:
        yield page


@pytest.fixture
def page(chromium: browser.Page, server: page_mock.Mock) -> Iterator[browser.Page]:
    """The page newly opened; what the browser itself says of a server that refuses is no fault of the page's."""
    address = f"http://127.0.0.1:{server.port}"
    chromium.open("about:blank")
    chromium.call("Storage.clearDataForOrigin", origin=address, storageTypes="local_storage")
    server.events.clear()
    server.refuse = HTTPStatus.OK
    chromium.problems.clear()
    chromium.size(1200, 820)
    chromium.scheme("light")
    chromium.open(f"{address}/")
    yield chromium
    own = ("503", "Back-Forward Cache")
    assert [problem for problem in chromium.problems if not any(word in problem for word in own)] == []


def shot(page: browser.Page, name: str) -> None:
    """A picture for people, where somebody asks for them."""
    if folder := os.environ.get("PAGE_SHOTS"):
        page.picture(Path(folder) / f"{name}.png")


def call(page: browser.Page) -> None:
    page.click("#talk")
    page.wait(f"{STATE} === 'Listening'")


def answer(page: browser.Page) -> None:
    """An answer with a tool call and times, in writing."""
    page.run("document.getElementById('aloud').click()")
    page.run("document.querySelector('#examples button').click()")
    page.wait("Boolean(document.querySelector('.times:not([hidden]) dl'))")


def tab(page: browser.Page) -> str:
    for kind in ("keyDown", "keyUp"):
        page.key(kind, "Tab", "Tab", 9)
    focused: str = page.run(FOCUSED)
    return focused


# For everybody


def test_the_keyboard_reaches_all_in_order_and_is_seen(page: browser.Page) -> None:
    page.wait("document.getElementById('pack').options.length === 2")  # the server has told what it offers
    page.run("document.querySelectorAll('#examples li + li').forEach((item) => item.remove())")
    head = ["a", "language", "theme", "open-history", "open-settings"]
    expected = [*head, "button", "open", "talk", "words", "send"]
    assert [tab(page) for _ in expected] == expected
    page.run("document.getElementById('open-settings').focus()")
    for kind in ("keyDown", "keyUp"):
        page.key(kind, "Enter", "Enter", 13)
    page.wait("document.querySelector('dialog[open]')?.id === 'settings'")
    inside = [tab(page) for _ in range(10)]
    assert {"pack", "voice", "spoken", "pace", "aloud", "quiet", "keep", "key"} <= set(inside)
    for kind in ("keyDown", "keyUp"):
        page.key(kind, "Escape", "Escape", 27)
    assert page.run("document.activeElement.id") == "open-settings"


def test_a_button_that_goes_leaves_the_focus_somewhere(page: browser.Page) -> None:
    page.run("document.querySelector('#examples button').click()")
    page.wait(f"{STATE}.startsWith('Answering')")
    for button in ("stop", "hang-up"):
        page.run(f"document.getElementById('{button}').focus()")
        for kind in ("keyDown", "keyUp"):
            page.key(kind, "Enter", "Enter", 13)
        page.wait(f"document.getElementById('{button}').disabled && document.activeElement.id === 'talk'")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_fingers_find_everything_on_a_phone(page: browser.Page, language: str) -> None:
    page.size(360, 740, 2)
    if language == "zh":
        page.click("#language")
    answer(page)
    assert page.run(REACHABLE) == []
    page.run("document.querySelectorAll('details').forEach((entry) => (entry.open = true))")
    shot(page, f"phone-details-{language}")
    for name in ("settings", "history"):
        page.click(f"#open-{name}")
        page.wait(f"document.getElementById('{name}').open")
        assert page.run(REACHABLE) == []
        page.run(f"document.getElementById('{name}').close()")
    page.size(320, 640, 2)
    assert page.run("document.documentElement.scrollWidth") == 320


def test_screen_readers_get_names_and_few_words(page: browser.Page) -> None:
    page.run("""
      window.told = [];
      for (const id of ["live", "said", "notice-text"]) {
        new MutationObserver(() => told.push(document.getElementById(id).textContent)).observe(
          document.getElementById(id), { childList: true, characterData: true, subtree: true });
      }
    """)
    call(page)
    page.run("document.getElementById('words').value = 'hello'")
    page.click("#send")
    page.wait(f"{STATE}.startsWith('Answering')")
    page.click("#stop")
    page.wait(f"{STATE} === 'Listening'")
    told = page.run("told")
    assert told[-1] == "Listening"
    assert len(told) == len(set(told)) <= 3  # the voice is not talked over, and nothing is said twice
    assert page.run("document.getAnimations().length") == 0  # no motion where none is wanted
    levels = page.run("[...document.querySelectorAll('h1, h2, h3, h4')].map((head) => Number(head.tagName[1]))")
    assert all(after <= before + 1 for before, after in zip([0, *levels], levels, strict=False))
    page.call("Accessibility.enable")
    nodes = [node for node in page.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    roles = {"button", "textbox", "radio", "meter", "image", "log", "DisclosureTriangle"}
    names = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    assert {"log", "meter", "DisclosureTriangle"} <= {role for role, _ in names}
    assert [role for role, name in names if role in roles and not name.strip()] == []
    assert page.run("[...document.querySelectorAll('pre')].every((found) => found.ariaLabel)")


# A long call


def test_hours_of_talk_stay_light(page: browser.Page) -> None:
    page.run((Path(__file__).parent / "browser_laws.js").read_text("utf-8") + "; 0")
    told = page.run("laws.hoursOfTalk()")
    assert told["turns"] == told["exported"] == 1000
    assert told["entries"] == 151
    assert told["elements"] < 4000
    assert told["letters"] < 200_000
    assert told["first"].startswith("Earlier turns")
    assert told["ms"] < 20_000  # some milliseconds a turn, on a slow machine too
    page.size(360, 740, 2)
    assert page.run("document.documentElement.scrollWidth") == 360
    shot(page, "long")


# Bad times


def test_a_server_that_stops_is_full_and_comes_back(page: browser.Page, server: page_mock.Mock) -> None:
    call(page)
    answer(page)
    server.refuse = HTTPStatus.SERVICE_UNAVAILABLE
    server.kick(1012)
    page.wait(f"{STATE}.startsWith('The server is stopping or starting anew: trying again in')")
    shot(page, "restarting")
    assert page.run("document.getElementById('talk').getAttribute('aria-label')") == "Connect again now"
    page.click("#talk")
    page.wait(f"{STATE}.startsWith('The server has no free line: trying again in')")
    page.click("#language")
    assert re.match(r"服务器线路已满，\d+ 秒后重试", page.run(STATE))
    shot(page, "full-zh")
    page.click("#language")
    server.refuse = HTTPStatus.OK
    page.click("#talk")
    page.wait(f"{STATE} === 'Listening'")
    page.wait(f"({TEXT}).split('new conversation begins here').length === 2")  # told once, though it tried often
    server.kick(1013)
    page.wait(f"{STATE}.startsWith('The server has no free line')")


def test_text_goes_on_without_a_microphone(page: browser.Page) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{}'))"
    for name, words in (("NotAllowedError", "does not allow the microphone"), ("NotFoundError", "No microphone")):
        page.run(refuse.format(name))
        page.click("#talk")
        page.wait(f"({NOTICE}).includes({words!r})")
        page.wait(f"{STATE} === 'Ready: write below'")
    shot(page, "denied")
    page.run("document.getElementById('words').value = 'turn on the floor lamp'")
    page.click("#send")
    page.wait("Boolean(document.querySelector('.turn.it .said')?.textContent.includes('floor lamp'))")


def test_another_microphone_takes_over(page: browser.Page, server: page_mock.Mock) -> None:
    page.run("""
      const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await real(wanted));
      0
    """)
    call(page)
    assert page.run("stream.getTracks()[0].getSettings().echoCancellation") is True
    page.run("window.first = stream; stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    page.wait(f"stream !== first && ({NOTICE}).includes('another one listens now')")
    came = server.frames
    assert page.wait(f"{STATE} === 'Listening'")
    page.wait("new Promise((done) => setTimeout(() => done(true), 500))")
    assert server.frames > came
    page.run("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")


def test_a_page_that_slept_goes_on(page: browser.Page, server: page_mock.Mock) -> None:
    call(page)
    page.call("Page.setWebLifecycleState", state="frozen")  # which closes its line
    page.call("Page.setWebLifecycleState", state="active")
    page.wait(f"{STATE}.startsWith('Connection lost')")
    page.run("document.dispatchEvent(new Event('visibilitychange'))")  # it is looked at again: no waiting
    page.wait(f"{STATE} === 'Listening'")
    came = server.frames
    page.wait("new Promise((done) => setTimeout(() => done(true), 500))")
    assert server.frames > came
