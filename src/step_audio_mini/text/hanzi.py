"""Reads Chinese characters aloud: words, pinyin, and the tone changes (sandhi) every speaker makes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

_DIGITS = frozenset("零〇一二三四五六七八九幺两点")
_ORDINAL = frozenset("第期周拜初十")
"""After these `一` keeps its first tone: 第一, 星期一, 周一, 礼拜一, 初一, 十一."""
_DATE = frozenset("月号日")
_ERHUA_NOT_BEFORE = frozenset("子童女孙科歌媳")
_PHRASES = {
    **{f"调{how}": f"tiao2 {said}" for how, said in {
        "到": "dao4", "成": "cheng2", "至": "zhi4", "为": "wei2", "高": "gao1", "低": "di1", "亮": "liang4",
        "暗": "an4", "大": "da4", "小": "xiao3", "热": "re4", "冷": "leng3", "快": "kuai4", "慢": "man4", "回": "hui2",
        "一": "yi1",
    }.items()},
    "重新": "chong2 xin1", "空调": "kong1 tiao2", "音乐": "yin1 yue4", "还有": "hai2 you3", "好的": "hao3 de5",
    "设为": "she4 wei2", "长时间": "chang2 shi2 jian1", "分钟": "fen1 zhong1", "得了": "de2 le5", "亮着": "liang4 zhe5",
    "开着": "kai1 zhe5", "关着": "guan1 zhe5", "关了": "guan1 le5", "开了": "kai1 le5",
}  # fmt: skip
"""What an assistant says and general dictionaries read wrongly."""


def pronounce(text: str) -> list[tuple[str, ...]]:
    """Words of Han text as numbered pinyin, sandhi applied: `你好` is `[("ni2", "hao3")]`; tone 5 is neutral, `v` is ü.

    Characters that no dictionary knows have no sound and are left out.
    """
    words: list[tuple[str, list[str]]] = []
    for piece in filter(None, _dictionary().seg.mmseg.seg.cut(text)):
        read = _read(piece)
        if len(read) == len(piece):
            kept = [(char, said) for char, said in zip(piece, read, strict=True) if said != "?"]
            words.append(("".join(char for char, _ in kept), [said for _, said in kept]))
    words = [(chars, said) for chars, said in words if said]
    _restore(words)
    return sandhi([chars for chars, _ in words], [tuple(said) for _, said in words])


@cache
def _dictionary() -> Any:
    """The tables of pypinyin with our phrases; imported late, because its tables cost 0.2 s and 40 MB."""
    import pypinyin
    import pypinyin.seg.mmseg

    phrases = {chars: [[syllable] for syllable in said.split()] for chars, said in _PHRASES.items()}
    pypinyin.load_phrases_dict(phrases, style="tone2")
    return pypinyin


def _read(piece: str) -> list[str]:
    dictionary = _dictionary()
    read: list[str] = dictionary.lazy_pinyin(
        piece,
        style=dictionary.Style.TONE3,
        neutral_tone_with_five=True,
        v_to_u=False,
        errors=lambda text: ["?"] * len(text),
    )
    return read


def _restore(words: list[tuple[str, list[str]]]) -> None:
    """Give 一 and 不 their own tones back, which the dictionary has changed here and there; 儿 after a word is weak."""
    for (chars, said), (following, _) in zip(words[1:], [*words[2:], ("", [""])], strict=False):
        if chars == "儿" and following[:1] not in _ERHUA_NOT_BEFORE:
            said[0] = "er5"
    for chars, said in words:
        for place, char in enumerate(chars):
            if char == "一":
                said[place] = "yi1"
            elif char == "不" and said[place].startswith("bu"):
                said[place] = "bu4"


def sandhi(words: Sequence[str], pinyin: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Apply the changes of 一, of 不 and of third tones to words given as characters and as lexical pinyin."""
    text = "".join(words)
    said = [syllable for word in pinyin for syllable in word]
    for place, char in enumerate(text):
        if char == "一":
            said[place] = "yi" + _tone_of_yi(text, said, place)
        elif char == "不" and said[place] == "bu4":
            said[place] = "bu" + _tone_of_bu(text, said, place)
    out: list[list[str]] = []
    for word in words:
        out.append(said[: len(word)])
        said = said[len(word) :]
    _third_tones(out)
    return [tuple(word) for word in out]


def _tone_of_yi(text: str, said: Sequence[str], place: int) -> str:
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if not after or before in _DIGITS or before in _ORDINAL or after in _DIGITS or after in _DATE:
        return "1"
    if before == after:  # 看一看
        return "5"
    # 个 counts as fourth tone even where a dictionary makes it neutral
    return "2" if said[place + 1][-1] == "4" or after == "个" else "4"


def _tone_of_bu(text: str, said: Sequence[str], place: int) -> str:
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if before and before == after:  # 好不好
        return "5"
    return "2" if after and said[place + 1][-1] == "4" else "4"


def _third_tones(words: list[list[str]]) -> None:
    """A third tone before a third tone becomes a second: inside words, and across words where one has one syllable."""
    for word, following in zip(words, [*words[1:], []], strict=False):
        # the word after is still lexical here, so a chain of third tones changes up to its last
        joined = word + following[:1] if 1 in (len(word), len(following)) else word
        for place in range(len(joined) - 1):
            if joined[place][-1] == "3" and joined[place + 1][-1] == "3":
                word[place] = word[place][:-1] + "2"
