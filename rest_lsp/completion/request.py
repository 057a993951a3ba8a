"""What is asked and what is answered: plain data.  Knows nothing about how an answer is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from rest_lsp.stats import Span

if TYPE_CHECKING:
    from rest_lsp.completion.trace import Trace


class Trigger(Enum):
    """Who asked: a person by a key, or the editor while somebody types."""

    INVOKED = "invoked"
    AUTOMATIC = "automatic"


class Outcome(Enum):
    """How a request ended; exactly one per request, whatever happened."""

    RETURNED = "returned"
    EMPTY = "empty"
    CANCELLED = "cancelled"
    STALE = "stale"
    FILTERED = "filtered"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    NO_MODEL = "no_model"
    DISABLED = "disabled"
    SECRET = "secret"
    UNREADABLE = "unreadable"
    MENU = "menu"
    FAILED = "failed"


class StopReason(Enum):
    """Why generation ended."""

    END = "end"
    LINE = "line"
    BLOCK = "block"
    SUFFIX = "suffix"
    LOOP = "loop"
    MAX_LINES = "max_lines"
    MAX_TOKENS = "max_tokens"
    BUDGET = "budget"


class Cell(NamedTuple):
    """The part of a notebook's text that is the cell with the cursor; an answer changes nothing outside it."""

    start: int
    end: int


@dataclass(frozen=True)
class CompletionRequest:
    """One document snapshot and a cursor in it.

    offset          cursor as an index into `text`, in code points
    path            the document in the workspace, None for a buffer without a file
    version         of the document, so that a late answer is known to be stale
    selected_text   what the completion menu would put from `selected_start` (`offset` when None) up to the cursor: the
                    answer then replaces that range and begins with this text
    cell            where `text` is that of a notebook
    """

    text: str
    offset: int
    path: str | None = None
    language: str = ""
    version: int = 0
    trigger: Trigger = Trigger.INVOKED
    selected_text: str | None = None
    selected_start: int | None = None
    cell: Cell | None = None


@dataclass(frozen=True)
class Wishes:
    """What one request wants otherwise than the options say; None is as they say.  `is_plain` is without drafts;
    `n_chances` likeliest tokens are told for each one.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    is_plain: bool = False
    n_chances: int = 0


AS_SET = Wishes()


class SourceUse(NamedTuple):
    """`tokens` of the shown text were drafted from `path`, from `line` on (zero-based, None when it has gone)."""

    path: str
    line: int | None
    tokens: int


@dataclass(frozen=True)
class CompletionResult:
    """The answer: `text` replaces `request.text[start:end]`.

    written       what the model wrote up to where a rule stopped it, before post-processing
    tokens        decoded tokens, the one that stopped generation included; `token_ids` are they
    log_probs     of each token, the natural logarithm of its probability
    chances       for each token those that were likeliest in its place, with that logarithm, as many as were wished for
    forwards      forward passes of decoding; drafted: nodes verified in them
    accepted_by   decoded tokens that came from drafts, by draft source
    confidence    geometric mean of the probabilities of the shown tokens, or of those that were not sure enough
    reused        tokens of the prompt that the KV cache still knew
    spans         milliseconds by step: snapshot, build_prompt, prefill, draft, verify, postprocess
    draft_ms      of each forward pass: making the draft and learning from it; `learn_ms`: the latter alone
    trace         every pass with its tree, where the service was told to keep them
    """

    text: str
    start: int
    end: int
    outcome: Outcome
    stop: StopReason | None = None
    sources: tuple[SourceUse, ...] = ()
    written: str = ""
    token_ids: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    chances: tuple[Sequence[tuple[int, float]], ...] = ()
    forwards: int = 0
    drafted: int = 0
    accepted_by: tuple[tuple[str, int], ...] = ()
    prompt_tokens: int = 0
    reused: int = 0
    confidence: float = 0.0
    spans: Mapping[Span, float] = field(default_factory=dict)
    draft_ms: tuple[float, ...] = ()
    learn_ms: tuple[float, ...] = ()
    trace: Trace | None = field(default=None, repr=False, compare=False)

    @property
    def tokens(self) -> int:
        return len(self.token_ids)

    @property
    def accepted(self) -> int:
        return sum(n for _, n in self.accepted_by)

    @property
    def prefill_ms(self) -> float:
        return self.spans.get("prefill", 0.0)

    @property
    def decode_ms(self) -> float:
        """Drafting and verifying; the first pass, which also reads the last typed token, included."""
        return self.spans.get("draft", 0.0) + self.spans.get("verify", 0.0)

    @property
    def retrieval_ms(self) -> float:
        """The part of `decode_ms` that drafting took."""
        return self.spans.get("draft", 0.0)
