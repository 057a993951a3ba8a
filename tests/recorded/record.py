"""Records what a model writes at the cursors of `cases`, without any rule of ours.

    python -m tests.recorded.record OUT           add to OUT
    python -m tests.recorded.record OUT --pack    make of OUT the file of the suite

Takes an hour or more on a small machine, goes on where it was stopped, and is not part of the suite.  The prompt is the
usual one, but short.  The text that really stands there is drafted: that saves time and cannot change a token.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from rest_lsp.assembly import LoadedModel, load_model
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import Prompt, first_cut_token
from rest_lsp.config import Settings
from rest_lsp.drafting.cost_model import FixedBudget
from rest_lsp.healing import Healing
from rest_lsp.models.progress import silent
from rest_lsp.tokenizer import Tokenizer
from rest_lsp.workspace import model_name, model_store
from tests.recorded.cases import OUTPUTS, Case, Output, RealFile, cases_of, read_files, request_for, write_lines

GROUPS_PER_FILE = 5
PREFIX_LINES, SUFFIX_LINES = 16, 8
MAX_TOKENS = 40
DRAFTED = 3
"""Nodes of a draft: four rows cost a processor without VNNI what one costs."""


class Written(NamedTuple):
    """Token ids up to the control token that ends them, their log-probabilities, and the number of typed bytes."""

    pending: int
    tokens: list[int]
    log_probs: list[float]


class Recorder:
    """A model and what it needs to be asked."""

    def __init__(self, model: LoadedModel, settings: Settings) -> None:
        self._engine, self._tokenizer = model.engine, model.tokenizer
        self._fim = find_family(model.tokenizer)
        self._drafting = Drafting(settings.drafting, model.tokenizer, None, FixedBudget(DRAFTED))

    def record(self, case: Case, file: RealFile) -> Written:
        before, request = file.text[: case.start] + case.inserted, request_for(case, file)
        prompt = self._prompt(before[: case.anchor], before[case.anchor :], file.text[case.end :])
        self._drafting.recent.clear()
        self._drafting.recent.add(file.name, before, file.text[case.start : case.end] + "\n")
        steps = self._engine.generate(
            prompt.ids,
            context=prompt.context_ids,
            drafter=self._drafting(request, prompt),
            healing=prompt.healing,
            cancel=CancelToken(),
            max_tokens=MAX_TOKENS,
        )
        written = Written(len(prompt.pending), [], [])
        for step in steps:
            for token, log_prob in zip(step.tokens, step.log_probs, strict=True):
                written.tokens.append(token)
                written.log_probs.append(round(log_prob, 3))
                if self._is_enough(written, several_lines=case.kind in ("block", "new_line")):
                    return written
        return written

    def _is_enough(self, written: Written, *, several_lines: bool) -> bool:
        if not self._tokenizer.token_bytes(written.tokens[-1]):
            return True
        spelled = b"".join(self._tokenizer.token_bytes(token) for token in written.tokens)
        return not several_lines and b"\n" in spelled[written.pending :]

    def _prompt(self, before: str, middle: str, after: str) -> Prompt:
        encode = self._tokenizer.encode
        prefix_ids = encode("".join(before.splitlines(keepends=True)[-PREFIX_LINES:]))
        suffix_ids = encode("".join(after.splitlines(keepends=True)[:SUFFIX_LINES]))
        middle_ids = encode(middle)
        kept = first_cut_token(middle_ids, self._tokenizer)
        pending = b"".join(self._tokenizer.token_bytes(token) for token in middle_ids[kept:])
        return Prompt(
            ids=[*self._fim.assemble(prefix_ids, suffix_ids), *middle_ids[:kept]],
            context_ids=[*prefix_ids, *middle_ids[:kept]],
            prefix_ids=prefix_ids,
            middle_ids=middle_ids[:kept],
            suffix_ids=suffix_ids,
            healing=Healing(pending, self._tokenizer.sorted_vocabulary) if pending else None,
        )


def pack(written: Path) -> None:
    """Put what was recorded into the file of the suite, which has no tokenizer: spellings in the place of ids."""
    settings = Settings()
    store = model_store(settings, silent)
    tokenizer = Tokenizer.from_file(store.open(model_name(settings, device="cpu"), "int8").tokenizer_path)
    outputs = []
    for row in map(json.loads, written.read_text(encoding="utf-8").splitlines()):
        ids, log_probs, pending = row.pop("tokens"), row.pop("log_probs"), row.pop("pending")
        pieces = [tokenizer.token_bytes(token).decode("latin-1") or None for token in ids]
        outputs.append(Output(Case(**row), pending, pieces, log_probs))
    write_lines(OUTPUTS, outputs)


def main(out: Path) -> None:
    files = read_files()
    done = len(out.read_text(encoding="utf-8").splitlines()) if out.exists() else 0
    settings = Settings.model_validate({"device": {"threads": 1}})
    recorder = Recorder(load_model(settings), settings)
    with out.open("a", encoding="utf-8") as stream:
        for case in cases_of(files, GROUPS_PER_FILE)[done:]:
            written = recorder.record(case, files[case.file])
            stream.write(json.dumps({**asdict(case), **written._asdict()}) + "\n")
            stream.flush()


if __name__ == "__main__":
    (pack if "--pack" in sys.argv else main)(Path(sys.argv[1]))
