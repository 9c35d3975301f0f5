"""`python -m tests.serve.fake_server --port N`: the real server on a worker without weights, for pages and clients."""

from __future__ import annotations

import argparse

import uvicorn

from step_audio_mini.serve.app import make_app
from tests.serve.fakes import FakeTools, FakeWorker


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    tools = FakeTools(0.05)
    uvicorn.run(
        make_app(FakeWorker(), lambda: tools), host="127.0.0.1", port=parser.parse_args().port, ws="websockets-sansio",
        log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    main()
