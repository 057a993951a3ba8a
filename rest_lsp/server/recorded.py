"""A completion as the record has it: numbers, places and shapes of what the engine did, and what drafting saved."""

from __future__ import annotations

from functools import cache

from rest_lsp.completion.generator import Step
from rest_lsp.completion.provenance import LineOf
from rest_lsp.completion.request import CompletionResult
from rest_lsp.completion.trace import TextOf, Trace, TracedPass
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.history.events import Completion, Node, Pass


def completion_of(result: CompletionResult, model: str, cost: StepCost | None) -> Completion | None:
    """None when the model was not asked.  Looks up lines, which takes some microseconds per node."""
    if not result.forwards:
        return None
    passes = _passes(result.trace) if result.trace is not None else ()
    return Completion(
        model=model,
        tokens=result.tokens,
        forwards=result.forwards,
        drafted=result.drafted,
        accepted=result.accepted,
        prompt_tokens=result.prompt_tokens,
        reused=result.reused,
        prefill_ms=result.prefill_ms,
        decode_ms=result.decode_ms,
        saved_ms=saved_ms(result, passes, cost) if cost is not None else None,
        passes=passes,
    )


def saved_ms(result: CompletionResult, passes: tuple[Pass, ...], cost: StepCost) -> float | None:
    """What plain decoding would have taken, at the pace that the machine had in these very passes, less what it took.

    The pace is what they took against what passes of their size were measured to take.  Negative when drafting lost.
    """
    curve = cost.curve(result.prompt_tokens)
    known = [each for each in passes if each.rows < len(curve)]
    expected = sum(curve[each.rows] for each in known)
    if not expected:
        return None
    pace = sum(each.verify_ms for each in known) / expected
    return pace * curve[1] * result.tokens - result.decode_ms


def _passes(trace: Trace) -> tuple[Pass, ...]:
    line_of = cache(trace.line_of)
    return tuple(_pass(each, line_of, trace.text_of) for each in trace.passes)


def _pass(traced: TracedPass, line_of: LineOf, text_of: TextOf | None) -> Pass:
    step = traced.step
    return Pass(
        rows=step.n_rows,
        tokens=traced.n_taken,
        draft_ms=round(step.draft_ms, 3),
        verify_ms=round(step.verify_ms, 3),
        accept_ms=round(step.accept_ms, 3),
        nodes=_nodes(step, line_of, text_of),
    )


def _nodes(step: Step, line_of: LineOf, text_of: TextOf | None) -> tuple[Node, ...]:
    tree, accepted = step.tree, set(step.path)
    nodes = []
    for number, token in enumerate(tree.tokens):
        origin = tree.origin(number)
        path = origin.path if origin is not None else ""
        nodes.append(
            Node(
                parent=tree.parents[number],
                depth=tree.depths[number],
                probability=round(tree.path_probability[number], 6),
                accepted=number in accepted,
                source=tree.sources[number],
                path=path,
                line=line_of(origin) if origin is not None and path else None,
                text=text_of(token) if text_of is not None else None,
            )
        )
    return tuple(nodes)
