"""A headless Chromium driven through its DevTools protocol: what a test of the page needs, and no more."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-port=0",
]
PATIENCE = 90.0  # seconds; a slow core that others use, too


class Page:
    """One open page. `problems` collects console errors, exceptions and failed loads."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.ids = itertools.count(1)
        self.problems: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(PATIENCE))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self.note(message)

    def note(self, message: dict[str, Any]) -> None:
        kind, given = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.problems.append(str(details.get("exception", {}).get("description", details["text"])))
        elif kind == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(value.get("value", value.get("description"))) for value in given["args"]))
        elif kind == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        given = {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        result = self.call("Runtime.evaluate", **given)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def open(self, url: str) -> None:
        """Until the page has run its scripts."""
        self.call("Page.navigate", url=url)
        ready = "document.getElementById('state-text')?.textContent" if url.startswith("http") else "true"
        self.wait(f"location.href === {url!r} && document.readyState === 'complete' && {ready}")

    def wait(self, condition: str, seconds: float = PATIENCE) -> Any:
        """Until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(condition):
                return value
            time.sleep(0.05)
        raise AssertionError(f"after {seconds:.0f} s still not: {condition}")

    def click(self, selector: str) -> None:
        """With a real pointer, in the middle of what the selector finds."""
        where = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, *where)

    def middle(self, selector: str) -> tuple[float, float]:
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        x, y = self.run(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box})")
        return x, y

    def mouse(self, kind: str, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, kind: str, key: str, code: str, number: int) -> None:
        text = {" ": " ", "Enter": "\r"}.get(key, "") if kind == "keyDown" else ""
        self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number, text=text)

    def size(self, width: int, height: int, scale: float = 1) -> None:
        fields = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **fields)

    def scheme(self, name: str) -> None:
        """Light or dark; without motion, which spares a slow machine much painting."""
        told = {"prefers-color-scheme": name, "prefers-reduced-motion": "reduce"}
        self.call("Emulation.setEmulatedMedia", features=[{"name": key, "value": told[key]} for key in told])

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browsing(sound: Path | None = None, *extra: str) -> Iterator[Page]:
    """A fresh browser whose microphone plays a file once; it alone is ended, by its own process."""
    if CHROMIUM is None:
        raise RuntimeError("no Chromium on this machine")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [*FLAGS, f"--user-data-dir={profile}", *extra]
        if sound:
            flags.append(f"--use-file-for-fake-audio-capture={sound.resolve()}%noloop")
        browser = subprocess.Popen(
            [CHROMIUM, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with connect(_target(Path(profile)), max_size=None, compression=None) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    page.call(f"{domain}.enable")
                yield page
        finally:
            browser.terminate()
            try:
                browser.wait(10)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()


def _target(profile: Path) -> str:
    """Address of the first page, once the browser has told its port."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
                return str(next(page for page in json.load(answer) if page["type"] == "page")["webSocketDebuggerUrl"])
        except (OSError, StopIteration, IndexError):
            time.sleep(0.1)
    raise RuntimeError("Chromium did not come up")
