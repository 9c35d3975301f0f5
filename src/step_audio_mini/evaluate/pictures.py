"""Draws the chief figures of the result files, because people would rather look than read tables.

SVG with its text as text: small, sharp at any size, and the same bytes from the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.chunks import CHUNKS, name_of
from step_audio_mini.evaluate.conditions import CAR, CONDITIONS, NOISY
from step_audio_mini.evaluate.confusions import JOINT
from step_audio_mini.evaluate.rejection import LEVELS, SCORES
from step_audio_mini.evaluate.results import Results, Row
from step_audio_mini.evaluate.robust import WAYS
from step_audio_mini.evaluate.sureness import LEVELS as SURE
from step_audio_mini.evaluate.sureness import RIGHT
from step_audio_mini.evaluate.trained import MARK
from step_audio_mini.evaluate.turns import ALL, LANGUAGES, PROFILES

OURS = "step-audio-mini"
GREEDY_SYLLABLES = "toneless-syllable error, greedy"
Rows = Sequence[Row]


@dataclass(frozen=True)
class Picture:
    """One picture of one part."""

    file: str
    part: str
    caption: str
    draw: Callable[[Any, Rows], bool]
    """Draws rows into an empty matplotlib figure; False where there is nothing to draw."""


def draw(results: Sequence[Results], folder: Path) -> list[Path]:
    """Write the pictures that the result files have figures for; none where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        return []
    import matplotlib
    from matplotlib.figure import Figure  # no pyplot: it would ask for a screen

    written = []
    rows = {one.part: one.rows for one in results}
    for picture in PICTURES:
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "step-audio-mini", "font.size": 9}):
            figure = Figure(figsize=(9, 4), layout="constrained")
            if not picture.draw(figure, rows.get(picture.part, ())):
                continue
            path = folder / picture.file
            beside = path.with_name(path.name + ".part")
            try:
                figure.savefig(beside, format="svg", metadata={"Date": None, "Creator": None})
                beside.replace(path)
            except OSError as wrong:
                raise UserError(f"{path} cannot be written ({wrong.strerror}); choose another place") from wrong
        written.append(path)
    return written


def draw_ears(figure: Any, rows: Rows) -> bool:
    """Errors of every pack with their intervals, the peer beside them."""
    strangers = [row for row in rows if not row.measure.endswith(MARK)]
    peers = sorted({row.system for row in strangers} - {OURS})
    compared = "word error, clips of the comparison"
    panels = {
        "English, word error %": [("word error", OURS, "all test clips"), (compared, OURS, "clips of the comparison")]
        + [(compared, peer, f"{peer}, clips of the comparison") for peer in peers],
        "Mandarin, error %": [
            ("character error", OURS, "characters, with search"),
            ("toneless-syllable error, greedy", OURS, "toneless syllables, greedy"),
        ],
    }
    found = {title: _by_pack(strangers, kinds) for title, kinds in panels.items()}
    for place, (title, series) in enumerate((t, s) for t, s in found.items() if s):
        axes = figure.add_subplot(1, sum(map(bool, found.values())), place + 1, xlabel=title)
        packs = sorted({row.data for one in series.values() for row in one}, reverse=True)
        for number, (label, one) in enumerate(series.items()):
            heights = [packs.index(row.data) + 0.2 * (1 - number) for row in one]
            axes.errorbar([row.value for row in one], heights, xerr=_bars(one), fmt="o", capsize=2, label=label)
        axes.set_yticks(range(len(packs)), packs)
        axes.set_xlim(left=0)
        axes.grid(axis="x", alpha=0.3)
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return any(found.values())


def draw_robust(figure: Any, rows: Rows) -> bool:
    """Orders understood, and errors of units, against the condition."""
    greedy = ("phone error, greedy", "toneless-syllable error, greedy")
    panels = {
        "orders: all slots right, %": {way: f"all slots right, {way}" for way in WAYS},
        "read sentences: error, %": {name: name for name in greedy},
    }
    table = {row.measure: row for row in rows}
    if not any(name.endswith(CONDITIONS) for name in table):
        return False
    ladder = ("clean", *NOISY)  # from here on a line would mean nothing
    for place, (title, series) in enumerate(panels.items()):
        axes = figure.add_subplot(1, 2, place + 1, ylabel=title)
        for number, (label, measure) in enumerate(series.items()):
            for names, line in ((ladder, "o-"), (CONDITIONS[len(ladder) :], "o")):
                one = [found for name in names if (found := table.get(f"{measure}, {name}"))]
                spots = [CONDITIONS.index(name) + 0.12 * number for name in names if f"{measure}, {name}" in table]
                values = [row.value for row in one]
                named = label if names is ladder else None
                axes.errorbar(spots, values, yerr=_bars(one), fmt=line, color=f"C{number}", label=named)
        axes.set_xticks(range(len(CONDITIONS)), CONDITIONS, rotation=40, ha="right")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return True


def draw_snr(figure: Any, rows: Rows) -> bool:
    """How far the SNR estimate is from the truth, against the noise."""
    table = {row.measure: row for row in rows}
    found = {name: row for name in (*NOISY, CAR) if (row := table.get(f"error of the SNR estimate, {name}"))}
    if not found:
        return False
    axes = figure.add_subplot(ylabel="mean distance of the SNR estimate from the truth, dB")
    one = list(found.values())
    axes.errorbar(range(len(one)), [row.value for row in one], yerr=_bars(one), fmt="o", capsize=2)
    axes.set_xticks(range(len(one)), list(found))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)
    return True


def draw_chunks(figure: Any, rows: Rows) -> bool:
    """Errors and delay against the chunk length."""
    panels = {
        "read sentences: error, %": ("word error", "phone error, greedy", "character error", GREEDY_SYLLABLES),
        "last voiced sample to all words, ms": tuple(f"last voiced sample to all words, p{q}" for q in (50, 95)),
    }
    table = {row.measure: row for row in rows}
    for place, (title, measures) in enumerate(panels.items()):
        axes = figure.add_subplot(1, 2, place + 1, ylabel=title)
        for measure in measures:
            found = {n: row for n, c in enumerate(CHUNKS) if (row := table.get(f"{measure}, {name_of(c)}"))}
            one = list(found.values())
            if one:
                values = [row.value for row in one]
                axes.errorbar(list(found), values, yerr=_bars(one), fmt="o-", capsize=2, label=measure)
        if not axes.has_data():
            return False
        axes.set_xticks(range(len(CHUNKS)), [name_of(chunk) for chunk in CHUNKS])
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(fontsize=8)
    return True


def draw_turns(figure: Any, rows: Rows) -> bool:
    """Turns cut off against the wait for their end, by profile and language."""
    table = {(row.measure, row.data): row for row in rows}
    axes = figure.add_subplot(xlabel="last word to end of turn, p50, ms", ylabel="turns ended before the last word, %")
    for data in (*LANGUAGES.values(), ALL):
        names = [(f"last word to end of turn, {p}, p50", f"turns ended before the last word, {p}") for p in PROFILES]
        found = [
            (table[wait, data], table[cut, data]) for wait, cut in names if {(wait, data), (cut, data)} <= set(table)
        ]
        if found:
            waits, cuts = (list(one) for one in zip(*found, strict=True))
            points = [row.value for row in waits], [row.value for row in cuts]
            axes.errorbar(*points, xerr=_bars(waits), yerr=_bars(cuts), fmt="o-", capsize=2, label=data)
    if not axes.has_data():
        return False
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return True


def draw_rejection(figure: Any, rows: Rows) -> bool:
    """Read sentences rejected against orders rejected, by the threshold."""
    table = {row.measure: row for row in rows}
    axes = figure.add_subplot(xlabel="orders rejected, %", ylabel="read sentences rejected, %")
    for score in SCORES:
        names = {level: f"read sentences rejected where {level:.0%} of orders are, {score}" for level in LEVELS}
        one = [table[name] for name in names.values() if name in table]
        levels = [100 * level for level, name in names.items() if name in table]
        if one:
            axes.errorbar(levels, [row.value for row in one], yerr=_bars(one), fmt="o-", capsize=2, label=score)
    orders = table.get("orders rejected")
    shipped = [row for row in rows if row.measure == "read sentences rejected"]
    for row in shipped if orders else ():
        assert orders is not None
        axes.plot(orders.value, row.value, "*", markersize=11, label=f"as shipped, {row.data}")
    if not axes.has_data():
        return False
    axes.set_ylim(0, 103)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    return True


def draw_confusions(figure: Any, rows: Rows) -> bool:
    """Which sounds are taken for which others."""
    panels = [[row for row in rows if JOINT in row.measure and place in row.data] for place in ("English", "Mandarin")]
    panels = [one for one in panels if one]
    for place, one in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1, xlabel=f"{one[0].data}: % of the times it was said")
        axes.barh(range(len(one)), [row.value for row in one], xerr=_bars(one), capsize=2, color="C0", alpha=0.7)
        axes.set_yticks(range(len(one)), [row.measure for row in one])
        axes.invert_yaxis()
        axes.set_xlim(left=0)
    return bool(panels)


def draw_reliability(figure: Any, rows: Rows) -> bool:
    """Share of right words against how sure the ears were of them; the diagonal is what they promise."""
    axes = figure.add_subplot(xlabel="sure, %", ylabel="right, %")
    for data in sorted({row.data for row in rows}):
        found = {
            n: row for n, level in enumerate(SURE) for row in rows if (row.measure, row.data) == (RIGHT + level, data)
        }
        one = list(found.values())
        if one:
            middles = [100 * (place + 0.5) / len(SURE) for place in found]
            axes.errorbar(middles, [row.value for row in one], yerr=_bars(one), fmt="o-", capsize=2, label=data)
    if not axes.has_data():
        return False
    axes.plot((0, 100), (0, 100), color="0.7", linewidth=1)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")
    return True


PICTURES = (
    Picture("ears.svg", "ears", "Errors on the test clips of every pack with 95 % intervals", draw_ears),
    Picture("confusions.svg", "ears", "The commonest confusions of sounds with 95 % intervals", draw_confusions),
    Picture(
        "reliability.svg", "reliability", "Words right against how sure the ears were, 95 % intervals", draw_reliability
    ),
    Picture("robust.svg", "robust", "What noise, rooms, lines and codecs cost, with 95 % intervals", draw_robust),
    Picture("snr.svg", "robust", "The error of the SNR estimate in known noise, with 95 % intervals", draw_snr),
    Picture("chunks.svg", "chunks", "Errors and delay of one network by its chunk length", draw_chunks),
    Picture("turns.svg", "turns", "Profiles of turn-taking: what waiting less costs, with 95 % intervals", draw_turns),
    Picture("rejection.svg", "rejection", "What rejecting talk that asks for nothing costs", draw_rejection),
)


def _by_pack(rows: Rows, kinds: Sequence[tuple[str, str, str]]) -> dict[str, list[Row]]:
    """Rows of each kind (measure, system, label) that has any, by label."""
    found = {
        label: [row for row in rows if (row.measure, row.system) == (measure, system)]
        for measure, system, label in kinds
    }
    return {label: one for label, one in found.items() if one}


def _bars(rows: Rows) -> list[list[float]]:
    """Lengths of the error bars to both sides."""
    return [[max(0.0, row.value - row.low) for row in rows], [max(0.0, row.high - row.value) for row in rows]]
