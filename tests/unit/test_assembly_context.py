"""When parts of other files are left out: switched off, no form for them, or a model that sees too little."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from rest_lsp.assembly import extra_context, fitted, wanted_capacity
from rest_lsp.assembly_drafting import Store
from rest_lsp.completion.fim import find_family
from rest_lsp.config import CompletionOptions, Settings
from rest_lsp.engine.engine import Engine
from tests.fakes_completion import small_tokenizer
from tests.files_context import Shelf

TOKENIZER = small_tokenizer()
STORE = cast("Store", Shelf({}))


@pytest.mark.parametrize(
    ("tokens", "controls", "is_indexed", "is_there"),
    [
        (0, ("<|file_sep|>",), True, False),
        (100, (), True, False),
        (100, ("<|file_sep|>",), False, False),
        (100, ("<|file_sep|>",), True, True),
    ],
)
def test_it_needs_room_an_index_and_a_form(
    tokens: int, controls: tuple[str, ...], *, is_indexed: bool, is_there: bool
) -> None:
    tokenizer = small_tokenizer(("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", *controls))
    options = CompletionOptions(context_tokens=tokens)
    found = extra_context(options, tokenizer, find_family(tokenizer), STORE if is_indexed else None)
    assert (found is not None) is is_there


def test_a_model_that_sees_less_loses_other_files_before_its_own() -> None:
    settings = Settings(completion=CompletionOptions(prompt_tokens=500, context_tokens=300))
    wanted = wanted_capacity(settings)
    assert wanted == wanted_capacity(Settings(completion=CompletionOptions(prompt_tokens=500))) + 300
    for missing, expected in [(0, (500, 300)), (200, (500, 100)), (300, (500, 0)), (350, (450, 0))]:
        options = fitted(settings, cast("Engine", SimpleNamespace(capacity=wanted - missing)))
        assert (options.prompt_tokens, options.context_tokens) == expected
