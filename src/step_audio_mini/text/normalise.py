"""Written text to spoken text, sentence by sentence: numbers, dates, money, units and addresses become words.

The grammars are wetext's; what stands here is what they get wrong or fall over (grouped and four-digit numbers,
money with cents, telephone numbers, ranges), the choice of language in mixed text, and dropping signs without sound.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

from step_audio_mini.types import Language

LONGEST_SENTENCE = 240
"""Characters after which text without punctuation is cut."""

_HAN = r"\u3400-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff"
_TOKEN = re.compile(
    rf"(?P<raw>\[\[[^\[\]]*\]\])|(?P<address>(?:https?://|www\.)[^\s{_HAN}，。！？；]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    rf"|\b[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)*\.(?:com|org|net|cn|io|edu|gov|de|uk)\b(?:/[\w./?=&-]*)?)"
    rf"|(?P<han>[{_HAN}]+)|(?P<word>[A-Za-zÀ-ɏ]+(?:['’][A-Za-z]+)*(?![\w]))|(?P<space>\s+)"
    rf"|(?P<figure>[^\s{_HAN}]*\d[^\s{_HAN}，。！？；：、]*)|(?P<sign>.)",
    re.DOTALL,
)
_SENTENCE = re.compile(rf"(?<=[。！？；\n])|(?<=[.!?;])(?=[\s{_HAN}])")
_ABBREVIATIONS = {
    "mr.": "mister", "mrs.": "missus", "ms.": "miz", "dr.": "doctor", "prof.": "professor", "st.": "saint",
    "vs.": "versus", "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is", "no.": "number", "approx.":
    "approximately", "a.m.": "AM", "p.m.": "PM", "jr.": "junior", "sr.": "senior", "dept.": "department",
    "mt.": "mount", "rev.": "reverend", "ph.d.": "PHD", "hon.": "honorable", "capt.": "captain",
}  # fmt: skip
_ABBREVIATION = re.compile(r"(?<![\w.])(?:" + "|".join(map(re.escape, _ABBREVIATIONS)) + r")(?=[\s,;:!?)]|$)", re.I)
_MAY_END = frozenset({"etc.", "a.m.", "p.m."})
_BEFORE_FIGURE_ONLY = frozenset({"no."})
_SIGNS: dict[Language, dict[str, str]] = {
    "en": {
        "&": " and ",
        "@": " at ",
        "%": " percent ",
        "+": " plus ",
        "=": " equals ",
        "°": " degrees ",
        "€": " euros ",
    },
    "zh": {"&": "和", "@": "艾特", "%": "百分号", "+": "加", "=": "等于", "°": "度", "€": "欧元"},
}
_SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_MONEY = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_NO_SOUND = re.compile(rf"[^A-Za-z{_HAN}'’.,!?;:—…、。！？；：，\s\d\[\]-]")
_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,?(?:\s\d\d?,?)?\s*$", re.I)
_DOLLARS = re.compile(r"([$€£])(\d[\d,]*)(?:\.(\d\d))?(?!\.?\d|\s*(?:thousand|million|billion|trillion|[kKmMbB]\b))")
_UNIT = r"(?:[munkKMGT]?(?:g|m|W|V|A|Hz|B|b|l|bps|hz|wh)|cm|km|kwh|kWh|lbs?|oz|mph|ft|ml|a\.?m\b|p\.?m|AM|PM|%|°)"
_NUMBER = re.compile(
    rf"(?<![\w.:/$€£¥-])(\d{{1,3}}(?:,\d{{3}})+|\d{{4}})(\.\d+)?(?![\w:/.-]*\d|[A-Za-z/%°]|\s?{_UNIT}\b|\s\d+/\d)"
)


def spoken_form(text: str, language: Language) -> Iterator[str]:
    """Sentences of the text as they are spoken, in order; sentences without any sound are left out.

    `language` is that of the text as a whole: it reads the figures that stand between no words. `[[phones]]` pass
    untouched. Works on one sentence at a time, so memory does not grow with the text.
    """
    return (spoken for _, spoken in written_and_spoken(text, language) if spoken)


def written_and_spoken(text: str, language: Language) -> Iterator[tuple[str, str]]:
    """Each sentence as it is written and, where it has a sound, as it is spoken; the written ones joined are the text.

    `language` as in `spoken_form`.
    """
    plain, places = _plain(text)
    end = 0
    for sentence in _sentences(plain):
        begin, end = end, end + len(sentence)
        spoken = _spoken(sentence, language)
        yield text[places[begin] : places[end]], spoken if any(map(str.isalpha, spoken)) else ""


def _plain(text: str) -> tuple[str, list[int]]:
    """The text in compatibility form (NFKC), and for each of its characters and its end the place in the text."""
    out, places = [], []
    for found in re.finditer(r"(?s).[\u0300-\u036f\u3099\u309a]*", text):
        cluster = found[0]
        plain = ". " if cluster == "…" else unicodedata.normalize("NFKC", cluster).replace("⁄", "/")
        if re.match("[¼-¾⅐-⅞]", cluster) and text[: found.start()][-1:].isdigit():
            plain = " " + plain  # or 2½ would be 21/2
        out.append(plain)
        places += [found.start()] * len(plain)
    return "".join(out), [*places, len(text)]


def _sentences(text: str) -> Iterator[str]:
    """Cut after full stops that end a sentence, and anywhere sensible in text without punctuation."""
    held = ""
    for piece in _SENTENCE.split(text):
        held += piece
        last = held.rsplit(None, 1)[-1].lower() if held.strip() else ""
        if (last in _ABBREVIATIONS and last not in _MAY_END) or re.fullmatch(r"[a-z]\.", last):
            continue
        yield from _bounded(held)
        held = ""
    yield from _bounded(held)


def _bounded(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST_SENTENCE:
        window = sentence[:LONGEST_SENTENCE]
        cut = max(window.rfind(" "), window.rfind(","), window.rfind("，"), window.rfind("、")) + 1 or LONGEST_SENTENCE
        yield sentence[:cut]
        sentence = sentence[cut:]
    if sentence:
        yield sentence


def _spoken(sentence: str, language: Language) -> str:
    """One sentence; each run of one language is read by that language's grammar."""
    sentence = re.sub(r"\b([A-Z])\.(?=\s*[A-Z])", r"\1", sentence)  # initials: J. R. Jones
    sentence = _ABBREVIATION.sub(lambda found: _abbreviation(found, sentence), sentence)
    out: list[str] = []
    run, tongue = "", language
    for kind, token, spoken_in in _tokens(sentence, language):
        if kind == "raw" or spoken_in != tongue:
            out.append(_read(run, tongue))
            run, tongue = "", spoken_in
        if kind == "raw":
            out.append(token)
        else:
            run += token
    out.append(_read(run, tongue))
    return " ".join(filter(None, (" ".join(part.split()) for part in out)))


def _abbreviation(found: re.Match[str], sentence: str) -> str:
    written = found[0].lower()
    if written in _BEFORE_FIGURE_ONLY and not sentence[found.end() :].lstrip()[:1].isdigit():
        return found[0]
    if written == "st." and re.search(r"[A-Z0-9]\w*\s+$", sentence[: found.start()]):
        return "street"  # Elm St., but St. Louis
    return _ABBREVIATIONS[written]


def _tokens(sentence: str, language: Language) -> Iterator[tuple[str, str, Language]]:
    """(kind, text, language) of each token; figures and signs take the language of the words around them."""
    tokens = [(found.lastgroup or "", found[0]) for found in _TOKEN.finditer(sentence)]
    has_han = any(kind == "han" for kind, _ in tokens)
    default: Language = "zh" if has_han else language if not any(kind == "word" for kind, _ in tokens) else "en"
    before: Language = default
    for place, (kind, token) in enumerate(tokens):
        if kind == "han":
            before = "zh"
        elif kind in ("word", "address"):
            before = "en"
        elif kind == "figure":
            after = next((later for later, _ in tokens[place + 1 :] if later in ("han", "word", "address")), "")
            yield kind, token, "en" if before == "en" and after in ("word", "address") else default
            continue
        yield kind, token, before


def _read(run: str, language: Language) -> str:
    """A run of one language: our mends, then the grammar where figures are left, then only what has a sound."""
    if any(character.isdigit() for character in run):
        run = _mend_english(run) if language == "en" else _mend_mandarin(run)
    if any(character.isdigit() for character in run) or _address(run):
        run = _grammar(run, language)
    for sign, word in _SIGNS[language].items():
        run = run.replace(sign, word)
    run = re.sub(
        r"\d", lambda digit: f" {_SMALL[int(digit[0])]} " if language == "en" else _HAN_DIGITS[int(digit[0])], run
    )
    plain = "".join(c for c in unicodedata.normalize("NFD", run) if not unicodedata.combining(c))
    return _NO_SOUND.sub(" ", plain).replace("--", ", ")


_HAN_DIGITS = "零一二三四五六七八九"


def _address(run: str) -> bool:
    return any(found.lastgroup == "address" for found in _TOKEN.finditer(run))


def _grammar(run: str, language: Language) -> str:
    """The run through wetext; where its English grammar falls over, word by word, so that one sign spoils one word."""
    try:
        read: str = _normaliser(language).normalize(run)
        return read
    except AssertionError:
        words = run.split()
        if len(words) <= 1:
            return run
    return " ".join(_grammar(word, language) for word in words)


@cache
def _normaliser(language: Language) -> Any:
    import wetext  # late: the grammars cost 0.3 s and 50 MB

    return wetext.Normalizer(lang=language, operator="tn")


def _mend_english(run: str) -> str:
    """What the English grammar reads wrongly, written out: telephone numbers, money, ranges, numbers of any size."""
    run = re.sub(r"(?<![\d-])(\d{3})-(\d{4})(?![\d-])", lambda m: f"{_digits(m[1])}, {_digits(m[2])}", run)
    run = re.sub(
        r"([$€£])(\d[\d,]*)(?:\.(\d\d))?(?![\d.]|\s*(?:thousand|million|billion|trillion|[kKmMbB]\b))", _money, run
    )
    run = re.sub(r"(?<![\d/=-])(\d{1,6})\s?[-–~]\s?(\d{1,6})(?!\s?[\d/=-])", r"\1 to \2", run)
    return _NUMBER.sub(_number, run)


def _mend_mandarin(run: str) -> str:
    """Grouping commas, minus before fractions, zeros in dates and money in ten thousands, written for the grammar."""
    run = re.sub(r"\d{1,3}(?:,\d{3})+(?!\d)", lambda m: m[0].replace(",", ""), run)
    run = re.sub(r"(?<![\d\w])-(?=\d+(?:\.\d+)?(?:%|/\d))", "负", run)
    run = re.sub(r"(?<!\d)0(\d[月日号])", r"\1", run)
    run = re.sub(r"\$(\d+(?:\.\d+)?)([万亿千百])", r"\1\2美元", run)
    return re.sub(r"[¥￥](\d+(?:\.\d+)?)([万亿千百]?)", r"\1\2元", run)


def _money(found: re.Match[str]) -> str:
    unit, part = _MONEY[found[1]]
    whole, cents = int(found[2].replace(",", "")), int(found[3] or 0)
    said = []
    if whole or not cents:
        said.append(f"{cardinal(whole)} {unit}{'' if whole == 1 else 's'}")
    if cents:
        many = "pence" if part == "penny" else f"{part}s"
        said.append(f"{cardinal(cents)} {part if cents == 1 else many}")
    return " and ".join(said)


def _number(found: re.Match[str]) -> str:
    """A number with grouping commas or of four digits; years (1900 to 2099 without comma) are left to the grammar."""
    whole, decimals = found[1], found[2]
    value = int(whole.replace(",", ""))
    if not decimals and len(whole) == 4 and (1900 <= value <= 2099 or _MONTH.search(found.string[: found.start()])):
        return found[0]
    said = _digits(whole) if whole[0] == "0" else cardinal(value)
    return f"{said} point {_digits(decimals[1:])}" if decimals else said


def _digits(figures: str) -> str:
    return " ".join(_SMALL[int(figure)] for figure in figures)


def cardinal(value: int) -> str:
    """A number in English words: 1280 is `one thousand two hundred eighty`."""
    if value < 20:
        return _SMALL[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_SMALL[value % 10]}" if value % 10 else "")
    for scale, name in _SCALES:
        if value >= scale:
            rest = f" {cardinal(value % scale)}" if value % scale else ""
            return f"{cardinal(value // scale)} {name}{rest}"
    raise AssertionError(value)
