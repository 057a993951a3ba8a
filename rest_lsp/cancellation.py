"""Cooperative cancellation: set from any thread, tested between prefill chunks and before each forward pass."""

from __future__ import annotations

import threading
import time

from rest_lsp.errors import Cancelled


class CancelToken:
    """One per request.  Cheap to test, safe to set from any thread, never reset."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.cancelled_s: float | None = None
        """When it was cancelled first, by `time.monotonic`."""

    def cancel(self) -> None:
        if self.cancelled_s is None:
            self.cancelled_s = time.monotonic()
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` once `cancel` was called."""
        if self._event.is_set():
            raise Cancelled
