"""The mouth: clause by clause, never clipping, quiet at the edges, one voice a language, clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.speak.acoustic import AcousticVoice
from step_audio_mini.speak.frontend import ENDS, SYMBOLS, TONES, Frontend
from step_audio_mini.speak.speaker import CEILING, KNEE, LONGEST_TEXT, Fading, Speaker, limited
from step_audio_mini.speak.voices import choose_voice, voices_of
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.types import AudioChunk, Frames, Language, Samples, Style

pytestmark = pytest.mark.unit

VOICES = [{"name": "ann", "language": "en"}, {"name": "li", "language": "zh"}, {"name": "bob", "language": "en"}]


class FakeAcoustic:
    """Four frames a phone at speed 1, F0 tells the voice."""

    facts: Mapping[str, Any] = {"symbols": list(SYMBOLS), "tones": list(TONES), "ends": list(ENDS), "voices": VOICES}

    def __init__(self) -> None:
        self.calls, self.voices = 0, list[int]()

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.calls += 1
        self.voices += feeds["voice"].tolist()
        durations = (feeds["phones"] > 0) * np.int64(round(4 / float(feeds["speed"][0])))
        frames = int(durations.sum(1).max())
        f0 = np.full((len(durations), frames), 100.0, np.float32) * (1 + feeds["voice"][:, None])
        return {"mel": np.zeros((len(durations), frames, 80), np.float32), "f0": f0, "durations": durations}


class FakeVocoder:
    """A loud constant: F0 / 50 at every sample."""

    def start(self, seed: int = 0) -> FakeVocoder:
        return self

    def push(self, mel: Frames, f0: NDArray[np.float32]) -> Samples:
        return np.repeat(f0 / 50, 160).astype(np.float32)

    def finish(self) -> Samples:
        return np.zeros(0, np.float32)


class LateVocoder:
    """A tone whose samples come five frames late, and reach beyond the last frame."""

    def __init__(self) -> None:
        self._frames = self._given = 0

    def start(self, seed: int = 0) -> LateVocoder:
        return LateVocoder()

    def _upto(self, end: int) -> Samples:
        begin, self._given = self._given, max(self._given, end)
        return (np.sin(np.arange(begin, self._given) / 9) / 3).astype(np.float32)

    def push(self, mel: Frames, f0: NDArray[np.float32]) -> Samples:
        self._frames += len(f0)
        return self._upto(160 * (self._frames - 5))

    def finish(self) -> Samples:
        return self._upto(160 * self._frames + 240)


@pytest.fixture
def acoustic() -> FakeAcoustic:
    return FakeAcoustic()


@pytest.fixture
def speaker(acoustic: FakeAcoustic) -> Speaker:
    lexicon = Lexicon({"hello": (("HH", "AH0", "L", "OW1"),)})
    return Speaker(Frontend(lexicon), AcousticVoice(acoustic), FakeVocoder())


def test_first_clause_comes_before_the_rest_is_made(speaker: Speaker, acoustic: FakeAcoustic) -> None:
    chunks = speaker.stream("Hello hello hello hello. Hello. Hello.", "en")
    next(chunks)
    assert acoustic.calls == 1
    list(chunks)
    assert acoustic.calls == 3


def test_the_first_piece_of_a_clause_is_short_and_all_pieces_are_its_whole_sound(
    acoustic: FakeAcoustic, monkeypatch: pytest.MonkeyPatch
) -> None:
    lexicon = Lexicon({"hello": (("HH", "AH0", "L", "OW1"),)})

    def pieces() -> list[Samples]:
        speaker = Speaker(Frontend(lexicon), AcousticVoice(acoustic), LateVocoder())
        return [chunk.samples for chunk in speaker.stream("hello " * 40, "en")]

    cut = pieces()
    monkeypatch.setattr("step_audio_mini.speak.speaker.FIRST_PIECE", 10_000)
    whole = pieces()
    assert len(cut) > len(whole)
    assert len(cut[0]) < 0.35 * 16_000
    np.testing.assert_allclose(np.concatenate(cut), np.concatenate(whole), atol=1e-4)


def spoken_words(speaker: Speaker, text: str) -> tuple[list[AudioChunk], list[tuple[str, int]]]:
    """Chunks of a text and its words with their ends in the whole."""
    chunks = list(speaker.stream(text, "en"))
    words, begin = [], 0
    for chunk in chunks:
        assert all(0 <= word.end <= len(chunk.samples) for word in chunk.words)
        words += [(word.text, begin + word.end) for word in chunk.words]
        begin += len(chunk.samples)
    return chunks, words


def test_words_end_with_their_sound(speaker: Speaker) -> None:
    _, words = spoken_words(speaker, "😀 Hello “hello” — hello! 😀 Hello. 😀")
    assert [text for text, _ in words] == ["😀 Hello ", "“hello” — ", "hello!", " 😀 Hello. 😀"]
    frame, lead = 160, 240  # a frame's window reaches so far beyond its hop
    pause = 4 * 4 * frame  # edge, four phones, a mark between words
    assert words[0][1] == 5 * 4 * frame + lead
    assert words[1][1] == 9 * 4 * frame + lead
    assert words[2][1] == words[1][1] + 4 * frame + pause
    assert words[3][1] > words[2][1] + round(0.32 * 16_000)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "Hello",
                "hello",
                "客厅",
                "的灯",
                "40%",
                "21 °C",
                "½",
                "…",
                "！",
                "?",
                ". ",
                ", ",
                "\n",
                " ",
                "“",
                "12:30",
                "é",
                "😀",
                "A",
                "TV",
                "一",
                "Dr. ",
                "$5.20",
                "ﬁ",
                "Ω",
                "[[HH AH0 L OW1]]",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_all_words_joined_are_the_text_and_their_ends_never_fall(text: str) -> None:
    lexicon = Lexicon({"hello": (("HH", "AH0", "L", "OW1"),)})
    speaker = Speaker(Frontend(lexicon), AcousticVoice(FakeAcoustic()), FakeVocoder())
    try:
        _, words = spoken_words(speaker, text)
    except UserError:
        return
    assert "".join(word for word, _ in words) == text
    ends = [end for _, end in words]
    assert ends == sorted(ends)


def test_length_is_phones_times_frames_plus_pauses(speaker: Speaker) -> None:
    first, second = speaker.stream("Hello. Hello.", "en")
    assert len(second.samples) == 6 * 4 * 160
    assert len(first.samples) == 6 * 4 * 160 + round(0.32 * 16_000)
    assert not first.samples[6 * 4 * 160 :].any()


def test_sound_never_clips_and_edges_are_quiet(speaker: Speaker) -> None:
    (chunk,) = speaker.stream("Hello.", "en")
    assert np.abs(chunk.samples).max() <= CEILING
    assert abs(chunk.samples[0]) < 0.02 > abs(chunk.samples[-1])
    assert chunk.samples.dtype == np.float32


def test_speed_is_followed_and_bounded(speaker: Speaker) -> None:
    def length(speed: float) -> int:
        return sum(len(chunk.samples) for chunk in speaker.stream("Hello.", "en", Style(speed=speed)))

    assert length(2.0) * 2 == length(1.0)
    assert length(100.0) == length(2.0)


def test_each_language_has_its_voice(acoustic: FakeAcoustic) -> None:
    assert choose_voice(AcousticVoice(acoustic).voices, "en", "bob").name == "bob"
    assert choose_voice(AcousticVoice(acoustic).voices, "zh", "bob").name == "li"
    with pytest.raises(UserError, match="unknown voice 'eve'; voices are ann, li, bob"):
        choose_voice(AcousticVoice(acoustic).voices, "en", "eve")
    with pytest.raises(UserError, match="no voice speaks 'zh'"):
        choose_voice(AcousticVoice(acoustic).voices[:1], "zh")


def test_a_reply_is_spoken_by_the_voice_named_as_far_as_that_knows_the_language(
    speaker: Speaker, acoustic: FakeAcoustic
) -> None:
    assert [voice.name for voice in speaker.voices] == ["ann", "li", "bob"]
    preferred = Speaker(Frontend(Lexicon({})), AcousticVoice(acoustic), FakeVocoder(), "bob")
    assert [voice.name for voice in preferred.voices] == ["bob", "li", "ann"]

    def speakers(text: str, language: Language, voice: str | None) -> list[str]:
        acoustic.voices.clear()
        list(speaker.stream(text, language, None, voice))
        return [VOICES[index]["name"] for index in acoustic.voices]

    assert [speakers("hello", "en", voice) for voice in (None, "ann", "li", "bob")] == [["ann"]] * 3 + [["bob"]]
    assert [speakers("你好", "zh", voice) for voice in (None, "bob")] == [["li"]] * 2
    assert speakers("hello 你好", "en", "bob") == ["bob", "li"]
    with pytest.raises(UserError, match="unknown voice 'eve'"):
        speaker.stream("hello", "en", None, "eve")


def test_a_voice_without_a_name_is_called_after_its_language() -> None:
    told = voices_of({"voices": [{"name": "cvf0252fe7cd27", "language": "zh"}, {"name": "ann", "language": "en"}]})
    assert [voice.name for voice in told] == ["mandarin", "ann"]


def test_mixed_text_is_spoken(speaker: Speaker) -> None:
    words = [[word.text for word in chunk.words] for chunk in speaker.stream("打开hello吧", "zh")]
    assert words == [["打", "开"], ["hello"], ["吧"]]


@pytest.mark.parametrize("text", ["", "   ", "😀", "!?"])
def test_text_without_sound_is_an_error_at_once(speaker: Speaker, text: str) -> None:
    with pytest.raises(UserError, match="nothing that can be spoken"):
        speaker.stream(text, "en")


def test_long_text_is_spoken_and_too_long_text_refused(speaker: Speaker) -> None:
    assert sum(1 for _ in speaker.stream("hello " * 1000, "en")) > 20
    with pytest.raises(UserError, match="10001 characters"):
        speaker.stream("h" * (LONGEST_TEXT + 1), "en")


@given(arrays(np.float32, st.integers(0, 50), elements=st.floats(-20, 20, width=32)))
def test_limiter_keeps_quiet_samples_order_and_ceiling(samples: Samples) -> None:
    out = limited(samples)
    quiet = np.abs(samples) <= KNEE
    np.testing.assert_array_equal(out[quiet], samples[quiet])
    assert np.all(np.abs(out) <= CEILING)
    assert np.all(np.diff(out[np.argsort(samples)]) >= -1e-6)


@given(st.lists(st.integers(0, 300), max_size=8))
def test_fading_in_pieces_is_fading_the_whole(sizes: list[int]) -> None:
    sound = np.ones(sum(sizes), np.float32)

    def faded(cuts: list[int]) -> Samples:
        fading = Fading()
        pieces = [fading.push(piece) for piece in np.split(sound, cuts)]
        return np.concatenate([*pieces, fading.finish()])

    whole = faded([])
    np.testing.assert_array_equal(faded(list(np.cumsum(sizes))[:-1]), whole)
    assert len(whole) == len(sound)
    assert np.all(whole[:1] < 0.01)
    assert np.all(whole[-1:] < 0.01)
