"""The byte layout of a segment file: header, body in sections, one CRC-32 per MiB of body.  Knows no search.

    header      128 bytes, little-endian, with its own CRC-32
    body        the sections of `Layout`, in that order, each aligned to 8 bytes
    checksums   CRC-32 of each MiB of body; their own CRC-32 stands in the header
Tokens are big-endian, so that comparing bytes compares numbers; other numbers of the body have the machine's order.
"""

from __future__ import annotations

import mmap
import struct
import sys
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

MAGIC = b"RESTSEG\n"
FORMAT_VERSION = 2
HEADER_BYTES = 128
BLOCK_BYTES = 1 << 20
HASH_BYTES = 16
NARROW_VOCABULARY = 65_535
"""With more distinct ids than this a token takes four bytes instead of two (0 is the document separator)."""

_HEADER = struct.Struct("<8sHBBIIIIQ16sI")
_CHECKSUM = struct.Struct("<I")
_BYTE_ORDER = 1 if sys.byteorder == "little" else 2

SegmentBytes = bytes | bytearray | mmap.mmap


class DamagedFile(Exception):
    """A file of the datastore is not what was written.  The text says what is wrong with it."""


class Span(NamedTuple):
    """Bytes [start, stop) of a segment file."""

    start: int
    stop: int


class Layout(NamedTuple):
    """Where each section lies.

    vocabulary  uint32[n_distinct]       token ids, ascending; entry i has the dense id i + 1, and 0 is the separator
    first_rows  uint32[n_distinct + 2]   first suffix array row of the suffixes that begin with each dense id
    starts      uint32[n_documents]      index of a document's first stored token
    lengths     uint32[n_documents]      in tokens
    hashes      16 bytes[n_documents]    of the file's content
    paths       UTF-8 with surrogate escapes, a zero byte between two
    rows        int32[n_tokens]          the suffix array
    tokens      big-endian uint16 or uint32[n_tokens], dense ids
    """

    vocabulary: Span
    first_rows: Span
    starts: Span
    lengths: Span
    hashes: Span
    paths: Span
    rows: Span
    tokens: Span


@dataclass(frozen=True)
class Header:
    """The counts that fix the layout.  `fingerprint` is 16 bytes that name the tokenizer."""

    n_tokens: int
    n_distinct: int
    n_documents: int
    path_bytes: int
    fingerprint: bytes

    @property
    def token_bytes(self) -> int:
        return 2 if self.n_distinct <= NARROW_VOCABULARY else 4

    @cached_property
    def layout(self) -> Layout:
        sizes = (
            4 * self.n_distinct,
            4 * (self.n_distinct + 2),
            4 * self.n_documents,
            4 * self.n_documents,
            HASH_BYTES * self.n_documents,
            self.path_bytes,
            4 * self.n_tokens,
            self.token_bytes * self.n_tokens,
        )
        spans = []
        position = HEADER_BYTES
        for size in sizes:
            spans.append(Span(position, position + size))
            position += -(-size // 8) * 8
        return Layout(*spans)

    @property
    def body_bytes(self) -> int:
        return -(-self.layout.tokens.stop // 8) * 8 - HEADER_BYTES

    @property
    def file_bytes(self) -> int:
        return HEADER_BYTES + self.body_bytes + 4 * -(-self.body_bytes // BLOCK_BYTES)


def pack_file(header: Header, sections: dict[str, bytes | memoryview]) -> bytearray:
    """A whole segment file from its header and one entry per field of `Layout`."""
    data = bytearray(header.file_bytes)
    for name, span in header.layout._asdict().items():
        assert len(sections[name]) == span.stop - span.start, f"section {name} has an unexpected size"
        data[span.start : span.stop] = sections[name]
    end = HEADER_BYTES + header.body_bytes
    checksums = b"".join(_CHECKSUM.pack(crc) for crc in _block_checksums(data, header))
    data[end:] = checksums
    packed = _HEADER.pack(
        MAGIC,
        FORMAT_VERSION,
        _BYTE_ORDER,
        header.token_bytes,
        header.n_distinct,
        header.n_documents,
        header.path_bytes,
        0,
        header.n_tokens,
        header.fingerprint,
        zlib.crc32(checksums),
    ).ljust(HEADER_BYTES - 4, b"\0")
    data[:HEADER_BYTES] = packed + _CHECKSUM.pack(zlib.crc32(packed))
    return data


def read_header(data: SegmentBytes) -> Header:
    """The checked header.  Raises DamagedFile when it, or the size of the file, is not as written."""
    head = bytes(data[:HEADER_BYTES])
    if len(head) < HEADER_BYTES or head[:8] != MAGIC:
        raise DamagedFile("it is no segment file")
    if zlib.crc32(head[:-4]) != _CHECKSUM.unpack(head[-4:])[0]:
        raise DamagedFile("its header is damaged")
    fields = _HEADER.unpack_from(head)
    version, byte_order, token_bytes = fields[1:4]
    if version != FORMAT_VERSION or byte_order != _BYTE_ORDER:
        raise DamagedFile("another version of the program or another machine wrote it")
    header = Header(
        n_tokens=fields[8], n_distinct=fields[4], n_documents=fields[5], path_bytes=fields[6], fingerprint=fields[9]
    )
    if token_bytes != header.token_bytes or len(data) != header.file_bytes:
        raise DamagedFile(f"it has {len(data)} bytes instead of {header.file_bytes}")
    return header


def verify_tables(data: SegmentBytes, header: Header) -> None:
    """Raise DamagedFile when a byte before the suffix array differs from what was written.  Microseconds."""
    _verify(data, header, 0, -(-(header.layout.rows.start - HEADER_BYTES) // BLOCK_BYTES))


def verify_checksums(data: SegmentBytes, header: Header) -> None:
    """Raise DamagedFile when any byte of the body differs from what was written.  About 0.3 ms per MB."""
    _verify(data, header, 0, -(-header.body_bytes // BLOCK_BYTES))


def _verify(data: SegmentBytes, header: Header, first: int, last: int) -> None:
    end = HEADER_BYTES + header.body_bytes
    stored = bytes(data[end:])
    if zlib.crc32(stored) != _HEADER.unpack_from(bytes(data[:HEADER_BYTES]))[10]:
        raise DamagedFile("its checksums are damaged")
    with memoryview(data) as view:
        for index in range(first, last):
            start = HEADER_BYTES + index * BLOCK_BYTES
            crc = zlib.crc32(view[start : min(start + BLOCK_BYTES, end)])
            if _CHECKSUM.unpack_from(stored, 4 * index)[0] != crc:
                raise DamagedFile(f"block {index} is damaged")


def _block_checksums(data: bytearray, header: Header) -> list[int]:
    end = HEADER_BYTES + header.body_bytes
    with memoryview(data) as view:
        return [
            zlib.crc32(view[start : min(start + BLOCK_BYTES, end)]) for start in range(HEADER_BYTES, end, BLOCK_BYTES)
        ]
