"""HumanEval (Chen et al., arXiv 2107.03374; its MIT licence lies beside it): prompts, and when a text is done."""

from __future__ import annotations

import codecs
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from rest_lsp.bench.direct import Task
from rest_lsp.completion.loops import ends_in_loop, find_line_loop
from rest_lsp.completion.prompt import Prompt
from rest_lsp.completion.request import CompletionRequest, StopReason
from rest_lsp.tokenizer import Tokenizer

MAX_TOKENS = 512
STOPS = ("\nclass ", "\ndef ", "\n#", "\n@", "\nprint(", "\nif ", "\n```", "\nassert ", "\nimport ", "\nfrom ")
"""What a function's text never holds: the usual ends of a solution, at the start of a line."""

TELLING_CHARACTERS = 30
"""Lines of solutions that are shorter stand in any library."""


@dataclass(frozen=True)
class Problem:
    """A function's head and docstring, what somebody wrote below them, and tests that call `entry_point`."""

    id: str
    prompt: str
    solution: str
    test: str
    entry_point: str

    def program(self, completion: str) -> str:
        """The whole program that passes or does not."""
        return f"{self.prompt}{completion}\n{self.test}\ncheck({self.entry_point})\n"

    @property
    def telling_lines(self) -> set[str]:
        """Lines that a text has only when it holds this problem: its head, its examples, long lines of its solution."""
        head = {
            line.strip() for line in self.prompt.splitlines() if line.startswith("def ") or line.strip()[:3] == ">>>"
        }
        return {line for line in head | _stripped(self.solution) if len(line) >= TELLING_CHARACTERS}


def read_problems(limit: int | None = None) -> list[Problem]:
    """All 164, or `limit` of them at even distances."""
    packed = files("rest_lsp.bench").joinpath("data", "HumanEval.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(packed).decode("utf-8").splitlines()]
    problems = [
        Problem(row["task_id"], row["prompt"].rstrip("\n"), row["canonical_solution"], row["test"], row["entry_point"])
        for row in rows
    ]
    count = min(limit or len(problems), len(problems))
    return [problems[index * len(problems) // count] for index in range(count)]


def task_of(problem: Problem, tokenizer: Tokenizer) -> Task:
    """Plain continuation: no markers, no suffix."""
    ids = tokenizer.encode(problem.prompt)
    request = CompletionRequest(
        text=problem.prompt, offset=len(problem.prompt), path=f"{problem.id}.py", language="python"
    )
    prompt = Prompt(ids=ids, context_ids=ids, prefix_ids=ids, middle_ids=[], suffix_ids=[], healing=None)
    return Task(problem.id, request, prompt, lambda: ContinuationRules(tokenizer))


class ContinuationRules:
    """Done at a control token, at the start of something new, in a loop, or after `max_tokens`."""

    max_tokens = MAX_TOKENS

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self.token_ids: list[int] = []

    @property
    def text(self) -> str:
        """What counts as the solution: up to the first stop."""
        ends = [end for end in (self._text.find(stop) for stop in STOPS) if end >= 0]
        return self._text[: min(ends)] if ends else self._text

    def feed(self, token: int) -> StopReason | None:
        self.token_ids.append(token)
        if token in self._tokenizer.control_ids or token >= self._tokenizer.vocab_size:
            return StopReason.END
        self._text += self._decoder.decode(self._tokenizer.token_bytes(token))
        if any(stop in self._text for stop in STOPS):
            return StopReason.BLOCK
        lines = self._text.split("\n")
        if ends_in_loop(lines[-1]) or (not lines[-1] and find_line_loop(lines[:-1])):
            return StopReason.LOOP
        return StopReason.MAX_TOKENS if len(self.token_ids) >= self.max_tokens else None


def solution_text(tokens: Sequence[int], tokenizer: Tokenizer) -> str:
    """The solution in a text that was written by the rules."""
    rules = ContinuationRules(tokenizer)
    for token in tokens:
        rules.feed(token)
    return rules.text


def _stripped(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}
