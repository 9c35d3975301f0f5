from __future__ import annotations

from pathlib import Path

import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.intervals import Figure
from step_audio_mini.evaluate.report import read_all, report
from step_audio_mini.evaluate.results import Results, row

pytestmark = pytest.mark.unit

FIGURE = Figure(0.4567, 0.41, 0.502, 428, "speakers")


def results(part: str = "ears") -> Results:
    rows = (
        row("syllable error", "cv_zh", FIGURE, "real", note="two clips dropped"),
        row("delay p95", "sti", Figure(212.3, 200, 230, 98, "clips"), "real", "ms", system="peer"),
    )
    return Results(part, f"step-audio evaluate {part} --cache DIR", rows, {"weights": "abc"})


def test_shares_are_printed_per_cent_and_times_are_not() -> None:
    share, delay = results().rows
    assert share.value == pytest.approx(45.67)
    assert (share.split, share.unit) == ("test", "%")
    assert (delay.value, delay.system) == (212.3, "peer")


def test_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ears.json"
    results().write(path)
    assert Results.read(path).to_json() == results().to_json()
    assert [p.name for p in path.parent.iterdir()] == ["ears.json"]


def test_report_has_a_command_and_an_interval_in_every_row(tmp_path: Path) -> None:
    for part in ("mind", "ears", "talk"):
        results(part).write(tmp_path / f"{part}.json")
    text = report(read_all(tmp_path), tmp_path, "results")
    assert text == report(read_all(tmp_path), tmp_path, "results")
    assert "![" not in text
    assert text.index("## talk") < text.index("## ears") < text.index("## mind")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| measure")]
    assert len(rows) == 6
    assert all("`step-audio evaluate" in line and " ... " in line for line in rows)
    assert "| syllable error | cv_zh test, real | step-audio-mini | 428 | 45.7 % | 41.0 ... 50.2 (speakers) |" in text
    assert "two clips dropped" in text


def test_report_shows_the_pictures_there_are(tmp_path: Path) -> None:
    results("ears").write(tmp_path / "ears.json")
    (tmp_path / "ears.svg").write_text("<svg/>")
    assert "](../pictures/ears.svg)\n\n| measure" in report(read_all(tmp_path), tmp_path, "../pictures")


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results"):
        read_all(tmp_path)
    for content in ("{", "{}", '{"part": "x", "command": "y", "facts": {}, "rows": [{"n": 1}]}'):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(UserError, match=r"bad\.json"):
            read_all(tmp_path)
