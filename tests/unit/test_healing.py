"""Whatever allowed tokens are picked, the typed text comes out first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.healing import Healing
from rest_lsp.tokenizer import SortedVocabulary, Tokenizer
from tests.fakes_models import byte_level_description, sentencepiece_description

BYTE_LEVEL = Tokenizer(byte_level_description())
SENTENCEPIECE = Tokenizer(sentencepiece_description())
BOTH = pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, SENTENCEPIECE], ids=["byte-level", "sentencepiece"])

typed = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([b"self", b"(sel", b"    retur", "schö".encode(), "schö".encode()[:-1], b"\xff\xff", b"\x00"]),
)


@BOTH
@given(pending=typed, data=st.data())
def test_any_allowed_picks_reproduce_what_is_pending(tokenizer: Tokenizer, pending: bytes, data: st.DataObject) -> None:
    healing: Healing | None = Healing(pending, tokenizer.sorted_vocabulary)
    produced = b""
    while healing is not None:
        token = int(data.draw(st.sampled_from(healing.allowed().tolist())))
        produced += tokenizer.token_bytes(token)
        healing = healing.advance(token)
    assert produced.startswith(pending)


@BOTH
@given(pending=typed)
def test_allowed_is_what_allows_says_of_every_token(tokenizer: Tokenizer, pending: bytes) -> None:
    healing = Healing(pending, tokenizer.sorted_vocabulary)
    expected = [token for token in range(tokenizer.vocab_size + 3) if healing.allows(token)]
    assert healing.allowed().tolist() == expected
    assert expected
    assert healing.allowed().dtype == np.int64


def test_control_tokens_are_never_allowed() -> None:
    healing = Healing(b"<|fim", BYTE_LEVEL.sorted_vocabulary)
    assert not any(healing.allows(token) for token in BYTE_LEVEL.control_ids)


def test_a_token_that_goes_beyond_ends_the_healing() -> None:
    (whole,) = SENTENCEPIECE.encode("self")
    (start,) = SENTENCEPIECE.encode("se")
    healing = Healing(b"sel", SENTENCEPIECE.sorted_vocabulary)
    assert healing.allows(whole)
    assert healing.advance(whole) is None
    rest = healing.advance(start)
    assert rest is not None
    assert rest.pending == b"l"


def test_a_token_that_disagrees_cannot_be_taken() -> None:
    (other,) = SENTENCEPIECE.encode("def")
    with pytest.raises(ValueError, match="does not agree"):
        Healing(b"sel", SENTENCEPIECE.sorted_vocabulary).advance(other)


def test_nothing_pending_is_not_a_healing() -> None:
    with pytest.raises(ValueError, match="None"):
        Healing(b"", SENTENCEPIECE.sorted_vocabulary)


@given(spellings=st.lists(st.binary(max_size=4), max_size=40), prefix=st.binary(max_size=4))
def test_sorted_vocabulary_finds_what_a_scan_finds(spellings: list[bytes], prefix: bytes) -> None:
    vocabulary = SortedVocabulary(spellings)
    scan = {token for token, spelling in enumerate(spellings) if spelling and spelling.startswith(prefix)}
    assert set(vocabulary.starting_with(prefix).tolist()) == scan
    exact = {token for token, spelling in enumerate(spellings) if spelling and spelling == prefix}
    assert set(vocabulary.spelling_exactly(prefix).tolist()) == exact
