"""What the server of the editor tests suggests: a function of the line alone, so that a test can foretell it."""

from __future__ import annotations

from typing import NamedTuple

PHRASES = (
    "value = compute(1, 2)",
    "for item in items:\n    total += item\n\n    print(total)",
    "größe = 'naïve 😀 ende'",
    "x",
    "return self.name)",
    "wrap(a(b))",
    "  indented\n\ttabbed",
)
N_CHOICES = 3


class Suggestion(NamedTuple):
    """Text for the cursor, and how many characters behind the cursor it replaces."""

    text: str
    n_replaced: int


def suggest(before: str, after: str, choice: int = 0) -> Suggestion | None:
    """What stands at the cursor decides: the phrase goes by the number of words, and a begun phrase is continued."""
    phrase = PHRASES[before.count(" ") % len(PHRASES)] + ("" if choice == 0 else f" # {choice}")
    begun = before.rpartition(" ")[2]
    text = phrase.removeprefix(begun)
    if not text:
        return None
    return Suggestion(text, int(after.startswith(")") and text.endswith(")")))
