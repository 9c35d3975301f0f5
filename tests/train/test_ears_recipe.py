"""The ears recipe: who is left out, pure batches, targets fit frames, and a few clips can be learnt by heart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from step_audio_mini.audio.features import log_mel  # noqa: E402
from step_audio_mini.data.cache import Cache, build_cache, to_float  # noqa: E402
from step_audio_mini.data.packs import Clip  # noqa: E402
from step_audio_mini.errors import UserError  # noqa: E402
from step_audio_mini.text.letters import LetterToSound  # noqa: E402
from step_audio_mini.text.lexicon import Lexicon  # noqa: E402
from step_audio_mini.text.ngram import estimate  # noqa: E402
from step_audio_mini.text.phones import UNITS  # noqa: E402
from step_audio_mini.train.loop import LoopConfig, Trainer  # noqa: E402
from step_audio_mini.train.recipes.ears import (  # noqa: E402
    JUDGED_VOICE,
    EarsRecipe,
    Labelled,
    Stage,
    disagreement,
    edits,
    greedy,
    labelled,
    part_of,
    stage_of,
)
from tests.data.conftest import make_pack  # noqa: E402, F401

pytestmark = pytest.mark.unit

LEXICON = Lexicon({"hello": (("HH", "AH0", "L", "OW1"),), "world": (("W", "ER1", "L", "D"),)})


def row(name: str, seconds: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "split": "train",
        "seconds": seconds,
        "text": "hello world",
        "lang": "en",
        "speaker": "s",
    } | more


@pytest.fixture
def cache(tmp_path: Path, make_pack: Any) -> Cache:  # noqa: F811
    clips = [row(f"c{i}", 0.8 + 0.1 * i) for i in range(6)]
    clips += [
        row("chinese", 1.0, text="你好", pinyin="ni3 hao3", lang="zh"),
        row("judged", 1.0, speaker=JUDGED_VOICE),
        row("unknown word", 1.0, text="hello xyzzy"),
        row("too fast", 0.3),
        row("no transcript", 1.0, text=""),
        row("held out", 1.0, split="dev"),
        row("tested", 1.0, split="test"),
    ]
    noise = [{"id": "hum", "split": "train", "seconds": 1.0, "noise_type": "fan"}]
    build_cache([make_pack("kathleen", clips), make_pack("ambient", noise)], tmp_path / "cache")
    return Cache.open(tmp_path / "cache")


def test_only_clips_that_may_and_can_be_learnt(cache: Cache) -> None:
    names = {item.clip.id for item in labelled(cache, LEXICON, "train")}
    assert names == {f"c{i}" for i in range(6)} | {"chinese"}


def test_letters_guess_words_of_the_train_split_only(cache: Cache) -> None:
    letters = LetterToSound([(letter, ("AH1",)) for letter in "xyz"], estimate([([2, 3, 4], 1.0)], 1, 5))
    stage = Stage(("kathleen",), 400, 0.0, 1, 0.5)
    with_guesses = EarsRecipe(cache, LEXICON, stage, letters=letters, size=64)
    assert len(with_guesses.clips) == len(EarsRecipe(cache, LEXICON, stage, size=64).clips) + 1
    assert len(with_guesses.dev) == 1


def test_words_that_were_found_make_a_clip_learnable(cache: Cache) -> None:
    stage = Stage(("kathleen",), 400, 0.0, 1, 0.5)
    recipe = EarsRecipe(cache, LEXICON, stage, found={("kathleen", "no transcript"): "hello world"}, size=64)
    assert "no transcript" in {item.clip.id for item in recipe.clips}
    assert "held out" not in {item.clip.id for item in recipe.clips}


def test_a_run_listens_to_clips(cache: Cache, tmp_path: Path) -> None:
    recipe = EarsRecipe(cache, LEXICON, Stage(("kathleen",), 400, 0.0, 1, 0.5), size=64)
    Trainer(recipe, LoopConfig(steps=1), tmp_path / "run").save()
    posteriors = recipe.listener(tmp_path / "run")(recipe.clips[0].clip)
    assert posteriors.shape[1] == len(UNITS)
    assert torch.allclose(posteriors.exp().sum(-1), torch.ones(len(posteriors)), atol=1e-4)


def test_a_batch_is_a_pure_function_of_the_step(cache: Cache) -> None:
    stage = Stage(("kathleen",), 400, strength=1.0, ramp=1, temperature=0.5)
    first, second = (EarsRecipe(cache, LEXICON, stage, size=64).batch(3) for _ in range(2))
    assert first.ids == second.ids and first.chunk == second.chunk and torch.equal(first.frames, second.frames)
    assert first.target_counts.sum() == len(first.targets) and first.frames.shape[1] % 4 == 0


def test_shares_of_the_clips_lie_inside_each_other() -> None:
    items = [Labelled(Clip(f"c{i}", "p", "train", 1.0, "CC0", "made"), (1,)) for i in range(2_000)]
    quarter, half = part_of(items, 0.25), part_of(items, 0.5)
    assert {i.clip.id for i in quarter} < {i.clip.id for i in half}
    assert abs(len(quarter) - 500) < 80
    assert abs(len(half) - 1_000) < 100
    assert part_of(items, 1.0) == items


def test_stages_are_named(cache: Cache) -> None:
    assert set(stage_of("all", cache).packs) == {"ambient", "kathleen"}
    with pytest.raises(UserError, match="use clean or all"):
        stage_of("some", cache)
    with pytest.raises(UserError, match="no labelled clip"):
        EarsRecipe(cache, LEXICON, Stage(("ambient",), 400, 0.0, 1, 0.5))


def test_edit_distance() -> None:
    assert edits([1, 2, 3], [1, 3]) == 1 and edits([], [1, 2]) == 2 and edits([5, 1], [1, 5]) == 2


def test_loss_and_dev_error_are_finite(cache: Cache) -> None:
    recipe = EarsRecipe(cache, LEXICON, Stage(("kathleen",), 400, 0.0, 1, 0.5), size=64)
    model = recipe.build()
    loss, told = recipe.loss(model, recipe.batch(0))
    assert torch.isfinite(loss) and told["ctc"] > 0
    assert set(recipe.evaluate(model.eval())) == {"error", "error_kathleen"}


def test_two_views_of_a_clip_agree_only_where_nothing_is_masked(cache: Cache) -> None:
    for strength, alike in ((0.0, True), (1.0, False)):
        recipe = EarsRecipe(cache, LEXICON, Stage(("kathleen",), 800, strength, 1, 0.5), consistency=0.2, size=64)
        batch = recipe.batch(1)
        half = len(batch.ids) // 2
        assert batch.ids[:half] == batch.ids[half:]
        assert torch.equal(batch.frames[:half], batch.frames[half:]) == alike
        model = recipe.build().eval()
        loss, told = recipe.loss(model, batch)
        assert (told["apart"] < 1e-5) == alike
        plain, _ = EarsRecipe(cache, LEXICON, recipe.stage, size=64).loss(model, batch)
        assert float((loss - plain).detach()) == pytest.approx(0.2 * told["apart"], abs=1e-4)


def test_disagreement_counts_no_padding() -> None:
    logits = torch.randn(4, 6, 5)
    counts = torch.tensor([6, 3, 6, 3])
    padded = logits.clone()
    padded[1, 3:], padded[3, 3:] = 9.0, torch.randn(3, 5)
    assert torch.allclose(disagreement(logits, counts), disagreement(padded, counts))
    swapped = logits.roll(2, 0)
    assert torch.allclose(disagreement(logits, counts), disagreement(swapped, counts))
    one, other = logits[:2].log_softmax(-1), logits[2:].log_softmax(-1)
    mutual = (one.exp() * (one - other) + other.exp() * (other - one)).sum(-1)
    assert torch.allclose(disagreement(logits, torch.tensor([6, 6, 6, 6])), mutual.sum(), atol=1e-4)


@pytest.mark.slow
def test_a_few_clips_are_learnt_by_heart(tmp_path: Path, make_pack: Any) -> None:  # noqa: F811
    """Clips of different tones and words: loss to nearly nothing, no error."""
    texts = ["hello", "world", "hello world", "world hello", "hello hello", "world world"]
    clips = [row(f"{t} {i}", 1.0 + 0.1 * i, text=t, pitch=150.0 * (i + 1)) for i, t in enumerate(texts)]
    clips.append(row("dev", split="dev"))
    build_cache([make_pack("kathleen", clips)], tmp_path / "cache")
    recipe = EarsRecipe(Cache.open(tmp_path / "cache"), LEXICON, Stage(("kathleen",), 1200, 0.0, 1, 0.5), size=64)
    config = LoopConfig(steps=500, rate=2e-3, warmup=50, bf16=False, ema=0.9, evaluate_every=500)
    trainer = Trainer(recipe, config, tmp_path / "run")
    trainer.run()
    with trainer.averaged_weights() as model, torch.no_grad():
        for item in recipe.clips:
            frames = log_mel(to_float(recipe.cache.samples(item.clip)))
            assert tuple(greedy(model, np.asarray(frames), 8)) == item.targets, [UNITS[u] for u in item.targets]
