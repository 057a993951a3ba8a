"""Frames out of byte streams: any cut, any garbage."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.server.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES, BrokenFrame, FrameParser

BODIES = st.lists(st.binary(max_size=60), max_size=6)


def frame(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def parse(chunks: Iterable[bytes]) -> list[bytes | BrokenFrame]:
    parser = FrameParser()
    return [found for chunk in chunks for found in parser.feed(chunk)]


@given(BODIES, st.lists(st.integers(min_value=0, max_value=500)))
def test_messages_survive_any_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(frame, bodies))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert parse(stream[start:end] for start, end in pairwise(edges)) == bodies


@given(st.binary(max_size=200).filter(lambda data: b"ontent" not in data.lower()), BODIES)
def test_messages_after_garbage_are_found(garbage: bytes, bodies: list[bytes]) -> None:
    found = parse([garbage, b"".join(frame(b"{%s}" % body) for body in bodies)])
    assert [item for item in found if isinstance(item, bytes)] == [b"{%s}" % body for body in bodies]


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"content-length:2\r\n\r\n",
    ],
)
def test_other_headers_and_cases_are_fine(header: bytes) -> None:
    assert parse([header + b"{}"]) == [b"{}"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 5\r\nthis is no header\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"A" * (3 * MAX_HEADER_BYTES),
        b"Content-Length: 5\r\n" + b"X: " + b"A" * (3 * MAX_HEADER_BYTES),
    ],
)
def test_a_broken_header_is_reported_once_and_the_next_message_is_read(garbage: bytes) -> None:
    found = parse([garbage, frame(b"{}")])
    assert [type(item) for item in found] == [BrokenFrame, bytes]


def test_a_broken_header_is_reported_before_anything_follows() -> None:
    assert [type(item) for item in parse([b"nonsense\r\n\r\n"])] == [BrokenFrame]


def test_blank_lines_between_messages_are_no_garbage() -> None:
    assert parse([b"\r\n" + frame(b"{}") + b"\n\r\n\r\n\r\n" + frame(b"[]")]) == [b"{}", b"[]"]


def test_each_stretch_of_garbage_is_reported() -> None:
    found = parse([b"one\r\n\r\n" + frame(b"{}") + b"two\r\n\r\n" + frame(b"[]")])
    assert [type(item) for item in found] == [BrokenFrame, bytes, BrokenFrame, bytes]
