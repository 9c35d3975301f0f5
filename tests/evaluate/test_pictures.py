from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.evaluate import pictures
from step_audio_mini.evaluate.chunks import CHUNKS, name_of
from step_audio_mini.evaluate.conditions import CAR, CONDITIONS, NOISY
from step_audio_mini.evaluate.intervals import Figure
from step_audio_mini.evaluate.pictures import PICTURES, draw
from step_audio_mini.evaluate.rejection import LEVELS, SCORES
from step_audio_mini.evaluate.results import Results, Row, row
from step_audio_mini.evaluate.robust import WAYS
from step_audio_mini.evaluate.sureness import LEVELS as LEVELS_SURE
from step_audio_mini.evaluate.sureness import RIGHT
from step_audio_mini.evaluate.turns import LANGUAGES, PROFILES

pytestmark = pytest.mark.unit

FIGURE = Figure(0.4, 0.3, 0.6, 40, "speakers")


def figure(measure: str, data: str = "sti", system: str = "step-audio-mini") -> Row:
    return row(measure, data, FIGURE, "real", system=system)


def every_part() -> list[Results]:
    compared = "word error, clips of the comparison"
    ears = [figure("word error", "libri_mini"), figure(compared, "libri_mini"), figure("character error", "cv_zh")]
    ears += [figure(compared, "libri_mini", "pocketsphinx"), figure("word error, speakers trained on", "kathleen")]
    ears += [figure("TH heard as S", "all English packs"), figure("ing heard as in", "all Mandarin packs")]
    robust = [figure(f"all slots right, {way}, {condition}") for way in WAYS for condition in CONDITIONS]
    greedy = ("phone error, greedy", "toneless-syllable error, greedy")
    robust += [figure(f"{name}, {condition}", "libri_mini") for name in greedy for condition in CONDITIONS]
    points = [
        f"read sentences rejected where {level:.0%} of orders are, {score}" for score in SCORES for level in LEVELS
    ]
    rejection = [*map(figure, points), figure("orders rejected"), figure("read sentences rejected", "cv_en")]
    robust += [figure(f"error of the SNR estimate, {condition}") for condition in (*NOISY, CAR)]
    told = (
        "word error",
        "character error",
        "last voiced sample to all words, p50",
        "last voiced sample to all words, p95",
    )
    chunks = [figure(f"{measure}, {name_of(chunk)}") for measure in told for chunk in CHUNKS]
    ends = ("turns ended before the last word, {}", "last word to end of turn, {}, p50")
    turns = [figure(end.format(name), data) for name in PROFILES for end in ends for data in LANGUAGES.values()]
    sure = [figure(RIGHT + level, data) for level in LEVELS_SURE for data in ("cv_zh", "libri")]
    parts = {
        "ears": ears,
        "reliability": sure,
        "robust": robust,
        "chunks": chunks,
        "turns": turns,
        "rejection": rejection,
    }
    return [Results(name, "step-audio evaluate", tuple(rows)) for name, rows in parts.items()]


def words_in(path: Path) -> set[str]:
    """Texts of an SVG file."""
    texts = (element.text or "" for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text"))
    return {text.strip() for text in texts}


def test_pictures_are_small_and_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    written = draw(every_part(), tmp_path)
    assert [path.name for path in written] == [picture.file for picture in PICTURES]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    before = [path.read_bytes() for path in written]
    assert max(map(len, before)) < 60_000
    assert [path.read_bytes() for path in draw(every_part(), tmp_path)] == before


def test_pictures_show_what_was_measured(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    ears, confusions, sure, robust, snr, chunks, turns, rejection = draw(every_part(), tmp_path)
    assert words_in(ears) >= {"libri_mini", "cv_zh", "pocketsphinx, clips of the comparison"}
    assert "kathleen" not in words_in(ears)  # the ears know her
    assert words_in(confusions) >= {"TH heard as S", "ing heard as in"}
    assert words_in(sure) >= {"cv_zh", "libri"}
    assert words_in(robust) >= {*CONDITIONS, *WAYS}
    assert words_in(snr) >= {*NOISY, CAR}
    assert words_in(chunks) >= {"chunks of 160 ms", "chunks of 640 ms", "word error"}
    assert words_in(turns) >= set(LANGUAGES.values())
    assert words_in(rejection) >= {*SCORES, "as shipped, cv_en"}


def test_nothing_measured_nothing_drawn(tmp_path: Path) -> None:
    empty = [Results(picture.part, "step-audio evaluate", (figure("something else"),)) for picture in PICTURES]
    assert draw(empty, tmp_path) == draw([], tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_no_matplotlib_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    assert draw(every_part(), tmp_path) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(UserError, match="choose another place"):
        draw(every_part(), tmp_path / "gone")
