"""The published table: which client sent and received which event, and what became of its story."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conformance.facts import REQUIRED
from tests.conformance.schema import OF_SOCKETS_ONLY, known_types

Results = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "conformance.json"
PAGE = ROOT / "docs" / "conformance.md"
BEGIN, END = "<!-- conformance: begin (made by scripts/conformance) -->", "<!-- conformance: end -->"
ELSEWHERE = ("mcp_list_tools", "response.mcp_call", "conversation.item.input_audio_transcription.segment")


def render(results: Results) -> str:
    """The part of the page between its markers."""
    return "\n".join(line for name in sorted(results) for line in _run(name, results[name]))


def _run(name: str, run: Results) -> list[str]:
    clients = sorted(run["clients"], key=lambda client: str(client["client"]))
    lines = [f"### {run['title']}", "", "| | " + " | ".join(f"{c['client']} {c['version']}" for c in clients) + " |"]
    lines.append("|---|" + "---|" * len(clients))
    for step in _steps(clients):
        lines.append(f"| {step} | " + " | ".join(_mark(client["held"].get(step)) for client in clients) + " |")
    lines.append("| broken promises (strict oracle) | " + " | ".join(str(len(c["violations"])) for c in clients) + " |")
    lines.append("| errors the client reports | " + " | ".join(str(len(c["errors"])) for c in clients) + " |")
    lines.append("| server events checked | " + " | ".join(str(sum(c["received"].values())) for c in clients) + " |")
    lines += ["", "| event | " + " | ".join(str(c["client"]) for c in clients) + " |", "|---|" + "---|" * len(clients)]
    sent = [kind for kind in REQUIRED if kind != "output_audio_buffer.clear"]
    for side, kinds, arrow in (("sent", sent, "→"), ("received", _server_events(), "←")):
        for kind in kinds:
            counts = [client[side].get(kind) for client in clients]
            lines.append(f"| {arrow} `{kind}` | " + " | ".join("–" if n is None else str(n) for n in counts) + " |")
    return [*lines, ""]


def _steps(clients: list[Results]) -> list[str]:
    steps: dict[str, None] = {}
    for client in sorted(clients, key=lambda client: -len(client["held"])):
        steps |= dict.fromkeys(client["held"])
    return list(steps)


def _mark(held: bool | None) -> str:
    return "" if held is None else "yes" if held else "**no**"


def _server_events() -> list[str]:
    return sorted(kind for kind in known_types() if not kind.startswith(OF_SOCKETS_ONLY + ELSEWHERE))


def filled(page: str, results: Results) -> str:
    """The page with its table made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{render(results)}\n{END}{tail}"


def publish(name: str, run: Results) -> None:
    """Put a run into the results and the table into the page."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    results[name] = run
    RESULTS.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", "utf-8")
    PAGE.write_text(filled(PAGE.read_text("utf-8"), results), "utf-8")
