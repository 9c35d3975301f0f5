"""The server's own tools come from the file that the environment names."""

from __future__ import annotations

from pathlib import Path

import pytest

from step_audio_mini.cli.serve import _own_tools
from step_audio_mini.errors import UserError

pytestmark = pytest.mark.unit


def test_tools_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEP_AUDIO_TOOLS", raising=False)
    assert _own_tools() == {}
    file = tmp_path / "mine.py"
    file.write_text(
        "from step_audio_mini.think.functions import tool\n\n\n@tool\ndef ring(times: int) -> None:\n    'Ring.'\n"
    )
    monkeypatch.setenv("STEP_AUDIO_TOOLS", str(file))
    assert list(_own_tools()) == ["ring"]
    monkeypatch.setenv("STEP_AUDIO_TOOLS", str(tmp_path / "none.py"))
    with pytest.raises(UserError, match="Python file"):
        _own_tools()
