"""The web page as it lies there: labels, languages, colours and files, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import step_audio_mini

pytestmark = pytest.mark.unit

WEB = Path(step_audio_mini.__file__).parent / "serve" / "web"
FILES = sorted(path for path in WEB.iterdir() if path.is_file())
CODE = [path for path in FILES if path.suffix in (".js", ".css", ".html")]
SCRIPTS = {path.name: path.read_text("utf-8") for path in FILES if path.suffix == ".js"}
VOID = {"meta", "link", "input", "img", "br", "hr"}
CONTROLS = {"button", "input", "select", "textarea"}


class Element:
    def __init__(self, tag: str, given: dict[str, str], parent: Element | None) -> None:
        self.tag, self.given, self.parent = tag, given, parent
        self.children: list[Element] = []
        self.words = ""

    def all(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            yield from child.all()

    @property
    def text(self) -> str:
        return self.words.strip() or " ".join(child.text for child in self.children if child.text)


class Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.at = Element("document", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"<{self.at.tag}> is closed by </{tag}> at {self.getpos()}"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.words += data


def elements() -> list[Element]:
    """All of the page but the insides of pictures, whose tags close themselves."""
    source = re.sub(r"<svg.*?</svg>", "", (WEB / "index.html").read_text("utf-8"), flags=re.DOTALL)
    tree = Tree()
    tree.feed(source)
    assert tree.at is tree.root, f"<{tree.at.tag}> is never closed"
    return list(tree.root.all())


PAGE = elements()


def texts() -> dict[str, dict[str, str]]:
    source = SCRIPTS["texts.js"]
    loaded: dict[str, dict[str, str]] = json.loads(source[source.index("{") : source.rindex("}") + 1])
    return loaded


TEXTS = texts()


def name_of(element: Element) -> str:
    """What a screen reader calls it."""
    given = element.given
    if "aria-labelledby" in given:
        return next(found.text for found in PAGE if found.given.get("id") == given["aria-labelledby"])
    labels = [found for found in PAGE if found.tag == "label" and found.given.get("for") == given.get("id", "-")]
    wrapper = element.parent if element.parent and element.parent.tag == "label" else None
    return (
        given.get("aria-label")
        or element.text
        or (labels[0].text if labels else "")
        or (wrapper.text if wrapper else "")
    )


def test_all_controls_are_labelled() -> None:
    controls = [element for element in PAGE if element.tag in CONTROLS]
    assert len(controls) > 20
    nameless = [f"{element.tag} {element.given}" for element in controls if not name_of(element)]
    assert not nameless
    named = {"nav", "dialog", "canvas", "section"}
    assert all(name_of(element) for element in PAGE if element.tag in named or element.given.get("role") == "log")
    assert all(
        any(child.tag == "legend" for child in element.children) for element in PAGE if element.tag == "fieldset"
    )


def test_there_are_live_regions() -> None:
    roles = {element.given.get("role"): element for element in PAGE}
    assert {"alert", "status", "log", "meter"} <= set(roles)
    assert roles["log"].given["aria-live"] == "off"  # spoken answers are not read a second time


def test_both_languages_have_the_same_texts() -> None:
    english, chinese = TEXTS["en"], TEXTS["zh"]
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert text.strip(), key
        assert chinese[key].strip(), key
        fields = re.compile(r"\{\w+\}")
        assert sorted(fields.findall(text)) == sorted(fields.findall(chinese[key])), key
    same = {key for key in english if english[key] == chinese[key]}
    assert all(key.startswith("example_coffee") for key in same), "not translated"  # a pack of one language


def test_the_document_says_what_the_english_texts_say() -> None:
    told = 0
    for element in PAGE:
        for attribute, key in element.given.items():
            if attribute == "data-text":
                assert element.text == TEXTS["en"][key]
            elif attribute.startswith("data-text-"):
                assert element.given.get(attribute.removeprefix("data-text-")) == TEXTS["en"][key]
            else:
                continue
            told += 1
    assert told > 50


def test_every_text_asked_for_exists_and_none_is_left_over() -> None:
    code = "\n".join(source for name, source in SCRIPTS.items() if name != "texts.js")
    asked = set(re.findall(r"\b(?:text|notice|note)\(\s*\"(\w+)\"", code)) | {
        key for element in PAGE for attribute, key in element.given.items() if attribute.startswith("data-text")
    }
    assert sorted(asked - set(TEXTS["en"])) == []
    begun = set(re.findall(r"`(\w+_)\$\{", code))
    assert {"state_", "talk_", "span_", "tool_", "closed_", "pack_", "example_"} <= begun
    quoted = set(re.findall(r"\"(\w+)\"", code))
    unused = [key for key in TEXTS["en"] if key not in asked | quoted and not any(key.startswith(b) for b in begun)]
    assert not unused


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_comes_from_outside(path: Path) -> None:
    source = path.read_text("utf-8")
    hosts = set(
        re.findall(r"(?:https?:|wss?:)?//([\w.-]+\.\w+|localhost)", re.sub(r"^\s*(//|/\*).*$", "", source, flags=re.M))
    )
    assert hosts <= {"localhost", "www.w3.org"}  # a hint to the person, the name of SVG
    assert path.suffix != ".css" or not re.search(r"@import|@font-face|url\(", source)


def test_a_strict_policy_can_hold() -> None:
    source = (WEB / "index.html").read_text("utf-8")
    assert "Content-Security-Policy" in source
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", source)
    for name, script in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script), (
            name
        )


def test_every_id_asked_for_exists_once() -> None:
    ids = [element.given["id"] for element in PAGE if "id" in element.given]
    assert len(ids) == len(set(ids))
    asked = {found for source in SCRIPTS.values() for found in re.findall(r"byId\(\"([\w-]+)\"\)", source)}
    pointed = {
        element.given[key]
        for element in PAGE
        for key in ("for", "aria-labelledby", "aria-describedby")
        if key in element.given
    }
    assert asked | pointed <= set(ids)


def test_every_file_is_used_and_there() -> None:
    used, open_ = {"index.html"}, ["index.html"]
    while open_:
        source = (WEB / open_.pop()).read_text("utf-8")
        for found in re.findall(
            r"(?:src|href|from|import)[=\s(]+\"(?:\./)?([\w-]+\.\w+)\"|\"([\w-]+-worklet\.js|resample\.js)\"", source
        ):
            name = found[0] or found[1]
            assert (WEB / name).is_file(), name
            if name not in used:
                used.add(name)
                open_.append(name)
    assert used == {path.name for path in FILES}


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_files_are_small_and_say_why_they_exist(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 400
    if path.suffix != ".html":
        assert re.match(r"(//|/\*) \w.{20,}", lines[0])


WORDS = {"ink", "soft", "you", "it", "cut"}


def colours(block: str) -> dict[str, tuple[float, ...]]:
    """Red, green, blue and where given opacity, each 0 to 1."""
    found = re.findall(r"--([\w-]+): #((?:[0-9a-f]{2}){3,4});", block)
    return {name: tuple(byte / 255 for byte in bytes.fromhex(value)) for name, value in found}


def blended(over: tuple[float, ...], ground: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(over[3] * mine + (1 - over[3]) * its for mine, its in zip(over[:3], ground, strict=True))


def luminance(colour: tuple[float, ...]) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_words_can_be_read_in_both_themes() -> None:
    blocks = re.findall(r"color-scheme: (light|dark);([^}]*)}", (WEB / "theme.css").read_text("utf-8"))
    themes: dict[str, list[dict[str, Any]]] = {}
    for name, block in blocks:
        themes.setdefault(name, []).append(colours(block))
    assert len(themes["dark"]) == 2
    assert themes["dark"][0] == themes["dark"][1]  # asked for by the system, or by the person
    for theme in (themes["light"][0], themes["dark"][0]):
        grounds = [theme[name] for name in ("paper", "card")]
        grounds += [blended(theme[wash], theme["paper"]) for wash in ("you-wash", "warn-wash")]
        for ground in grounds:
            assert all(contrast(theme[name], ground) >= 4.5 for name in WORDS)  # WCAG AA for text
        assert all(contrast(theme["edge"], theme[name]) >= 3 for name in ("paper", "card"))  # and for what is filled in
        assert contrast(theme["on"], theme["you"]) >= 4.5
    styles = "".join(path.read_text("utf-8") for path in CODE if path.suffix == ".css")
    used = set(re.findall(r"(?<![-\w])color: var\(--([\w-]+)\)", styles))
    assert used <= WORDS | {"on", "paper"}  # paper: on ink


def test_the_page_uses_standard_events_only() -> None:
    sent = {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "conversation.item.create",
        "conversation.item.truncate",
        "conversation.item.retrieve",
        "response.create",
        "response.cancel",
    }
    assert set(re.findall(r"type: \"([\w.]+\.[\w.]+)\"", SCRIPTS["call.js"])) == sent


def test_the_page_is_data_of_the_package() -> None:
    from importlib.resources import files

    assert (files("step_audio_mini") / "serve" / "web" / "index.html").is_file()
