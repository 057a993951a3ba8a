"""The decode loop on scripted models: law of sampling, acceptance, cancellation, limits."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from scipy import stats

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import Drafter, NoDrafter, Verdict
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.decode import Step, decode
from rest_lsp.engine.sampling import Sampling, chances, log_probability, pick
from rest_lsp.engine.verifier import PrefillReport
from rest_lsp.errors import Cancelled
from rest_lsp.healing import Healing
from rest_lsp.tokenizer import SortedVocabulary
from tests.engines import random_tree

VOCAB = 10


class ScriptedVerifier:
    """A model that is a function from the tokens so far to logits."""

    def __init__(self, law: Callable[[Sequence[int]], torch.Tensor]) -> None:
        self._law = law
        self.tokens: list[int] = []
        self.passes = 0
        self._pending: tuple[int, DraftTree] | None = None

    @property
    def length(self) -> int:
        return len(self.tokens)

    @property
    def n_lead(self) -> int:
        return 0

    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        self.tokens = list(tokens)
        return PrefillReport(len(tokens), 0, 0.0)

    def verify(self, root: int, tree: DraftTree) -> torch.Tensor:
        self.passes += 1
        self._pending = root, tree
        paths = [[], *([tree.tokens[n] for n in tree.path_to(node)] for node in range(len(tree)))]
        return torch.stack([self._law([*self.tokens, root, *path]) for path in paths])

    def keep(self, path: Sequence[int]) -> None:
        assert self._pending is not None
        root, tree = self._pending
        self.tokens += [root, *(tree.tokens[node] for node in path)]


class TreeOf:
    """Always drafts the same tree."""

    def __init__(self, tree: DraftTree) -> None:
        self._tree = tree

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        return self._tree

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        pass


def tree_of(*edges: tuple[int, int]) -> DraftTree:
    """(parent, token) of each node."""
    depths: list[int] = []
    for parent, _ in edges:
        depths.append(1 if parent == ROOT else depths[parent] + 1)
    n = len(edges)
    return DraftTree([t for _, t in edges], [p for p, _ in edges], depths, [0.5] * n, [None] * n, ["x"] * n)


def run(
    law: Callable[[Sequence[int]], torch.Tensor],
    drafter: Drafter,
    sampling: Sampling,
    *,
    max_tokens: int = 3,
    n_chances: int = 0,
) -> list[Step]:
    verifier = ScriptedVerifier(law)
    verifier.prefill([1, 2], CancelToken())

    def choose(logits: torch.Tensor, position: int, healing: Healing | None) -> int:
        return pick(logits, position, sampling, healing)

    steps = decode(
        verifier,
        [1, 2, 3],
        context=[1, 2, 3],
        drafter=drafter,
        pick=choose,
        healing=None,
        cancel=CancelToken(),
        max_tokens=max_tokens,
        n_chances=n_chances,
    )
    return list(steps)


def greedy(logits: torch.Tensor, position: int, healing: Healing | None) -> int:
    return pick(logits, position, Sampling(), healing)


def tokens_of(steps: Sequence[Step]) -> list[int]:
    return [token for step in steps for token in step.tokens]


LAW = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.02, 0.01])
SHARED_PREFIXES = tree_of((ROOT, 0), (0, 1), (0, 2), (ROOT, 1), (3, 0), (1, 5), (1, 0), (4, 3), (ROOT, 9))


def mixed_law(tokens: Sequence[int]) -> torch.Tensor:
    """Each last token turns the law, so that the second token depends on the first."""
    return torch.from_numpy(np.log(np.roll(LAW, 3 * tokens[-1]))).float()


@pytest.mark.parametrize("tree", [tree_of(), tree_of((ROOT, 0)), SHARED_PREFIXES], ids=["plain", "one", "shared"])
def test_drafts_do_not_change_the_law_of_sampling(tree: DraftTree) -> None:
    """χ² of pairs of tokens against the exact law.  REST's own rule misses it by a total variation of .25 and more."""
    seen: Counter[tuple[int, int]] = Counter()
    n = 6000
    for seed in range(n):
        first, second, _ = tokens_of(run(mixed_law, TreeOf(tree), Sampling(1.0, 1.0, 0, seed)))
        seen[first, second] += 1
    first_law = np.roll(LAW, 9)
    expected = np.array([[first_law[a] * np.roll(LAW, 3 * a)[b] * n for b in range(VOCAB)] for a in range(VOCAB)])
    observed = np.array([[seen[a, b] for b in range(VOCAB)] for a in range(VOCAB)])
    rare = expected < 5
    observed_bins = np.append(observed[~rare], observed[rare].sum())
    expected_bins = np.append(expected[~rare], expected[rare].sum())
    assert stats.chisquare(observed_bins, expected_bins).pvalue > 1e-3


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.8, 0.9, 5, 3), Sampling(2.0, 1.0, 0, 4)], ids=str)
def test_any_tree_gives_the_plain_tokens(sampling: Sampling) -> None:
    plain = tokens_of(run(mixed_law, NoDrafter(), sampling, max_tokens=30))
    draw = random.Random(1)
    for _ in range(40):
        drafted = run(mixed_law, TreeOf(random_tree(draw, VOCAB)), sampling, max_tokens=30)
        assert tokens_of(drafted) == plain


def counting(tokens: Sequence[int]) -> torch.Tensor:
    """Writes 0 1 2 3 …: the next token is the last one plus one."""
    return torch.nn.functional.one_hot(torch.tensor((tokens[-1] + 1) % VOCAB), VOCAB).float()


def test_an_accepted_path_saves_passes_and_stops_at_the_limit() -> None:
    tree = tree_of((ROOT, 4), (0, 5), (1, 6), (2, 7), (1, 9), (3, 8))
    steps = run(counting, TreeOf(tree), Sampling(), max_tokens=4)
    assert [step.tokens for step in steps] == [[4, 5, 6, 7]]
    steps = run(counting, TreeOf(tree), Sampling(), max_tokens=8)
    assert [step.tokens for step in steps] == [[4, 5, 6, 7, 8, 9], [0], [1]]
    assert steps[0].sources == ["x"] * 5 + [None]
    assert steps[0].drafted == 6


def test_cancelling_ends_the_loop_before_the_next_pass() -> None:
    cancel, verifier = CancelToken(), ScriptedVerifier(counting)
    verifier.prefill([1], cancel)
    steps = decode(
        verifier,
        [1, 2],
        context=[1, 2],
        drafter=NoDrafter(),
        pick=greedy,
        healing=None,
        cancel=cancel,
        max_tokens=9,
    )
    assert next(steps).tokens == [3]
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    assert verifier.passes == 1


def likes_x(tokens: Sequence[int]) -> torch.Tensor:
    """Prefers token 6 after anything."""
    assert tokens
    return torch.tensor([0.0, 1, 2, 3, 4, 5, 9, 6, 7, 8])


def test_healing_limits_every_pick_until_the_typed_text_is_there() -> None:
    vocabulary = SortedVocabulary([b"r", b"e", b"t", b"re", b"ret", b"return", b"x", b"turn", b"u", b"n"])
    verifier = ScriptedVerifier(likes_x)
    verifier.prefill([1], CancelToken())
    steps = decode(
        verifier,
        [1, 2],
        context=[1, 2],
        drafter=TreeOf(tree_of((ROOT, 5), (0, 6), (ROOT, 4))),
        pick=greedy,
        healing=Healing(b"retu", vocabulary),
        cancel=CancelToken(),
        max_tokens=3,
    )
    assert tokens_of(list(steps)) == [5, 6, 6]


def test_a_draw_depends_on_seed_and_position_only() -> None:
    logits = torch.randn(50, generator=torch.Generator().manual_seed(2))
    sampling = Sampling(1.0, 1.0, 0, 5)
    draws = [pick(logits, position, sampling, None) for position in range(60)]
    assert draws == [pick(logits, position, sampling, None) for position in range(60)]
    assert len(set(draws)) > 10
    assert draws != [pick(logits, position, Sampling(1.0, 1.0, 0, 6), None) for position in range(60)]


@pytest.mark.parametrize("n", [1, 7, 64, 1024, 151_936])
def test_the_largest_logit_and_probabilities_are_those_of_torch(n: int) -> None:
    logits = 8 * torch.randn(n, generator=torch.Generator().manual_seed(n))
    logits[n // 3 :: 97] = logits.max()
    double = logits.double().log_softmax(0)
    assert pick(logits, 0, Sampling(), None) == int((logits == logits.max()).nonzero()[0])
    for token in {0, n // 2, n - 1}:
        assert log_probability(logits, token, None) == pytest.approx(float(double[token]), abs=2e-6, rel=2e-6)
    assert pick(logits.double(), 0, Sampling(), None) == pick(logits, 0, Sampling(), None)


def test_top_k_and_top_p_keep_the_likeliest() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    assert {pick(logits, p, Sampling(1.0, 1.0, 2, 1), None) for p in range(200)} == {0, 1}
    assert {pick(logits, p, Sampling(1.0, 0.6, 0, 1), None) for p in range(200)} == {0, 1}
    assert {pick(logits, p, Sampling(1.0, 0.5, 0, 1), None) for p in range(200)} == {0}
    assert {pick(logits, p, Sampling(0.01, 1.0, 0, 1), None) for p in range(50)} == {0}
    assert {pick(logits, p, Sampling(1e-40, 1.0, 0, 1), None) for p in range(50)} == {0}
    assert {pick(logits, p, Sampling(1.0, 1.0, 0, 1), None) for p in range(400)} == {0, 1, 2, 3}


@pytest.mark.parametrize("sharpness", [0.0, 0.3, 3.0])
@pytest.mark.parametrize(("top_p", "top_k"), [(1.0, 0), (0.9, 0), (1.0, 700), (0.7, 40)])
def test_a_draw_is_that_of_the_sorted_law(sharpness: float, top_p: float, top_k: int) -> None:
    """Many tokens, many of them equally likely: all must be sorted for some draws, and few for others."""
    logits = (sharpness * torch.randn(4000, generator=torch.Generator().manual_seed(3))).round(decimals=1)
    order = np.argsort(-logits.double().numpy(), kind="stable")[: top_k or None]
    law = np.exp(logits.double().numpy()[order])
    law = law[: int(np.searchsorted(np.cumsum(law), top_p * law.sum() * (1 - 1e-9), "left")) + 1]
    ends = np.cumsum(law) / law.sum()
    for position in range(100):
        uniform = np.random.Generator(np.random.Philox(key=7, counter=position)).random()
        drawn = pick(logits, position, Sampling(1.0, top_p, top_k, 7), None)
        place = int(np.flatnonzero(order == drawn)[0])
        assert (ends[place - 1] if place else 0.0) - 1e-9 <= uniform <= ends[place] + 1e-9


def test_log_probabilities_are_of_the_pick_among_what_was_allowed() -> None:
    vocabulary = SortedVocabulary([b"a", b"ab", b"b"])
    logits = torch.log(torch.tensor([0.2, 0.3, 0.5]))
    assert log_probability(logits + 4, 1, None) == pytest.approx(np.log(0.3), abs=1e-6)
    assert log_probability(logits, 1, Healing(b"a", vocabulary)) == pytest.approx(np.log(0.6), abs=1e-6)
    (step,) = run(mixed_law, NoDrafter(), Sampling(), max_tokens=1)
    assert step.log_probs == [pytest.approx(np.log(0.3), abs=1e-6)]


@pytest.mark.parametrize("n", [1, 3, 5000])
def test_the_likeliest_are_told_in_order(n: int) -> None:
    logits = torch.randn(4000, generator=torch.Generator().manual_seed(n))
    found = chances(logits, n, None)
    assert [chance.token for chance in found] == logits.argsort(descending=True)[:n].tolist()
    assert found[0] == (pick(logits, 0, Sampling(), None), log_probability(logits, found[0].token, None))
    assert sum(np.exp([chance.log_prob for chance in found])) <= 1 + 1e-5


def test_chances_are_of_what_healing_allows_and_told_on_request() -> None:
    vocabulary = SortedVocabulary([b"a", b"ab", b"b"])
    logits = torch.log(torch.tensor([0.2, 0.3, 0.5]))
    found = chances(logits, 3, Healing(b"a", vocabulary))
    assert [chance.token for chance in found] == [1, 0]
    assert [chance.log_prob for chance in found] == pytest.approx(np.log([0.6, 0.4]), abs=1e-6)
    drafter = TreeOf(tree_of((ROOT, 4), (0, 5)))
    assert [step.chances for step in run(counting, drafter, Sampling(), max_tokens=3)] == [[[], [], []]]
    [step] = run(counting, drafter, Sampling(), max_tokens=3, n_chances=2)
    assert [beside[0].token for beside in step.chances] == step.tokens == [4, 5, 6]
    assert {len(beside) for beside in step.chances} == {2}


def test_a_step_tells_of_the_very_tree_that_was_verified() -> None:
    seen: list[tuple[DraftTree, list[int]]] = []

    class Watching(TreeOf):
        def observe(self, tree: DraftTree, verdict: Verdict) -> None:
            seen.append((tree, list(verdict.accepted)))

    tree = tree_of((ROOT, 3), (0, 4), (ROOT, 5))

    def law(tokens: Sequence[int]) -> torch.Tensor:
        return torch.eye(VOCAB)[(tokens[-1] + 1) % VOCAB]

    steps = run(law, Watching(tree), Sampling(), max_tokens=8)
    assert [(step.tree, step.path) for step in steps] == seen
    assert any(step.path for step in steps)
    assert all(step.accept_ms <= step.verify_ms for step in steps)
