"""Records what a model writes at the cursors of `cases` and `gaps`, without any rule of ours.

    python -m tests.recorded.record OUT           add to OUT, those with code right of the cursor first
    python -m tests.recorded.record OUT --pack    put what is in OUT into the file of the suite

Takes hours on a small machine, goes on where it was stopped, and is not part of the suite.  What was recorded earlier
at a cursor gives way to what is in OUT, the rest stays.  The prompt is the usual one.  The text that really stands
there is drafted: that saves time and cannot change a token.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rest_lsp.assembly import LoadedModel, load_model
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import PromptBuilder
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.config import Settings
from rest_lsp.drafting.cost_model import FixedBudget
from rest_lsp.models.progress import silent
from rest_lsp.tokenizer import Tokenizer
from rest_lsp.workspace import model_name, model_store
from tests.recorded.cases import (
    OUTPUTS,
    Case,
    Output,
    RealFile,
    cases_of,
    read_files,
    read_outputs,
    request_for,
    write_lines,
)
from tests.recorded.gaps import gaps_of

GROUPS_PER_FILE = 5
MAX_TOKENS = 40
DRAFTED = 3
"""Nodes of a draft: four rows cost a processor without VNNI what one costs."""
SINGLE_LINES = ("line", "inside")
"""Kinds of which nothing beyond the first line is ever shown."""


class Written(NamedTuple):
    """Token ids up to the control token that ends them, their log-probabilities, and the number of typed bytes."""

    pending: int
    tokens: list[int]
    log_probs: list[float]


class Recorder:
    """A model and what it needs to be asked."""

    def __init__(self, model: LoadedModel, settings: Settings) -> None:
        self._engine, self._tokenizer, options = model.engine, model.tokenizer, settings.completion
        self._prompts = PromptBuilder(
            model.tokenizer,
            find_family(model.tokenizer),
            budget_tokens=options.prompt_tokens,
            anchor_lines=options.anchor_lines,
        )
        self._drafting = Drafting(settings.drafting, model.tokenizer, None, FixedBudget(DRAFTED))

    def record(self, case: Case, file: RealFile) -> Written:
        request = request_for(case, file)
        prompt = self._prompts.build_prompt(take_snapshot(request, self._prompts.reach))
        before, missing = request.text[: request.offset], file.text[case.start : case.end]
        self._drafting.recent.clear()
        self._drafting.recent.add(file.name, before, missing + "\n")
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
                if self._is_enough(written, several_lines=case.kind not in SINGLE_LINES):
                    return written
        return written

    def _is_enough(self, written: Written, *, several_lines: bool) -> bool:
        if not self._tokenizer.token_bytes(written.tokens[-1]):
            return True
        spelled = b"".join(self._tokenizer.token_bytes(token) for token in written.tokens)
        return not several_lines and b"\n" in spelled[written.pending :]


def pack(written: Path) -> None:
    """Put what was recorded into the file of the suite, which has no tokenizer: spellings in the place of ids."""
    settings = Settings()
    store = model_store(settings, silent)
    tokenizer = Tokenizer.from_file(store.open(model_name(settings, device="cpu"), "int8").tokenizer_path)
    outputs = {output.case: output for output in read_outputs()}
    for row in _recorded(written):
        ids, log_probs, pending = row.pop("tokens"), row.pop("log_probs"), row.pop("pending")
        pieces = [tokenizer.token_bytes(token).decode("latin-1") or None for token in ids]
        case = Case(**row)
        outputs[case] = Output(case, pending, pieces, log_probs)
    write_lines(OUTPUTS, [*outputs.values()])


def main(out: Path) -> None:
    files = read_files()
    rows = _recorded(out)
    done = {Case(**{name: row[name] for name in Case.__dataclass_fields__}) for row in rows}
    settings = Settings.model_validate({"device": {"threads": 1}})
    recorder = Recorder(load_model(settings), settings)
    with out.open("a", encoding="utf-8") as stream:
        for case in [*gaps_of(files), *cases_of(files, GROUPS_PER_FILE)]:
            if case not in done:
                done.add(case)
                written = recorder.record(case, files[case.file])
                stream.write(json.dumps({**asdict(case), **written._asdict()}) + "\n")
                stream.flush()


def _recorded(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []


if __name__ == "__main__":
    (pack if "--pack" in sys.argv else main)(Path(sys.argv[1]))
