"""The process's standard streams as a message channel.  Standard library only, so that it can be claimed first.

From `claim_stdio` on, a stray print of any library goes to stderr and a child process that reads stdin reads nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from rest_lsp.server.frames import MAX_UNREAD_BYTES, BrokenFrame, FrameParser

MANY_BYTES = 1 << 20
"""With so much unread nothing more should be asked for."""

_CHUNK_BYTES = 1 << 16


class ProtocolPipes(NamedTuple):
    """File descriptors that belong to the protocol alone; not inherited by child processes."""

    read_fd: int
    write_fd: int


def claim_stdio() -> ProtocolPipes:
    """Move stdin and stdout out of everybody's reach; descriptor 1 then is stderr and descriptor 0 is empty."""
    sys.stdout.flush()
    pipes = ProtocolPipes(os.dup(0), os.dup(1))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    _use_binary_mode(pipes)
    return pipes


class FrameReader(threading.Thread):
    """Reads in its own thread and hands every frame to `on_frame`, at last `None` for the end of the stream.

    A thread of its own and not a pool: nothing can keep it from reading the next cancellation.
    """

    def __init__(self, read_fd: int, on_frame: Callable[[bytes | BrokenFrame | None], None]) -> None:
        super().__init__(name="rest-lsp-reader", daemon=True)
        self._read_fd = read_fd
        self._on_frame = on_frame

    def run(self) -> None:
        parser = FrameParser()
        try:
            while chunk := os.read(self._read_fd, _CHUNK_BYTES):
                for frame in parser.feed(chunk):
                    self._on_frame(frame)
        except OSError:
            pass
        self._on_frame(None)


class FrameWriter(threading.Thread):
    """Writes in its own thread, so that a client that does not read cannot stop the protocol loop."""

    def __init__(self, write_fd: int, on_broken: Callable[[], None]) -> None:
        """`on_broken` is called once: when nobody can read, or `MAX_UNREAD_BYTES` are unread."""
        super().__init__(name="rest-lsp-writer", daemon=True)
        self._write_fd = write_fd
        self._on_broken = on_broken
        self._changed = threading.Condition()
        self._unread: deque[bytes] = deque()
        self._n_bytes = 0
        self._is_closing = self._is_broken = False

    def write(self, data: bytes) -> None:
        """Queue `data`; from any thread, never blocks."""
        with self._changed:
            if self._is_broken:
                return
            self._unread.append(data)
            self._n_bytes += len(data)
            self._changed.notify_all()
            has_stopped = self._n_bytes > MAX_UNREAD_BYTES
        if has_stopped:
            self._break()

    def await_room(self) -> None:
        """Block while `MANY_BYTES` are unread, so that whoever sends to this process sees that it is not read."""
        with self._changed:
            self._changed.wait_for(lambda: self._n_bytes < MANY_BYTES)

    def close(self) -> None:
        """End the thread once everything queued before is written."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def run(self) -> None:
        try:
            while (data := self._next()) is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._write_fd, view) :]
                self._has_written(len(data))
        except OSError:
            self._break()

    def _next(self) -> bytes | None:
        """None when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._unread or self._is_closing or self._is_broken)
            return self._unread.popleft() if self._unread else None

    def _has_written(self, n_bytes: int) -> None:
        with self._changed:
            self._n_bytes = max(0, self._n_bytes - n_bytes)
            self._changed.notify_all()

    def _break(self) -> None:
        with self._changed:
            if self._is_broken:
                return
            self._is_broken = True
            self._unread.clear()
            self._n_bytes = 0
            self._changed.notify_all()
        self._on_broken()


def _use_binary_mode(pipes: ProtocolPipes) -> None:
    if sys.platform == "win32":
        import msvcrt

        for descriptor in pipes:
            msvcrt.setmode(descriptor, os.O_BINARY)
