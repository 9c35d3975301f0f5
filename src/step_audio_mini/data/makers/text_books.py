"""Plain text by the megabyte, for language models: books, encyclopedia, news, and sentences people wrote to learn from.

Everything here is train: which sentences may stay is decided where a language model is made, against the transcripts
of all packs at hand (`train.language`), because a reader's utterances end elsewhere than a book's sentences.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker

CLASSICS = "mlschmitt/classic-books-markdown"
ENGLISH_WIKI = "jason-feng/wikiVisual@1c0fac92f29f17c1603bfffbe864e0dfdff66897"
CHINESE_WIKI, CMRC, DRCD = "KazuhiraDZ/NLP-Learning", "ymcui/cmrc2018", "DRCKnowledgeTeam/DRCD"
WIKINEWS = "jshepp27/countaBot@eac9439eff525f2f4c753983fe2a2973e22e2e7f"
TATOEBA_ENGLISH, TATOEBA_CHINESE = "devdio/flyai_datasets", "Roxaleen/hsk-annotated-corpus"
COMMON_VOICE_16 = "manzhusahua/common_voice_16_0"
SPEECH_TEXTS = "audier/my_ch_speech_recognition"

NEWEST = 1928
"""Books that came out later are left out: until then everything is in the public domain of the United States."""
PART_OF_A_BOOK = 150_000
"""Characters taken of one book, in paragraphs from all over it: no author outweighs the others."""
FILES_OF_WIKIPEDIA = 50
"""Files taken of some four hundred, a megabyte each."""

FEWEST_CHARACTERS = 5
"""Of a Chinese sentence, with its full stop."""

_SPOKEN = {"Mr": "mister", "Mrs": "missus", "Messrs": "messieurs", "Dr": "doctor", "St": "saint", "Capt": "captain"}
_TITLE = re.compile(r"\b(Mr|Mrs|Messrs|Dr|St|Capt)\.(?=\s)")
_END = re.compile(r"(?<=[.!?;:])[\"'”’)\]]*\s+")
_END_CHINESE = re.compile(r"(?<=[。！？；])[」』”’）]*|\n+")
_CLAUSE_CHINESE = re.compile(r"(?<=，)")
_ASIDE_CHINESE = re.compile(r"（[^）\n]*）|\([^)\n]*\)|[「」『』《》“”]|[^\S\n]")
_UNREADABLE_CHINESE = re.compile(r"[A-Za-z0-9０-９Ａ-Ｚａ-ｚ{}=*]")
_MARKUP = re.compile(r"[_*#\[\]<>|]|\(https?[^)]*\)")


def english_sentences(text: str, most_words: int) -> Iterator[str]:
    """Sentences of a paragraph, with titles as they are spoken; none with digits, none of fewer than three words."""
    spoken = _TITLE.sub(lambda found: _SPOKEN[found[1]], _MARKUP.sub("", text))
    for sentence in _END.split(spoken):
        if 3 <= sentence.count(" ") + 1 <= most_words and not any(map(str.isdigit, sentence)):
            yield sentence.strip()


def chinese_sentences(text: str, most: int = 40) -> Iterator[str]:
    """Sentences of a paragraph, of at most so many characters.

    Longer ones, and those with Latin letters or digits, whose reading the page does not tell, give the clauses in a
    row that fit.
    """
    for sentence in _END_CHINESE.split(_ASIDE_CHINESE.sub("", text)):
        run = ""
        for clause in _CLAUSE_CHINESE.split(sentence):
            fits = not _UNREADABLE_CHINESE.search(clause)
            if run and (not fits or len(run) + len(clause) > most):
                yield from _readable(run)
                run = ""
            run += clause if fits and len(clause) <= most else ""
        yield from _readable(run)


def _readable(run: str) -> tuple[str, ...]:
    return (run,) if len(run) >= FEWEST_CHARACTERS else ()


def _fill_books(made: TextFiles, open_: Open) -> None:
    library, rows = open_(CLASSICS), []
    for path in library.files:
        text = library.text(path) if path.endswith(".md") and "/" in path else ""
        year = re.search(r"^## Year: *(-?\d+)", text, re.MULTILINE)
        if year is None or int(year[1]) > NEWEST:
            continue
        name = PurePosixPath(path).with_suffix("").as_posix()
        paragraphs = re.split(r"\n\s*\n", text.partition("-------")[2])
        step = max(1, len(text) // PART_OF_A_BOOK)
        rows += [f"{name}\t{one}" for part in paragraphs[::step] for one in english_sentences(part, 40)]
    made.put("en.train.tsv", rows)


def _fill_wikipedia(made: TextFiles, open_: Open) -> None:
    english = open_(ENGLISH_WIKI)
    paths = english.under("text")
    chosen = paths[:: max(1, len(paths) // FILES_OF_WIKIPEDIA)]
    pages = (text for path in chosen for text in english.text(path).splitlines())
    lines = (line for line in pages if not line.startswith("<"))
    made.put("en.train.tsv", (f"wikipedia\t{one}" for line in lines for one in english_sentences(line, 22)))
    made.put("zh_hans.train.tsv", (f"wikipedia\t{one}" for text in _contexts(open_) for one in chinese_sentences(text)))
    articles = [json.loads(line)["text"] for line in open_(CHINESE_WIKI).text("wiki_00").splitlines()]
    for part in ("dev", "test"):
        questions = json.loads(open_(DRCD).text(f"DRCD_{part}.json"))["data"]
        articles += [paragraph["context"] for article in questions for paragraph in article["paragraphs"]]
    made.put("zh_mixed.train.tsv", (f"wikipedia\t{one}" for text in articles for one in chinese_sentences(text)))


def _contexts(open_: Open) -> Iterator[str]:
    """Paragraphs of CMRC 2018, simplified characters."""
    for part in ("dev", "trial"):
        for article in json.loads(open_(CMRC).text(f"squad-style-data/cmrc2018_{part}.json"))["data"]:
            for paragraph in article["paragraphs"]:
                yield paragraph["context"]


def _fill_sentences(made: TextFiles, open_: Open) -> None:
    news = open_(WIKINEWS)
    stories = (json.loads(line)["text"] for path in news.under("text") for line in news.text(path).splitlines())
    paragraphs = (part for story in stories for part in story.split("\n"))
    english = [f"wikinews\t{one}" for part in paragraphs for one in english_sentences(part, 35)]
    pairs = open_(TATOEBA_ENGLISH).text("jpn.txt").splitlines()
    english += [f"tatoeba\t{sentence}" for sentence in sorted({line.split("\t")[0] for line in pairs})]
    english += [f"cv16\t{sentence}" for sentence in _common_voice(open_, "en/dev")]
    made.put("en.train.tsv", english)
    rows = open_(TATOEBA_CHINESE).text("data/raw/sentences/tatoeba_cmn_sentences.tsv").splitlines()
    mixed = [f"tatoeba\t{line.split(chr(9))[2]}" for line in rows if line.count("\t") >= 2]
    mixed += [
        f"cv16\t{one}" for part in ("zh-CN/dev", "zh-TW/train", "zh-TW/dev") for one in _common_voice(open_, part)
    ]
    for name in ("thchs_train", "aishell_dev"):
        lines = open_(SPEECH_TEXTS).text(f"data/{name}.txt").splitlines()
        mixed += [f"{name}\t{sentence}" for sentence in sorted({line.split("\t")[-1] for line in lines})]
    made.put("zh_mixed.train.tsv", mixed)


def _common_voice(open_: Open, part: str) -> list[str]:
    """Sentences of one split of Common Voice, each once."""
    rows = [line.split("\t") for line in open_(COMMON_VOICE_16).text(f"transcript/{part}.tsv").splitlines()]
    place = rows[0].index("sentence")
    return sorted({row[place].strip() for row in rows[1:] if len(row) > place})


MAKERS = (
    TextMaker("books", "English books, a part of each", (CLASSICS,), "public domain", _fill_books),
    TextMaker(
        "wikipedia",
        "sentences of articles, English and Chinese",
        (ENGLISH_WIKI, CHINESE_WIKI, CMRC, DRCD),
        "CC BY-SA 3.0 and 4.0 (Wikipedia and those who gathered it)",
        _fill_wikipedia,
    ),
    TextMaker(
        "sentences",
        "news, learners' sentences and sentences to read aloud, English and Chinese",
        (WIKINEWS, TATOEBA_ENGLISH, TATOEBA_CHINESE, COMMON_VOICE_16, SPEECH_TEXTS),
        "wikinews CC BY 2.5; tatoeba CC BY 2.0 FR; cv16 CC0-1.0; thchs_train, aishell_dev Apache-2.0",
        _fill_sentences,
    ),
)
