"""Cuts text that arrives in pieces into clauses to be spoken, the first one early; the pieces' edges never matter."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 160
"""Weight after which a clause without punctuation is cut at the next gap; a Han character weighs 2, any other 1."""
HARD = 240
"""Weight after which it is cut wherever it is."""
_FIRST, _LATER = 12, 40
"""Weight from which a comma ends a clause: the first is wanted soon, later ones in longer breaths."""
_FULL, _FULL_ASCII = frozenset("。！？；…\n"), frozenset(".!?;")
_HALF, _HALF_ASCII = frozenset("，、：—"), frozenset(",:")
_CLOSING = frozenset("”’」』）》)\"'*")
_NO_END = re.compile(
    r"(?:^|[\s(])(?:(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|no|approx|jr|sr|fig|mt)|(?:[A-Za-z]\.)*[A-Za-z]|\d{1,3})\.$",
    re.I,
)
"""An abbreviation, an initial, or a number before a dot; of the numbers only one at the beginning of a line."""
_LIST_NUMBER = re.compile(r"^\s*\d{1,3}\.$")
_MARKUP = re.compile(r"^\s*(?:[-*•#>]+\s+|#+\s*)|[*_`~|<>{}\\]+")


class Clauses:
    """Push text as it comes, take clauses as they are complete."""

    def __init__(self) -> None:
        self._open = ""
        self._weight = 0
        self._first = True

    def push(self, text: str) -> list[str]:
        """The clauses that this text completed, ready to be spoken."""
        found: list[str] = []
        for letter in text:
            if self._open and self._ends_before(letter):
                found += self._take()
            self._open += letter
            self._weight += 2 if _is_wide(letter) else 1
        return found

    def end(self) -> list[str]:
        """The last clause, if anything is left."""
        return self._take()

    def _take(self) -> list[str]:
        clause = speakable(self._open)
        self._open, self._weight = "", 0
        if not clause:
            return []
        self._first = False
        return [clause]

    def _ends_before(self, letter: str) -> bool:
        gap = letter.isspace() or _is_wide(letter)
        if self._weight >= HARD or (self._weight >= LONGEST and gap):
            return True
        if letter in _CLOSING or letter in _FULL | _FULL_ASCII | _HALF | _HALF_ASCII:
            return letter == "\n" and bool(self._open.strip())
        text = self._open.rstrip("".join(_CLOSING))
        last = text[-1:]
        if last in _FULL:
            return True
        if last in _FULL_ASCII:
            return gap and not (last == "." and _is_no_end(text))
        enough = self._weight >= (_FIRST if self._first else _LATER)
        return enough and (last in _HALF or (last in _HALF_ASCII and gap))


def speakable(text: str) -> str:
    """Text without control characters, markup and phone brackets; empty where nothing of it can be said."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    kept = _MARKUP.sub("", kept).replace("[", "(").replace("]", ")")
    kept = " ".join(kept.split())
    return kept if any(map(str.isalnum, kept)) else ""


def _is_no_end(text: str) -> bool:
    found = _NO_END.search(text)
    if found is None:
        return False
    return bool(_LIST_NUMBER.match(text)) if text[-2:-1].isdigit() else text[-2:] != "I."


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
