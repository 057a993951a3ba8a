"""Fill-in-the-middle formats as data: one row per family of models.  Knows nothing about text.

A family is recognised by the control tokens that the tokenizer has, so that a local folder needs no catalogue entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rest_lsp.errors import ModelError
from rest_lsp.tokenizer import Tokenizer


class Slot(Enum):
    """Where the document's text goes in a layout."""

    PREFIX = "prefix"
    SUFFIX = "suffix"


@dataclass(frozen=True)
class FimFamily:
    """The prompt's parts in order: names of control tokens, and slots for text.  The middle follows the last part."""

    name: str
    layout: tuple[str | Slot, ...]

    @property
    def control_names(self) -> list[str]:
        return [part for part in self.layout if isinstance(part, str)]


FAMILIES: tuple[FimFamily, ...] = (
    # Qwen2.5-Coder and Qwen3-Coder, base and instruct: README of https://github.com/QwenLM/Qwen2.5-Coder.
    FimFamily(
        "qwen-coder",
        ("<|fim_prefix|>", Slot.PREFIX, "<|fim_suffix|>", Slot.SUFFIX, "<|fim_middle|>"),
    ),
    # StarCoder2: https://arxiv.org/abs/2402.19173 §5.1.
    FimFamily("starcoder", ("<fim_prefix>", Slot.PREFIX, "<fim_suffix>", Slot.SUFFIX, "<fim_middle>")),
)


@dataclass(frozen=True)
class Fim:
    """A family with the ids of one tokenizer."""

    name: str
    layout: tuple[int | Slot, ...]

    def assemble(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """The prompt up to the point where the middle begins."""
        ids: list[int] = []
        for part in self.layout:
            if isinstance(part, int):
                ids.append(part)
            else:
                ids.extend(prefix if part is Slot.PREFIX else suffix)
        return ids


def find_family(tokenizer: Tokenizer, families: Sequence[FimFamily] = FAMILIES) -> Fim:
    """The first family whose control tokens `tokenizer` all has.  Raises ModelError when there is none."""
    for family in families:
        found = [tokenizer.control_id(part) if isinstance(part, str) else part for part in family.layout]
        layout = tuple(part for part in found if part is not None)
        if len(layout) == len(found):
            return Fim(family.name, layout)
    known = "; ".join(f"{family.name} ({' '.join(family.control_names)})" for family in families)
    raise ModelError(
        "This model cannot fill in the middle: its tokenizer has the control tokens of no known format.",
        f"Choose a code model trained for it, such as qwen2.5-coder-0.5b. Known formats: {known}.",
    )
