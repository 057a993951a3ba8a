"""The document in a client's prompt.  Some clients write the markers of fill-in-the-middle themselves."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rest_lsp.completion.fim import FAMILIES, FimFamily, Slot


class Place(NamedTuple):
    """Text before and after the cursor."""

    before: str
    after: str

    @property
    def text(self) -> str:
        return self.before + self.after


def place_of(prompt: str, suffix: str | None) -> Place:
    """With markers in `prompt` and no `suffix` the text between them; what follows the last marker is typed already."""
    if not suffix:
        for family in FAMILIES:
            texts = _divide(prompt, family)
            if texts is not None:
                return Place(texts[Slot.PREFIX] + texts.get(None, ""), texts[Slot.SUFFIX])
    return Place(prompt, suffix or "")


def _divide(prompt: str, family: FimFamily) -> dict[Slot | None, str] | None:
    """The texts behind the markers, that of the middle under None; None where the prompt has others.

    Each marker is looked for once, so that a prompt of a thousand markers takes no longer than any.
    """
    sections, texts, end = _sections(family), dict[Slot | None, str](), len(prompt)
    for number, (marker, slot) in reversed([*enumerate(sections)]):
        at = prompt.rfind(marker, 0, end if number else len(marker))
        if at < 0 or at + len(marker) > end:
            return None
        texts[slot] = prompt[at + len(marker) : end]
        end = at
    return texts


@lru_cache
def _sections(family: FimFamily) -> list[tuple[str, Slot | None]]:
    """Each slot with the markers before it; a last marker begins the middle, which has no slot."""
    sections: list[tuple[str, Slot | None]] = []
    marker = ""
    for part in family.layout:
        if isinstance(part, str):
            marker += part
        elif part is not Slot.OTHERS:
            sections.append((marker, part))
            marker = ""
    return [*sections, (marker, None)] if marker else sections
