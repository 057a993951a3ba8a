"""Where the shown text was drafted from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.completion.provenance import AcceptedToken, surviving, used_sources
from rest_lsp.completion.request import SourceUse
from rest_lsp.datastore.occurrence import Origin

TOKENS_PER_LINE = 10


def line_of(origin: Origin) -> int | None:
    return None if origin.path == "gone.py" else origin.offset // TOKENS_PER_LINE


def drafted(*places: tuple[str, int] | None) -> list[AcceptedToken]:
    return [AcceptedToken(i, Origin(*place) if place else None) for i, place in enumerate(places)]


def test_own_picks_have_no_source() -> None:
    assert used_sources(drafted(None, None), line_of) == ()


def test_a_run_counts_once_at_its_first_line() -> None:
    tokens = drafted(("a.py", 38), ("a.py", 39), None, ("a.py", 40), ("a.py", 52))
    assert used_sources(tokens, line_of) == (SourceUse("a.py", 3, 4),)


def test_the_most_used_comes_first_then_by_name_and_line() -> None:
    tokens = drafted(("b.py", 0), ("a.py", 90), ("a.py", 10), ("c.py", 50), ("c.py", 51))
    assert used_sources(tokens, line_of) == (
        SourceUse("c.py", 5, 2),
        SourceUse("a.py", 1, 1),
        SourceUse("a.py", 9, 1),
        SourceUse("b.py", 0, 1),
    )


def test_the_same_place_again_adds_up() -> None:
    tokens = drafted(("a.py", 0), ("b.py", 0), ("a.py", 0))
    assert used_sources(tokens, line_of)[0] == SourceUse("a.py", 0, 2)


def test_a_document_that_has_gone_is_still_named() -> None:
    assert used_sources(drafted(("gone.py", 3), ("gone.py", 4)), line_of) == (SourceUse("gone.py", None, 2),)


def test_tokens_of_text_that_was_cut_do_not_count() -> None:
    tokens = [AcceptedToken(0, None), AcceptedToken(1, None), AcceptedToken(4, None), AcceptedToken(6, None)]
    assert surviving(tokens, "a = b)", "a = ") == tokens[:2]
    assert surviving(tokens, "a = b)", "") == []
    assert surviving(tokens, "a = b)", "a = b)") == tokens[:3]


def test_tokens_that_only_reproduce_typed_text_do_not_count() -> None:
    tokens = [AcceptedToken(0, None), AcceptedToken(0, None), AcceptedToken(2, None)]
    assert surviving(tokens, "ab c", "ab c") == tokens[1:]


@given(
    pieces=st.lists(st.text(alphabet="ab \n", min_size=1, max_size=5), max_size=10),
    n_kept=st.integers(0, 10),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_changed_blanks_do_not_shift_places(pieces: list[str], n_kept: int, line_end: str) -> None:
    starts = [len("".join(pieces[:i])) for i in range(len(pieces))]
    shown = "".join(pieces[:n_kept]).strip().replace("\n", line_end)
    kept = surviving([AcceptedToken(start, None) for start in starts], "".join(pieces), shown)
    visible = [i for i, piece in enumerate(pieces[:n_kept]) if piece.strip()]
    assert len(kept) >= (visible[-1] + 1 if visible else 0)
    assert len(kept) <= n_kept
