"""Requests to assistants with intents and slots: public collections in one form."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker, place_of, split_of

SNIPS, HWU, SLURP, CLINC = "sonos/nlu-benchmark", "xliuhw/NLU-Evaluation-Data", "pswietojanski/slurp", "clinc/oos-eval"
SKILLS, SOLUTIONS = "microsoft/botframework-skills", "microsoft/botframework-solutions"
HWU_FOLDS = "CrossValidation/autoGeneFromRealAnno/autoGene_2018_03_22-13_01_25_169/CrossValidation"
Slots = list[list[Any]]
"""[name, first character, character after the last]."""
Rows = list[tuple[str, dict[str, Any]]]
"""(split, row)."""


def _fill_nlu(made: TextFiles, open_: Open) -> None:
    made.by_split("snips", _snips(open_))
    made.by_split("hwu64", _hwu(open_))
    made.by_split("clinc150", _clinc(open_))


def _snips(open_: Open) -> Rows:
    repository, rows = open_(SNIPS), []
    for path in repository.under("2017-06-custom-intent-engines"):
        found = re.search(r"/(train|validate)_(\w+?)(_full)?\.json$", path)
        if not found or (found[1] == "train" and not found[3]):
            continue
        content = repository.read(path)
        try:
            requests = json.loads(content.decode("utf-8"))[found[2]]
        except UnicodeDecodeError:  # some files of the source are Latin-1
            requests = json.loads(content.decode("latin-1"))[found[2]]
        for request in requests:
            text, slots = _joined(request["data"])
            easy = "dev" if place_of(text.lower()) % 100 < 5 else "train"
            rows.append(
                ("test" if found[1] == "validate" else easy, {"text": text, "intent": found[2], "slots": slots})
            )
    return rows


def _joined(pieces: list[dict[str, str]]) -> tuple[str, Slots]:
    """Text and slots of pieces, some of which are entities."""
    text, slots = "", list[list[Any]]()
    for piece in pieces:
        if "entity" in piece:
            slots.append([piece["entity"], len(text), len(text) + len(piece["text"])])
        text += piece["text"]
    lead = len(text) - len(text.lstrip())
    return text.strip(), [[name, first - lead, last - lead] for name, first, last in slots]


def _annotated(marked: str) -> tuple[str, Slots]:
    """`play [artist : queen]` -> text and slots."""
    text, slots, place = "", list[list[Any]](), 0
    for found in re.finditer(r"\[\s*([^\]:]+?)\s*:\s*([^\]]*?)\s*\]", marked):
        text += marked[place : found.start()]
        slots.append([found[1], len(text), len(text) + len(found[2])])
        text, place = text + found[2], found.end()
    return text + marked[place:], slots


def _hwu(open_: Open) -> Rows:
    """The ten folds overlap a little: the first fold that has a sentence wins. A third of SLURP comes from here."""
    repository, slurp = open_(HWU), open_(SLURP)
    held = {
        re.sub(r"\W", "", _annotated(json.loads(line)["sentence_annotation"])[0].lower())
        for part in ("devel", "test")
        for line in slurp.text(f"dataset/slurp/{part}.jsonl").splitlines()
    }
    seen, rows = set(), list[tuple[str, dict[str, Any]]]()
    for fold in range(1, 11):
        for path in repository.under(f"{HWU_FOLDS}/KFold_{fold}/testset/csv"):
            for line in csv.DictReader(io.StringIO(repository.text(path)), delimiter=";"):
                marked = line["answer_annotation"] or ""
                key = (line["scenario"], line["intent"], marked)
                text, slots = _annotated(marked)
                if not marked.strip() or key in seen or (fold > 1 and re.sub(r"\W", "", text.lower()) in held):
                    continue
                seen.add(key)
                intent = f"{line['scenario']}_{line['intent']}"
                row = {"id": line["answerid"], "text": text, "scenario": line["scenario"], "intent": intent}
                rows.append(({1: "test", 2: "dev"}.get(fold, "train"), row | {"slots": slots}))
    return rows


def _clinc(open_: Open) -> Rows:
    repository = open_(CLINC)
    domains = json.loads(repository.text("data/domains.json"))
    domain_of = {intent: domain for domain, intents in domains.items() for intent in intents}
    rows: Rows = []
    for part, pairs in json.loads(repository.text("data/data_full.json")).items():
        split = part.removeprefix("oos_").replace("val", "dev")
        rows += [(split, {"text": t, "intent": i, "domain": domain_of.get(i, "oos")}) for t, i in pairs]
    return rows


def _fill_msbot(made: TextFiles, open_: Open) -> None:
    made.by_split("intents", _skills(open_))
    made.by_split("chitchat", [row for language in ("zh-cn", "en-us") for row in _chitchat(open_, language)])


def _skills(open_: Open) -> Rows:
    repository, seen, rows = open_(SKILLS), set(), list[tuple[str, dict[str, Any]]]()
    for path in repository.under("skills/csharp"):
        found = re.search(
            r"/(?:experimental/)?(\w+?)skill/Deployment/Resources/LU/(zh-cn|en-us)/(?:secondary/)?(\w+)\.lu$", path
        )
        if not found or _unfit(*found.groups()):
            continue
        skill, language, name = found.groups()
        domain = "general" if name.lower() == "general" else skill
        for intent, marked in _utterances(repository.text(path)):
            parsed = _braced(marked)
            if parsed is None:
                continue
            text, slots = _squeezed(*parsed) if language == "zh-cn" else _trimmed(*parsed)
            key = (language, text.lower(), intent)
            many = skill == "automotive" and place_of(text) % 100 >= 30  # a third of a very repetitive skill is enough
            if many or not text or key in seen or len(text) > 200:
                continue
            seen.add(key)
            row = {"lang": language, "text": text, "domain": domain, "intent": intent, "slots": slots}
            rows.append((split_of(text.lower(), 8, 10), row))
    return rows


def _unfit(skill: str, language: str, name: str) -> bool:
    """Machine-translated or purely technical files."""
    settings = name.lower().startswith("settings") and name != "Settings"
    return skill == "itsm" or (skill == "pointofinterest" and language == "zh-cn") or settings


def _utterances(text: str) -> Iterator[tuple[str, str]]:
    """(intent, utterance) of a language-understanding file."""
    intent: str | None = None
    for line in text.splitlines():
        if line.startswith(">"):
            if re.match(r"> *#", line):  # a section's head; other such lines are comments
                intent = None
        elif re.match(r"#+ ", line):
            intent = line.lstrip("#").strip()
        elif line[:1] in ("$", "@"):
            intent = None
        elif intent and line.startswith("-"):
            yield intent, line[1:]


def _braced(marked: str) -> tuple[str, Slots] | None:
    """`{Name=value}`, nested too -> text and slots; None for a pattern (`{Name}` alone)."""
    text, place = "", 0
    slots: Slots = []
    open_slots: list[tuple[str, int]] = []
    while place < len(marked):
        character = marked[place]
        if character == "{":
            found = re.match(r"\{\s*@?([\w .:-]+?)\s*=\s*", marked[place:])
            if not found:
                return None
            open_slots.append((found[1], len(text)))
            place += found.end()
            continue
        if character == "}":
            if not open_slots:
                return None
            name, first = open_slots.pop()
            slots.append([name, first, len(text)])
        else:
            text += character
        place += 1
    return None if open_slots else (text, sorted(slots, key=lambda slot: slot[1]))


def _trimmed(text: str, slots: Slots) -> tuple[str, Slots]:
    lead = len(text) - len(text.lstrip())
    return text.strip(), [[name, first - lead, last - lead] for name, first, last in slots]


def _squeezed(text: str, slots: Slots) -> tuple[str, Slots]:
    """Without the blanks that stood around braces between Chinese characters."""
    text, slots = _trimmed(text, slots)
    kept = [
        place
        for place, character in enumerate(text)
        if not (character == " " and (text[place - 1 : place] > "\x7f" or text[place + 1 : place + 2] > "\x7f"))
    ]
    moved = {old: new for new, old in enumerate(kept)}

    def shifted(place: int) -> int:
        return next((moved[old] for old in range(max(place, 0), len(text)) if old in moved), len(kept))

    return "".join(text[place] for place in kept), [[name, shifted(a), shifted(b)] for name, a, b in slots]


def _chitchat(open_: Open, language: str) -> Rows:
    path = f"templates/csharp/VA/VA/Deployment/Resources/QnA/{language}/Chitchat.qna"
    rows: Rows = []
    questions, answer, category, inside = list[str](), list[str](), "", False

    def flush() -> None:
        said = "\n".join(answer).strip()
        for question in dict.fromkeys(question.strip() for question in questions):
            if said and question:
                row = {"lang": language, "q": question, "a": said, "group": questions[0].strip(), "cat": category}
                rows.append((split_of(language + question.lower(), 5, 7), row))

    for line in open_(SOLUTIONS).text(path).splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            answer.append(line)
        elif re.match(r"#+ \?", line):
            flush()
            questions, answer, category = [re.sub(r"^#+ \?\s*", "", line)], [], ""
        elif found := re.match(r"- editorial\s*=\s*(\S+)", line):
            category = found[1]
        elif line.startswith("- ") and not answer and "=" not in line:
            questions.append(line[2:])
    flush()
    return rows


MAKERS = (
    TextMaker(
        "nlu_en",
        "English requests with intents and slots: SNIPS, HWU64, CLINC150",
        (SNIPS, HWU, SLURP, CLINC),
        "CC0-1.0 (SNIPS); CC BY 4.0 (HWU64); CC BY 3.0 (CLINC150)",
        _fill_nlu,
    ),
    TextMaker(
        "msbot",
        "requests and chit-chat of assistants, English and Chinese",
        (SKILLS, SOLUTIONS),
        "MIT",
        _fill_msbot,
    ),
)
