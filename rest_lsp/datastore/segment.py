"""One immutable segment: documents of token ids with a suffix array over the *reversed* text.

Reversed, because a query is the end of a context: its longest match, and all shorter ones around it, are neighbours in
one sorted order then, found with a single binary search.  Knows no generations, no tombstones, and not who asks.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from rest_lsp.datastore.format import (
    HASH_BYTES,
    NARROW_VOCABULARY,
    DamagedFile,
    Header,
    SegmentBytes,
    Span,
    pack_file,
    read_header,
    verify_checksums,
    verify_tables,
)
from rest_lsp.datastore.suffix_array import Sorter, suffix_array

STANDS_FOR_FOLDER = frozenset({"__init__", "index", "mod"})

Number = TypeVar("Number", np.uint8, np.int32, np.uint32)

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Unsigned = npt.NDArray[np.uint32]


class Arrays(NamedTuple):
    """A segment as compiled code sees it; see `format.Layout`.  All arrays are read-only.

    dense_ids[token id] is a dense id or 0; `tokens` are bytes, `width` of them per dense id, the highest first.
    """

    tokens: Bytes
    width: int
    rows: Ints
    first_rows: Unsigned
    dense_ids: Ints
    vocabulary: Unsigned
    starts: Unsigned
    lengths: Unsigned


class NewDocument(NamedTuple):
    """A document to be stored.  `ids` [n] are token ids ≥ 0, `content_hash` 16 bytes over the file's content."""

    path: str
    content_hash: bytes
    ids: Sequence[int] | npt.NDArray[np.uint32]


class Segment:
    """Read access.  Everything is immutable, so any number of threads may use it without a lock.

    `arrays` are what a search reads; they and `versions` stay where they are mapped.  versions[document] ≥ 0 stands for
    the content.  Opening one makes the rest with few steps that each hold the interpreter for less than a millisecond,
    because queries go on meanwhile.
    """

    def __init__(self, name: str, data: SegmentBytes, header: Header) -> None:
        self.name = name
        self.data = data
        self.header = header
        layout = header.layout
        self.token_bytes = header.token_bytes
        vocabulary = self._numbers(layout.vocabulary, np.uint32)
        self.arrays = Arrays(
            tokens=self._numbers(layout.tokens, np.uint8),
            width=header.token_bytes,
            rows=self._numbers(layout.rows, np.int32),
            first_rows=self._numbers(layout.first_rows, np.uint32),
            dense_ids=_dense_table(vocabulary),
            vocabulary=vocabulary,
            starts=self._numbers(layout.starts, np.uint32),
            lengths=self._numbers(layout.lengths, np.uint32),
        )
        self.versions = memoryview(self.data)[slice(*layout.hashes)].cast("Q")[:: HASH_BYTES // 8]
        self.paths = bytes(data[slice(*layout.paths)]).decode("utf-8", "surrogateescape").split("\0")
        if len(self.paths) != max(1, self.n_documents):
            raise DamagedFile("it does not name each of its documents")
        self.document_of_path = dict(zip(self.paths, range(self.n_documents), strict=False))

    @classmethod
    def build(
        cls, name: str, documents: Sequence[NewDocument], fingerprint: bytes, sorter: Sorter = suffix_array
    ) -> Segment:
        """A segment in memory; its `data` are the bytes to write.  Sorting takes 0.2 µs per token or so."""
        data = build_segment_bytes(documents, fingerprint, sorter)
        return cls(name, data, read_header(data))

    @classmethod
    def from_bytes(cls, name: str, data: SegmentBytes, fingerprint: bytes) -> Segment:
        """Check everything, then open.  Raises DamagedFile."""
        header = read_header(data)
        verify_checksums(data, header)
        if header.fingerprint != fingerprint:
            raise DamagedFile("it belongs to another tokenizer")
        return cls(name, data, header)

    @classmethod
    def open(cls, path: Path, fingerprint: bytes) -> Segment:
        """Map a file.  It is never rewritten or truncated, so the mapping stays valid even after it is unlinked.

        Its size and tables are checked; `verify` does the rest, and until then a query may find nonsense, but no more.
        Raises DamagedFile, or OSError when it cannot be read.
        """
        with path.open("rb") as file:
            if file.seek(0, 2) == 0:
                raise DamagedFile("it is empty")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = read_header(data)
        verify_tables(data, header)
        if header.fingerprint != fingerprint:
            raise DamagedFile("it belongs to another tokenizer")
        return cls(path.name, data, header)

    def verify(self) -> None:
        """Check every byte: 3 ms for 10 MB.  Raises DamagedFile."""
        verify_checksums(self.data, self.header)

    @property
    def n_tokens(self) -> int:
        """Without separators."""
        return self.header.n_tokens - self.header.n_documents - 1

    @property
    def n_documents(self) -> int:
        return self.header.n_documents

    def content_hash(self, document: int) -> bytes:
        start = self.header.layout.hashes.start + HASH_BYTES * document
        return bytes(self.data[start : start + HASH_BYTES])

    @cached_property
    def documents_named(self) -> dict[str, list[int]]:
        """Numbers of documents by what `called` makes of their paths; 0.15 s for 100,000, once per segment."""
        named: dict[str, list[int]] = {}
        for document, path in enumerate(self.paths):
            named.setdefault(called(path), []).append(document)
        return named

    def document_tokens(self, document: int) -> int:
        """How many tokens a document has."""
        return int(self.arrays.lengths[document])

    def document_ids(self, document: int) -> npt.NDArray[np.uint32]:
        """Token ids [n] of a document in reading order."""
        start, n = int(self.arrays.starts[document]), self.document_tokens(document)
        at = self.header.layout.tokens.start + self.token_bytes * start
        dense = np.frombuffer(self.data, dtype=f">u{self.token_bytes}", count=n, offset=at)
        return self.arrays.vocabulary[dense[::-1].astype(np.int32) - 1]

    def _numbers(self, span: Span, kind: type[Number]) -> npt.NDArray[Number]:
        count = (span.stop - span.start) // np.dtype(kind).itemsize
        numbers = np.frombuffer(self.data, kind, count, span.start)
        numbers.flags.writeable = False
        return numbers


def called(path: str) -> str:
    """The name of a file without its extension; that of its folder where the file stands for the folder."""
    folder, _, name = path.rpartition("/")
    name = name.partition(".")[0]
    return folder.rpartition("/")[2] if name in STANDS_FOR_FOLDER else name


def build_segment_bytes(
    documents: Sequence[NewDocument], fingerprint: bytes, sorter: Sorter = suffix_array
) -> bytearray:
    """The file of a segment with these documents.  Paths must differ."""
    lengths = np.array([len(document.ids) for document in documents], dtype=np.uint32)
    starts = np.ones(len(documents), dtype=np.uint32)
    starts[1:] += np.cumsum(lengths[:-1] + 1, dtype=np.uint32)
    text = np.zeros(int(lengths.sum()) + len(documents) + 1, dtype=np.uint32)
    for start, document in zip(starts.tolist(), documents, strict=True):
        # One is added so that 0 stays free for the separator.
        text[start : start + len(document.ids)] = np.asarray(document.ids, dtype=np.uint32)[::-1] + 1
    vocabulary, dense = _remap(text)
    del text
    paths = "\0".join(document.path for document in documents).encode("utf-8", "surrogateescape")
    header = Header(len(dense), len(vocabulary), len(documents), len(paths), fingerprint)
    sections: dict[str, bytes | memoryview] = {
        "vocabulary": vocabulary.tobytes(),
        "first_rows": _first_rows(dense, len(vocabulary)).tobytes(),
        "starts": starts.tobytes(),
        "lengths": lengths.tobytes(),
        "hashes": b"".join(document.content_hash for document in documents),
        "paths": paths,
        "rows": sorter(dense).data.cast("B"),
        "tokens": dense.astype(f">u{header.token_bytes}").tobytes(),
    }
    return pack_file(header, sections)


class _Remapped(NamedTuple):
    vocabulary: npt.NDArray[np.uint32]
    dense: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


def _remap(text: npt.NDArray[np.uint32]) -> _Remapped:
    """Number the ids that occur from 1 upwards, in their order.  `text` holds ids plus one, 0 for separators."""
    used = np.zeros(int(text.max()) + 1, dtype=np.bool_)
    used[text] = True
    used[0] = True
    numbers = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
    vocabulary = (np.flatnonzero(used)[1:] - 1).astype(np.uint32)
    dense = numbers[text]
    return _Remapped(vocabulary, dense.astype(np.uint16) if len(vocabulary) <= NARROW_VOCABULARY else dense)


def _first_rows(dense: npt.NDArray[np.uint16] | npt.NDArray[np.uint32], n_distinct: int) -> npt.NDArray[np.uint32]:
    counts = np.bincount(dense, minlength=n_distinct + 1)
    rows = np.zeros(n_distinct + 2, dtype=np.uint32)
    rows[1:] = np.cumsum(counts)
    return rows


def _dense_table(vocabulary: Unsigned) -> Ints:
    table = np.zeros(int(vocabulary[-1]) + 1 if len(vocabulary) else 0, dtype=np.int32)
    table[vocabulary] = np.arange(1, len(vocabulary) + 1, dtype=np.int32)
    table.flags.writeable = False
    return table
