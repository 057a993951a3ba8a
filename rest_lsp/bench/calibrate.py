"""`rest-lsp bench calibrate`: fits the confidence in drafts to what the model writes in some projects, and tests it on
what it writes in others.  Completing takes minutes; the rest is replay and arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from rest_lsp.assembly import LoadedModel, build_service
from rest_lsp.assembly_costs import choose_budget
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.assembly_experience import new_experience
from rest_lsp.bench.corpus import FITTING, TESTING, Distribution
from rest_lsp.bench.fit import Array, fit_logistic, log_loss, reliability, sigmoid
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.keystroke_replay import n_first_word
from rest_lsp.bench.plot import check_plotting
from rest_lsp.bench.reliability import EDGES, Reliability, print_reliability, write_reliability
from rest_lsp.bench.replay import Guess, replay
from rest_lsp.bench.selection import Selection, select_projects
from rest_lsp.bench.setup import Setup, bench_settings, open_setup
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.prompt import Prompt
from rest_lsp.completion.request import CompletionRequest, StopReason
from rest_lsp.completion.service import CompletionService
from rest_lsp.config import Settings
from rest_lsp.drafting.confidence import FEATURES, PRIOR_FILE, Confidence, features
from rest_lsp.drafting.drafter import Drafter
from rest_lsp.drafting.source import DraftSource
from rest_lsp.drafting.successors import SuccessorTable
from rest_lsp.errors import RestLspError
from rest_lsp.tokenizer import Tokenizer

NODES = 8
"""Drafted per pass while completing: it saves time and changes nothing."""

KINDS = "line,block,body"


@dataclass(frozen=True)
class CalibrateOptions:
    """The options of the command, as they were given; `overrides` are those that every command shares."""

    per_kind: int = 8
    seed: int = 1
    output: Path | None = None
    plot: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


def run_calibrate(options: CalibrateOptions) -> None:
    """Complete, replay, fit, test; print, draw and write what was asked for."""
    if options.plot:
        check_plotting()
    console = Console()
    settings = bench_settings(None, options.overrides, nodes=NODES)
    fitting, testing = (guesses_in(projects, settings, options, console) for projects in (FITTING, TESTING))
    old = Confidence.prior()
    fitted = Confidence(dict(zip(FEATURES, fit(fitting, old).tolist(), strict=True)))
    tested = [judge("weights as they are", old, testing), judge("fitted weights", fitted, testing)]
    console.print(f"{len(fitting)} guesses in {', '.join(FITTING)} for fitting,")
    console.print(f"{len(testing)} in {', '.join(TESTING)} for testing.")
    print_reliability(console, tested)
    if options.plot:
        write_reliability(options.plot, tested)
    if options.output:
        write_weights(options.output, fitted, tested[1], len(fitting))
    else:
        console.print(f"The weights that are used stand in {PRIOR_FILE}; write others with --output.")


def guesses_in(
    projects: Mapping[str, Distribution], settings: Settings, options: CalibrateOptions, console: Console
) -> list[Guess]:
    """Every guess about what the model writes in holes of these projects."""
    selections = select_projects(
        "all", kinds=KINDS, per_kind=options.per_kind, seed=options.seed, limit=None,
        cache_dir=settings.model.cache_dir, among=projects,
    )  # fmt: skip
    found: list[Guess] = []
    model: LoadedModel | None = None
    for selection in selections:
        with open_setup(selection.workspace, settings, model) as setup:
            model = setup.model
            found.extend(guesses_of(setup, settings, selection))
        console.print(f"{selection.label}: {len(found)} guesses so far.", highlight=False)
    return found


def guesses_of(setup: Setup, settings: Settings, selection: Selection) -> Iterator[Guess]:
    """Complete each hole, and once more behind its first word; replay what came; outputs that loop are left out.

    What was completed before is known for the whole project, as in a session.
    """
    drafting = _Listening(setup, settings)
    service = build_service(settings, setup.model, drafting, recent=drafting.recent)
    for hole in selection.holes:
        for request in (hole.request, typed_on(hole)):
            yield from _guesses_behind(request, service, drafting)


def typed_on(hole: Hole) -> CompletionRequest:
    """What is asked for when the first word of the hole has been typed, whether it was suggested or not."""
    typed = hole.truth[: n_first_word(hole.truth)]
    text = hole.text[: hole.offset] + typed + hole.text[hole.offset :]
    return replace(hole.request, text=text, offset=hole.offset + len(typed))


def n_healed(tokens: Sequence[int], pending: bytes, tokenizer: Tokenizer) -> int:
    """How many of the `tokens` that the model wrote begin within what is typed: no guess is needed for those."""
    n, left = 0, len(pending)
    while left > 0 and n < len(tokens):
        left, n = left - len(tokenizer.token_bytes(tokens[n])), n + 1
    return n


def fit(guesses: Sequence[Guess], start: Confidence) -> Array:
    """Weights in the order of FEATURES; those that no guess speaks for stay as they are at the `start`."""
    rows, hits = as_arrays(guesses)
    return fit_logistic(rows, hits, np.array([start.weights[name] for name in FEATURES]))


def judge(name: str, confidence: Confidence, guesses: Sequence[Guess]) -> Reliability:
    """How well `confidence` foretells these guesses."""
    rows, hits = as_arrays(guesses)
    chances = sigmoid(rows @ np.array([confidence.weights[name] for name in FEATURES]))
    return Reliability(name, log_loss(chances, hits), reliability(chances, hits, EDGES))


def as_arrays(guesses: Sequence[Guess]) -> tuple[Array, Array]:
    """`[n, n_features]`, and `[n]` of 0 and 1."""
    rows = np.array([features(guess.evidence) for guess in guesses], dtype=np.float64)
    return rows, np.array([float(guess.hit) for guess in guesses])


def write_weights(path: Path, confidence: Confidence, tested: Reliability, n_guesses: int) -> None:
    """The file that `Confidence.prior` reads.  Raises RestLspError when it cannot be written."""
    content = {
        "weights": {name: round(weight, 4) for name, weight in confidence.weights.items()},
        "fitted_to": list(FITTING),
        "guesses": n_guesses,
        "tested_on": list(TESTING),
        "log_loss": round(tested.log_loss, 4),
    }
    try:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        message = f"The weights cannot be written to {path}: {error.strerror or error}."
        raise RestLspError(message, "Choose another place with --output.") from error


class _Listening(Drafting):
    """Makes drafters, and keeps the prompt of the last request and what was known before it was answered."""

    def __init__(self, setup: Setup, settings: Settings) -> None:
        options = settings.drafting
        budget = choose_budget(settings, setup.engine)
        super().__init__(options, setup.model.tokenizer, setup.datastore, budget, new_experience(options))
        self.tokenizer = setup.model.tokenizer
        self.prompt: Prompt | None = None
        self.known: list[DraftSource] = []

    def __call__(self, request: CompletionRequest, prompt: Prompt) -> Drafter:
        self.prompt, self.known = prompt, self.sources(request, prompt)
        return super().__call__(request, prompt)


def _guesses_behind(request: CompletionRequest, service: CompletionService, drafting: _Listening) -> Iterator[Guess]:
    result = service.complete(request, CancelToken())
    if drafting.prompt is None or result.stop in (None, StopReason.LOOP):
        return
    prompt, written = drafting.prompt, result.token_ids
    begin = n_healed(written, prompt.pending, drafting.tokenizer)
    yield from replay(drafting.known, prompt.context_ids, written, SuccessorTable(), begin=begin)
