"""The whole way of a sound through the real rooms, with tiny weights: whistled words in, a hummed answer out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini import StepAudio2Mini
from step_audio_mini.audio import file as sound_file
from step_audio_mini.cli.main import main
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.mind import read_set
from step_audio_mini.rooms import TrainedRooms
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.think.mind import Mind
from step_audio_mini.types import Samples, Turn
from tests import tiny

pytestmark = pytest.mark.unit

ORDER = "get me a small coffee"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("STEP_AUDIO_STATE", str(folder / "state" / "state.sqlite"))
        yield tiny.weights(folder / "weights")


@pytest.fixture(scope="module")
def model(weights: Path) -> StepAudio2Mini:
    return StepAudio2Mini.from_pretrained(weights)


def same(one: Turn, other: Turn) -> None:
    """Alike but for what the tools returned: the counter numbers its orders."""
    assert one.hearing.nbest == other.hearing.nbest
    assert (one.decision.state, one.decision.reply) == (other.decision.state, other.decision.reply)
    np.testing.assert_array_equal(one.audio.samples, other.audio.samples)


@pytest.mark.parametrize(
    ("said", "pack", "language", "written"),
    [
        (ORDER, "coffee", "en", ORDER),
        ("turn on the light", "home", "en", "turn on the light"),
        ("打 开 客 厅 灯", "home", "zh", "打开客厅灯"),
    ],
)
def test_what_is_said_is_heard_and_answered_aloud(
    model: StepAudio2Mini, said: str, pack: str, language: str, written: str
) -> None:
    turn = model.talk(tiny.say(said), pack=pack)
    best = turn.hearing.best
    assert (best.text, best.language, turn.decision.language) == (written, language, language)
    ends = [time for word in best.words for time in (word.start, word.end)]
    assert ends == sorted(ends)
    assert 0.3 < ends[0] < 0.7  # half a second of silence comes first
    assert len(turn.hearing.vectors) > 0
    assert turn.decision.act == "request"
    assert turn.decision.reply
    assert 0.05 < np.abs(turn.audio.samples).max() < 0.99


@pytest.mark.parametrize("sound", [np.zeros(1), np.zeros(8_000), tiny.whistle([])], ids=["sample", "silence", "pauses"])
def test_silence_gets_a_spoken_excuse(model: StepAudio2Mini, sound: Samples) -> None:
    for language in ("zh", "en"):
        turn = model.talk(sound, pack="home", language=language)
        assert (turn.decision.act, turn.decision.language) == ("not_understood", language)
        assert turn.hearing.nbest == ()
        assert np.abs(turn.audio.samples).max() > 0.05


def test_noise_gets_a_spoken_excuse(model: StepAudio2Mini) -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(32_000)).astype(np.float32)
    assert model.talk(noise).decision.act == "not_understood"


def test_the_same_call_twice_gives_the_same(model: StepAudio2Mini, weights: Path) -> None:
    again = StepAudio2Mini.from_pretrained(weights)
    same(model.talk(tiny.say(ORDER), pack="coffee"), again.talk(tiny.say(ORDER), pack="coffee"))


@settings(max_examples=5)
@given(st.lists(st.integers(1, 40_000), max_size=12))
def test_streamed_is_offline(model: StepAudio2Mini, cuts: list[int]) -> None:
    sound = tiny.say(ORDER)
    *_, last = model.stream(np.split(sound, sorted(cuts)) if cuts else [sound], pack="coffee")
    same(last.data, model.talk(sound, pack="coffee"))


def test_a_stream_of_two_turns_is_one_dialogue(model: StepAudio2Mini) -> None:
    pause = np.zeros(24_000, np.float32)
    sound = np.concatenate([tiny.say("i want"), pause, tiny.say("a small coffee"), pause])
    events = list(model.stream(np.split(sound, range(1_600, len(sound), 1_600)), pack="coffee"))
    turns = [event.data for event in events if event.type == "turn"]
    assert [turn.hearing.best.text for turn in turns] == ["i want", "a small coffee"]
    partials = [event.data.text for event in events if event.type == "partial"]
    assert "i" in partials
    assert "a small" in partials


def test_arrays_and_tensors(model: StepAudio2Mini) -> None:
    torch = pytest.importorskip("torch")
    answer = model.generate(tiny.say("a light")[None])
    assert isinstance(answer, np.ndarray)
    assert answer.shape[0] == 1
    tensor = model.generate(torch.from_numpy(tiny.say("a light"))[None])
    np.testing.assert_array_equal(tensor.numpy(), answer)
    x = torch.randn(1, 4_000)
    assert model.generate(x, match_length=True).shape == x.shape


TEXTS = [
    "好的。OK, 打开 light 2 了!",
    "🙂 hello 🙂",
    "https://example.org/a?b=1&c=2",
    "1234567890 $5.50 50% 3:45",
    "\u202ehello\u202c\x00\x07",
    "a" * 300,
    "hello, " * 120,
]


@pytest.mark.parametrize("text", TEXTS)
def test_odd_text_is_spoken(model: StepAudio2Mini, text: str) -> None:
    sound = model.speak(text).samples
    assert len(sound) > 1_000
    assert np.isfinite(sound).all()
    assert 0.05 < np.abs(sound).max() < 1.0


@pytest.mark.parametrize("text", ["", "  \n", "🙂🙂", "...", "x" * 10_001])
def test_text_without_a_sound_is_refused(model: StepAudio2Mini, text: str) -> None:
    with pytest.raises(UserError):
        model.speak(text)


def test_no_pack_is_no_scenario(model: StepAudio2Mini) -> None:
    with pytest.raises(UserError, match="no pack given"):
        model.talk(tiny.say("a light"), pack=[])


def test_own_tools_are_called(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text(
        "name: bell\nlanguages: [en]\ndescribe: {en: a bell}\nlicence: CC0-1.0\n"
        "intents:\n  Ring:\n    describe: {en: ring}\n    tool: Ring\n    sentences: {en: [turn on the lamp]}\n"
        "    replies: {done: {en: ['It rang [result.times] times.']}}\n"
        "tools: {Ring: {returns: {times: number}}}\n",
        encoding="utf-8",
    )
    model = StepAudio2Mini.from_pretrained(weights, tools={"Ring": lambda arguments: {"times": 3}})
    turn = model.talk(tiny.say("turn on the lamp"), pack=tmp_path)
    assert turn.decision.reply == "It rang 3 times."
    assert turn.decision.tool_calls[0].name == "Ring"


def test_hot_words_reach_the_ears(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sound_file.write("in.wav", tiny.whistle(["T", "ER", "N", "AA", "N", "Z", "UW", "Z", "IY"]))
    Path("names.txt").write_text("# a cat\nZuzi = Z UW1 Z IY0\n", encoding="utf-8")
    for options in (["--hot-word", "Zuzi = Z UW Z IY", "--hot-word", "lamp"], ["--hot-words", "names.txt"], []):
        assert main(["listen", "in.wav", "--json", "--weights", str(weights), *options]) == 0
        assert ("zuzi" in json.loads(capfd.readouterr().out)["transcript"]) is bool(options)
    assert (
        StepAudio2Mini.from_pretrained(weights, hot_words=["Zuzi = Z UW Z IY"])
        .listen("in.wav")
        .best.text.endswith("zuzi")
    )
    for wrong in (["--hot-words", "nowhere.txt"], ["--hot-word", "Zuzi ="], ["--hot-word", "Zuzi = ZZ"]):
        assert main(["talk", "in.wav", "-o", "out.wav", "--weights", str(weights), *wrong]) == 2
        assert capfd.readouterr().err.count("\n") == 1
    assert not Path("out.wav").exists()


def test_a_pack_teaches_how_a_name_sounds(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text(
        "name: cat\nlanguages: [en]\ndescribe: {en: a cat}\nlicence: CC0-1.0\nsounds_like: {Zuzi: Z UW Z IY}\n"
        "intents:\n  Call:\n    describe: {en: call the cat}\n    sentences: {en: ['(call|find) Zuzi']}\n"
        "    replies: {done: {en: ['Here it is.']}}\n",
        encoding="utf-8",
    )
    sound = tiny.whistle(["F", "AY", "N", "D", "Z", "UW", "Z", "IY"])
    assert StepAudio2Mini.from_pretrained(weights).listen(sound, pack=tmp_path).best.text.endswith("zuzi")


def test_the_command_line_goes_the_same_way(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sound_file.write("in.wav", tiny.say(ORDER))
    for name in ("a.wav", "b.wav"):
        assert main(["talk", "in.wav", "-o", name, "-p", "coffee", "--json", "--weights", str(weights)]) == 0
    content = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert content[0]["transcript"] == ORDER
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()
    assert main(["speak", "hello", "-o", "c.wav", "--weights", str(weights), "--voice", "hum"]) == 0
    assert main(["listen", "in.wav", "-p", "coffee", "--weights", str(weights)]) == 0
    assert main(["think", "turn on the kitchen light", "--weights", str(weights)]) == 0
    assert capfd.readouterr().err == ""


def test_rooms_can_be_kept_from_held_out_phrasings(weights: Path) -> None:
    rooms = TrainedRooms(Weights.open(weights), None, {}, None, phrasings="train")
    mind = rooms.mind("home")
    assert isinstance(mind, Mind)
    everything = Mind.load("home", weights)
    asked = [c.turns[0].text.split() for c in read_set("phrasings") if c.pack == "home" and c.language == "en"][:40]

    def familiar(one: Mind) -> float:
        return float(sum(one._reader._hints.of(units).familiar[1] for units in asked))

    assert familiar(mind) < familiar(everything)
    assert StepAudio2Mini(rooms).listen(tiny.say("turn on the light"), "home").best.text == "turn on the light"
