"""Tiny graphs with the names and states of the real ones: the API runs without trained weights, in milliseconds.

The ears hear whistles: every unit of the alphabet is a pair of tones (`whistle`), everything else is blank. The mind
follows the hints and links that it is given, else takes the first choice its grammar allows. The voice hums for 50 ms
a phone.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from step_audio_mini.audio.features import mel_filters
from step_audio_mini.listen.arcs import to_bytes
from step_audio_mini.listen.vocabulary import FIRST_WORD, Vocabulary
from step_audio_mini.listen.wordgraph import compile_words
from step_audio_mini.runtime.manifest import Part, Weights
from step_audio_mini.runtime.session import FACTS
from step_audio_mini.speak.frontend import ENDS, SYMBOLS, TONES
from step_audio_mini.text.letters import FIRST_PAIR, LetterToSound
from step_audio_mini.text.ngram import estimate
from step_audio_mini.text.phones import UNITS, strip_stress
from step_audio_mini.think.alphabet import SYMBOLS as MIND_SYMBOLS
from step_audio_mini.types import Samples

BANDS = range(26, 80, 2)
"""Mel bands that whistles use: wide enough for one tone each, far enough apart not to be confused."""
PAIRS = list(combinations(BANDS, 2))[:: max(1, 351 // len(UNITS))][: len(UNITS)]
"""The two bands of each unit; the first, the blank's, is not used."""
D, LEFT, KERNEL = 192, 8, 5


def graph(text: str, weights: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> bytes:
    """ONNX bytes of a graph in ONNX's text syntax, its weights by name and its facts."""
    model = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>\n' + text)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    model.metadata_props.add(key=FACTS, value=json.dumps(dict(facts)))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@cache
def ears() -> bytes:
    """`ears`: frames (B, T, 80) -> log_probs (B, T / 4, V), vectors (B, T / 4, 192), five caches."""
    to_units = np.zeros((80, len(UNITS)), np.float32)
    for unit, pair in enumerate(PAIRS):
        to_units[pair, unit] = 4.0
    to_units[:, 0] = 0.0
    to_units[list(BANDS), 0] = 0.2  # noise, which fills all bands, is blank
    bias = np.zeros(len(UNITS), np.float32)
    bias[0] = 14.0
    state = f"""float[B,1,80] in_cache_mel, float[B,1,{D}] in_cache_half, float[B,1,{LEFT},{2 * D}] in_cache_attention,
        float[B,1,{KERNEL - 1},{D}] in_cache_convolution, int64[B] in_cache_valid"""
    text = f"""
    ears (float[B,T,80] frames, {state})
        => (float[B,C,V] log_probs, float[B,C,{D}] vectors, {state.replace("in_", "out_")}) {{
        quarter = Slice(frames, one, last, one, four)
        logits = MatMul(quarter, to_units)
        biased = Add(logits, bias)
        log_probs = LogSoftmax<axis = -1>(biased)
        vectors = MatMul(quarter, to_vectors)
        out_cache_mel = Slice(frames, end, last, one, one)
        out_cache_half = Slice(vectors, end, last, one, one)
        out_cache_attention = Identity(in_cache_attention)
        out_cache_convolution = Identity(in_cache_convolution)
        out_cache_valid = Add(in_cache_valid, one)
    }}"""
    weights = {"to_units": to_units, "bias": bias, "to_vectors": np.full((80, D), 0.01, np.float32)}
    weights |= {"one": np.array([1]), "four": np.array([4]), "end": np.array([-1]), "last": np.array([2**31])}
    facts = {"part": "ears", "units": list(UNITS), "dimension": D, "stride": 4, "left": LEFT, "chunk": [4, 8, 16]}
    return graph(text, weights, facts)


def whistle(units: Sequence[str], each: float = 0.12, gap: float = 0.08) -> Samples:
    """What the tiny ears hear as these units, with half a second of silence on both sides."""
    centres = (mel_filters() * np.arange(257)[:, None]).sum(0) / mel_filters().sum(0) * 16_000 / 512
    t = np.arange(round(16_000 * each)) / 16_000
    quiet = np.zeros(round(16_000 * gap))
    out = [np.zeros(8_000)]
    for unit in units:
        low, high = centres[list(PAIRS[UNITS.index(unit)])]
        tones = np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t)
        out += [0.3 * np.hanning(len(t)) ** 0.25 * tones, quiet]
    return np.concatenate([*out, np.zeros(8_000)]).astype(np.float32)


@cache
def speaker() -> bytes:
    """`speaker`: frames (B, T, 80) and counts (B,) -> embedding (B, 4); surely Mandarin, perhaps a woman, an adult.

    Not in `weights`: a model without this part is whole.
    """
    text = """
    speaker (float[B,T,80] frames, int64[B] counts)
        => (float[B,4] embedding, float[B,2] language, float[B,2] gender, float[B,2] age) {
        mean = ReduceMean<axes = [1], keepdims = 0>(frames)
        embedding = MatMul(mean, bands)
        nothing = MatMul(mean, zero)
        language = Add(nothing, zh)
        gender = Add(nothing, perhaps)
        age = Add(nothing, adult)
        unread = Identity(counts)
    }"""
    weights: dict[str, NDArray[Any]] = {
        "bands": np.eye(80, 4, dtype=np.float32), "zero": np.zeros((80, 2), np.float32),
        "zh": np.array([0.02, 0.98], np.float32), "perhaps": np.array([0.6, 0.4], np.float32),
        "adult": np.array([0.9, 0.1], np.float32),
    }  # fmt: skip
    classes = {"language": ["en", "zh"], "gender": ["female", "male"], "age": ["adult", "child"]}
    return graph(text, weights, {"part": "speaker", "attributes": classes})


@cache
def acoustic() -> bytes:
    """`acoustic`: ids (B, N) of a clause, voice and speed (B,) -> mel (B, T, 80), f0 (B, T), durations (B, N)."""
    text = """
    acoustic (int64[B,N] phones, int64[B,N] tones, int64[B,N] marks, int64[B,N] ends, int64[B] voice, float[B] speed)
        => (float[B,T,80] mel, float[B,T] f0, int64[B,N] durations) {
        there = Greater(phones, nothing)
        count = Cast<to = 7>(there)
        durations = Mul(count, five)
        size = Shape(phones)
        frames = Mul(size, times)
        f0 = Expand(pitch, frames)
        columns = Concat<axis = 0>(frames, eighty)
        mel = Expand(level, columns)
        unread = Concat<axis = 0>(tones, marks, ends)
        unread_too = Add(speed, zero)
    }"""
    weights: dict[str, NDArray[Any]] = {
        "nothing": np.array(0), "five": np.array(5), "times": np.array([1, 5]), "eighty": np.array([80]),
        "pitch": np.array(140, np.float32), "level": np.array(0.5, np.float32), "zero": np.array(0, np.float32),
    }  # fmt: skip
    voices = [{"name": "hum", "language": "en"}, {"name": "heng", "language": "zh"}]
    return graph(text, weights, {"symbols": SYMBOLS, "tones": TONES, "ends": ENDS, "voices": voices})


@cache
def vocoder() -> bytes:
    """`vocoder`: mel (B, t, 80), pitch (B, t, 2), source (B, t, 2, 241, 2) -> spectrum (B, t, 241, 2), three caches."""
    state = "float[B,2,82] in_cache_frames, float[B,0,2,241,2] in_cache_source, float[B,1,2,8] in_cache_past"
    text = f"""
    vocoder (float[B,t,80] mel, float[B,t,2] pitch, float[B,t,2,241,2] source, {state})
        => (float[B,t,241,2] spectrum, {state.replace("in_", "out_")}) {{
        harmonics = Gather<axis = 2>(source, first)
        spectrum = Mul(harmonics, gain)
        both = Concat<axis = 2>(mel, pitch)
        longer = Concat<axis = 1>(in_cache_frames, both)
        out_cache_frames = Slice(longer, end, last, one, step)
        out_cache_source = Identity(in_cache_source)
        out_cache_past = Identity(in_cache_past)
    }}"""
    weights: dict[str, NDArray[Any]] = {
        "first": np.array(0), "gain": np.array(0.02, np.float32), "end": np.array([-2]), "last": np.array([2**31]),
        "one": np.array([1]), "step": np.array([1]),
    }  # fmt: skip
    return graph(text, weights, {"part": "vocoder", "ahead": 0, "hop": 160, "span": 480, "sample_rate": 16_000})


@cache
def mind_encoder() -> bytes:
    """`mind_encoder`: a reading of T positions and M items -> a memory of C = symbols + M + T equal candidates."""
    text = """
    mind_encoder (int64[1,T] pieces, int64[1,T] symbols, int64[1,T] items, int64[1,T] segments, int64[1,T] confidences,
        int64[1,T] languages, float[1,2,T,S] spots, int64[M,L] descriptions, float[1,N,192] vectors, float[1,2] snr,
        float[1,K] hints, float[1,3] familiar)
        => (float[1,C,4] candidates, float[1,C,4] keys, float[1,2,1,T,4] words, float[1,2,1,N,4] sound,
            float[1,1] gate, float[1,C] prior) {
        read = Shape<start = 1>(pieces)
        read_size = Concat<axis = 0>(one, read)
        of_read = Expand(zero, read_size)
        prior = Concat<axis = 1>(hints, of_read)
        all = Shape<start = 1>(prior)
        size = Concat<axis = 0>(one, all, four)
        candidates = Expand(zero, size)
        keys = Identity(candidates)
        words_size = Concat<axis = 0>(head, read, four)
        words = Expand(zero, words_size)
        peaks = Shape<start = 1, end = 2>(vectors)
        sound_size = Concat<axis = 0>(head, peaks, four)
        sound = Expand(zero, sound_size)
        gate = Slice(snr, nought, one, one)
    }"""
    weights: dict[str, NDArray[Any]] = {
        "one": np.array([1]), "four": np.array([4]),
        "nought": np.array([0]), "zero": np.array(0, np.float32), "head": np.array([1, 2, 1]),
    }  # fmt: skip
    facts = {"symbols": list(MIND_SYMBOLS), "decoder_layers": 1, "width": 4, "ears": D}
    return graph(text, weights, facts)


@cache
def mind_decoder() -> bytes:
    """`mind_decoder`: memory, previous and roles (1, Q), cache -> scores (1, Q, C): links and prior, then the index."""
    text = """
    mind_decoder (int64[1,Q] previous, int64[1,Q] roles, float[1,2,1,P,4] in_cache_own, float[1,C,4] candidates,
        float[1,C,4] keys, float[1,2,1,T,4] words, float[1,2,1,N,4] sound, float[1,1] gate, float[1,C] prior,
        float[1,C,C] links)
        => (float[1,Q,C] scores, float[1,2,1,R,4] out_cache_own) {
        choices = Shape<start = 1>(prior)
        many = Squeeze(choices)
        order = Range(zero, many, one)
        falling = Cast<to = 1>(order)
        steep = Mul(falling, slope)
        hinted = Mul(prior, weight)
        sum = Add(hinted, steep)
        asked = Shape(previous)
        size = Concat<axis = 0>(asked, choices)
        plain = Expand(sum, size)
        pairs = Squeeze(links, first)
        linked = Gather<axis = 0>(pairs, previous)
        likely = Mul(linked, weight)
        scores = Add(plain, likely)
        length = Shape<start = 1>(previous)
        grown = Concat<axis = 0>(head, length, width)
        fresh = Expand(nought, grown)
        out_cache_own = Concat<axis = 3>(in_cache_own, fresh)
    }"""
    weights: dict[str, NDArray[Any]] = {
        "zero": np.array(0), "one": np.array(1), "slope": np.array(-8, np.float32), "head": np.array([1, 2, 1]),
        "width": np.array([4]), "nought": np.array(0, np.float32), "weight": np.array(1000, np.float32),
        "first": np.array([0]),
    }  # fmt: skip
    return graph(text, weights, {})


SPOKEN = {
    "turn": "T ER1 N", "switch": "S W IH1 CH", "on": "AA1 N", "off": "AO1 F", "the": "DH AH0", "light": "L AY1 T",
    "lamp": "L AE1 M P", "kitchen": "K IH1 CH AH0 N", "a": "AH0", "coffee": "K AA1 F IY0", "small": "S M AO1 L",
    "i": "AY1", "want": "W AA1 N T", "hello": "HH AH0 L OW1", "is": "IH1 Z", "which": "W IH1 CH", "one": "W AH1 N",
    "get": "G EH1 T", "me": "M IY1",
    "打": "d a3", "开": "k ai1", "灯": "d eng1", "客": "k e4", "厅": "t ing1",
}  # fmt: skip
"""Words of the tiny lexicon and how they are spoken."""
SENTENCES = (
    "turn on the light", "switch off the lamp", "i want a small coffee", "get me a small coffee", "打 开 灯",
    "打 开 客 厅 灯",
)  # fmt: skip


def say(text: str) -> Samples:
    """What the tiny ears hear as the words of a text, of `SPOKEN` and in between spaces."""
    return whistle([unit for word in text.split() for unit in strip_stress(tuple(SPOKEN[word].split()))])


def weights(folder: Path) -> Path:
    """A folder of weights that makes the whole model, of tiny parts."""
    opened = Weights(folder, {})
    for name, content in {
        "ears.onnx": ears(), "mind_encoder.onnx": mind_encoder(), "mind_decoder.onnx": mind_decoder(),
        "acoustic.onnx": acoustic(), "vocoder.onnx": vocoder(), "mind_pieces.model": _pieces(), "words.zip": _words(),
        "letters.zip": _letters(),
        "lexicon.gz": gzip.compress("".join(f"{w}\t{p}\n" for w, p in SPOKEN.items() if w.isascii()).encode()),
    }.items():  # fmt: skip
        part = Part(name, hashlib.sha256(content).hexdigest(), parameters=1)
        opened = opened.with_part(name.split(".")[0], part, content)
    return folder


@cache
def _words() -> bytes:
    """The general word graph of the sentences, with its vocabulary."""
    spoken = [" ".join(strip_stress(tuple(p.split()))) for p in SPOKEN.values()]
    vocabulary = Vocabulary(list(SPOKEN), dict.fromkeys(SPOKEN, 3.0), spoken)
    tokens = [([vocabulary.token(word) for word in sentence.split()], 1.0) for sentence in SENTENCES]
    model = estimate(tokens, 2, FIRST_WORD + len(vocabulary))
    pairs = [(vocabulary.token(w), units) for w in SPOKEN for units in vocabulary.pronunciations(vocabulary.token(w))]
    return _zip({"vocabulary.tsv": vocabulary.to_text().encode(), "graph.npz": to_bytes(compile_words(pairs, model))})


@cache
def _letters() -> bytes:
    """Letter-to-sound that reads every letter by itself."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = [(letter, (phone,)) for letter, phone in zip(letters, 7 * ("AE1", "B", "K", "D"), strict=False)]
    return LetterToSound(pairs, estimate([([k + FIRST_PAIR], 1.0) for k in range(26)], 1, 26 + FIRST_PAIR)).to_bytes()


@cache
def _pieces() -> bytes:
    """A sub-word model of the sentences."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=out, vocab_size=48, model_type="char", minloglevel=2,
        character_coverage=1.0, hard_vocab_limit=False,
    )  # fmt: skip
    return out.getvalue()


def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
