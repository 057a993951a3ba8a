"""A reader of standard error that has stopped reading holds nothing up."""

from __future__ import annotations

import logging
import os

import pytest

from rest_lsp.server.logs import ErrorStream


def test_a_full_pipe_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    read_fd, write_fd = os.pipe()
    monkeypatch.setattr("sys.stderr", os.fdopen(write_fd, "w"))
    handler = ErrorStream()
    for _ in range(2000):
        handler.handle(logging.LogRecord("a", logging.WARNING, "a.py", 1, "x" * 1000, None, None))
    handler.flush()
    os.close(read_fd)
