"""Documents in prompts with the markers of fill-in-the-middle."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.completion.fim import FAMILIES, FimFamily, Slot
from rest_lsp.http.prompts import Place, place_of

MARKERS = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<s>", "[SUFFIX]", "[PREFIX]", "x", "\n"]


def by_expression(prompt: str) -> Place:
    """The same, as an expression that says it best and takes the cube of a prompt's length."""
    for family in FAMILIES:
        asked = [part for part in family.layout if part is not Slot.OTHERS]
        parts = [re.escape(part) if isinstance(part, str) else f"(?P<{part.value}>.*)" for part in asked]
        found = re.fullmatch("".join(parts) + "(?P<middle>.*)", prompt, re.DOTALL)
        if found is not None:
            return Place(found["prefix"] + found["middle"], found["suffix"])
    return Place(prompt, "")


@given(st.lists(st.sampled_from(MARKERS), max_size=12).map("".join))
def test_texts_are_found_between_markers(prompt: str) -> None:
    assert place_of(prompt, None) == by_expression(prompt)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_is_understood(family: FimFamily) -> None:
    texts = {Slot.PREFIX: "def f():\n    ", Slot.SUFFIX: "\n\nf()\n", Slot.OTHERS: ""}
    prompt = "".join(part if isinstance(part, str) else texts[part] for part in family.layout)
    assert place_of(prompt + "return", None) == Place("def f():\n    return", "\n\nf()\n")


def test_a_suffix_beside_the_prompt_means_that_markers_are_text() -> None:
    prompt = "<fim_prefix>a<fim_suffix>b<fim_middle>"
    assert place_of(prompt, "c") == Place(prompt, "c")


def test_thousands_of_markers_are_no_more_than_text() -> None:
    prompt = "<fim_prefix>" + 20_000 * "<fim_suffix>"
    assert place_of(prompt, None) == Place(prompt, "")
