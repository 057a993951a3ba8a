"""A dashboard process and a real Chromium that looks at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from rest_lsp.history.events import Event
from rest_lsp.history.writer import Appender

STARTS_S = 120.0
PATIENCE_MS = 120_000.0
AXE = Path(os.environ.get("REST_LSP_TEST_AXE", "axe.min.js"))
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
_BATCH = 512


def record_of(cache: Path) -> Path:
    return cache / "history" / "history.sqlite"


def write(cache: Path, events: Sequence[Event]) -> None:
    """As a serving process would."""
    appender = Appender(record_of(cache), 1 << 34)
    for start in range(0, len(events), _BATCH):
        appender.append(events[start : start + _BATCH])
    appender.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "run tests/e2e/install_chromium.sh"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def dashboard(cache: Path, **environment: str) -> Iterator[str]:
    """The address that lets one browser in."""
    command = [sys.executable, "-m", "rest_lsp", "dashboard", "--no-browser", "--json"]
    variables = {**os.environ, "REST_LSP_MODEL_CACHE_DIR": str(cache), **environment}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, text=True)
    assert process.stdout is not None
    try:
        yield str(_announced(process.stdout)["address"])
    finally:
        process.terminate()
        process.wait(STARTS_S)


class Visit:
    """One browser's session with a dashboard; what went wrong in its pages is kept."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.problems: list[str] = []
        self.requested: list[str] = []
        self._context, self._address = context, address
        context.set_default_timeout(PATIENCE_MS)

    def open(self, *, width: int = 1200, scheme: Any = "light") -> Page:
        """The page, painted.  The first time with the token of the address, then with the cookie."""
        page = self._context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requested.append(request.url))
        page.goto(self._address)
        self._address = self._address.partition("?")[0]
        page.wait_for_selector("body[data-painted]")
        return page


def serious_findings(page: Page) -> list[str]:
    """What axe-core says is serious or worse."""
    # The page's own policy forbids scripts from elsewhere, so this one is evaluated, not added.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    return [
        f"{each['id']}: {each['help']} {[node['html'][:90] for node in each['nodes'][:3]]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def _announced(output: IO[str]) -> Any:
    text, deadline = "", time.monotonic() + STARTS_S
    while "}" not in text:
        assert time.monotonic() < deadline, "the dashboard did not start"
        line = output.readline()
        assert line, "the dashboard ended"
        text += line
    return json.loads(text)
