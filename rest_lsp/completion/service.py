"""From a request to a result: the way of a keystroke, step by step.  Knows no protocol and no torch."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rest_lsp.background import BACKGROUND
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.confidence import confidence, least_confidence, occasion_of
from rest_lsp.completion.context import ExtraContext
from rest_lsp.completion.fim import Fim
from rest_lsp.completion.generator import Generator, Prefill, Step
from rest_lsp.completion.multiline import is_multiline, is_unwanted
from rest_lsp.completion.postprocess import Insertion, postprocess
from rest_lsp.completion.prompt import Prompt, PromptBuilder
from rest_lsp.completion.provenance import AcceptedToken, LineOf, surviving, used_sources
from rest_lsp.completion.request import (
    AS_SET,
    CompletionRequest,
    CompletionResult,
    Outcome,
    StopReason,
    Trigger,
    Wishes,
)
from rest_lsp.completion.snapshot import Snapshot, take_snapshot
from rest_lsp.completion.stop import StopRules
from rest_lsp.completion.trace import Trace, TracedPass, Tracing
from rest_lsp.config import CompletionOptions
from rest_lsp.datastore.occurrence import Origin
from rest_lsp.drafting.drafter import Drafter, NoDrafter
from rest_lsp.drafting.recent import RecentCompletions
from rest_lsp.errors import Cancelled
from rest_lsp.stats import CompletionStats, StatsLog
from rest_lsp.syntax.place import ParsedDocuments
from rest_lsp.tokenizer import Tokenizer

if TYPE_CHECKING:
    from rest_lsp.engine.sampling import Sampling

MAX_CHARACTERS = 50_000_000
"""A longer text is no source code, and looking for the cursor's line alone would be felt."""

DECODING_SHARE = 0.5
"""Of a time budget, what is left for writing however long reading the prompt took: else that was for nothing."""

WARM, WARM_TOP_P = 0.8, 0.95
"""What code models are sampled with for several candidates (Chen et al., arXiv 2107.03374 §3.3)."""
DRAWS_PER_CANDIDATE = 2

DrafterFactory = Callable[[CompletionRequest, Prompt], Drafter]


class CompletionService:
    """Answers one request at a time, from one thread.  Every request is measured in `stats`, whatever happened.
    What works in the background pauses meanwhile.

    With `tracing` results carry every pass with its tree.  `heals` is for measuring what token healing is worth.
    """

    def __init__(
        self,
        engine: Generator,
        tokenizer: Tokenizer,
        fim: Fim,
        drafter_factory: DrafterFactory,
        options: CompletionOptions,
        *,
        sampling: Sampling,
        line_of: LineOf,
        stats: StatsLog,
        recent: RecentCompletions | None = None,
        tracing: Tracing | None = None,
        context: ExtraContext | None = None,
        heals: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._drafter_factory = drafter_factory
        self._options = options
        self._sampling = sampling
        self._line_of = line_of
        self._stats = stats
        self._recent = recent
        self._tracing = tracing
        self._context = context
        self._clock = clock
        self._documents = ParsedDocuments()
        self._prompts = PromptBuilder(
            tokenizer, fim, budget_tokens=options.prompt_tokens, anchor_lines=options.anchor_lines, heals=heals
        )

    @BACKGROUND.paused()
    def complete(
        self,
        request: CompletionRequest,
        cancel: CancelToken,
        wishes: Wishes = AS_SET,
        watch: Callable[[str], None] = lambda _: None,
    ) -> CompletionResult:
        """What to insert at the cursor.  Cancellation is an outcome, not an error.

        `watch` is told after every pass what has been written so far, before any post-processing.  Raises RequestError
        when the cursor is not in the text, and what the engine raises when it is broken.
        """
        budget_s = self._budget_s(request.trigger)
        deadline = self._clock() + budget_s
        sampling = _as_wished(self._sampling, wishes)
        run = _Run(request, sampling, deadline=deadline, decoding_s=DECODING_SHARE * budget_s)
        run.max_tokens, run.is_plain, run.n_chances = wishes.max_tokens, wishes.is_plain, wishes.n_chances
        run.watch = watch
        run.passes = [] if self._tracing else None
        try:
            return self._measured(run, cancel)
        except Cancelled:
            return run.without_text(Outcome.CANCELLED)

    @BACKGROUND.paused()
    def alternatives(
        self, request: CompletionRequest, known: Collection[str], cancel: CancelToken
    ) -> list[CompletionResult]:
        """Other texts than `known` for the same place, up to `candidates` together, in half the time budget.

        They are drawn behind the prompt that the KV cache holds, each with a seed of its own, and each is drafted from
        those before.  A tree for all could share no more: where they part, each needs keys and values of its own; so
        the passes of each stay, bit for bit, those of plain decoding with its seed.  Fewer when the model says the same
        again and again.  Raises Cancelled and what `complete` raises.
        """
        deadline = self._clock() + DECODING_SHARE * self._budget_s(request.trigger)
        found: list[CompletionResult] = []
        texts = {*known}
        for draw in range(1, DRAWS_PER_CANDIDATE * self._options.candidates):
            if len(texts) >= self._options.candidates or self._clock() >= deadline:
                break
            result = self._measured(_Run(request, self._another(draw), deadline=deadline, decoding_s=0.0), cancel)
            if result.text and result.text not in texts:
                texts.add(result.text)
                found.append(result)
        return found

    def _another(self, draw: int) -> Sampling:
        """Sampling for the `draw`th alternative: as set, or warm enough to differ and cool enough to be code."""
        sampling = replace(self._sampling, seed=self._sampling.seed + draw)
        return sampling if sampling.temperature > 0 else replace(sampling, temperature=WARM, top_p=WARM_TOP_P)

    def _measured(self, run: _Run, cancel: CancelToken) -> CompletionResult:
        try:
            return self._complete(run, cancel)
        finally:
            self._stats.record(run.stats)

    @BACKGROUND.paused()
    def prewarm(self, request: CompletionRequest, cancel: CancelToken) -> None:
        """Read the prompt for this place, so that a request for it, or for one near it, finds it in the KV cache.

        Raises Cancelled; what was read until then is kept.
        """
        if len(request.text) > MAX_CHARACTERS or "\0" in request.text:
            return
        snapshot = take_snapshot(request, self._prompts.reach, self._documents)
        if not _is_undecoded(snapshot):
            self._engine.prefill(self._prompt(request, snapshot).ids, cancel)

    def _budget_s(self, trigger: Trigger) -> float:
        options, is_automatic = self._options, trigger is Trigger.AUTOMATIC
        budget_ms = options.time_budget_automatic_ms if is_automatic else options.time_budget_invoked_ms
        return budget_ms / 1e3 if budget_ms else math.inf

    def _complete(self, run: _Run, cancel: CancelToken) -> CompletionResult:
        request = run.request
        if len(request.text) > MAX_CHARACTERS:
            return run.without_text(Outcome.TOO_LARGE)
        with run.stats.span("snapshot"):
            snapshot = take_snapshot(request, self._prompts.reach, self._documents)
        if "\0" in request.text or _is_undecoded(snapshot):
            return run.without_text(Outcome.UNSUPPORTED)
        if request.trigger is Trigger.AUTOMATIC and is_unwanted(snapshot):
            return run.without_text(Outcome.FILTERED)
        cancel.raise_if_cancelled()
        with run.stats.span("build_prompt"):
            prompt = self._prompt(request, snapshot)
        rules = self._stop_rules(snapshot, prompt, run.max_tokens)
        try:
            self._generate(run, prompt, rules, cancel)
        except Cancelled:
            # The key that superseded it often agrees with what was written until then.
            self._remember(request, snapshot, rules, shown="")
            raise
        with run.stats.span("postprocess"):
            insertion = postprocess(rules.text, snapshot)
            if insertion.text:
                self._remember(request, snapshot, rules, shown=insertion.text)
            run.confidence = confidence(run.log_probs, rules.starts, rules.text, insertion.text)
            if insertion.text and run.confidence < least_confidence(
                occasion_of(snapshot, request.trigger, multiline=rules.is_multiline), self._options
            ):
                insertion, run.is_doubtful = Insertion("", 0), True
        result = run.result(snapshot, prompt, rules, insertion, self._line_of)
        if self._tracing is None or run.passes is None:
            return result
        return replace(result, trace=Trace(tuple(run.passes), self._tracing.places(), self._tracing.text_of))

    def _remember(self, request: CompletionRequest, snapshot: Snapshot, rules: StopRules, *, shown: str) -> None:
        """The model will write again what it wrote, also what nobody was shown.

        Where that does not begin with what was `shown`, typing leads there, and elsewhere.
        """
        written = rules.text if rules.reason is StopReason.LOOP else rules.all_written
        written, shown = written.replace("\r\n", "\n"), shown.replace("\r\n", "\n")
        text = written if written.startswith(shown) else shown
        if self._recent is not None and text.strip():
            self._recent.add(request.path, snapshot.before, text)

    def _prompt(self, request: CompletionRequest, snapshot: Snapshot) -> Prompt:
        others = self._context.others(request, snapshot) if self._context is not None else ()
        return self._prompts.build_prompt(snapshot, others, request.path or "")

    def _stop_rules(self, snapshot: Snapshot, prompt: Prompt, wanted: int | None) -> StopRules:
        options = self._options
        multiline = is_multiline(snapshot, options.multiline)
        max_tokens = options.max_tokens_multi if multiline else options.max_tokens_single
        max_tokens = max_tokens if wanted is None else min(wanted, max_tokens)
        return StopRules(self._tokenizer, snapshot, multiline=multiline, max_tokens=max_tokens, pending=prompt.pending)

    def _generate(self, run: _Run, prompt: Prompt, rules: StopRules, cancel: CancelToken) -> None:
        """Decode until a stop rule says done or the time is up; how tokens are grouped in steps makes no difference."""
        with run.stats.span("draft"):
            drafter = NoDrafter() if run.is_plain else self._drafter_factory(run.request, prompt)
        steps = self._engine.generate(
            prompt.ids,
            context=prompt.context_ids,
            drafter=drafter,
            sampling=run.sampling,
            healing=prompt.healing,
            cancel=cancel,
            max_tokens=rules.max_tokens,
            n_chances=run.n_chances,
        )
        for step in steps:
            if run.prefill is None:
                run.take_prefill(self._engine.last_prefill)
                run.deadline = max(run.deadline, self._clock() + run.decoding_s)
            run.take(step, rules)
            run.watch(rules.text)
            if rules.reason is None and self._clock() > run.deadline:
                rules.give_up()
            if rules.reason is not None:
                break
        cancel.raise_if_cancelled()


@dataclass
class _Run:
    """What is counted and measured while one request is answered."""

    request: CompletionRequest
    sampling: Sampling
    deadline: float
    decoding_s: float
    stats: CompletionStats = field(default_factory=CompletionStats)
    origins: list[Origin | None] = field(default_factory=list)
    accepted_by: Counter[str] = field(default_factory=Counter)
    prefill: Prefill | None = None
    passes: list[TracedPass] | None = None
    log_probs: list[float] = field(default_factory=list)
    chances: list[Sequence[tuple[int, float]]] = field(default_factory=list)
    confidence: float = 0.0
    is_doubtful: bool = False
    max_tokens: int | None = None
    is_plain: bool = False
    n_chances: int = 0
    watch: Callable[[str], None] = lambda _: None

    def take_prefill(self, prefill: Prefill) -> None:
        self.prefill = prefill
        self.stats.add("prefill", prefill.ms)

    def take(self, step: Step, rules: StopRules) -> None:
        """Feed the tokens of one forward pass to `rules` until one says stop; what follows was never asked for."""
        self.stats.add("draft", step.draft_ms)
        self.stats.draft_ms.append(step.draft_ms)
        self.stats.learn_ms.append(step.learn_ms)
        self.stats.add("verify", step.verify_ms)
        n_taken = n_accepted = 0
        of_tokens = zip(step.tokens, step.origins, step.sources, step.log_probs, step.chances, strict=True)
        for token, origin, source, log_prob, chances in of_tokens:
            self.origins.append(origin)
            self.log_probs.append(log_prob)
            self.chances.append(chances)
            n_taken += 1
            if source is not None:
                n_accepted += 1
                self.accepted_by[source] += 1
            if rules.feed(token) is not None:
                break
        self.stats.forward(step.drafted, n_accepted, n_taken)
        if self.passes is not None:
            self.passes.append(TracedPass(step, n_taken))

    def without_text(self, outcome: Outcome) -> CompletionResult:
        return CompletionResult("", self.request.offset, self.request.offset, outcome, spans=dict(self.stats.spans))

    def result(
        self, snapshot: Snapshot, prompt: Prompt, rules: StopRules, insertion: Insertion, line_of: LineOf
    ) -> CompletionResult:
        drafts = [AcceptedToken(start, origin) for start, origin in zip(rules.starts, self.origins, strict=True)]
        text = (self.request.selected_text or "") + insertion.text if insertion.text else ""
        return CompletionResult(
            text=text,
            start=snapshot.start,
            end=snapshot.cursor + insertion.n_replaced,
            outcome=Outcome.RETURNED if text else Outcome.FILTERED if self.is_doubtful else Outcome.EMPTY,
            confidence=self.confidence,
            stop=rules.reason,
            sources=used_sources(surviving(drafts, rules.text, insertion.text), line_of),
            written=rules.text,
            token_ids=tuple(rules.token_ids),
            log_probs=tuple(self.log_probs),
            chances=tuple(self.chances) if self.n_chances else (),
            forwards=self.stats.forwards,
            drafted=self.stats.drafted,
            accepted_by=tuple(sorted(self.accepted_by.items())),
            prompt_tokens=len(prompt.ids),
            reused=self.prefill.reused if self.prefill is not None else 0,
            spans=dict(self.stats.spans),
            draft_ms=tuple(self.stats.draft_ms),
            learn_ms=tuple(self.stats.learn_ms),
        )


def _as_wished(sampling: Sampling, wishes: Wishes) -> Sampling:
    wanted = {"temperature": wishes.temperature, "top_p": wishes.top_p, "top_k": wishes.top_k, "seed": wishes.seed}
    changed: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    return replace(sampling, **changed) if changed else sampling


def _is_undecoded(snapshot: Snapshot) -> bool:
    """Whether more than a tenth of the text is what decoders put for bytes that are no text."""
    text = snapshot.before + snapshot.after
    return 10 * text.count("\ufffd") > len(text)
