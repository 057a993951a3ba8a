"""The merge policy as a function, and merging as content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.datastore.generation import LiveSegment
from rest_lsp.datastore.merge import (
    FAN_OUT,
    FLOOR_TOKENS,
    MAX_SEGMENT_TOKENS,
    MAX_SEGMENTS,
    SegmentSize,
    choose_merge,
    merge_segments,
)
from rest_lsp.datastore.segment import NewDocument, Segment

SIZES = st.lists(st.builds(SegmentSize, st.integers(1, MAX_SEGMENT_TOKENS), st.just(0)), max_size=40)


def sizes(*tokens: int) -> list[SegmentSize]:
    return [SegmentSize(count, 0) for count in tokens]


def test_four_small_segments_become_one() -> None:
    assert choose_merge(sizes(900_000, 10, 20, 30)) == []
    assert choose_merge(sizes(900_000, 10, 20, 30, 40)) == [1, 2, 3, 4]


def test_the_lowest_tier_comes_first() -> None:
    large = 3 * FLOOR_TOKENS
    assert choose_merge(sizes(large, large, large, large, 5, 5, 5, 5)) == [4, 5, 6, 7]


def test_the_segment_with_most_dead_text_is_written_anew() -> None:
    large = 10 * FLOOR_TOKENS
    assert choose_merge([SegmentSize(large, large), SegmentSize(0, 2 * large)]) == [1]
    assert choose_merge([SegmentSize(large, 0), SegmentSize(0, large)]) == [], "another branch is kept"
    assert choose_merge([SegmentSize(10, 0), SegmentSize(0, 500)]) == [], "little text is not worth it"


def test_too_large_segments_are_left_alone() -> None:
    assert choose_merge(sizes(*[MAX_SEGMENT_TOKENS] * 30)) == []


@given(SIZES)
def test_merging_as_told_ends_with_few_segments(start: list[SegmentSize]) -> None:
    current = list(start)
    for _ in range(100):
        chosen = choose_merge(current)
        if not chosen:
            break
        total = sum(current[index].live_tokens for index in chosen)
        assert total <= MAX_SEGMENT_TOKENS
        current = [size for index, size in enumerate(current) if index not in chosen] + [SegmentSize(total, 0)]
    assert choose_merge(current) == []
    small = [size for size in current if size.live_tokens * FAN_OUT <= MAX_SEGMENT_TOKENS]
    assert len(small) <= MAX_SEGMENTS


def test_one_save_after_another_costs_few_rewrites() -> None:
    current: list[SegmentSize] = []
    rewritten = 0
    for _ in range(1_000):
        current.append(SegmentSize(2_000, 0))
        while chosen := choose_merge(current):
            total = sum(current[index].live_tokens for index in chosen)
            rewritten += total
            current = [size for index, size in enumerate(current) if index not in chosen] + [SegmentSize(total, 0)]
    assert len(current) <= MAX_SEGMENTS
    assert rewritten < 20 * 1_000 * 2_000


@given(
    st.lists(
        st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3),
            st.lists(st.integers(0, 9), max_size=9),
            min_size=1,
        ),
        max_size=4,
    )
)
def test_merged_segments_hold_the_living_documents(layers: list[dict[str, list[int]]]) -> None:
    expected: dict[str, list[int]] = {}
    sources = []
    for number, layer in enumerate(layers):
        later = {path for following in layers[number + 1 :] for path in following}
        documents = [NewDocument(path, bytes(16), ids) for path, ids in layer.items()]
        dead = frozenset(index for index, document in enumerate(documents) if document.path in later)
        sources.append(LiveSegment(Segment.build(f"{number}", documents, bytes(16)), dead))
        expected |= layer
    for keep_dead in (False, True):
        merged = merge_segments("m", sources, bytes(16), keep_dead=keep_dead)
        alive = merged.live_documents if merged else ()
        assert {
            merged.segment.paths[at]: merged.segment.document_ids(at).tolist() for at in alive if merged
        } == expected
        assert bool(merged and merged.dead) <= keep_dead
        for path in expected:
            assert merged is not None
            assert merged.segment.document_of_path[path] not in merged.dead, "a path is known by its living document"


def test_dead_versions_are_taken_along_once() -> None:
    def segment(name: str, content_hash: bytes, token: int) -> Segment:
        return Segment.build(name, [NewDocument("a", content_hash, [token, 2])], bytes(16))

    one, two, three = b"1" * 16, b"2" * 16, b"3" * 16
    layers = [("s1", one, 1), ("s2", two, 5), ("s3", one, 1), ("s4", two, 5), ("s5", three, 7)]
    sources = [LiveSegment(segment(*layer), frozenset([0]) if layer[0] != "s5" else frozenset()) for layer in layers]
    merged = merge_segments("m", sources, bytes(16), keep_dead=True)
    assert merged is not None
    assert [merged.segment.content_hash(number) for number in range(merged.segment.n_documents)] == [one, two, three]
    assert merged.dead == {0, 1}
