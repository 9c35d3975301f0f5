"""Whether this checkout has weights that make the whole model; tests of them are skipped, aloud, where it has not."""

from __future__ import annotations

import json

import pytest

from step_audio_mini.runtime.manifest import built_in_folder

PARTS = {
    "ears", "words", "lexicon", "letters", "mind_encoder", "mind_decoder", "mind_pieces", "acoustic", "vocoder",
}  # fmt: skip
"""What a whole model is made of."""

_manifest = built_in_folder() / "manifest.json"
_missing = PARTS - set(json.loads(_manifest.read_text("utf-8"))["parts"] if _manifest.exists() else ())
needs_weights = pytest.mark.skipif(bool(_missing), reason=f"no weights here for {', '.join(sorted(_missing))}")
