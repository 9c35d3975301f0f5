from __future__ import annotations

import numpy as np
import pytest

from step_audio_mini.cli.output import hearing_json
from step_audio_mini.types import Attributes, Hearing, Hypothesis, Language, Word

pytestmark = pytest.mark.unit


def test_every_word_of_a_mixed_sentence_tells_its_language() -> None:
    said: list[tuple[str, Language]] = [("把", "zh"), ("bedroom", "en"), ("light", "en"), ("打开", "zh")]
    words = tuple(Word(text, 0.1 * n, 0.1 * n + 0.1, 0.9, language) for n, (text, language) in enumerate(said))
    confidence = {"snr_db": 0.73, "rate": 0.9, "pitch_hz": 0.8, "language": 0.95, "gender": 0.6}
    attributes = Attributes(12.34, 9.0, 200.0, "zh", None, None, confidence)
    told = hearing_json(Hearing((Hypothesis(words, -1.0),), attributes, np.zeros((0, 4), np.float32)))
    assert told["transcript"] == "把bedroom light打开"
    assert [(word["w"], word["lang"]) for word in told["words"]] == said
    assert told["nbest"][0]["words"] == told["words"]
    assert told["attributes"] == {
        "snr_db": 12.3, "rate": 9.0, "pitch_hz": 200.0, "language": "zh", "gender": None, "confidence": confidence,
    }  # fmt: skip
