"""Prompts as ids of real tokenizers, against golden files: see tests/golden_prompts.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers

from tests.fakes_completion import Golden, golden_files
from tests.golden_prompts import description_of, ids_text, kept_tokenizer, prompt_of


@pytest.mark.parametrize("path", golden_files("prompt"), ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    golden = Golden.read(path)
    prompt = prompt_of(golden, kept_tokenizer(golden.options["tokenizer"]))
    assert ids_text(prompt.ids) == golden.sections["ids"]
    assert prompt.pending.decode() == golden.sections["pending"]


@pytest.mark.parametrize("name", ["qwen_within_a_word", "qwen_nothing_below_at_the_anchor"])
def test_split_at_the_cursor_it_is_the_prompt_that_the_model_card_writes(name: str) -> None:
    """README of https://github.com/QwenLM/Qwen2.5-Coder, with its control tokens read out of the text."""
    (path,) = (path for path in golden_files("prompt") if path.stem == name)
    request = Golden.read(path).request
    before, after = request.text[: request.offset], request.text[request.offset :]
    written = f"<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>"
    read = tokenizers.Tokenizer.from_str(json.dumps(description_of("qwen2.5-coder"))).encode(written)
    assert ids_text(read.ids) == Golden.read(path).sections["ids"]
