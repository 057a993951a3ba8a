"""The dashboard as a process that a program starts: what it says, whom it lets in, that it goes with that program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ENDS_S = 60.0


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "rest_lsp", "dashboard", "--no-browser", "--until-eof", "--json"]
    environment = {**os.environ, "REST_LSP_MODEL_CACHE_DIR": str(tmp_path)}
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
    yield started
    started.kill()
    started.wait(ENDS_S)


def announced(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    text = ""
    while "}" not in text:
        line = process.stdout.readline()
        assert line, "it ended"
        text += line
    return json.loads(text)


def test_it_names_its_page_and_ends_when_its_input_does(process: subprocess.Popen[str]) -> None:
    said = announced(process)
    assert (Path(said["page"]) / "index.html").is_file()
    with urllib.request.urlopen(said["address"]) as answer:
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(said["address"])
    assert process.poll() is None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(ENDS_S) == 0


def test_it_goes_on_until_it_is_told_to_end_and_then_says_nothing(process: subprocess.Popen[str]) -> None:
    announced(process)
    process.terminate()
    assert process.wait(ENDS_S) != -signal.SIGABRT
