"""FIM formats: found by control tokens, laid out as the table says."""

from __future__ import annotations

import pytest

from rest_lsp.completion.fim import FAMILIES, FimFamily, OtherFile, Slot, find_family
from rest_lsp.errors import ModelError
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_completion import CONTROLS, small_tokenizer

BARS = {"<|fim_prefix|>": 151659, "<|fim_middle|>": 151660, "<|fim_suffix|>": 151661}
STARCODER = {"<fim_prefix>": 1, "<fim_middle>": 2, "<fim_suffix>": 3, "<fim_pad>": 4}
DEEPSEEK = {
    "<｜begin▁of▁sentence｜>": 32013,
    "<｜fim▁hole｜>": 32015,
    "<｜fim▁begin｜>": 32016,
    "<｜fim▁end｜>": 32017,
}
CODELLAMA = {"<s>": 1, "▁<PRE>": 32007, "▁<SUF>": 32008, "▁<MID>": 32009, "▁<EOT>": 32010}
CODESTRAL = {"<s>": 1, "[PREFIX]": 11, "[MIDDLE]": 12, "[SUFFIX]": 13}
CODEGEMMA = {"<bos>": 2, "<|fim_prefix|>": 67, "<|fim_middle|>": 68, "<|fim_suffix|>": 69, "<|file_separator|>": 70}
GRANITE = {"<|fim_prefix|>": 1, "<|fim_middle|>": 2, "<|fim_suffix|>": 3, "<|fim_pad|>": 4, "<|end_of_text|>": 0}
SEED = {"<[fim-prefix]>": 1, "<[fim-middle]>": 2, "<[fim-suffix]>": 3}
"""Control tokens.  Read from the vocabularies of Qwen2.5-Coder, StarCoder, DeepSeek-Coder and Codestral (v3); those of
CodeLlama and CodeGemma are published; for Granite 4 and Seed-Coder no tokenizer was at hand, and theirs are made up.
"""


class Controls(Tokenizer):
    """Only the control tokens of a vocabulary."""

    def __init__(self, ids: dict[str, int]) -> None:
        self._ids = ids

    def control_id(self, name: str) -> int | None:
        return self._ids.get(name)


@pytest.mark.parametrize(
    ("name", "model", "ids", "expected"),
    [
        ("qwen-coder", "qwen2.5-coder-0.5b", BARS, [151659, -1, -2, 151661, -3, 151660]),
        ("starcoder", "starcoder2-3b", STARCODER, [1, -1, -2, 3, -3, 2]),
        ("stable-code", "stabilityai/stable-code-3b", STARCODER, [1, -1, -2, 3, -3, 2]),
        ("mellum", "JetBrains/Mellum-4b-base", STARCODER, [3, -3, 1, -1, -2, 2]),
        ("deepseek-coder", "", DEEPSEEK, [32013, 32016, -1, -2, 32015, -3, 32017]),
        ("codellama", "", CODELLAMA, [1, 32007, -1, -2, 32008, -3, 32009]),
        ("codestral", "", CODESTRAL, [1, 13, -3, 11, -1, -2]),
        ("codegemma", "", CODEGEMMA, [2, 67, -1, -2, 69, -3, 68]),
        ("granite", "", GRANITE, [1, -1, -2, 3, -3, 2]),
        ("seed-coder", "", SEED, [3, -3, 1, -1, -2, 2]),
    ],
)
def test_the_prompt_of_each_family(name: str, model: str, ids: dict[str, int], expected: list[int]) -> None:
    fim = find_family(Controls(ids), model)
    assert (fim.name, fim.assemble([-1, -2], [-3])) == (name, expected)


def test_every_family_is_tested() -> None:
    (table,) = test_the_prompt_of_each_family.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in table.args[1]} == {family.name for family in FAMILIES}


def test_a_start_token_that_the_vocabulary_lacks_is_left_out() -> None:
    ids = {name: token for name, token in DEEPSEEK.items() if "sentence" not in name}
    assert find_family(Controls(ids)).assemble([], []) == [32016, 32015, 32017]


def test_empty_prefix_and_suffix_keep_their_markers() -> None:
    assert find_family(Controls(BARS)).assemble([], []) == [151659, 151661, 151660]


def test_a_vocabulary_without_the_tokens_is_refused_with_a_remedy() -> None:
    with pytest.raises(ModelError, match="cannot fill in the middle") as refused:
        find_family(small_tokenizer(("<|endoftext|>", "<|fim_prefix|>")))
    assert "<|fim_middle|>" in refused.value.hint


def test_a_family_is_a_row() -> None:
    suffix_first = FimFamily("suffix-first", ("[S]", Slot.SUFFIX, "[P]", Slot.PREFIX))
    tokenizer = small_tokenizer(("[S]", "[P]"))
    fim = find_family(tokenizer, families=[*FAMILIES, suffix_first])
    assert fim.assemble([1], [2]) == [tokenizer.control_id("[S]"), 2, tokenizer.control_id("[P]"), 1]


def test_the_first_family_that_fits_wins() -> None:
    assert find_family(small_tokenizer(CONTROLS)).name == "qwen-coder"
    assert find_family(small_tokenizer(("<fim_prefix>", "<fim_suffix>", "<fim_middle>"))).name == "starcoder"


def test_every_family_has_both_slots_once() -> None:
    for family in FAMILIES:
        slots = [part for part in family.layout if isinstance(part, Slot)]
        assert [slots.count(slot) for slot in (Slot.PREFIX, Slot.SUFFIX)] == [1, 1]
        assert Slot.OTHERS in slots or not family.separator


OTHERS = [OtherFile([51, 52], [-4]), OtherFile([53], [-5, -6])]


@pytest.mark.parametrize(
    ("model", "ids", "expected"),
    [
        (
            "qwen2.5-coder-0.5b",
            {**BARS, "<|file_sep|>": 151664},
            [151664, 51, 52, -4, 151664, 53, -5, -6, 151664, 50, 151659, -1, -2, 151661, -3, 151660],
        ),
        ("starcoder2-3b", {**STARCODER, "<file_sep>": 5}, [5, 51, 52, -4, 5, 53, -5, -6, 5, 1, 50, -1, -2, 3, -3, 2]),
        ("Mellum-4b", {**STARCODER, "<filename>": 6}, [6, 51, 52, -4, 6, 53, -5, -6, 6, 50, 3, -3, 1, -1, -2, 2]),
        ("", CODEGEMMA, [2, 70, 51, 52, -4, 70, 53, -5, -6, 70, 50, 67, -1, -2, 69, -3, 68]),
        ("", BARS, [151659, -1, -2, 151661, -3, 151660]),
        ("", CODELLAMA, [1, 32007, -1, -2, 32008, -3, 32009]),
    ],
    ids=["qwen-coder", "starcoder", "mellum", "codegemma", "qwen without the token", "codellama has no form"],
)
def test_other_files_stand_where_the_family_has_them(model: str, ids: dict[str, int], expected: list[int]) -> None:
    assert find_family(Controls(ids), model).assemble([-1, -2], [-3], OTHERS, [50]) == expected


def test_without_other_files_the_document_has_no_name() -> None:
    fim = find_family(Controls({**BARS, "<|file_sep|>": 151664}))
    assert fim.assemble([-1], [-3], [], [50]) == [151659, -1, 151661, -3, 151660]
