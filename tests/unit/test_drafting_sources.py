"""The live document as a draft source, compared with a search by brute force."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.bench.store_retrieval import Searchable
from rest_lsp.datastore import search
from rest_lsp.datastore.hot import HotBuffers
from rest_lsp.datastore.occurrence import TRAITS
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.drafting.datastore_source import DatastoreSource
from rest_lsp.drafting.document_encoder import MAX_CHARACTERS, DocumentEncoder
from rest_lsp.drafting.document_source import DocumentSource
from rest_lsp.drafting.places import MAX_LENGTH
from rest_lsp.drafting.source import Occurrence
from rest_lsp.drafting.traits import OPEN, REPOSITORY
from tests.files_context import TOKENIZER, Shelf

tokens = st.lists(st.integers(0, 3), max_size=40)


def brute_force(after: Sequence[int], context: Sequence[int], depth: int) -> list[tuple[int, tuple[int, ...]]]:
    """(length, what follows) for every place behind the last token of `context`."""
    found = []
    for text in (after, context):
        for place in range(1, len(text)):
            length = 0
            while length < min(MAX_LENGTH, len(context), place) and text[place - 1 - length] == context[-1 - length]:
                length += 1
            if length:
                found.append((length, tuple(text[place : place + depth])))
    return sorted(found)


def summary(occurrences: Sequence[Occurrence]) -> list[tuple[int, tuple[int, ...]]]:
    return sorted((o.length, o.tokens) for o in occurrences)


@given(earlier=tokens, after=tokens, generated=tokens, depth=st.integers(1, 6))
def test_every_place_is_found_with_its_longest_match(
    earlier: list[int], after: list[int], generated: list[int], depth: int
) -> None:
    source = DocumentSource("a.py", earlier, after, n_known=len(earlier), limit=1000)
    context = [*earlier, *generated]
    if not context:
        return
    found = source.propose(context, depth).rows.occurrences()
    expected = [(n, t) for n, t in brute_force(after, context, depth) if t]
    assert [pair for pair in summary(found) if pair[1]] == expected
    lengths = [o.length for o in found]
    assert lengths == sorted(lengths, reverse=True)


def test_a_context_that_was_cut_back_forgets_what_was_generated() -> None:
    source = DocumentSource("a.py", [1, 2, 3], [], n_known=3)
    assert source.propose([1, 2, 3, 9, 1, 2], 3).rows.occurrences()[0].tokens == (3, 9, 1)
    assert source.propose([1, 2, 3, 1, 2], 3).rows.occurrences()[0].tokens == (3, 1, 2)


def test_no_match_crosses_from_the_text_after_the_cursor_to_the_text_before() -> None:
    source = DocumentSource("a.py", [5, 6], [7, 5], n_known=2)
    found = source.propose([5, 6, 5], 4).rows.occurrences()
    assert [o.tokens for o in found if o.tokens] == [(6, 5)]


def test_places_have_lines() -> None:
    texts = {1: "def f():\n", 2: "    x\n", 3: "end\n", 4: "tail\n"}

    def count_newlines(ids: npt.NDArray[np.integer]) -> int:
        return sum(texts[int(i)].count("\n") for i in ids)

    source = DocumentSource("a.py", [1, 2, 3], [4, 2, 1], n_known=3, first_line=10, cursor_line=13)
    found = source.propose([1, 2, 3, 2], 2).rows.occurrences()
    lines = {o.tokens: source.line_of(o.origin, count_newlines) for o in found if o.tokens}
    assert lines == {(3, 2): 12, (1,): 15}


def test_traits_are_those_of_the_documents_that_are_there_now() -> None:
    search.compile_ahead()
    shelf = Shelf({"a.py": "x = alpha\n", "b.py": "y = x = alpha\n"})
    source = DatastoreSource(shelf, lambda path: OPEN if path == "b.py" else REPOSITORY, exclude=None)
    context = TOKENIZER.encode("x = ")

    def traits() -> dict[str, int]:
        rows = source.propose(context, 2).rows
        return {rows.origin(row).path: int(rows.ints[row, TRAITS]) for row in range(len(rows.ints))}

    assert traits() == {"a.py": REPOSITORY, "b.py": OPEN}
    shelf.remove("a.py")
    shelf.put("c.py", "x = gamma\n")
    assert traits() == {"b.py": OPEN, "c.py": REPOSITORY}
    assert source.propose([70_000], 2).rows.occurrences() == []


def test_a_document_is_asked_about_once() -> None:
    buffers = HotBuffers()
    buffers.set("a.py", [1, 2, 3, 1, 2, 3])
    asked: list[str] = []

    def traits_of(path: str) -> int:
        asked.append(path)
        return REPOSITORY

    source = DatastoreSource(Searchable(Snapshot(buffers=buffers.views)), traits_of, exclude=None)
    for _ in range(3):
        source.propose([1, 2], 2)
    assert asked == ["a.py"]


def test_only_the_part_that_changed_is_encoded_again() -> None:
    encoded: list[str] = []

    def encode(text: str) -> list[int]:
        encoded.append(text)
        return [ord(char) for char in text]

    parts = [f"def f{i}():\n    return {i}\n\n" for i in range(20)]
    encoder = DocumentEncoder(encode)
    assert encoder.before("".join(parts)) == [ord(char) for char in "".join(parts)]
    assert encoded == parts
    encoded.clear()
    parts[7] = "def f7():\n    return None\n\n"
    assert encoder.before("".join(parts)) == [ord(char) for char in "".join(parts)]
    assert encoded == [parts[7]]


def test_a_huge_document_is_encoded_around_the_cursor() -> None:
    encoder = DocumentEncoder(lambda text: [len(text)])
    text = "x\n" * MAX_CHARACTERS
    assert sum(encoder.before(text)) == MAX_CHARACTERS
    assert encoder.first_line(text) == MAX_CHARACTERS // 2
    assert encoder.first_line("a\nb") == 0
