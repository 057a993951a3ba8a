"""Makes cases from the files of a source tree, by a seed: rests of lines, blocks, and bodies of functions.

Knows the text, not the model: a hole is what somebody wrote there, whether or not a model could.
"""

from __future__ import annotations

import ast
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rest_lsp.bench.cases import KINDS, Case, CaseError, Kind
from rest_lsp.bench.spans import Span, find_spans
from rest_lsp.bench.spans_braces import find_brace_spans
from rest_lsp.positions import TextPositions

MIN_FILE_LINES = 24
PYTHON = (".py",)
BRACES = (".c", ".cc", ".cpp", ".cs", ".go", ".h", ".java", ".js", ".rs", ".ts")
DATA_FOLDERS = frozenset({"data", "fixtures", "generated", "snapshots", "testdata", "vendor", "third_party"})
BUILD_FOLDERS = frozenset({"build", "dist", "node_modules", "out", "site-packages", "venv", "__pycache__"})
Item = TypeVar("Item")


def make_cases(
    root: Path,
    *,
    seed: int,
    per_kind: int,
    kinds: Sequence[Kind] = KINDS,
    suffixes: Sequence[str] | None = None,
    paths: Iterable[str] | None = None,
) -> list[Case]:
    """`per_kind` cases of each kind, or as many as there are; the same tree and seed give the same cases.

    Without `suffixes` Python files are taken, and where there are none, those of languages with braces.
    Files take turns in a shuffled order, so that no file gets a second hole of a kind before the others have one.
    """
    wanted = paths or source_files(root, suffixes or PYTHON)
    texts = {path: text for path in sorted(wanted) if (text := _parsable_text(root / path))}
    if not texts and suffixes is None and paths is None:
        return make_cases(root, seed=seed, per_kind=per_kind, kinds=kinds, suffixes=BRACES)
    cases = [case for kind in kinds for case in _cases_of_kind(texts, kind, seed, per_kind)]
    if not cases:
        raise CaseError(f"No hole can be cut in the files under {root}.", "Choose another folder or kind.")
    return cases


def source_files(root: Path, suffixes: Sequence[str]) -> Iterator[str]:
    """Files below `root` with one of `suffixes`, with slashes; hidden, built, vendored and data folders left out."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not _is_skipped(name))
        yield from (
            Path(folder, name).relative_to(root).as_posix() for name in sorted(files) if name.endswith(tuple(suffixes))
        )


def _is_skipped(folder: str) -> bool:
    return folder.startswith(".") or folder in DATA_FOLDERS or folder in BUILD_FOLDERS or folder.endswith(".egg-info")


def _parsable_text(path: Path) -> str | None:
    """The text with its line ends as they are; None when it cannot be read, or gives a cursor no context."""
    try:
        text = path.read_bytes().decode("utf-8")
        if path.suffix in PYTHON:
            ast.parse(text)
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError):
        return None
    is_wanted = text.count("\n") >= MIN_FILE_LINES and not text.startswith("\ufeff") and "@generated" not in text[:2000]
    return text if is_wanted else None


def _cases_of_kind(texts: Mapping[str, str], kind: Kind, seed: int, count: int) -> list[Case]:
    draw = random.Random(f"{seed}:{kind}")
    queues = {path: _shuffled(_finder(path)(text, kind, draw), draw) for path, text in texts.items()}
    order = _shuffled([path for path, spans in queues.items() if spans], draw)
    taken: dict[str, list[Span]] = {path: [] for path in order}
    cases: list[Case] = []
    while order and len(cases) < count:
        for path in list(order):
            span = _next_free(queues[path], taken[path])
            if span is None:
                order.remove(path)
            elif len(cases) < count:
                taken[path].append(span)
                cases.append(_case(path, texts[path], kind, span))
    return cases


def _finder(path: str) -> Callable[[str, Kind, random.Random], list[Span]]:
    return find_spans if path.endswith(PYTHON) else find_brace_spans


def _shuffled(items: Iterable[Item], draw: random.Random) -> list[Item]:
    shuffled = list(items)
    draw.shuffle(shuffled)
    return shuffled


def _next_free(queue: list[Span], taken: Sequence[Span]) -> Span | None:
    while queue:
        span = queue.pop()
        if not any(span.overlaps(other) for other in taken):
            return span
    return None


def _case(path: str, text: str, kind: Kind, span: Span) -> Case:
    positions = TextPositions(text)
    start, end = positions.position(span.start), positions.position(span.end)
    return Case(f"{kind}:{path}:{start.line}:{start.character}", path, kind, start, end)
