"""How a completion came about, pass by pass, for whoever wants to look: the trees as the engine verified them.

Holds references to what there is anyway; whoever takes a trace asks for lines and texts when nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from rest_lsp.completion.generator import Step
from rest_lsp.completion.provenance import LineOf

TextOf = Callable[[int], str]


class TracedPass(NamedTuple):
    """One forward pass, and how many of its tokens the completion took before it stopped."""

    step: Step
    n_taken: int


@dataclass(frozen=True)
class Trace:
    """All passes of one completion.

    line_of   the line of a draft's origin, also after other requests
    text_of   the text of a token; None where code is not to be kept
    """

    passes: tuple[TracedPass, ...]
    line_of: LineOf
    text_of: TextOf | None


class Tracing(NamedTuple):
    """What a service needs so that its results carry traces: `places` is asked once per request, when it is done."""

    places: Callable[[], LineOf]
    text_of: TextOf | None
