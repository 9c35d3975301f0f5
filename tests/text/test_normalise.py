"""Written to spoken: known faults of the grammars, mixed languages, signs without sound, any text at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.text.normalise import LONGEST_SENTENCE, cardinal, spoken_form
from step_audio_mini.types import Language

pytestmark = pytest.mark.unit


def spoken(text: str, language: Language) -> str:
    return " ".join(spoken_form(text, language))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1,280", "one thousand two hundred eighty"),
        ("$1,280.50", "one thousand two hundred eighty dollars and fifty cents"),
        ("1280 people", "one thousand two hundred eighty people"),
        ("1000", "one thousand"),
        ("In 1999.", "In nineteen ninety nine."),
        ("july 25 2012", "the twenty fifth of july twenty twelve"),
        ("7:30 pm", "seven thirty PM"),
        ("call 555-1234", "call five five five, one two three four"),
        ("2-5 people", "two to five people"),
        ("2 1/2 cups", "two and a half cups"),
        ("½ cup", "one half cup"),
        ("2½ cups", "two and a half cups"),
        ("$5 million", "five million dollars"),
        ("It's 21°C, 50% done", "It's twenty one degrees Celsius, fifty percent done"),
        ("@me & you", "at me and you"),
        ("Dr. Smith met Mr. J. R. Jones.", "doctor Smith met mister J R Jones."),
        ("No. 5", "number five"),
        ("no. I", "no. I"),
        ("Elm St. and St. Louis", "Elm street and saint Louis"),
        ("see www.example.com now", "see WWW dot example dot com now"),
    ],
)
def test_english(written: str, said: str) -> None:
    assert spoken(written, "en") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("价格¥1,280.50。", "价格一千二百八十点五零元。"),
        ("-98%", "负百分之九十八"),
        ("2015年08月08号", "二零一五年八月八号"),
        ("$1.5万", "一点五万美元"),
        ("调到百分之40", "调到百分之四十"),
        ("上午7:30", "上午七点三十分"),
        ("25kg", "二十五千克"),
        ("Ｈｅｌｌｏ１２", "Hello十二"),
    ],
)
def test_mandarin(written: str, said: str) -> None:
    assert spoken(written, "zh") == said


def test_figures_take_the_language_around_them() -> None:
    assert spoken("打开3个lamp", "en") == "打开三个 lamp"
    assert spoken("play song 3 now 好吗", "zh") == "play song three now 好吗"
    assert spoken("3", "zh") == "三"
    assert spoken("3", "en") == "three"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_signs_without_sound_make_no_sentence(language: Language) -> None:
    assert spoken("😀🎉 ——— ¿§", language) == ""
    assert spoken("", language) == ""


def test_raw_phones_pass_untouched() -> None:
    assert spoken("say [[HH AH0 L OW1]] 2", "en") == "say [[HH AH0 L OW1]] two"


def test_long_text_comes_in_pieces_and_loses_nothing() -> None:
    pieces = list(spoken_form("好" * 10_000, "zh"))
    assert max(map(len, pieces)) <= LONGEST_SENTENCE
    assert "".join(pieces) == "好" * 10_000
    assert spoken("word " * 2_000, "en").split() == ["word"] * 2_000


def test_sentences_are_cut_at_full_stops_not_inside_numbers() -> None:
    assert len(list(spoken_form("Pi is 3.14. Yes! Really? Ok.", "en"))) == 4


@given(st.text(max_size=60), st.sampled_from(["zh", "en"]))
def test_any_text_becomes_letters_and_known_marks(text: str, language: Language) -> None:
    said = spoken(re.sub(r"\d+", "7", text), language)
    assert not re.search(r"\d", re.sub(r"\[\[.*?\]\]", "", said))


@given(st.integers(0, 10**15 - 1))
def test_cardinals_read_back(value: int) -> None:
    assert read_back(cardinal(value)) == value


def read_back(words: str) -> int:
    """An independent reading of English number words."""
    small = {cardinal(n): n for n in [*range(20), *range(20, 100, 10)]}
    scales = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
    total = part = 0
    for word in words.split():
        if word in scales:
            total, part = total + part * scales[word], 0
        elif word == "hundred":
            part *= 100
        else:
            part += small[word]
    return total + part
