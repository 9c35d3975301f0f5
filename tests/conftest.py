"""What holds for every test: one category mark a module, one thread, reproducible property tests."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=True, max_examples=50, database=None)
settings.load_profile("project")

CATEGORIES = {"unit", "golden", "slow", "device", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test without a category: it would run nobody knows when."""
    bare = {item.location[0] for item in items if not CATEGORIES & {mark.name for mark in item.iter_markers()}}
    if bare:
        raise pytest.UsageError(f"no category mark ({', '.join(sorted(CATEGORIES))}) in {', '.join(sorted(bare))}")
