"""Look at HTML as a phone or a computer shows it: headless Chromium, its DevTools protocol, no network, no scripts.

Protocol: https://chromedevtools.github.io/devtools-protocol/; over a pipe, messages end with a NUL.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

PHONE = 360
COMPUTER = 800

_COLOURS = """
const pairs = [], words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (words.nextNode()) {
    let element = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !element.getClientRects().length) continue;
    const colour = getComputedStyle(element).color;
    while (element && getComputedStyle(element).backgroundColor == "rgba(0, 0, 0, 0)") element = element.parentElement;
    pairs.push([colour, element ? getComputedStyle(element).backgroundColor : "rgb(255, 255, 255)"]);
}
JSON.stringify(pairs)
"""


def screenshot(html_file: Path, width: int, *, dark: bool = False) -> Path:
    """Return a picture of the whole page, as ``mail-360.png`` or ``mail-360-dark.png`` beside ``mail.html``."""
    with Browser() as browser:
        return browser.screenshot(html_file, width, dark=dark)


def measure(html: str, width: int) -> int:
    """Return how many pixels wide the page is in a window of ``width``; more has to be pushed sideways."""
    with Browser() as browser:
        return browser.measure(html, width)


class Browser:
    """A Chromium that shows one page after the other; ends with the ``with`` block."""

    def __init__(self) -> None:
        self._number = 0
        self._unread = b""
        self._session = ""

    def screenshot(self, html_file: Path, width: int, *, dark: bool = False) -> Path:
        """As ``screenshot`` of this module."""
        self._open(html_file.resolve(), width, dark=dark)
        height = self._evaluate("Math.min(document.scrollingElement.scrollHeight, 30000)")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        answer = self._page("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        picture = html_file.with_name(f"{html_file.stem}-{width}{'-dark' * dark}.png")
        picture.write_bytes(base64.b64decode(answer["data"]))
        return picture

    def measure(self, html: str, width: int) -> int:
        """As ``measure`` of this module."""
        page = self._folder / "measured.html"
        page.write_text(html)
        self._open(page, width)
        return int(self._evaluate("document.scrollingElement.scrollWidth"))

    def text(self, html: str, width: int = COMPUTER) -> str:
        """Return what there is to be read, line by line as it is shown."""
        page = self._folder / "read.html"
        page.write_text(html)
        self._open(page, width)
        return str(self._evaluate("document.body.innerText"))

    def colours(self, html: str, *, dark: bool = False) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Return each pair of colours that words have: theirs, and what is behind them."""
        page = self._folder / "coloured.html"
        page.write_text(html)
        self._open(page, PHONE, dark=dark)
        pairs = json.loads(self._evaluate(_COLOURS))
        return {tuple(tuple(map(int, re.findall(r"\d+", c)[:3])) for c in pair) for pair in pairs}  # type: ignore[misc]

    def __enter__(self) -> Browser:
        chromium = shutil.which("chromium")
        assert chromium, "chromium is not installed: see tests/debian-packages.txt"
        self._folder = Path(tempfile.mkdtemp(prefix="browser-"))
        self._read, write = _pipe()
        read, self._write = _pipe()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("bash", "-c", f'exec "$0" "$@" 3<&{read} 4>&{write}', chromium),
                    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
                    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
                    *("--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"),
                    f"--user-data-dir={self._folder / 'profile'}",
                ],
                pass_fds=(read, write),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        os.close(read)
        os.close(write)
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self._page("Page.enable")
        except (AssertionError, OSError):
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self, page: Path, width: int, *, dark: bool = False) -> None:
        # A phone as Android's: the page's own viewport line counts, and two dots make a pixel.
        self._page(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=2,
            mobile=width < COMPUTER,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._page("Emulation.setEmulatedMedia", features=[scheme])
        self._page("Emulation.setScriptExecutionDisabled", value=True)
        self._page("Page.navigate", url=page.as_uri())
        end = time.monotonic() + 30
        while self._evaluate("location.href + document.readyState") != f"{page.as_uri()}complete":
            assert time.monotonic() < end, f"{page} is not shown"
            time.sleep(0.02)

    def _evaluate(self, expression: str) -> Any:
        return self._page("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def _page(self, method: str, **parameters: Any) -> Any:
        return self._call(method, session=self._session, **parameters)

    def _call(self, method: str, session: str = "", **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _receive(self) -> Any:
        parts = [self._unread]
        while b"\0" not in parts[-1]:
            parts.append(os.read(self._read, 1 << 20))
            assert parts[-1], f"chromium has ended: {(self._folder / 'log').read_text(errors='replace')[-2000:]}"
        message, _, self._unread = b"".join(parts).partition(b"\0")
        return json.loads(message)


def _pipe() -> tuple[int, int]:
    """Return a pipe whose numbers are not 3 and 4, which Chromium wants for its own ends."""
    ends = os.pipe()
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return read, write
