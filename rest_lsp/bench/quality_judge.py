"""How good an answer is: whether the program passes, whether it is what stood there, how near it comes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from rest_lsp.bench.humaneval_sandbox import passes
from rest_lsp.bench.quality_arms import Answer
from rest_lsp.bench.quality_cases import QualityCase
from rest_lsp.errors import RestLspError

_passes = lru_cache(maxsize=64)(passes)


@dataclass(frozen=True)
class Verdict:
    """One answer of one arm.

    passed       None where there is nothing to run
    exact        all of it is what stood there, but for blanks at its end
    line_exact   its first line that is not blank is
    similarity   1 less the edit distance by the longer of both
    prompt_tokens   what ours read; 0 for others
    """

    id: str
    set: str
    group: str
    arm: str
    text: str
    tokens: int
    ms: float
    passed: bool | None
    exact: bool
    line_exact: bool
    similarity: float
    prompt_tokens: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check_judging() -> None:
    """Raises RestLspError when rapidfuzz is missing, before anything is measured."""
    if find_spec("rapidfuzz") is None:
        raise RestLspError("Comparing texts needs rapidfuzz.", 'Install it: pip install "rest-lsp[bench]".')


def judge(case: QualityCase, arm: str, answer: Answer) -> Verdict:
    """Runs the program where there is one, in a process with limits."""
    from rapidfuzz.distance import Levenshtein

    # What the answer replaces behind the cursor it must write itself.
    truth = case.truth + case.text[case.offset : answer.end]
    written, expected = answer.text.replace("\r\n", "\n").rstrip(), truth.replace("\r\n", "\n").rstrip()
    program = case.program(case.document(answer.text, answer.end))
    return Verdict(
        id=case.id,
        set=case.set,
        group=case.group,
        arm=arm,
        text=answer.text,
        tokens=answer.tokens,
        ms=round(answer.ms, 1),
        passed=None if program is None else _passes(program),
        exact=written == expected,
        line_exact=_first_line(written) == _first_line(expected),
        similarity=round(Levenshtein.normalized_similarity(written, expected), 4),
        prompt_tokens=answer.prompt_tokens,
    )


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if line.strip()), "")
