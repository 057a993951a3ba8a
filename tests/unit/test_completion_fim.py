"""FIM formats: found by control tokens, laid out as the table says."""

from __future__ import annotations

import pytest

from rest_lsp.completion.fim import FAMILIES, FimFamily, Slot, find_family
from rest_lsp.errors import ModelError
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_completion import CONTROLS, small_tokenizer

QWEN_IDS = {"<|fim_prefix|>": 151659, "<|fim_middle|>": 151660, "<|fim_suffix|>": 151661}
"""From the tokenizer_config.json of Qwen2.5-Coder."""


class QwenControls(Tokenizer):
    """Only the control tokens of the real vocabulary."""

    def __init__(self) -> None:
        pass

    def control_id(self, name: str) -> int | None:
        return QWEN_IDS.get(name)


def test_qwen_prompt_is_made_of_the_published_ids() -> None:
    fim = find_family(QwenControls())
    assert fim.name == "qwen-coder"
    assert fim.assemble([1, 2], [3]) == [151659, 1, 2, 151661, 3, 151660]


def test_empty_prefix_and_suffix_keep_their_markers() -> None:
    assert find_family(QwenControls()).assemble([], []) == [151659, 151661, 151660]


def test_a_vocabulary_without_the_tokens_is_refused_with_a_remedy() -> None:
    with pytest.raises(ModelError, match="cannot fill in the middle") as refused:
        find_family(small_tokenizer(("<|endoftext|>", "<|fim_prefix|>")))
    assert "<|fim_middle|>" in refused.value.hint


def test_a_family_is_a_row() -> None:
    suffix_first = FimFamily("suffix-first", ("[S]", Slot.SUFFIX, "[P]", Slot.PREFIX))
    tokenizer = small_tokenizer(("[S]", "[P]"))
    fim = find_family(tokenizer, [*FAMILIES, suffix_first])
    assert fim.assemble([1], [2]) == [tokenizer.control_id("[S]"), 2, tokenizer.control_id("[P]"), 1]


def test_the_first_family_that_fits_wins() -> None:
    assert find_family(small_tokenizer(CONTROLS)).name == "qwen-coder"
    assert find_family(small_tokenizer(("<fim_prefix>", "<fim_suffix>", "<fim_middle>"))).name == "starcoder"


def test_every_family_has_both_slots_once() -> None:
    for family in FAMILIES:
        assert sorted(part.value for part in family.layout if isinstance(part, Slot)) == ["prefix", "suffix"]
