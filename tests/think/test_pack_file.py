"""A pack with a fault is refused in one line that names the file, the line and the field."""

from pathlib import Path

import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.think.pack import join
from step_audio_mini.think.pack_file import load_pack, read_pack

pytestmark = pytest.mark.unit

GOOD = """\
name: tiny
languages: [en]
describe: {en: a test}
licence: CC0-1.0
types:
  fruit: {kind: list, values: [{en: [apple]}, {en: [pear]}]}
slots:
  fruit:
    type: fruit
    describe: {en: a fruit}
    ask: {en: ["Which fruit?"]}
intents:
  Buy:
    describe: {en: buy a fruit}
    slots: [fruit]
    required: [fruit]
    tool: Buy
    sentences:
      en: ["[i want to] buy [a] {fruit}"]
    replies:
      done: {en: ["Bought a [fruit]."]}
tools:
  Buy: {}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "pack.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_good_pack_is_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert load_pack(tmp_path).intent_names == ("Buy",)


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("type: fruit\n", "type: fruti\n", 9, "slots.fruit.type"),
        ("tool: Buy", "tool: By", 17, "intents.Buy.tool"),
        ("required: [fruit]", "required: [size]", 16, "intents.Buy.required.0"),
        ("[a] {fruit}", "[a] {size}", 19, "intents.Buy.sentences.en.0"),
        ("[a] {fruit}", "[a {fruit}", 19, "intents.Buy.sentences.en.0"),
        ("[a] {fruit}", "<nothing> {fruit}", 19, "intents.Buy.sentences.en.0"),
        ("Bought a [fruit].", "Bought a [friut].", 21, "intents.Buy.replies.done.en.0"),
        ("    replies:\n", "    also: {en: [a fruit, '{size}']}\n    replies:\n", 20, "intents.Buy.also.en.1"),
        ("kind: list", "kind: lists", 6, "types.fruit.kind"),
        ("licence: CC0-1.0\n", "", 1, "licence"),
        ("Buy: {}", "Buy: {deadline_s: -1}", 23, "tools.Buy.deadline_s"),
        ("name: tiny", "name: tiny\nnames: x", 2, "names"),
        ("name: tiny", "name: tiny\nsounds_like: {two words: too}", 2, "sounds_like"),
        ("name: tiny", "name: tiny\nsounds_like: {Siobhan: ''}", 2, "sounds_like.Siobhan"),
    ],
)
def test_faults_name_line_and_field(tmp_path: Path, old: str, new: str, line: int, field: str) -> None:
    file = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(UserError) as told:
        read_pack(file)
    assert f"pack.yaml, line {line}, {field}:" in str(told.value)


def test_rules_that_go_round_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace("slots:\n", "rules: {en: {one: 'x <two>', two: '<one>'}}\nslots:\n", 1)
    with pytest.raises(UserError, match="refers to itself"):
        read_pack(write(tmp_path, text))


def test_lists_may_not_explode(tmp_path: Path) -> None:
    each = "each: {en: ['(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)']}"
    with pytest.raises(UserError, match="more than 2000 values"):
        read_pack(write(tmp_path, GOOD.replace("values: [{en: [apple]}, {en: [pear]}]", each)))


@pytest.mark.parametrize("text", ["name: [", "a: &x 1\nb: *x\n", "- 1", "", "name: \x00"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError) as told:
        read_pack(write(tmp_path, text))
    assert "\n" not in str(told.value)


def test_an_unknown_pack_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="clock-weather, coffee, home"):
        load_pack("garden")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(UserError):
        load_pack(tmp_path)


def test_sounds_of_words_are_kept_when_packs_join(tmp_path: Path) -> None:
    one = read_pack(write(tmp_path, GOOD + "sounds_like: {Siobhan: shiv awn, 小怡: xiao3 yi2}\n"))
    other = one.model_copy(update={"name": "other", "sounds_like": {"Niamh": "neev"}})
    assert join([one, other]).sounds_like == {"Siobhan": "shiv awn", "小怡": "xiao3 yi2", "Niamh": "neev"}
    with pytest.raises(UserError, match="both define sounds_like 'Siobhan'"):
        join([one, other.model_copy(update={"sounds_like": {"Siobhan": "shove on"}})])


def test_two_packs_that_disagree_cannot_be_joined(tmp_path: Path) -> None:
    one = read_pack(write(tmp_path, GOOD))
    other = read_pack(write(tmp_path, GOOD.replace("a fruit}", "some fruit}").replace("name: tiny", "name: small")))
    with pytest.raises(UserError, match="both define slots 'fruit'"):
        join([one, other])
