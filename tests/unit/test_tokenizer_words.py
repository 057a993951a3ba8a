"""The memory of words gives exactly the ids of the tokenizer itself, or says that it cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from rest_lsp.tokenizer import Tokenizer
from rest_lsp.tokenizer_words import word_encoder

QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXTS = ["def function(self, argument):\n    return self.argument\n", "it's über 日本 a²  \n\n\n    pass'S  x\n"]


def description(split: str | None) -> dict[str, Any]:
    backend = Backend(models.BPE())
    alone = pre_tokenizers.ByteLevel(add_prefix_space=False)
    after = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    steps = [pre_tokenizers.Split(Regex(split), "isolated"), after] if split else []
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps) if split else alone
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(TEXTS * 20, trainer)
    found: dict[str, Any] = json.loads(backend.to_str())
    return found


def plain_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    found: list[int] = tokenizer._backend.encode(text, add_special_tokens=False).ids
    return found


QWEN, GPT2 = (Tokenizer(description(split)) for split in (QWEN_SPLIT, None))
PIECES = st.sampled_from([*" \t\n\r'Ss\x1c\x85\u00a0\u3000é日²½٣ſ\u0301😀_=1", "it's", "self", "\r\n", "  \n", "'LL"])
CODE = st.lists(PIECES, max_size=30).map("".join)


@pytest.mark.parametrize("tokenizer", [QWEN, GPT2], ids=["qwen", "gpt2"])
@given(text=CODE | st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_ids_are_those_of_the_tokenizer_itself(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.encode_batch([text, "x = 1\n"]) == [plain_ids(tokenizer, text), plain_ids(tokenizer, "x = 1\n")]


@pytest.mark.parametrize("tokenizer", [QWEN, GPT2], ids=["qwen", "gpt2"])
def test_usual_text_is_remembered_and_doubtful_text_left_to_the_tokenizer(tokenizer: Tokenizer) -> None:
    asked: list[str] = []

    def encode(text: str) -> list[int]:
        asked.append(text)
        return plain_ids(tokenizer, text)

    words = word_encoder(description(QWEN_SPLIT if tokenizer is QWEN else None), encode)
    assert words is not None
    assert words.encode("größe = 日本\n") is not None
    asked.clear()
    assert words.encode("größe = 日本\n" * 3) is not None
    assert len(asked) <= 2, "words are asked for once"
    assert words.encode("smile 😀") is None
    assert words.encode("ſ") is None


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "NFC"}},
        {"added_tokens": [{"content": "  "}]},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": None},
        {"model": {"type": "Unigram"}},
    ],
    ids=str,
)
def test_tokenizers_with_other_rules_keep_their_own_way(change: dict[str, Any]) -> None:
    assert word_encoder({**description(None), **change}, QWEN.encode) is None


def test_an_expression_that_gives_other_words_is_refused() -> None:
    found = description(r"\p{L}+|[^\p{L}]+")
    assert word_encoder(found, QWEN.encode) is None
    assert word_encoder(description(r"(\p{L}+|[^\p{L}]+)"), QWEN.encode) is None
