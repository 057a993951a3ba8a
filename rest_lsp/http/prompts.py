"""The document in a client's prompt.  Some clients write the markers of fill-in-the-middle themselves."""

from __future__ import annotations

import re
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
            found = _pattern(family).fullmatch(prompt)
            if found is not None:
                return Place(found["prefix"] + found["middle"], found["suffix"])
    return Place(prompt, suffix or "")


@lru_cache
def _pattern(family: FimFamily) -> re.Pattern[str]:
    asked = [part for part in family.layout if part is not Slot.OTHERS]
    parts = [re.escape(part) if isinstance(part, str) else f"(?P<{part.value}>.*)" for part in asked]
    assert {Slot.PREFIX, Slot.SUFFIX} <= set(family.layout)
    return re.compile("".join(parts) + "(?P<middle>.*)", re.DOTALL)
