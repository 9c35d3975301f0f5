"""Counts which sounds the ears take for which others: where to look when they are to become better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.intervals import Count, rate
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.text.lexicon import Lexicon, words
from step_audio_mini.text.phones import pinyin_units, strip_stress, toneless

LISTED = 10
"""Confusions that are told for each language: those that cost most."""
JOINT = " heard as "
Mistakes = Counter[tuple[str, str]]


def confusions(said: Sequence[str], heard: Sequence[str]) -> Mistakes:
    """How often one unit stands where another was said, by the alignment with fewest errors."""
    from jiwer import process_words

    if not said:
        return Counter()
    found: Mistakes = Counter()
    for part in process_words(" ".join(said), " ".join(heard)).alignments[0]:
        if part.type == "substitute":
            pairs = zip(
                said[part.ref_start_idx : part.ref_end_idx], heard[part.hyp_start_idx : part.hyp_end_idx], strict=True
            )
            found.update(pairs)
    return found


def units_said(clip: Clip, lexicon: Lexicon) -> list[str] | None:
    """Toneless units of a transcript, English words by their first pronunciation; None where one is not known."""
    if clip.lang == "zh":
        try:
            return [toneless(unit) for syllable in clip.pinyin.split() for unit in pinyin_units(syllable)]
        except ValueError:
            return None
    spoken = words(clip.text)
    if any(word not in lexicon for word in spoken):
        return None
    return [phone for word in spoken for phone in strip_stress(lexicon.pronunciations(word)[0])]


def confusion_rows(heard: Iterable[tuple[Clip, Sequence[str]]], lexicon: Lexicon, data: str) -> list[Row]:
    """The commonest confusions in clips of one language and their greedy units, as a share of the unit's occasions."""
    rows = [
        (clip.speaker, Counter(said), confusions(said, [toneless(unit) for unit in units]))
        for clip, units in heard
        if (said := units_said(clip, lexicon)) is not None
    ]
    total: Mistakes = sum((mistakes for _, _, mistakes in rows), Counter())
    found = []
    for (one, other), _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))[:LISTED]:
        counts = [Count(mistakes[one, other], said[one], speaker) for speaker, said, mistakes in rows if said[one]]
        found.append(row(f"{one}{JOINT}{other}", data, rate(counts), "real", note="of the times it was said"))
    return found
