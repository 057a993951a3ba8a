"""Search over several segments against a scan of everything."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rest_lsp.datastore.generation import Generation, LiveSegment
from rest_lsp.datastore.hot import RECENT_BUFFERS, HotBuffers
from rest_lsp.datastore.occurrence import Occurrence, Origin
from rest_lsp.datastore.search import AT_ONCE
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.snapshot import Snapshot
from tests.files_datastore import Place, scan

PRINT = bytes(16)
PATHS = ["a.py", "b.py", "lib/c.py", "d", "e", "f"]
IDS = st.lists(st.integers(0, 4).map(lambda token: token * 37_000), max_size=25)


@dataclass
class Corpus:
    """A random datastore and what it should contain."""

    snapshot: Snapshot
    visible: dict[str, list[int]]


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Some segments, oldest first.  A path lives in the last segment that holds it, unless deleted or in a buffer."""
    layers = draw(st.lists(st.dictionaries(st.sampled_from(PATHS), IDS, min_size=1), max_size=4))
    deleted = draw(st.sets(st.sampled_from(PATHS), max_size=2))
    buffers = draw(st.dictionaries(st.sampled_from([*PATHS, "/outside.py"]), IDS, max_size=6))
    visible: dict[str, list[int]] = {}
    segments = []
    for number, layer in enumerate(layers):
        documents = [NewDocument(path, path.encode().ljust(16), ids) for path, ids in layer.items()]
        later = {path for following in layers[number + 1 :] for path in following}
        segment = Segment.build(f"{number}", documents, PRINT)
        dead = {document for document, path in enumerate(segment.paths) if path in later or path in deleted}
        segments.append(LiveSegment(segment, frozenset(dead)))
        visible |= layer
    hot = HotBuffers()
    for path, ids in buffers.items():
        hot.set(path, ids)
    visible = {path: ids for path, ids in visible.items() if path not in deleted} | buffers
    return Corpus(Snapshot(Generation(1, tuple(segments)), hot.views, hot.paths), visible)


def ask(
    snapshot: Snapshot,
    context: list[int],
    *,
    depth: int = 5,
    max_length: int = 16,
    min_length: int = 1,
    limit: int = 10_000,
    exclude: str | None = None,
) -> list[Occurrence]:
    return snapshot.find(
        context,
        depth=depth,
        max_length=max_length,
        min_length=min_length,
        limit=limit,
        exclude=exclude,
        time_limit_ms=60_000,
    ).occurrences()


def places(found: list[Occurrence]) -> set[Place]:
    return {Place(one.length, one.origin.path, one.origin.offset, one.tokens) for one in found}


@settings(max_examples=150)
@given(corpora(), IDS, st.integers(1, 8), st.integers(1, 6), st.integers(1, 3), st.sampled_from([None, *PATHS]))
def test_the_answer_is_that_of_a_scan(
    corpus: Corpus, context: list[int], depth: int, max_length: int, min_length: int, exclude: str | None
) -> None:
    found = ask(corpus.snapshot, context, depth=depth, max_length=max_length, min_length=min_length, exclude=exclude)
    expected = {path: ids for path, ids in corpus.visible.items() if path != exclude}
    assert places(found) == scan(expected, context, depth, max_length, min_length)
    assert len(found) == len(places(found)), "each place is listed once"
    assert [one.length for one in found] == sorted((one.length for one in found), reverse=True)
    assert all(one.weight == 1 for one in found)


@given(corpora(), IDS, st.integers(1, 12))
def test_a_limit_keeps_the_longest_matches_and_weighs_samples(corpus: Corpus, context: list[int], limit: int) -> None:
    everything = scan(corpus.visible, context, 5, 16)
    found = ask(corpus.snapshot, context, limit=limit)
    assert len(found) == len(places(found)) <= limit
    assert places(found) <= everything
    per_length = Counter(place.length for place in everything)
    sampled = Counter(one.length for one in found)
    wanted = limit
    for length in sorted(sampled, reverse=True)[:-1]:
        enough = per_length[length] > wanted and 2 * sampled[length] > wanted
        assert sampled[length] == per_length[length] or enough, "a shorter length follows when a longer one is used up"
        wanted -= sampled[length]
    assert all(one.weight >= 1 for one in found)


def documents_with(tokens: list[int], n: int) -> list[NewDocument]:
    return [NewDocument(f"{number}", PRINT, [*tokens, 1_000 + number]) for number in range(n)]


def test_large_ranges_are_sampled_evenly_and_weights_add_up() -> None:
    old, new = documents_with([7, 8], 900), documents_with([7, 8], 100)
    renamed = [one._replace(path="new" + one.path) for one in new]
    segments = (LiveSegment(Segment.build("1", old, PRINT)), LiveSegment(Segment.build("2", renamed, PRINT)))
    found = ask(Snapshot(Generation(1, segments)), [7, 8], limit=50)
    assert len(found) == 50
    assert sum(one.weight for one in found) == pytest.approx(1_000)
    assert sum(one.origin.path.startswith("new") for one in found) == 5
    numbers = sorted(one.tokens[0] for one in found)
    assert numbers[0] < 1_050
    assert numbers[-1] > 1_850


def test_living_documents_are_found_among_many_dead_ones() -> None:
    segment = Segment.build("1", documents_with([7, 8], 100), PRINT)
    dead = frozenset(number for number in range(100) if number % 10)
    found = ask(Snapshot(Generation(1, (LiveSegment(segment, dead),))), [7, 8], limit=20)
    assert {one.origin.path for one in found} <= {str(number) for number in range(0, 100, 10)}
    assert len(found) >= 5


def test_weights_stay_right_when_dead_rows_make_it_look_again() -> None:
    """Every second row that the first pass looks at is dead, so a second pass brings more than was wanted."""
    segment = Segment.build("1", documents_with([7, 8], 1_000), PRINT)
    arrays = segment.arrays
    first_row = int(arrays.first_rows[arrays.dense_ids[8]])
    looked_at = [first_row + 10 + 20 * number for number in range(0, 50, 2)]
    dead = frozenset(bisect_right(arrays.starts.tolist(), arrays.rows[row]) - 1 for row in looked_at)
    found = ask(Snapshot(Generation(1, (LiveSegment(segment, dead),))), [7, 8], limit=50)
    assert len(found) == 50
    assert sum(one.weight for one in found) == pytest.approx(1_000 * 75 / 100)


def test_no_match_crosses_documents() -> None:
    segment = Segment.build("1", [NewDocument("a", PRINT, [1, 2]), NewDocument("b", PRINT, [3, 4])], PRINT)
    snapshot = Snapshot(Generation(1, (LiveSegment(segment),)))
    assert ask(snapshot, [1, 2]) == []
    assert [(one.length, one.tokens) for one in ask(snapshot, [2, 3])] == [(1, (4,))]


def test_wide_segments_are_searched_like_narrow_ones() -> None:
    ids = [*range(70_000), 5, 6, 69_999]
    segment = Segment.build("1", [NewDocument("a", PRINT, ids)], PRINT)
    assert segment.token_bytes == 4
    found = ask(Snapshot(Generation(1, (LiveSegment(segment),))), [4, 5, 6], depth=2)
    assert [(one.length, one.tokens) for one in found] == [(3, (7, 8)), (2, (69_999,))]


def test_a_passed_deadline_still_gives_what_the_newest_segment_knows() -> None:
    old, new = (Segment.build("1", [NewDocument("a", PRINT, [1, 2, 3, last])], PRINT) for last in (8, 9))
    snapshot = Snapshot(Generation(1, (LiveSegment(old), LiveSegment(new))))
    found = snapshot.find(
        [1, 2, 3], depth=1, max_length=16, min_length=1, limit=64, exclude=None, time_limit_ms=-1
    ).occurrences()
    assert [(one.length, one.tokens) for one in found] == [(3, (9,))]


def test_an_origin_finds_its_own_version_only() -> None:
    hot = HotBuffers()
    hot.set("a.py", [1, 2, 3])
    origin = ask(Snapshot(buffers=hot.views), [1, 2])[0].origin
    assert origin == Origin("a.py", 2, origin.generation)
    ids = Snapshot(buffers=hot.views).document_ids(origin)
    assert ids is not None
    assert ids.tolist() == [1, 2, 3]
    hot.set("a.py", [1, 2, 4])
    assert Snapshot(buffers=hot.views).document_ids(origin) is None


def test_a_buffer_edited_again_after_it_was_joined_with_others_has_one_text() -> None:
    hot = HotBuffers()
    for number in range(2 * RECENT_BUFFERS):
        hot.set(f"{number}", [7, number])
    hot.set("0", [7, 100])
    found = ask(Snapshot(buffers=hot.views), [7])
    assert sorted(one.tokens[0] for one in found) == [*range(1, 2 * RECENT_BUFFERS), 100]
    hot.drop("1")
    assert len(ask(Snapshot(buffers=hot.views), [7])) == 2 * RECENT_BUFFERS - 1


@given(st.lists(st.tuples(st.sampled_from("abcdefghij"), st.one_of(st.none(), IDS)), max_size=30), IDS)
def test_buffers_hold_their_newest_text(changes: list[tuple[str, list[int] | None]], context: list[int]) -> None:
    hot = HotBuffers()
    expected: dict[str, list[int]] = {}
    for path, ids in changes:
        if ids is None:
            hot.drop(path)
            expected.pop(path, None)
        else:
            hot.set(path, ids)
            expected[path] = ids
    assert hot.paths == set(expected)
    assert places(ask(Snapshot(buffers=hot.views), context)) == scan(expected, context, 5, 16)


@settings(max_examples=200)
@given(
    st.lists(IDS, min_size=1, max_size=5),
    IDS,
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=20),
)
def test_any_bytes_are_searched_without_harm(
    texts: list[list[int]], context: list[int], damage: list[tuple[int, int]]
) -> None:
    """A segment is searched before its checksums have been verified: nonsense may be found, nothing worse happens."""
    documents = [NewDocument(f"{number}", PRINT, ids) for number, ids in enumerate(texts)]
    good = Segment.build("1", documents, PRINT)
    data = bytearray(good.data)
    sections = [good.header.layout.first_rows, good.header.layout.starts, good.header.layout.lengths]
    sections += [good.header.layout.rows, good.header.layout.tokens]
    harmed = [at for span in sections for at in range(*span)]
    for place, byte in damage:
        data[harmed[place % len(harmed)]] = byte
    found = ask(Snapshot(Generation(1, (LiveSegment(Segment("1", data, good.header)),))), context, limit=8)
    assert len(found) <= 8
    assert all(len(one.tokens) <= 5 and int(one.origin.path) < len(texts) for one in found)


def test_many_views_answer_as_one_list() -> None:
    layers = [[NewDocument(f"{number}", PRINT, [1, 2, 3 + number])] for number in range(2 * AT_ONCE + 3)]
    segments = tuple(LiveSegment(Segment.build(f"{number}", layer, PRINT)) for number, layer in enumerate(layers))
    snapshot = Snapshot(Generation(1, segments))
    found = ask(snapshot, [1, 2])
    assert [one.origin.path for one in found] == [f"{number}" for number in reversed(range(len(segments)))]
    assert [one.tokens for one in found] == [(3 + int(one.origin.path),) for one in found]
    fewer = ask(snapshot, [1, 2], limit=4)
    assert len(fewer) == 4
    assert sum(one.weight for one in fewer) == pytest.approx(len(segments))
