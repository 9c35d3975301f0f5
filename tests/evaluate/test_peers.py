from __future__ import annotations

import shutil

import numpy as np
import pytest

from step_audio_mini.audio import file
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate import peers

pytestmark = pytest.mark.unit


def test_pocketsphinx_does_not_depend_on_the_order_of_clips() -> None:
    pytest.importorskip("pocketsphinx")
    ear = peers.PocketSphinx()
    samples = (file.read("tests/fixtures/order.opus")[8000:24000] * 32767).astype(np.int16)
    first = ear.hear(samples)
    ear.hear(samples[:4000] // 8)
    assert ear.hear(samples) == first != ""
    assert ear.hear(samples[:0]) == ""


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_espeak_speaks_and_text_is_never_an_option() -> None:
    sound = peers.espeak("打开客厅的灯")
    assert 0.5 < len(sound) / 16000 < 5
    assert len(peers.espeak("--help")) > 1600


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
def test_flite_speaks() -> None:
    assert 0.3 < len(peers.flite("turn on the light")) / 16000 < 5


def test_missing_program_and_failure_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="apt install flite"):
        peers.flite("hello")
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/false")
    with pytest.raises(UserError, match="could not say"):
        peers._say(["false"], "hello")
