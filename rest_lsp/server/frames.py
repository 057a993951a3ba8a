"""Cuts a byte stream into LSP messages and finds its place again after nonsense.  Knows neither JSON nor files.

A raw line end can stand in no JSON text that has been escaped properly, so `Content-Length: <n>` followed by CR LF
always starts a header: that is where reading goes on after a broken one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BODY_BYTES = 128 * 1024 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_UNREAD_BYTES = 64 * 1024 * 1024
"""Whoever leaves so much unread has stopped; keeping more for them would take the memory of others."""

_LENGTH_LINE = re.compile(rb"Content-Length:[ \t]*(\d{1,20})[ \t]*\r\n", re.IGNORECASE)
_HEADER_LINES = re.compile(rb"(?:[!-9;-~]+:[^\r\n]*\r\n)*")
_LONGEST_LENGTH_LINE = 64


@dataclass(frozen=True)
class BrokenFrame:
    """Bytes that are no message; `reason` is a sentence for the client."""

    reason: str


class FrameParser:
    """Fed with chunks of any size; holds what is not complete yet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_length: int | None = None
        self._in_garbage = False

    def feed(self, data: bytes) -> Iterator[bytes | BrokenFrame]:
        """Yield every body and every broken stretch that `data` completes, in order."""
        self._buffer += data
        while True:
            if self._body_length is None:
                yield from self._skip_garbage()
                broken = self._read_header()
                if broken is not None:
                    yield broken
                    continue
            if self._body_length is None or len(self._buffer) < self._body_length:
                return
            body = bytes(self._buffer[: self._body_length])
            del self._buffer[: self._body_length]
            self._body_length = None
            yield body

    def _skip_garbage(self) -> Iterator[BrokenFrame]:
        """Drop what cannot lead to a header; one complaint per stretch of garbage, however long it is."""
        while True:
            match = _LENGTH_LINE.search(self._buffer)
            block_end = self._buffer.find(b"\r\n\r\n")
            if match is not None and (block_end < 0 or match.start() < block_end + 4):
                garbage, reason = match.start(), "Bytes before a message header were skipped."
                if _HEADER_LINES.fullmatch(self._buffer, 0, garbage) is not None:
                    return
            elif block_end >= 0:
                garbage, reason = block_end + 4, "A message header has no usable Content-Length."
            elif len(self._buffer) > MAX_HEADER_BYTES:
                garbage, reason = len(self._buffer) - _LONGEST_LENGTH_LINE, "A message header is too long."
            else:
                return
            if self._buffer[:garbage].strip():
                yield from self._complain(reason)
            del self._buffer[:garbage]

    def _complain(self, reason: str) -> Iterator[BrokenFrame]:
        if not self._in_garbage:
            self._in_garbage = True
            yield BrokenFrame(reason)

    def _read_header(self) -> BrokenFrame | None:
        match = _LENGTH_LINE.search(self._buffer)
        if match is None:
            return None
        rest = _HEADER_LINES.match(self._buffer, match.end())
        end = rest.end() if rest is not None else match.end()
        if self._buffer[end : end + 2] != b"\r\n":
            if len(self._buffer) - match.end() <= MAX_HEADER_BYTES and b"\r\n" not in self._buffer[end:]:
                return None
            del self._buffer[: match.end()]
            self._in_garbage = True
            return BrokenFrame("A message header has a line that is none.")
        self._in_garbage = False
        length = int(match.group(1))
        del self._buffer[: end + 2]
        if length > MAX_BODY_BYTES:
            self._in_garbage = True
            return BrokenFrame(f"A message of {length} bytes is larger than the limit of {MAX_BODY_BYTES}.")
        self._body_length = length
        return None
