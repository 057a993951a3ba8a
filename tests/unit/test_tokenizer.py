"""The tokenizer loses nothing, and text never becomes a control token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.errors import ModelError
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_models import (
    CONTROL,
    INDENTS,
    SAMPLE,
    byte_level_description,
    sentencepiece_description,
    write_tokenizer,
)

BYTE_LEVEL = Tokenizer(byte_level_description())
SENTENCEPIECE = Tokenizer(sentencepiece_description())
BOTH = pytest.mark.parametrize("tokenizer", [BYTE_LEVEL, SENTENCEPIECE], ids=["byte-level", "sentencepiece"])

fragments = st.sampled_from(
    [*CONTROL, *INDENTS, "<s>", "</s>", "<unk>", "\r\n", "\t", " ", "self", "e\u0301", "🎉", "\ufb01"]
)
texts = st.lists(fragments | st.text(max_size=8), max_size=12).map("".join)


@BOTH
@given(text=texts)
def test_decoding_gives_back_any_text(tokenizer: Tokenizer, text: str) -> None:
    # U+2581 is how a SentencePiece vocabulary writes a space, so there it cannot be told from one.
    text = text.replace("\u2581", "_").encode("utf-8", "replace").decode()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@BOTH
@given(text=texts)
def test_text_never_becomes_a_control_token(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.control_ids.isdisjoint(tokenizer.encode(text))


@BOTH
def test_sample_is_split_into_whole_words(tokenizer: Tokenizer) -> None:
    spelled = [tokenizer.token_bytes(token) for token in tokenizer.encode("def self")]
    assert spelled[-1] == b" self"


@BOTH
@given(ids=st.lists(st.integers(0, 500), max_size=20))
def test_any_ids_decode_to_the_text_that_their_bytes_spell(tokenizer: Tokenizer, ids: list[int]) -> None:
    spelled = b"".join(tokenizer.token_bytes(token) for token in ids)
    assert tokenizer.decode(ids) == spelled.decode("utf-8", "replace")


@BOTH
def test_batch_is_the_same_as_one_by_one(tokenizer: Tokenizer) -> None:
    lines = SAMPLE.splitlines(keepends=True)
    assert tokenizer.encode_batch(lines) == [tokenizer.encode(line) for line in lines]


def test_control_tokens_are_known_by_name_and_spell_nothing() -> None:
    ids = [BYTE_LEVEL.control_id(name) for name in CONTROL]
    assert None not in ids
    assert BYTE_LEVEL.control_ids == frozenset(ids)
    assert all(BYTE_LEVEL.token_bytes(token) == b"" for token in ids if token is not None)
    assert BYTE_LEVEL.control_id("<|nothing|>") is None
    assert BYTE_LEVEL.decode([token for token in ids if token is not None]) == ""


def test_indentation_tokens_are_text() -> None:
    (token,) = BYTE_LEVEL.encode("\t\t")
    assert BYTE_LEVEL.token_bytes(token) == b"\t\t"
    assert token not in BYTE_LEVEL.control_ids


def test_added_ids_stay_where_they_are_when_control_tokens_are_taken_out() -> None:
    description = byte_level_description()
    stored = {entry["content"]: entry["id"] for entry in description["added_tokens"]}
    assert [BYTE_LEVEL.encode(indent) for indent in INDENTS] == [[stored[indent]] for indent in INDENTS]


def test_ids_without_a_token_are_control() -> None:
    description = byte_level_description(indents=())
    description["added_tokens"][-1]["id"] += 10
    tokenizer = Tokenizer(description)
    assert tokenizer.vocab_size == max(entry["id"] for entry in description["added_tokens"]) + 1
    assert len(tokenizer.control_ids) == len(CONTROL) + 10


def test_no_space_is_put_in_front() -> None:
    assert BYTE_LEVEL.token_bytes(BYTE_LEVEL.encode("self")[0])[:1] == b"s"
    assert SENTENCEPIECE.token_bytes(SENTENCEPIECE.encode("self")[0]) == b"self"


def test_lone_surrogate_becomes_the_replacement_character() -> None:
    assert BYTE_LEVEL.decode(BYTE_LEVEL.encode("a\ud83db")) == "a\ufffdb"


def test_byte_fallback_spells_single_bytes() -> None:
    ids = SENTENCEPIECE.encode("é")
    assert [SENTENCEPIECE.token_bytes(token) for token in ids] == [b"\xc3", b"\xa9"]


def test_fingerprint_tells_vocabularies_apart(tmp_path: Path) -> None:
    same = Tokenizer.from_file(write_tokenizer(tmp_path))
    fewer_merges = byte_level_description()
    fewer_merges["model"]["merges"].pop()
    renamed = byte_level_description()
    renamed["added_tokens"][0]["content"] = "<|other|>"
    fingerprints = {tokenizer.fingerprint for tokenizer in (BYTE_LEVEL, Tokenizer(fewer_merges), Tokenizer(renamed))}
    assert same.fingerprint == BYTE_LEVEL.fingerprint
    assert len(same.fingerprint) == 32
    assert len(fingerprints) == 3


def _without(description: dict[str, Any], token: str) -> dict[str, Any]:
    del description["model"]["vocab"][token]
    return description


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": {}}',
        b'{"model": {"type": "Nonsense", "vocab": {"a": 0}}}',
        json.dumps(_without(sentencepiece_description(), "<0x41>")).encode(),
    ],
    ids=["empty", "cut", "list", "no vocabulary", "unknown kind", "a byte missing"],
)
def test_unusable_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"tokenizer\.json") as caught:
        Tokenizer.from_file(path)
    assert caught.value.hint


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.json"):
        Tokenizer.from_file(tmp_path / "nowhere.json")
