"""`rest-lsp bench humaneval`: REST's own experiment, plain against drafted from stores of several sizes.

Every text is written plain and with each store, in turns; what a store holds changes only how fast.  With
`--results` each is kept in a file at once, so that a run of hours can be cut and go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rest_lsp.assembly import LoadedModel
from rest_lsp.bench.direct import Decoded, decode_task
from rest_lsp.bench.humaneval_kept import KeptTexts
from rest_lsp.bench.humaneval_plot import write_humaneval_plot
from rest_lsp.bench.humaneval_problems import MAX_TOKENS, Problem, read_problems, solution_text, task_of
from rest_lsp.bench.humaneval_report import PLAIN, HumanEvalReport, Text, print_humaneval
from rest_lsp.bench.humaneval_sandbox import passes
from rest_lsp.bench.humaneval_store import build_store, missing_millions
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.plot import check_plotting
from rest_lsp.bench.rivals import our_drafter
from rest_lsp.bench.setup import Setup, bench_settings, open_setup
from rest_lsp.bench.summary import write_report
from rest_lsp.config import Settings
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.engine.sampling import Sampling
from rest_lsp.errors import RestLspError

SAMPLINGS = {"greedy": Sampling(), "nucleus": Sampling(temperature=0.8, top_p=0.95, seed=1)}
"""Those of the paper (§4.1)."""


@dataclass(frozen=True)
class HumanEvalOptions:
    """The options of the command, as they were given; `stores` are millions of tokens with commas."""

    limit: int | None = None
    stores: str = "1,3,10,30"
    samplings: str = "greedy,nucleus"
    nodes: int | None = None
    results: Path | None = None
    json: Path | None = None
    plot: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


def run_humaneval(options: HumanEvalOptions) -> bool:
    """Measure, print, and write what was asked for.  True when no drafted token differs."""
    if options.plot:
        check_plotting()
    sizes, samplings = parse_sizes(options.stores), parse_samplings(options.samplings)
    settings = roomy(bench_settings(None, options.overrides, nodes=options.nodes))
    telling = set[str]().union(*(problem.telling_lines for problem in read_problems()))
    cache_dir = settings.model.cache_dir
    with ExitStack() as stack:
        setups: dict[str, Setup] = {}
        model: LoadedModel | None = None
        for size in sizes:
            folder = build_store(size, cache_dir, telling)
            tell_what_is_missing(Console(stderr=True), folder, size)
            setups[f"{size:g}M"] = stack.enter_context(open_setup(folder, settings, model))
            model = setups[f"{size:g}M"].model
        report = describe(setups, settings)
        kept = kept_texts(options.results, report, settings) if options.results else None
        texts = list(measure(read_problems(options.limit), setups, samplings, settings, kept))
        report = replace(report, texts=texts)
    print_humaneval(Console(), report)
    if options.json:
        write_report(options.json, report.to_json())
    if options.plot:
        write_humaneval_plot(options.plot, report)
    return report.n_differing == 0


def tell_what_is_missing(console: Console, folder: Path, size: float) -> None:
    """A store that is smaller than its name says would be taken for what it is not."""
    missing = missing_millions(folder, size)
    if missing:
        console.print(
            f"The store of {size:g} M tokens has only about {size - missing:.2g} M: there is no more library code here."
            " Install more packages, or leave it out with --stores.",
            style="yellow",
            highlight=False,
        )


def measure(
    problems: Sequence[Problem],
    setups: Mapping[str, Setup],
    samplings: Sequence[str],
    settings: Settings,
    kept: KeptTexts | None,
) -> Iterator[Text]:
    """One text per problem and sampling; which store begins changes from problem to problem."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    names = [PLAIN, *setups]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("HumanEval", total=len(problems) * len(samplings))
        for turn, problem in enumerate(problems):
            begin = turn % len(names)
            for sampling in samplings:
                text = kept.find(problem.id, sampling) if kept is not None else None
                if text is None:
                    in_turn = [*names[begin:], *names[:begin]]
                    written = {name: write(problem, name, setups, SAMPLINGS[sampling], settings) for name in in_turn}
                    text = judged(problem, sampling, written, next(iter(setups.values())).model)
                    if kept is not None:
                        kept.add(text)
                progress.advance(bar)
                yield text


def write(problem: Problem, name: str, setups: Mapping[str, Setup], sampling: Sampling, settings: Settings) -> Decoded:
    """The text of one problem, plain or with the drafts of one store; its prompt may be in the KV cache."""
    setup = setups.get(name) or next(iter(setups.values()))
    task = task_of(problem, setup.model.tokenizer)
    drafter = NoDrafter() if name == PLAIN else our_drafter(setup, settings)(task)
    return decode_task(setup.engine, task, drafter, sampling)


def judged(problem: Problem, sampling: str, written: Mapping[str, Decoded], model: LoadedModel) -> Text:
    """Run the tests once per different solution: equal texts pass alike."""
    solutions = {name: solution_text(run.tokens, model.tokenizer) for name, run in written.items()}
    verdicts = {solution: passes(problem.program(solution)) for solution in set(solutions.values())}
    return Text(problem.id, sampling, written, {name: verdicts[solution] for name, solution in solutions.items()})


def describe(setups: Mapping[str, Setup], settings: Settings) -> HumanEvalReport:
    """What runs where, before there is a text."""
    info = next(iter(setups.values())).engine.info
    nodes = settings.drafting.fixed_nodes
    return HumanEvalReport(
        model=info.model,
        device=info.device,
        dtype=info.dtype,
        threads=info.threads,
        budget=f"{nodes} nodes" if nodes else "nodes by the cost model",
        machine=this_machine(),
        stores={name: setup.index.tokens for name, setup in setups.items()},
        texts=(),
    )


def kept_texts(path: Path, report: HumanEvalReport, settings: Settings) -> KeptTexts:
    """Those of a run that was cut.  Raises RestLspError when they are of other options.

    What would give other texts or figures is compared; the code itself is not.
    """
    subject = {name: getattr(report, name) for name in ("model", "device", "dtype", "threads", "stores")}
    subject["fixed_width"] = settings.device.fixed_width
    subject["drafting"] = settings.drafting.model_dump(mode="json")
    kept = KeptTexts(path, subject)
    if kept.rows:
        Console(stderr=True).print(f"{len(kept.rows)} texts stand in {path} and are not written again.")
    return kept


def roomy(settings: Settings) -> Settings:
    """With room for the longest prompt and text."""
    completion = settings.completion.model_copy(update={"max_tokens_multi": MAX_TOKENS})
    return settings.model_copy(update={"completion": completion})


def parse_sizes(text: str) -> list[float]:
    """Millions of tokens, ascending.  Raises RestLspError."""
    try:
        sizes = sorted({float(size) for size in text.split(",")})
    except ValueError:
        sizes = []
    if not sizes or sizes[0] <= 0:
        raise RestLspError(f"{text!r} are no sizes of stores.", "Give millions of tokens with commas: --stores 1,3,10.")
    return sizes


def parse_samplings(text: str) -> list[str]:
    """Names of SAMPLINGS.  Raises RestLspError."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in SAMPLINGS:
            raise RestLspError(
                f"There is no sampling {name!r}.", f"Choose among {', '.join(SAMPLINGS)} with --sampling."
            )
    return names
