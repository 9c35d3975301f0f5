"""What is said to a pack: usual ways and rarer ones, and words around them that mean nothing."""

import random
from pathlib import Path

import pytest

from step_audio_mini.think.pack import join
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.phrases import RARE, Phrases, context_sentences
from step_audio_mini.think.sentences import Templates, skeleton_key

pytestmark = pytest.mark.unit

PACK = """\
name: tiny
languages: [en]
describe: {en: a test}
licence: CC0-1.0
types:
  fruit: {kind: list, values: [{en: [apple]}, {en: [pear]}]}
  words: {kind: text}
slots:
  fruit: {type: fruit, describe: {en: a fruit}}
  words: {type: words, describe: {en: a message}}
intents:
  Buy:
    describe: {en: buy a fruit}
    slots: [fruit]
    sentences:
      en: ["(buy|get|fetch|bring|find|order) [me] [a|an|one|some] {fruit}"]
    also:
      en: ["i (fancy|crave|need|want|would like|could eat) [a|an|one|some] {fruit}"]
    replies: {done: {en: [Bought.]}}
  Tell:
    describe: {en: pass a message on}
    slots: [words]
    sentences: {en: ["(tell|say|write|announce|broadcast|shout) [to|for] [all|everyone] {words}"]}
    replies: {done: {en: [Told.]}}
"""


@pytest.fixture
def phrases(tmp_path: Path) -> Phrases:
    (tmp_path / "pack.yaml").write_text(PACK, encoding="utf-8")
    return Phrases(load_pack(tmp_path), "train", {"en": ["dinner is ready"]})


def test_usual_ways_leave_the_rarer_ones_out(phrases: Phrases) -> None:
    rng = random.Random(1)
    usual = [phrases.request("Buy", "en", rng, usual=True) for _ in range(60)]
    every = [phrases.request("Buy", "en", rng) for _ in range(60)]
    assert {said.units[0] for said in usual if said} <= {"buy", "get", "fetch", "bring", "find", "order"}
    assert {"i"} < {said.units[0] for said in every if said}


def test_words_around_a_request_move_its_values_and_change_nothing_else(phrases: Phrases) -> None:
    rng = random.Random(2)
    for _ in range(100):
        said = phrases.request("Buy", "en", rng)
        assert said is not None
        first, last = said.spans["fruit"]
        assert said.units[first : last + 1] == (said.values["fruit"],)
        assert set(said.key.split()) <= {*said.units, "{fruit}"}


def test_free_text_is_never_followed_by_words_that_it_would_take_in(phrases: Phrases) -> None:
    rng = random.Random(3)
    said = [phrases.request("Tell", "en", rng) for _ in range(100)]
    assert all(s and s.units[-3:] == ("dinner", "is", "ready") for s in said)


def test_the_ears_expect_rarer_ways_less(phrases: Phrases) -> None:
    told = context_sentences(phrases.pack, most=400)
    rarer = {weight for text, weight in told if text.startswith("i ") and text.endswith(("apple", "pear"))}
    usual = {weight for text, weight in told if text.startswith("get ")}
    assert (rarer, max(usual)) == ({RARE}, 1.0)


def test_rarer_ways_keep_their_rules_when_packs_join() -> None:
    both = join([load_pack("home"), load_pack("clock-weather")])
    for language in both.languages:
        templates, rng = Templates(both, language), random.Random(4)
        drawn = [templates.draw(way, rng) for intent in both.intents.values() for way in intent.ways(language)]
        assert len(drawn) > 100
        assert all("<" not in skeleton_key(skeleton) for skeleton in drawn)
