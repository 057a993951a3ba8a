"""What `bench quality` asks: the two infilling sets of HumanEval, and holes in real repositories.  Knows no model.

The sets are those of Bavarian et al. (arXiv 2207.14255); their MIT licence lies beside them.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from rest_lsp.bench.holes import Hole
from rest_lsp.bench.selection import select_projects
from rest_lsp.completion.multiline import Mode
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.errors import RestLspError
from rest_lsp.languages import language_of

SINGLE_LINE, RANDOM_SPAN, REPOSITORY = "single-line", "random-span", "repository"
SETS = (SINGLE_LINE, RANDOM_SPAN, REPOSITORY)
USUAL_COUNT = {SINGLE_LINE: 1033, RANDOM_SPAN: 328, REPOSITORY: 320}
PROJECTS = "flask,requests,werkzeug,httpx"
_FILES = {SINGLE_LINE: "HumanEval-SingleLineInfilling.jsonl.gz", RANDOM_SPAN: "HumanEval-RandomSpanInfilling.jsonl.gz"}
_SEED = 1


@dataclass(frozen=True)
class QualityCase:
    """A document `text` in which `truth` stood at `offset`.

    group       problem or project: cases of one follow each other, since their prompts begin alike
    mode        whether one line or several are asked for; "auto" leaves it to the service
    is_line     whether a model by itself may end at the end of the line
    check       what follows the document in a program that passes or does not; None where nothing can be run
    workspace   the project, None for a document by itself
    """

    id: str
    set: str
    group: str
    path: str
    text: str
    offset: int
    truth: str
    mode: Mode
    is_line: bool
    check: str | None = None
    workspace: Path | None = None

    @property
    def request(self) -> CompletionRequest:
        return CompletionRequest(self.text, self.offset, path=self.path, language=language_of(self.path))

    def document(self, inserted: str, end: int) -> str:
        """The document with `inserted` in place of everything from the cursor to `end`."""
        return self.text[: self.offset] + inserted + self.text[end:]

    def program(self, document: str) -> str | None:
        return None if self.check is None else f"{document}\n{self.check}"


def parse_sets(text: str) -> list[str]:
    """Names of sets with commas.  Raises RestLspError."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in SETS:
            raise RestLspError(f"There is no set {name!r}.", f"Choose among {', '.join(SETS)} with --sets.")
    return names


def quality_cases(sets: Sequence[str], projects: str, limit: int | None, cache_dir: Path) -> list[QualityCase]:
    """At most `limit` of each set, else as many as usual.  Raises what fetching a project raises."""
    found: list[QualityCase] = []
    for name in sets:
        count = min(limit or USUAL_COUNT[name], USUAL_COUNT[name])
        if name == REPOSITORY:
            found += _repository_cases(projects, count, cache_dir)
        else:
            found += _in_mixed_groups(_spread(list(_infilling(name)), count))
    return found


def _infilling(name: str) -> Iterator[QualityCase]:
    packed = files("rest_lsp.bench").joinpath("data", _FILES[name]).read_bytes()
    for line in gzip.decompress(packed).decode("utf-8").splitlines():
        row = json.loads(line)
        prefix, suffix, truth = row["prompt"], row["suffix"], row["canonical_solution"]
        if name == SINGLE_LINE:
            # The line is missing with its end; somebody who writes it has an empty line there.
            suffix, truth = "\n" + suffix, truth.removesuffix("\n")
        yield QualityCase(
            id=row["task_id"],
            set=name,
            group=row["task_id"].rsplit("/", 1)[0],
            path="solution.py",
            text=prefix + suffix,
            offset=len(prefix),
            truth=truth,
            mode="never" if name == SINGLE_LINE else "always",
            is_line=name == SINGLE_LINE,
            check=f"{row['test']}\ncheck({row['entry_point']})\n",
        )


def _repository_cases(projects: str, count: int, cache_dir: Path) -> Iterator[QualityCase]:
    """Three rests of lines for each block: a line is what is accepted most, and right or wrong."""
    n_projects = len(projects.split(","))
    per_project = -(-count // n_projects)
    for kinds, share in (("line", per_project - per_project // 4), ("block", per_project // 4)):
        if not share:
            continue
        for selection in select_projects(
            projects, kinds=kinds, per_kind=share, seed=_SEED, limit=share, cache_dir=cache_dir
        ):
            yield from (_of_hole(hole, selection.name, selection.workspace) for hole in selection.holes)


def _of_hole(hole: Hole, project: str, workspace: Path) -> QualityCase:
    return QualityCase(
        id=f"{project}:{hole.case.id}",
        set=REPOSITORY,
        group=project,
        path=hole.case.path,
        text=hole.text,
        offset=hole.offset,
        truth=hole.truth,
        mode="auto",
        is_line=hole.case.kind == "line",
        workspace=workspace,
    )


def _spread(cases: Sequence[QualityCase], count: int) -> list[QualityCase]:
    count = min(count, len(cases))
    return [cases[index * len(cases) // count] for index in range(count)]


def _in_mixed_groups(cases: Iterable[QualityCase]) -> Iterator[QualityCase]:
    """Problems in a shuffled order, so that the first of them stand for all when a run is cut."""
    groups = [list(group) for _, group in groupby(cases, key=lambda case: case.group)]
    random.Random(_SEED).shuffle(groups)
    for group in groups:
        yield from group
