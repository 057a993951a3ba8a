"""What is written to a client that reads late, or not at all.  Real pipes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from rest_lsp.server.frames import MAX_UNREAD_BYTES
from rest_lsp.server.stdio import MANY_BYTES, FrameWriter

DEADLINE_S = 30.0
PIECE = b"x" * (1 << 16)


class Written(NamedTuple):
    writer: FrameWriter
    read_fd: int
    n_broken: list[None]


@pytest.fixture
def written() -> Iterator[Written]:
    read_fd, write_fd = os.pipe()
    n_broken: list[None] = []
    writer = FrameWriter(write_fd, on_broken=lambda: n_broken.append(None))
    writer.start()
    yield Written(writer, read_fd, n_broken)
    os.close(read_fd)
    writer.close()
    writer.join(DEADLINE_S)
    os.close(write_fd)


def test_who_waits_for_room_goes_on_when_the_client_reads(written: Written) -> None:
    n_read, n_read_then = 0, list[int]()

    def wait() -> None:
        written.writer.await_room()
        n_read_then.append(n_read)

    for _ in range(2 * MANY_BYTES // len(PIECE)):
        written.writer.write(PIECE)
    waiting = threading.Thread(target=wait)
    waiting.start()
    while n_read < 2 * MANY_BYTES:
        n_read += len(os.read(written.read_fd, len(PIECE)))
    waiting.join(DEADLINE_S)
    assert n_read_then[0] >= MANY_BYTES - 4 * len(PIECE)


def test_a_client_that_has_stopped_reading_is_given_up_once(written: Written) -> None:
    for _ in range(MAX_UNREAD_BYTES // len(PIECE)):
        written.writer.write(PIECE)
    assert not written.n_broken
    for _ in range(20):
        written.writer.write(PIECE)
    assert len(written.n_broken) == 1
    written.writer.await_room()


def test_what_was_written_before_the_end_is_read(written: Written) -> None:
    written.writer.write(b"one")
    written.writer.write(b"two")
    written.writer.close()
    written.writer.join(DEADLINE_S)
    assert os.read(written.read_fd, 100) == b"onetwo"
