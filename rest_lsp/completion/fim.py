"""Fill-in-the-middle formats as data: one row per family of models.  Knows nothing about text.

A family is recognised by the control tokens that the tokenizer has, so that a local folder needs no catalogue entry;
where two families have the same ones, by the model's name.  Whatever control token a model writes ends its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from rest_lsp.errors import ModelError
from rest_lsp.tokenizer import Tokenizer


class Slot(Enum):
    """Where text goes in a layout: the document's, and parts of other files where the family knows how."""

    PREFIX = "prefix"
    SUFFIX = "suffix"
    OTHERS = "others"


@dataclass(frozen=True)
class FimFamily:
    """The prompt's parts in order: names of control tokens, and slots for text.  The middle follows the last part.

    marks      control tokens by which the family is known although its prompt has none of them
    optional   control tokens of the layout without which it is still the family; they are then left out
    models     a part of the model's name that tells the family from others with the same control tokens
    separator  control token before the path of each file at Slot.OTHERS, the document's own at last
    names_document_inside   whether the document's path begins its prefix rather than follow that last separator
    """

    name: str
    layout: tuple[str | Slot, ...]
    marks: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    models: str = ""
    separator: str = ""
    names_document_inside: bool = False

    @property
    def control_names(self) -> list[str]:
        return [part for part in self.layout if isinstance(part, str)]


_BARS = (Slot.OTHERS, "<|fim_prefix|>", Slot.PREFIX, "<|fim_suffix|>", Slot.SUFFIX, "<|fim_middle|>")
_PLAIN = (Slot.OTHERS, "<fim_prefix>", Slot.PREFIX, "<fim_suffix>", Slot.SUFFIX, "<fim_middle>")

FAMILIES: tuple[FimFamily, ...] = (
    # https://ai.google.dev/gemma/docs/codegemma/prompt-structure: no blanks around the markers.
    FimFamily(
        "codegemma",
        ("<bos>", *_BARS),
        marks=("<|file_separator|>",),
        optional=frozenset({"<bos>"}),
        separator="<|file_separator|>",
    ),
    # Granite 4: https://www.ibm.com/granite/docs/models/granite#fim.
    FimFamily("granite", _BARS, marks=("<|fim_pad|>", "<|end_of_text|>")),
    # Qwen2.5-Coder and Qwen3-Coder, base and instruct: README of https://github.com/QwenLM/Qwen2.5-Coder.
    FimFamily("qwen-coder", _BARS, separator="<|file_sep|>"),
    # Mellum: arXiv 2510.05788 and its model card; the suffix first, and a StarCoder-like vocabulary.
    FimFamily(
        "mellum",
        (Slot.OTHERS, "<fim_suffix>", Slot.SUFFIX, "<fim_prefix>", Slot.PREFIX, "<fim_middle>"),
        models="mellum",
        separator="<filename>",
    ),
    # StableCode-3B: card of https://huggingface.co/stabilityai/stable-code-3b.  The prompt of StarCoder.
    FimFamily("stable-code", _PLAIN, models="stable-code"),
    # StarCoder2: https://arxiv.org/abs/2402.19173 §5.1.  Also CodeQwen1.5, SmolLM and the Granite code models of 2024.
    FimFamily("starcoder", _PLAIN, separator="<file_sep>", names_document_inside=True),
    # DeepSeek-Coder and V2-Lite: README of https://github.com/deepseek-ai/DeepSeek-Coder, with full-width bars.
    FimFamily(
        "deepseek-coder",
        (
            "<｜begin▁of▁sentence｜>",
            "<｜fim▁begin｜>",
            Slot.PREFIX,
            "<｜fim▁hole｜>",
            Slot.SUFFIX,
            "<｜fim▁end｜>",
        ),
        optional=frozenset({"<｜begin▁of▁sentence｜>"}),
    ),
    # CodeLlama 7B and 13B: llama/generation.py of https://github.com/meta-llama/codellama.
    FimFamily(
        "codellama",
        ("<s>", "▁<PRE>", Slot.PREFIX, "▁<SUF>", Slot.SUFFIX, "▁<MID>"),
        optional=frozenset({"<s>"}),
    ),
    # Codestral: instruct.py of https://github.com/mistralai/mistral-common; the middle goes on right behind the prefix.
    FimFamily("codestral", ("<s>", "[SUFFIX]", Slot.SUFFIX, "[PREFIX]", Slot.PREFIX), optional=frozenset({"<s>"})),
    # Seed-Coder base: its model card, the suffix first.
    FimFamily("seed-coder", ("<[fim-suffix]>", Slot.SUFFIX, "<[fim-prefix]>", Slot.PREFIX, "<[fim-middle]>")),
)
"""The first that fits is taken, so that those with more marks come first."""


class OtherFile(NamedTuple):
    """Ids of a part of another file, and of its path with a line end."""

    path_ids: Sequence[int]
    ids: Sequence[int]


@dataclass(frozen=True)
class Fim:
    """A family with the ids of one tokenizer.  Without a `separator` it has no form for other files."""

    name: str
    layout: tuple[int | Slot, ...]
    separator: int | None = None
    names_document_inside: bool = False

    @property
    def n_markers(self) -> int:
        """Control tokens of a prompt without other files."""
        return sum(isinstance(part, int) for part in self.layout)

    def assemble(
        self,
        prefix: Sequence[int],
        suffix: Sequence[int],
        others: Sequence[OtherFile] = (),
        path_ids: Sequence[int] = (),
    ) -> list[int]:
        """The prompt up to the point where the middle begins; `path_ids` name the document where there are `others`."""
        ids: list[int] = []
        for part in self.layout:
            if isinstance(part, int):
                ids.append(part)
            elif part is Slot.OTHERS:
                ids.extend(self.before_document(others, path_ids))
            else:
                ids.extend(path_ids if part is Slot.PREFIX and others and self.names_document_inside else ())
                ids.extend(prefix if part is Slot.PREFIX else suffix)
        return ids

    def before_document(self, others: Sequence[OtherFile], path_ids: Sequence[int]) -> list[int]:
        """What stands at Slot.OTHERS: nothing without other files."""
        if self.separator is None or not others:
            return []
        ids: list[int] = []
        for other in others:
            ids += [self.separator, *other.path_ids, *other.ids]
        return [*ids, self.separator, *(() if self.names_document_inside else path_ids)]


def find_family(tokenizer: Tokenizer, model: str = "", families: Sequence[FimFamily] = FAMILIES) -> Fim:
    """The first family that fits the control tokens of `tokenizer` and the name of its `model`.

    Raises ModelError when there is none.
    """
    for family in families:
        layout = _layout(family, tokenizer)
        if layout is not None and family.models in model.lower():
            separator = tokenizer.control_id(family.separator) if family.separator else None
            return Fim(family.name, layout, separator, family.names_document_inside)
    known = "; ".join(f"{family.name} ({' '.join(family.control_names)})" for family in families)
    raise ModelError(
        "This model cannot fill in the middle: its tokenizer has the control tokens of no known format.",
        f"Choose a code model trained for it, such as qwen2.5-coder-0.5b. Known formats: {known}.",
    )


def _layout(family: FimFamily, tokenizer: Tokenizer) -> tuple[int | Slot, ...] | None:
    """The family's layout in ids, None when `tokenizer` lacks a token that it takes."""
    layout: list[int | Slot] = []
    for part in family.layout:
        found = tokenizer.control_id(part) if isinstance(part, str) else part
        if found is not None:
            layout.append(found)
        elif part not in family.optional:
            return None
    has_marks = all(tokenizer.control_id(mark) is not None for mark in family.marks)
    return tuple(layout) if has_marks else None
