"""Holes as token prompts that any program can continue: those of the completion service, but without healing."""

from __future__ import annotations

from dataclasses import replace

from rest_lsp.bench.direct import Task
from rest_lsp.bench.holes import Hole
from rest_lsp.completion.fim import find_family
from rest_lsp.completion.multiline import is_multiline
from rest_lsp.completion.prompt import Prompt, PromptBuilder
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.completion.stop import StopRules
from rest_lsp.config import CompletionOptions
from rest_lsp.tokenizer import Tokenizer


class FimTasks:
    """Builds tasks for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, options: CompletionOptions) -> None:
        self._tokenizer, self._options = tokenizer, options
        self._prompts = PromptBuilder(
            tokenizer, find_family(tokenizer), budget_tokens=options.prompt_tokens, anchor_lines=options.anchor_lines
        )

    def task(self, hole: Hole) -> Task:
        """The hole's prompt, and the stop rules of the completion service."""
        snapshot = take_snapshot(hole.request, self._prompts.reach)
        prompt = unhealed(self._prompts.build_prompt(snapshot), self._tokenizer)
        multiline = is_multiline(snapshot, self._options.multiline)
        most = self._options.max_tokens_multi if multiline else self._options.max_tokens_single

        def new_rules() -> StopRules:
            return StopRules(self._tokenizer, snapshot, multiline=multiline, max_tokens=most)

        return Task(hole.case.id, hole.request, prompt, new_rules)


def unhealed(prompt: Prompt, tokenizer: Tokenizer) -> Prompt:
    """The same text, with the token that the cursor cuts as it is spelled up to there."""
    typed = tokenizer.encode(prompt.pending.decode(errors="replace"))
    return replace(
        prompt,
        ids=[*prompt.ids, *typed],
        context_ids=[*prompt.context_ids, *typed],
        middle_ids=[*prompt.middle_ids, *typed],
        healing=None,
    )
