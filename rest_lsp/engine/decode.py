"""The decode loop: draft, verify, accept.  Plain decoding is the same loop with an empty tree.

Knows neither text nor stop rules: it yields steps, and whoever reads them stops by closing the iterator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import Drafter, Verdict
from rest_lsp.drafting.source import Origin
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.sampling import Chance, chances, likeliest, log_probability
from rest_lsp.engine.verifier import Logits, Verifier
from rest_lsp.healing import Healing

Pick = Callable[[Tensor, int, Healing | None], int]
"""(logits [vocab_size], absolute position, typed text still to reproduce) -> token."""


@dataclass(frozen=True)
class Step:
    """One forward pass.

    tokens   the accepted draft tokens and then the model's own pick: one or more
    origins  for each token where its draft was read, None for the model's own pick
    sources  for each token which source drafted it, None for the model's own pick
    log_probs  for each token the natural logarithm of its probability, see `sampling.log_probability`
    chances  for each token the likeliest ones in its place, as many as were asked for
    tree     what was verified; `path` are its accepted nodes, and `n_rows` all tokens that went through the model
    draft_ms, verify_ms  making the draft and learning from it; the pass with its picks
    learn_ms  the part of `draft_ms` that learning took
    accept_ms  the part of `verify_ms` that picking and keeping took; where a pass runs beside us, also waiting for it
    """

    tokens: list[int]
    origins: list[Origin | None]
    sources: list[str | None]
    log_probs: list[float]
    chances: list[list[Chance]]
    tree: DraftTree
    path: list[int]
    n_rows: int
    draft_ms: float
    learn_ms: float
    verify_ms: float
    accept_ms: float

    @property
    def drafted(self) -> int:
        return len(self.tree)


@dataclass(frozen=True)
class Walk:
    """The picks of one verified tree: accepted nodes, all picked tokens, and the typed text that is left."""

    path: list[int]
    tokens: list[int]
    log_probs: list[float]
    chances: list[list[Chance]]
    healing: Healing | None


def decode(
    verifier: Verifier,
    prompt: Sequence[int],
    *,
    context: Sequence[int],
    drafter: Drafter,
    pick: Pick,
    healing: Healing | None,
    cancel: CancelToken,
    max_tokens: int,
    n_chances: int = 0,
) -> Iterator[Step]:
    """Continue `prompt`, already prefilled but for its last token, by at most `max_tokens`.

    `context` is the text before the cursor as ids; drafts are looked up with it.  Raises `Cancelled` between passes.
    """
    root, position, end = prompt[-1], len(prompt), len(prompt) + max_tokens
    written = list(context)
    while position < end:
        cancel.raise_if_cancelled()
        start = time.perf_counter()
        tree = drafter.draft(written, verifier.length, healing)
        drafted = time.perf_counter()
        n_rows = verifier.n_lead + 1 + len(tree)
        logits = verifier.verify(root, tree)
        computed = time.perf_counter()
        walk = accept(tree, logits, position, end, pick, healing, n_chances=n_chances)
        verifier.keep(walk.path)
        verified = time.perf_counter()
        verify_ms, accept_ms = 1e3 * (verified - drafted), 1e3 * (verified - computed)
        at_path = partial(_likeliest, logits, walk.path)
        drafter.observe(tree, Verdict(walk.path, walk.tokens, n_rows, verify_ms, at_path))
        observed = time.perf_counter()
        root, position, healing = walk.tokens[-1], position + len(walk.tokens), walk.healing
        written.extend(walk.tokens)
        yield Step(
            tokens=walk.tokens,
            origins=[*(tree.origin(node) for node in walk.path), None],
            sources=[*(tree.sources[node] for node in walk.path), None],
            log_probs=walk.log_probs,
            chances=walk.chances,
            tree=tree,
            path=walk.path,
            n_rows=n_rows,
            draft_ms=1e3 * (drafted - start + observed - verified),
            learn_ms=1e3 * (observed - verified),
            verify_ms=verify_ms,
            accept_ms=accept_ms,
        )


def accept(
    tree: DraftTree,
    logits: Logits,
    position: int,
    end: int,
    pick: Pick,
    healing: Healing | None,
    *,
    n_chances: int = 0,
) -> Walk:
    """Walk down from the root while the pick is a child.  One pick per node, so any tree is lossless.

    The last pick is the next root and is never drawn again.
    """
    node: int | None = ROOT
    path: list[int] = []
    tokens: list[int] = []
    log_probs: list[float] = []
    beside: list[list[Chance]] = []
    while node is not None:
        row = logits[node + 1]
        token = pick(row, position + len(tokens), healing)
        log_probs.append(log_probability(row, token, healing))
        beside.append(chances(row, n_chances, healing))
        healing = None if healing is None else healing.advance(token)
        tokens.append(token)
        node = tree.child(node, token) if position + len(tokens) < end else None
        if node is not None:
            path.append(node)
    return Walk(path, tokens, log_probs, beside, healing)


def _likeliest(logits: Logits, path: Sequence[int], n: int) -> list[list[int]]:
    """The `n` likeliest tokens, the likeliest first, at the root and at each node of `path`."""
    rows = [logits[0], *(logits[node + 1] for node in path)]
    return [likeliest(row, n) for row in rows]
