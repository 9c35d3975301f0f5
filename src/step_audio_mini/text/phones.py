"""The joint alphabet of the recogniser: English phones and Mandarin initials and toned finals as one list of units.

Decisions taken here, and only here:

* Mandarin units are lexical: no tone sandhi is applied (transcripts are lexical, the encoder hears words and learns
  how a third tone sounds before a third tone; the word search meets lexical entries on both sides).
* A syllable is one initial and one final, or a final alone (`ya1` is `ia1`, `wo3` is `uo3`, `yu2` is `v2`).
* `zhi chi shi ri` end in `ih`, `zi ci si` in `iz`, every other `-i` in `i`.
* `bo po mo fo` and `o` share `uo` with `duo`; `weng` shares `ong` with `dong`: they differ by rule, not by contrast.
* Erhua is a syllable of its own: `dianr3` is `d ian3 er5`, as transcripts write 儿 as a character of its own.
* Interjections without a vowel take the nearest nasal final: `n` is `en`, `ng` is `eng`, `m` is `m en`, `hm` is `h en`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

BLANK = "<blank>"
"""Index 0 of `UNITS`: nothing new was said."""

_PHONE_NAMES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
_INITIAL_NAMES = "b p m f d t n l g k h j q x zh ch sh r z c s"
_FINAL_NAMES = (
    "a ai an ang ao e ei en eng er i ia ian iang iao ie ih in ing iong iou iz ong ou u ua uai uan uang uei uen uo "
    "v van ve vn"
)

PHONES = tuple(_PHONE_NAMES.split())
"""The 39 ARPAbet phones of English, without stress."""

INITIALS = tuple(_INITIAL_NAMES.split())
"""The 21 Mandarin initials."""

FINALS = tuple(_FINAL_NAMES.split())
"""The 36 Mandarin finals, without tone."""

TONES = "12345"
"""Tone digits; 5 is the neutral tone."""

UNITS: tuple[str, ...] = (BLANK, *PHONES, *INITIALS, *(final + tone for final in FINALS for tone in TONES))
"""All units in the order of the recogniser's outputs."""

UNIT_INDEX: dict[str, int] = {unit: index for index, unit in enumerate(UNITS)}
"""Unit to its place in `UNITS`."""

_INITIAL_SET = frozenset(INITIALS)
_TONED_FINALS = frozenset(final + tone for final in FINALS for tone in TONES)

# Syllables written without an initial, and those with no vowel or a spelling of their own.
_WHOLE: dict[str, tuple[str, ...]] = {
    "yi": ("i",), "ya": ("ia",), "ye": ("ie",), "yao": ("iao",), "you": ("iou",), "yan": ("ian",), "yin": ("in",),
    "yang": ("iang",), "ying": ("ing",), "yong": ("iong",), "yo": ("iou",), "yai": ("ia",),
    "yu": ("v",), "yue": ("ve",), "yuan": ("van",), "yun": ("vn",),
    "wu": ("u",), "wa": ("ua",), "wo": ("uo",), "wai": ("uai",), "wei": ("uei",), "wan": ("uan",), "wen": ("uen",),
    "wang": ("uang",), "weng": ("ong",), "wong": ("ong",),
    "a": ("a",), "o": ("uo",), "e": ("e",), "ê": ("ei",), "eh": ("ei",), "ai": ("ai",), "ei": ("ei",), "ao": ("ao",),
    "ou": ("ou",), "an": ("an",), "en": ("en",), "ang": ("ang",), "eng": ("eng",), "er": ("er",), "r": ("er",),
    "n": ("en",), "ng": ("eng",), "m": ("m", "en"), "hm": ("h", "en"), "hng": ("h", "eng"),
}  # fmt: skip

# Finals whose spelling after an initial is not the unit's name.
_SPELLED = {"iu": "iou", "ui": "uei", "un": "uen", "o": "uo", "ue": "ve", "io": "iou"}


@cache
def pinyin_units(syllable: str) -> tuple[str, ...]:
    """Units of one numbered pinyin syllable: `lei1` is `("l", "ei1")`; `v` or `ü` is the front rounded vowel.

    A missing tone digit, or 0, is the neutral tone. Raises ValueError for what is no Mandarin syllable.
    """
    text = syllable.lower().replace("ü", "v").replace("u:", "v")
    tone = "5"
    if text and text[-1].isdigit():
        text, tone = text[:-1], text[-1]
    if tone == "0":
        tone = "5"
    if tone not in TONES:
        raise ValueError(f"{syllable!r} has no Mandarin tone")
    parts = _toneless(text)
    if parts is None and text.endswith("r"):
        parts = _toneless(text[:-1])
        if parts is not None:
            return (*parts[:-1], parts[-1] + tone, "er5")
    if parts is None:
        raise ValueError(f"{syllable!r} is not a pinyin syllable")
    return (*parts[:-1], parts[-1] + tone)


def _toneless(text: str) -> tuple[str, ...] | None:
    if text in _WHOLE:
        return _WHOLE[text]
    size = 2 if text[:2] in _INITIAL_SET else 1
    initial, rest = text[:size], text[size:]
    if initial not in _INITIAL_SET:
        return None
    if rest == "i" and initial in ("zh", "ch", "sh", "r"):
        rest = "ih"
    elif rest == "i" and initial in ("z", "c", "s"):
        rest = "iz"
    elif initial in ("j", "q", "x") and rest.startswith("u"):
        rest = "v" + rest[1:]
    rest = _SPELLED.get(rest, rest)
    return (initial, rest) if rest in FINALS else None


def toneless(unit: str) -> str:
    """The unit without its tone; units without tone stay as they are."""
    return unit[:-1] if unit in _TONED_FINALS else unit


def units_syllables(units: Iterable[str], *, tones: bool = True) -> tuple[str, ...]:
    """Pair initials with finals from left to right: `l ei1 ia1` gives `lei1 ia1`.

    An initial that no final follows, and every English phone, is an orphan and ends in `?` (`l?`, `K?`): it equals no
    syllable, so it counts as an error where syllables are compared. Erhua is its own syllable (`er5`).
    """
    out: list[str] = []
    pending = ""
    for unit in units:
        if unit in _TONED_FINALS:
            out.append(pending + (unit if tones else unit[:-1]))
            pending = ""
            continue
        if pending:
            out.append(pending + "?")
            pending = ""
        if unit in _INITIAL_SET:
            pending = unit
        elif unit != BLANK:
            out.append(unit + "?")
    if pending:
        out.append(pending + "?")
    return tuple(out)


def strip_stress(phones: Sequence[str]) -> tuple[str, ...]:
    """ARPAbet with stress digits to units: `("HH", "AH0")` gives `("HH", "AH")`. Other units pass unchanged."""
    return tuple(phone if phone in UNIT_INDEX else phone.rstrip("012") for phone in phones)


def unit_indices(units: Iterable[str]) -> tuple[int, ...]:
    """Places of the units in `UNITS`; KeyError names an unknown one."""
    return tuple(UNIT_INDEX[unit] for unit in units)
