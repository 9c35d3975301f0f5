"""Sentences are drawn without ever expanding a template, and hold-outs never change."""

import random
import time

import pytest

from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.sentences import Hole, Templates, parse, skeleton_key, split_of

pytestmark = pytest.mark.unit
HOME = load_pack("home")


def test_a_template_with_a_billion_paths_is_drawn_at_once() -> None:
    template = "".join(f"[(字{i}|词{i}|句{i})]" for i in range(30)) + "开{name}"
    began = time.monotonic()
    drawn = Templates(HOME, "zh").draw(template, random.Random(1))
    assert Hole("name") in drawn
    assert Templates(HOME, "zh").count(template) > 10**9
    assert time.monotonic() - began < 1.0


def test_expansions_are_bounded_and_complete() -> None:
    templates = Templates(HOME, "en")
    assert list(templates.expand("[very] (big|small) lamp")) == [
        "very big lamp",
        "very small lamp",
        "big lamp",
        "small lamp",
    ]
    assert len(list(templates.expand("(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b|c|d)"))) <= 2000


def test_a_drawn_skeleton_is_one_path() -> None:
    drawn = Templates(HOME, "en").draw("(turn|switch) on [the] {name}", random.Random(3))
    assert skeleton_key(drawn) in {f"{verb} on {the}{{name}}" for verb in ("turn", "switch") for the in ("", "the ")}


def test_references_see_every_slot() -> None:
    assert parse("(<please>|[now]) turn {name} [in {area}]").references == ({"name", "area"}, {"please"})


def test_splits_are_fixed_for_ever() -> None:
    shares = [split_of(f"phrase {i}") for i in range(4000)]
    assert 0.03 < shares.count("test") / 4000 < 0.07
    assert (split_of("turn on {name}"), split_of("phrase 3")) == ("train", split_of("phrase 3"))
