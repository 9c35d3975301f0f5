"""What the manifest says of training data: hours, licences, sources, and who was held out."""

import pytest

from step_audio_mini.data.packs import Clip
from step_audio_mini.train.provenance import provenance

pytestmark = pytest.mark.unit


def clip(name: str, pack: str, speaker: str, split: str = "train") -> Clip:
    return Clip(name, pack, split, 1800.0, "CC0-1.0", f"owner/{pack}@abc:{name}.wav", speaker=speaker)


def test_hours_licences_and_held_out_speakers() -> None:
    learnt = [clip("a", "many", "s1"), clip("b", "many", "s2"), clip("c", "one", "voice")]
    cached = [*learnt, clip("d", "many", "s3", "test"), clip("e", "one", "voice", "test")]
    told = provenance(learnt, cached, "step-audio train ears")
    assert told["hours"] == 1.5 and told["packs"]["many"]["speakers"] == ["s1", "s2"]
    assert told["packs"]["one"]["sources"] == ["owner/one@abc"] and told["packs"]["one"]["licences"] == ["CC0-1.0"]
    assert told["held_out_speakers"] == {"many": ["s3"], "one": ["voice"]}
    assert told["one_voice_packs"] == ["one"]
