"""Cooperative cancellation: set from any thread, tested between prefill chunks and before each forward pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rest_lsp.errors import Cancelled


class CancelToken:
    """One per request.  Cheap to test, safe to set from any thread, never reset."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.cancelled_s: float | None = None
        """When it was cancelled first, by `time.monotonic`."""
        self.n_tests = 0
        """Grows as long as the work goes on."""
        self.is_unhurried = False
        """Whether what is done just now may take long without a test."""

    def cancel(self) -> None:
        if self.cancelled_s is None:
            self.cancelled_s = time.monotonic()
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        self.n_tests += 1
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` once `cancel` was called."""
        if self.is_cancelled:
            raise Cancelled

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Around what takes its time, such as loading a model."""
        self.is_unhurried = True
        try:
            yield
        finally:
            self.is_unhurried = False
