"""Segment files: what is written is read back, and damage is never taken for data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.datastore.format import HEADER_BYTES, DamagedFile
from rest_lsp.datastore.segment import NewDocument, Segment, build_segment_bytes

PRINT = bytes(range(16))
IDS = st.lists(st.integers(0, 200_000), max_size=30)


def document(path: str, ids: Sequence[int]) -> NewDocument:
    return NewDocument(path, path.encode("utf-8", "surrogateescape")[:16].ljust(16, b"."), ids)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
        IDS,
        min_size=1,
        max_size=6,
    )
)
def test_documents_are_read_back(contents: dict[str, list[int]]) -> None:
    documents = [document(path, ids) for path, ids in contents.items()]
    segment = Segment.from_bytes("s", build_segment_bytes(documents, PRINT), PRINT)
    assert segment.paths == list(contents)
    assert segment.n_tokens == sum(map(len, contents.values()))
    for number, new in enumerate(documents):
        assert segment.document_ids(number).tolist() == list(new.ids)
        assert segment.content_hash(number) == new.content_hash
        assert segment.document_of_path[new.path] == number


def test_paths_need_not_be_unicode() -> None:
    path = b"caf\xe9.py".decode("utf-8", "surrogateescape")
    segment = Segment.build("s", [document(path, [1])], PRINT)
    assert segment.paths == [path]


@pytest.mark.parametrize(("n_distinct", "token_bytes"), [(65_535, 2), (65_536, 4)])
def test_tokens_take_two_bytes_as_long_as_they_fit(n_distinct: int, token_bytes: int) -> None:
    ids = np.arange(n_distinct, dtype=np.uint32) * 3
    segment = Segment.build("s", [NewDocument("a", PRINT, ids)], PRINT)
    assert segment.token_bytes == token_bytes
    assert np.array_equal(segment.document_ids(0), ids)


def test_files_are_opened_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "x.seg"
    path.write_bytes(build_segment_bytes([document("a", [5, 6, 7])], PRINT))
    assert Segment.open(path, PRINT).document_ids(0).tolist() == [5, 6, 7]
    with pytest.raises(DamagedFile, match="another tokenizer"):
        Segment.open(path, bytes(16))


@given(st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject) -> None:
    whole = build_segment_bytes([document("a.py", [5, 6, 5, 6]), document("b.py", [9])], PRINT)
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedFile):
        Segment.from_bytes("s", bytes(damaged), PRINT)


@given(st.integers(0, 2_000))
def test_any_truncation_is_noticed(kept: int) -> None:
    whole = build_segment_bytes([document("a.py", list(range(100)))], PRINT)
    with pytest.raises(DamagedFile):
        Segment.from_bytes("s", whole[: min(kept, len(whole) - 1)], PRINT)
    with pytest.raises(DamagedFile):
        Segment.from_bytes("s", whole + b"\0", PRINT)


def test_truncated_files_on_disk_raise_instead_of_crashing(tmp_path: Path) -> None:
    whole = build_segment_bytes([document("a.py", list(range(10_000)))], PRINT)
    path = tmp_path / "x.seg"
    for size in (0, 1, HEADER_BYTES - 1, HEADER_BYTES, 4096, 8192, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedFile):
            Segment.open(path, PRINT)


@pytest.mark.parametrize(("old", "new"), [(b"\0", b"/"), (b"/", b"\0")], ids=["too few", "too many"])
def test_a_segment_names_each_of_its_documents(old: bytes, new: bytes) -> None:
    """Compiled code goes by the numbers of documents: a name too few would let it read behind an array."""
    good = Segment.build("s", [document("a/b", [1, 2]), document("c", [3])], PRINT)
    data, span = bytearray(good.data), slice(*good.header.layout.paths)
    data[span] = bytes(data[span]).replace(old, new)
    with pytest.raises(DamagedFile, match="name each"):
        Segment("s", bytes(data), good.header)
