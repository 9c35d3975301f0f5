"""A call from the web page in headless Chromium, with a recording as its microphone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("websockets", reason="the page's tests need `websockets` (extra `serve`)")

from tests.serve import browser, page_mock

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)"),
]

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
NOTICE = "document.getElementById('notice').hidden ? '' : document.getElementById('notice-text').textContent"
ANSWERED = "Boolean(document.querySelector('.turn.it .said')?.textContent.includes('floor lamp'))"
REMEMBER_STATES = """
  window.states = [];
  new MutationObserver(() => states.push(document.getElementById("state").dataset.state)).observe(
    document.getElementById("state"), { attributeFilter: ["data-state"] },
  );
  window.was = (wanted) => {
    const place = states.indexOf(wanted);
    if (place >= 0) states.splice(0, place + 1);
    return place >= 0;
  };
"""
LISTEN_TO_THE_PLAYER = """
  window.played = []; // what the worklet says it did, in order: independent of how slow this machine is
  const Real = AudioWorkletNode;
  window.AudioWorkletNode = class extends Real {
    constructor(context, name, options) {
      super(context, name, options);
      if (name === "player") this.port.addEventListener("message", ({ data }) => window.played.push(data));
    }
  };
  window.heard = () => played.filter((told) => told.level > 0.05).length;
  window.afterClear = () => {
    const from = played.findIndex((told) => told.cleared && told.item) + 2; // the first report spans the moment itself
    const to = played.findIndex((told, place) => place >= from && told.started);
    return played.slice(from, to < 0 ? undefined : to).map((told) => told.level);
  };
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears: a real sentence, a pause in which an answer begins, the sentence again over it."""
    speech, rate = soundfile.read(FIXTURES / "shopping.opus", dtype="float32")
    speech = speech * (0.7 / np.abs(speech).max())
    pauses = [np.zeros(int(seconds * rate), np.float32) for seconds in (1.0, 6.0, 40.0)]
    sound = np.concatenate([pauses[0], speech, pauses[1], speech, pauses[2]])
    sound += 1e-4 * np.random.default_rng(0).standard_normal(len(sound)).astype(
        np.float32
    )  # a microphone is never still
    path = tmp_path_factory.mktemp("sound") / "microphone.wav"
    soundfile.write(path, sound, rate, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[page_mock.Mock]:
    with page_mock.running() as mock:
        yield mock


@pytest.fixture(scope="module")
def chromium(recording: Path) -> Iterator[browser.Page]:
    with browser.browsing(recording, "--lang=en-US", "--host-resolver-rules=MAP voice.test 127.0.0.1") as page:
        yield page


@pytest.fixture
def page(chromium: browser.Page, server: page_mock.Mock) -> Iterator[browser.Page]:
    """The page newly opened, in English, on a desk; whatever it complains of fails the test."""
    address = f"http://127.0.0.1:{server.port}"
    chromium.open("about:blank")
    chromium.call("Storage.clearDataForOrigin", origin=address, storageTypes="local_storage")
    server.events.clear()
    chromium.problems.clear()
    chromium.size(1200, 820)
    chromium.scheme("light")
    chromium.open(f"{address}/")
    chromium.run(REMEMBER_STATES)
    yield chromium
    assert chromium.problems == []


def state(page: browser.Page, wanted: str) -> None:
    """The page came to this state after the one asked for before, and be it for a moment: this machine may be slow."""
    page.wait(f"was({wanted!r})")


def shot(page: browser.Page, name: str) -> None:
    """A picture for people, where somebody asks for them."""
    if folder := os.environ.get("PAGE_SHOTS"):
        page.picture(Path(folder) / f"{name}.png")


# A call


@pytest.mark.skipif(
    os.getloadavg()[0] > 4 * (os.cpu_count() or 1), reason="this machine is too busy for sound in real time"
)
def test_an_answer_is_heard_and_speech_stops_it(page: browser.Page, server: page_mock.Mock) -> None:
    page.run(LISTEN_TO_THE_PLAYER)
    shot(page, "welcome")
    page.click("#talk")
    state(page, "hearing")
    state(page, "answering")
    page.wait("heard() > 5")
    shot(page, "answering")
    page.wait("Boolean(document.querySelector('.cut:not([hidden])'))")
    levels = page.wait("afterClear().length > 2 && afterClear()")
    assert max(levels) < 0.001
    truncated = page_wait(server, "conversation.item.truncate")
    assert 0 < truncated["audio_end_ms"] < 1000 * page_mock.SECONDS
    assert isinstance(truncated["audio_end_ms"], int)
    assert page_wait(server, "conversation.item.retrieve")["item_id"] == truncated["item_id"]
    assert server.last("response.cancel") is None  # the server heard it itself
    shown = page.run("document.getElementById('turns').innerText")
    for part in (
        "turn on the floor lamp 在客厅",
        "Chinese and English · 93 % sure · 17 dB",
        "HassTurnOn",
        "You interrupted",
    ):
        assert part in shown
    assert page.run("document.querySelector('.unheard').textContent.length") > 0
    before = page.run("heard()")
    page.wait(f"document.querySelectorAll('.turn.it').length === 2 && heard() > {before} + 5")  # nothing is stranded
    shot(page, "interrupted")
    for name in ("dark", "light"):
        page.scheme(name)
        page.run("document.querySelectorAll('details').forEach((entry) => (entry.open = true))")
        shot(page, f"details-{name}")
    page.click("#hang-up")
    state(page, "off")


def page_wait(server: page_mock.Mock, kind: str) -> dict[str, Any]:
    end = time.monotonic() + browser.PATIENCE
    while time.monotonic() < end:
        if event := server.last(kind):
            return event
        time.sleep(0.02)
    raise AssertionError(f"the page never sent {kind}")


@pytest.fixture
def real_server() -> Iterator[str]:
    """The server itself, on models that follow a script."""
    for needed in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(needed, reason="needs the extra `serve`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.serve.fake_server", "--port", str(port)]
    with subprocess.Popen(command, cwd=FIXTURES.parents[1]) as process:
        try:
            end = time.monotonic() + browser.PATIENCE
            while process.poll() is None and time.monotonic() < end:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
                    break
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def test_the_server_itself_answers_with_tool_and_times(page: browser.Page, real_server: str) -> None:
    page.open(real_server)
    page.run(LISTEN_TO_THE_PLAYER)
    page.run("document.getElementById('words').value = 'turn on the kitchen light'")
    page.click("#send")
    page.wait("heard() > 3")
    page.wait("Boolean(document.querySelector('.times:not([hidden]) dt.inside'))")  # stages inside the server
    shown = page.run("document.getElementById('turns').innerText")
    assert "HassTurnOn" in shown
    assert "First sound after" in shown
    assert page.run(NOTICE) == ""


def test_press_and_talk_by_keyboard(page: browser.Page, server: page_mock.Mock) -> None:
    page.click("[name=mode][value=press]")
    page.click("#talk")
    state(page, "hold")
    page.run("document.getElementById('talk').focus()")
    settings = page_wait(server, "session.update")["session"]
    assert settings["audio"]["input"]["turn_detection"] is None
    page.key("keyDown", " ", "Space", 32)
    state(page, "hearing")
    time.sleep(0.6)
    page.key("keyUp", " ", "Space", 32)
    page_wait(server, "response.create")
    assert [event["type"] for event in server.events[-3:]] == [
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "response.create",
    ]
    state(page, "answering_press")
    page.key("keyDown", "Escape", "Escape", 27)
    page_wait(server, "response.cancel")
    page.wait("Boolean(document.querySelector('.cut:not([hidden])'))")


def test_the_line_is_taken_up_again(page: browser.Page, server: page_mock.Mock) -> None:
    page.click("#talk")
    state(page, "listening")
    server.kick(1012)
    state(page, "reconnecting")
    state(page, "listening")
    assert page.run("document.getElementById('turns').children.length") == 0  # nothing was said: nothing was lost
    server.kick(1008)  # a policy, not an accident
    state(page, "off")
    assert "key" in page.run(NOTICE)


def test_plain_http_from_elsewhere_is_told_and_can_write(page: browser.Page, server: page_mock.Mock) -> None:
    page.open(f"http://voice.test:{server.port}/")
    assert page.run("isSecureContext") is False
    assert f"ssh -L {server.port}:localhost:{server.port} voice.test" in page.run(NOTICE)
    shot(page, "insecure")
    page.run("document.getElementById('words').focus()")
    page.call("Input.insertText", text="把灯打开")
    page.key("keyDown", "Enter", "Enter", 13)
    page.wait(ANSWERED)
    assert page_wait(server, "session.update")["session"]["output_modalities"] == ["text"]
    page.wait("document.getElementById('said').textContent.includes('floor lamp')")  # read by the screen reader


def test_fits_a_phone_in_both_languages(page: browser.Page) -> None:
    page.size(360, 740, 2)
    width = "document.documentElement.scrollWidth <= innerWidth"
    for language in ("en", "zh"):
        assert page.run(width)
        shot(page, f"phone-{language}")
        for name in ("settings", "history"):
            page.click(f"#open-{name}")
            page.wait(f"document.getElementById('{name}').open")
            assert page.run(width)
            assert page.run(
                f"document.getElementById('{name}').scrollWidth <= document.getElementById('{name}').clientWidth"
            )
            shot(page, f"phone-{name}-{language}")
            page.run(f"document.getElementById('{name}').close()")
        page.click("#language")
    page.run("document.querySelector('#examples button').click()")
    page.wait(ANSWERED)
    assert page.run(width)
    shot(page, "phone-turns")


def test_every_control_has_a_name_for_assistive_technology(page: browser.Page) -> None:
    page.call("Accessibility.enable")
    roles = {
        "button",
        "textbox",
        "combobox",
        "checkbox",
        "radio",
        "dialog",
        "meter",
        "image",
        "log",
        "navigation",
        "group",
    }
    for opener, least in (("", 15), ("#open-settings", 8), ("#open-history", 3)):
        if opener:
            page.click(opener)
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        found = [node for node in nodes if not node["ignored"] and node["role"].get("value") in roles]
        assert len(found) >= least
        nameless = [node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()]
        assert nameless == []
        page.run("document.querySelector('dialog[open]')?.close()")


def test_pack_voice_and_export(page: browser.Page, server: page_mock.Mock) -> None:
    page.click("#open-settings")
    labels = "[...document.getElementById('pack').options].map((option) => option.text).join('; ')"
    page.wait(f"{labels} === 'Home; Coffee (English only)'")  # the same packs under two names are one choice
    about = "document.getElementById('pack-about').textContent"
    assert page.run(about) == "lights and covers of a home"
    assert page.run("document.getElementById('pack-can').children.length") == 2
    page.run("document.getElementById('pack').value = 'mock-coffee'")
    page.run("document.getElementById('pack').dispatchEvent(new Event('change'))")
    page.wait(f"{about} === 'ordering a coffee drink at a counter'")
    assert "house coffee" in page.run("document.getElementById('examples').textContent")
    page.run("document.getElementById('pack').value = 'mock'")
    page.run("document.getElementById('pack').dispatchEvent(new Event('change'))")
    assert page.run("[...document.getElementById('voice').options].map((option) => option.text)") == [
        "As fits the language",
        "kathleen (English)",
        "meilin (Chinese)",
    ]
    shot(page, "settings")
    page.run("document.getElementById('voice').value = 'meilin'")
    page.run("document.getElementById('voice').dispatchEvent(new Event('change'))")
    page.run("document.getElementById('keep').click()")
    page.run("document.getElementById('settings').close()")
    page.run("document.querySelector('#examples button').click()")
    page.wait(ANSWERED)
    assert page_wait(server, "session.update")["session"]["audio"]["output"]["voice"] == "meilin"
    page.run("window.saved = []; URL.createObjectURL = (blob) => (window.saved.push(blob), 'data:,')")
    page.wait("localStorage.getItem('step-audio.history')")
    page.click("#open-history")
    page.wait("document.querySelectorAll('#past li').length === 1")
    box = "document.getElementById('history')"
    assert page.run(f"{box}.scrollWidth <= {box}.clientWidth")
    shot(page, "history")
    page.click("#export-json")
    turns = json.loads(page.run("window.saved[0].text()"))["turns"]
    assert [turn["who"] for turn in turns] == ["you", "assistant"]
    assert turns[1]["tools"][0]["name"] == "HassTurnOn"
    page.run("document.getElementById('forget').click()")
    assert page.run("JSON.parse(localStorage.getItem('step-audio.history'))") == []
