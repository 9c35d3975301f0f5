"""`python -m tests.serve.fake_server --port N`: the real server on a worker without weights, for pages and clients."""

from __future__ import annotations

import argparse

from step_audio_mini.serve.app import make_app
from step_audio_mini.serve.sockets import server_of
from tests.serve.fakes import FakeTools, FakeWorker


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    tools = FakeTools(0.05)
    server_of(make_app(FakeWorker(), lambda _: tools), "127.0.0.1", parser.parse_args().port).run()


if __name__ == "__main__":
    main()
