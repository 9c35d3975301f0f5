from __future__ import annotations

from collections.abc import Iterator

import pytest

from step_audio_mini.data.makers import chinese_text


@pytest.fixture(autouse=True, scope="package")
def own_pinyin_tables() -> Iterator[None]:
    """Making packs loads larger tables into pypinyin for the whole process: they must not outlive these tests."""
    import pypinyin.constants
    from pypinyin.seg import mmseg

    before = dict(pypinyin.constants.PHRASES_DICT)
    yield
    pypinyin.constants.PHRASES_DICT.clear()
    pypinyin.constants.PHRASES_DICT.update(before)
    mmseg.retrain(mmseg.seg)
    chinese_text._tools.cache_clear()
