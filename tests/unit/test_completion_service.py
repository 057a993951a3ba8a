"""From request to result, with a scripted engine and a real tokenizer."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from rest_lsp.background import BACKGROUND
from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.confidence import confidence
from rest_lsp.completion.context import ExtraContext
from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import Prompt
from rest_lsp.completion.request import (
    CompletionRequest,
    CompletionResult,
    Outcome,
    SourceUse,
    StopReason,
    Trigger,
    Wishes,
)
from rest_lsp.completion.service import MAX_CHARACTERS, CompletionService
from rest_lsp.completion.trace import Tracing
from rest_lsp.config import CompletionOptions
from rest_lsp.datastore.occurrence import Origin
from rest_lsp.drafting.drafter import Drafter, NoDrafter
from rest_lsp.drafting.recent import PREFIX_TAIL, Recent, RecentCompletions
from rest_lsp.errors import Cancelled, ModelError, RequestError
from rest_lsp.stats import StatsLog
from tests.fakes_completion import CONTROLS, ScriptedEngine, ScriptedStep, at_cursor, control, small_tokenizer
from tests.files_context import Shelf, extra_context
from tests.waiting import await_pause, wait_until

if TYPE_CHECKING:
    from rest_lsp.engine.sampling import Sampling


@dataclass(frozen=True)
class FakeSampling:
    """As the engine's, which imports torch."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0


GREEDY = cast("Sampling", FakeSampling())


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A service around a scripted engine."""

    engine: ScriptedEngine
    options: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    stats: StatsLog = field(default_factory=StatsLog)
    recent: RecentCompletions = field(default_factory=RecentCompletions)
    drafted_for: list[tuple[CompletionRequest, Prompt]] = field(default_factory=list)
    tracing: Tracing | None = None
    context: ExtraContext | None = None

    def __post_init__(self) -> None:
        tokenizer = small_tokenizer()
        self.service = CompletionService(
            self.engine,
            tokenizer,
            find_family(tokenizer),
            self.make_drafter,
            CompletionOptions(**self.options),
            sampling=GREEDY,
            line_of=lambda origin: origin.offset // 10,
            stats=self.stats,
            recent=self.recent,
            tracing=self.tracing,
            context=self.context,
            clock=self.clock,
        )

    def make_drafter(self, request: CompletionRequest, prompt: Prompt) -> Drafter:
        self.drafted_for.append((request, prompt))
        return NoDrafter()

    def complete(self, marked: str, **options: Any) -> CompletionResult:
        return self.service.complete(at_cursor(marked, **options), CancelToken())


def complete(marked: str, answer: str, **options: Any) -> CompletionResult:
    return Bench(ScriptedEngine(answer)).complete(marked, **options)


def accepted(marked: str, result: CompletionResult) -> str:
    """The document after somebody has accepted the result."""
    text = at_cursor(marked).text
    return text[: result.start] + result.text + text[result.end :]


@pytest.mark.parametrize(
    ("document", "answer", "after"),
    [
        ("x = f(█)\n", "a, b", "x = f(a, b)\n"),
        ("x = f(█)\n", "a, b)", "x = f(a, b)\n"),
        ("def f(█)\n", "a, b):", "def f(a, b):\n"),
        ("    ret█\n", "urn 1\nx", "    return 1\n"),
        ("def f():█\nx = 1\n", "\n    return 1\nx = 1", "def f():\n    return 1\nx = 1\n"),
        ("def f():█\r\nx = 1\r\n", "\n    a = 1\n    return a", "def f():\r\n    a = 1\r\n    return a\r\nx = 1\r\n"),
        ("s = '🙂█'\n", "你好'", "s = '🙂你好'\n"),
        ("█", "import a\nimport b", "import a\nimport b"),
        ("s = '<|fim_middle|>' + █\n", "'<|fim_suffix|>'", "s = '<|fim_middle|>' + '<|fim_suffix|>'\n"),
    ],
)
def test_what_accepting_makes_of_the_document(document: str, answer: str, after: str) -> None:
    result = complete(document, answer, language="python")
    assert result.outcome is Outcome.RETURNED
    assert accepted(document, result) == after


@pytest.mark.parametrize("group", [1, 2, 3, 7, 50])
def test_grouping_tokens_in_steps_changes_nothing_but_their_number(group: int) -> None:
    answer = "self, value):\n        return value\n\n    def g(self):\n        pass"
    plain = Bench(ScriptedEngine(answer)).complete("class A:\n    def f(█\n", language="python")
    grouped = Bench(ScriptedEngine(answer, group=group)).complete("class A:\n    def f(█\n", language="python")
    assert (grouped.text, grouped.token_ids, grouped.stop) == (plain.text, plain.token_ids, plain.stop)
    assert plain.forwards == plain.tokens
    assert grouped.forwards == -(-plain.tokens // group)


@pytest.mark.parametrize("end", CONTROLS)
def test_no_control_token_is_ever_shown(end: str) -> None:
    result = Bench(ScriptedEngine("1 + 2", end=end)).complete("x = █\n")
    assert (result.text, result.stop) == ("1 + 2", StopReason.END)


def test_nothing_to_say_is_empty() -> None:
    result = complete("x = 1█\n", "\n\n")
    assert (result.text, result.outcome, result.start, result.end) == ("", Outcome.EMPTY, 5, 5)


def test_sources_are_those_of_the_shown_tokens() -> None:
    engine = ScriptedEngine("abcd\nefgh", group=3, origin_of=lambda i: Origin("lib.py", 40 + i) if i < 7 else None)
    result = Bench(engine).complete("x = █\n")
    assert result.text == "abcd"
    assert result.accepted_by == (("datastore", 4),)
    assert result.accepted == 4
    assert result.sources == (SourceUse("lib.py", 4, 3),)


def test_the_counts_of_a_result() -> None:
    result = Bench(ScriptedEngine("abc", group=2)).complete("x =█\n")
    assert (result.tokens, result.forwards, result.drafted) == (5, 3, 6)
    assert (result.prefill_ms, result.reused) == (5.0, 3)
    assert result.draft_ms == (1.0, 1.0, 1.0)
    assert result.learn_ms == (0.25, 0.25, 0.25)
    assert result.retrieval_ms > 3.0, "making the drafter counts as well"
    assert result.decode_ms - result.retrieval_ms == pytest.approx(6.0)
    assert {"snapshot", "build_prompt", "postprocess"} < set(result.spans)


def test_the_drafter_sees_the_text_before_the_cursor() -> None:
    bench = Bench(ScriptedEngine("1"))
    bench.complete("a = 1\nb = █\n", path="m.py")
    (request, prompt) = bench.drafted_for[0]
    assert request.path == "m.py"
    assert bench.engine.contexts == [prompt.context_ids]
    assert bench.engine.prompts == [prompt.ids]


def test_cancelling_between_steps_ends_the_work() -> None:
    cancel, passes = CancelToken(), []

    def before_step(number: int) -> None:
        passes.append(number)
        if number == 2:
            cancel.cancel()

    bench = Bench(ScriptedEngine("a long answer", before_step=before_step))
    result = bench.service.complete(at_cursor("x = █\n"), cancel)
    assert (result.outcome, result.text) == (Outcome.CANCELLED, "")
    assert passes == [0, 1, 2]


def test_what_was_written_until_a_key_superseded_it_is_remembered() -> None:
    cancel = CancelToken()

    def cancel_at_third(number: int) -> None:
        if number == 2:
            cancel.cancel()

    bench = Bench(ScriptedEngine("value of it", before_step=cancel_at_third))
    assert bench.service.complete(at_cursor("x = █\n"), cancel).outcome is Outcome.CANCELLED
    [recent] = bench.recent.texts()
    assert recent.prefix_tail == "x = "
    assert recent.text
    assert "value of it".startswith(recent.text)
    assert recent.text != "value of it"


def test_a_request_that_is_cancelled_before_it_starts_never_reaches_the_engine() -> None:
    cancel = CancelToken()
    cancel.cancel()
    bench = Bench(ScriptedEngine("1"))
    assert bench.service.complete(at_cursor("x = █\n"), cancel).outcome is Outcome.CANCELLED
    assert bench.engine.prompts == []


def slow(answer: str, **options: Any) -> Bench:
    """Each forward pass takes 100 ms."""
    clock = Clock()

    def before_step(_: int) -> None:
        clock.now += 0.1

    return Bench(ScriptedEngine(answer, before_step=before_step), clock=clock, options=options)


def test_at_the_time_budget_whole_lines_are_shown() -> None:
    bench = slow("a = 1\n    b = 2", time_budget_automatic_ms=850)
    result = bench.complete("def f():\n    █\n", trigger=Trigger.AUTOMATIC)
    assert (result.text, result.outcome, result.stop) == ("a = 1", Outcome.RETURNED, StopReason.BUDGET)


def test_at_the_time_budget_half_a_line_is_nothing() -> None:
    result = slow("compute(a, b)", time_budget_invoked_ms=500).complete("x = █\n")
    assert (result.text, result.outcome, result.stop) == ("", Outcome.EMPTY, StopReason.BUDGET)
    assert result.forwards == 6


def test_a_prompt_that_took_the_whole_budget_to_read_leaves_half_of_it_to_write() -> None:
    clock = Clock()

    def before_step(number: int) -> None:
        clock.now += 0.1 if number else 5.0

    options = {"time_budget_invoked_ms": 1700}
    bench = Bench(ScriptedEngine("a = 1\n    b = 2", before_step=before_step), clock=clock, options=options)
    assert bench.complete("def f():\n    █\n").text == "a = 1"


def test_each_trigger_has_its_own_budget_and_zero_is_none() -> None:
    bench = slow("compute(a, b)", time_budget_automatic_ms=500, time_budget_invoked_ms=0)
    assert bench.complete("x = █\n", trigger=Trigger.AUTOMATIC).stop is StopReason.BUDGET
    assert bench.complete("x = █\n", trigger=Trigger.INVOKED).text == "compute(a, b)"


def test_single_and_multi_line_have_their_own_token_limits() -> None:
    bench = Bench(ScriptedEngine("abcdefghijklmnop"), options={"max_tokens_single": 4, "max_tokens_multi": 8})
    assert bench.complete("x =█\n").tokens == 4
    assert bench.complete("█\n").tokens == 8


def test_a_menu_selection_is_extended() -> None:
    request = CompletionRequest("x.ap\n", 4, selected_text="append", selected_start=2)
    result = Bench(ScriptedEngine("(1)")).service.complete(request, CancelToken())
    assert (result.text, result.start, result.end) == ("append(1)", 2, 4)


def test_a_menu_selection_without_more_is_nothing() -> None:
    request = CompletionRequest("x.ap\n", 4, selected_text="append", selected_start=2)
    assert Bench(ScriptedEngine("")).service.complete(request, CancelToken()).outcome is Outcome.EMPTY


def test_automatic_requests_within_a_word_are_filtered_and_invoked_ones_are_not() -> None:
    bench = Bench(ScriptedEngine("1"))
    assert bench.complete("na█me\n", trigger=Trigger.AUTOMATIC).outcome is Outcome.FILTERED
    assert bench.complete("na█me\n", trigger=Trigger.INVOKED).outcome is Outcome.RETURNED
    assert len(bench.engine.prompts) == 1


@pytest.mark.parametrize("document", ["a\0b█", "█" + "\ufffd" * 50])
def test_binary_documents_are_unsupported(document: str) -> None:
    assert complete(document, "1").outcome is Outcome.UNSUPPORTED


def test_a_gigantic_document_is_too_large() -> None:
    request = CompletionRequest("\n" * (MAX_CHARACTERS + 1), 0)
    assert Bench(ScriptedEngine("1")).service.complete(request, CancelToken()).outcome is Outcome.TOO_LARGE


@pytest.mark.parametrize("unit", ["value = compute(self)\n", "x"])
def test_five_megabytes_are_no_problem(unit: str) -> None:
    text = unit * (5_000_000 // len(unit))
    bench = Bench(ScriptedEngine("1"))
    result = bench.service.complete(CompletionRequest(text, len(text) // 2), CancelToken())
    assert result.outcome is Outcome.RETURNED
    assert result.prompt_tokens <= bench.options.get("prompt_tokens", CompletionOptions().prompt_tokens)


def test_a_cursor_outside_the_text_is_an_error_and_recorded() -> None:
    bench = Bench(ScriptedEngine("1"))
    with pytest.raises(RequestError):
        bench.service.complete(CompletionRequest("abc", 9), CancelToken())
    assert bench.stats.summary().completions == 1


def test_an_engine_that_breaks_is_recorded() -> None:
    def broken(_: int) -> None:
        raise ModelError("The weights are damaged.")

    bench = Bench(ScriptedEngine("1", before_step=broken))
    with pytest.raises(ModelError):
        bench.complete("x = █\n")
    assert bench.stats.summary().completions == 1


@pytest.mark.parametrize("group", [1, 2, 3, 4])
def test_tokens_behind_the_one_that_ended_it_are_not_counted(group: int) -> None:
    bench = Bench(ScriptedEngine("abc", group=group))
    result = bench.complete("x =█\n")
    assert bench.stats.summary().tokens == result.tokens


def test_every_request_is_recorded_once() -> None:
    bench = Bench(ScriptedEngine("abc", group=2))
    bench.complete("x =█\n")
    bench.complete("na█me\n", trigger=Trigger.AUTOMATIC)
    summary = bench.stats.summary()
    assert summary.completions == 2
    assert summary.forwards == 3
    assert {"snapshot", "build_prompt", "prefill", "draft", "verify", "postprocess"} <= set(summary.spans)


def test_what_is_completed_is_remembered_newest_first_and_once() -> None:
    bench = Bench(ScriptedEngine("value"))
    for marked in ("x = █", "y = █\r\n", "x = █"):
        bench.complete(marked, path="a.py")
    assert bench.recent.texts() == (Recent("a.py", "x = ", "value"), Recent("a.py", "y = ", "value"))
    bench.complete("z" * 500 + " = █")
    assert len(bench.recent.texts()[0].prefix_tail) == PREFIX_TAIL


@pytest.mark.parametrize(
    ("document", "answer", "shown", "remembered"),
    [
        ("x = █\n", "value\nmore", "value", "value\n"),
        ("f(█)\n", "value)", "value", "value)"),
        ("def f():\r\n    █\r\n", "a\n    b\nc", "a\r\n    b", "a\n    b\nc"),
        ("def f():\n    █\n", "\n    a\nb", "a", "a"),
    ],
    ids=["what ended it", "what stands there already", "line ends", "where typing leads elsewhere"],
)
def test_drafts_know_what_was_written_where_less_was_shown(
    document: str, answer: str, shown: str, remembered: str
) -> None:
    bench = Bench(ScriptedEngine(answer))
    assert bench.complete(document, trigger=Trigger.INVOKED).text == shown
    assert [recent.text for recent in bench.recent.texts()] == [remembered]


def test_a_loop_is_remembered_once() -> None:
    bench = Bench(ScriptedEngine("round_and_round()\n    " * 8))
    result = bench.complete("def f():\n    █\n", trigger=Trigger.INVOKED)
    assert result.stop is StopReason.LOOP
    [recent] = bench.recent.texts()
    assert recent.text.count("round_and_round") == result.written.count("round_and_round") < 3


def test_what_says_nothing_is_not_remembered() -> None:
    bench = Bench(ScriptedEngine("\n\n"))
    bench.complete("x = █")
    assert bench.recent.texts() == ()


@dataclass
class SeededEngine(ScriptedEngine):
    """Writes what `answers` has for the seed."""

    answers: tuple[str, ...] = ()
    samplings: list[Sampling] = field(default_factory=list)

    def generate(self, prompt: Sequence[int], *, sampling: Sampling, **rest: Any) -> Iterator[ScriptedStep]:
        self.answer = self.answers[sampling.seed % len(self.answers)]
        self.samplings.append(sampling)
        return super().generate(prompt, sampling=sampling, **rest)


def alternatives(engine: SeededEngine, known: str, **options: Any) -> list[str]:
    bench = Bench(engine, options)
    return [other.text for other in bench.service.alternatives(at_cursor("x = █\n"), [known], CancelToken())]


def test_alternatives_are_other_texts_than_those_known() -> None:
    engine = SeededEngine("", answers=("one", "one", "two", "two", "three", "four"))
    assert alternatives(engine, "one") == ["two", "three"]
    assert len({tuple(prompt) for prompt in engine.prompts}) == 1, "one prompt, which is in the KV cache"
    assert [sampling.seed for sampling in engine.samplings] == [1, 2, 3, 4]
    assert all(sampling.temperature > 0 for sampling in engine.samplings)


def test_a_model_that_says_the_same_again_is_not_asked_for_ever() -> None:
    engine = SeededEngine("", answers=("one",))
    assert alternatives(engine, "one", candidates=4) == []
    assert len(engine.samplings) < 8


def test_one_candidate_has_no_alternatives() -> None:
    engine = SeededEngine("", answers=("two",))
    assert alternatives(engine, "one", candidates=1) == []
    assert engine.samplings == []


def test_alternatives_take_half_the_time_budget_together() -> None:
    bench = Bench(SeededEngine("", answers=("a", "b", "c", "d")), {"candidates": 4, "time_budget_invoked_ms": 1000})
    engine = cast("SeededEngine", bench.engine)

    def pass_time(_: int) -> None:
        bench.clock.now += 0.06

    engine.before_step = pass_time
    found = bench.service.alternatives(at_cursor("x = █\n", trigger=Trigger.INVOKED), ["a"], CancelToken())
    assert 0 < len(engine.samplings) < 8
    assert bench.clock.now <= 100.0 + 0.5 + 0.06
    assert [other.text for other in found] == ["b", "c", "d"][: len(found)]


def test_alternatives_that_are_superseded_are_given_up() -> None:
    cancel = CancelToken()
    bench = Bench(SeededEngine("", answers=("a", "b"), before_step=lambda _: cancel.cancel()))
    with pytest.raises(Cancelled):
        bench.service.alternatives(at_cursor("x = █\n"), ["a"], cancel)


def test_a_traced_service_hands_out_each_pass_as_the_engine_made_it() -> None:
    engine = ScriptedEngine("a, b", group=2)
    plain = Bench(engine).complete("x = f(█)\n")
    assert plain.trace is None
    bench = Bench(engine, tracing=Tracing(lambda: lambda origin: origin.offset, None))
    traced = bench.complete("x = f(█)\n")
    assert (traced.text, traced.token_ids) == (plain.text, plain.token_ids)
    assert traced.trace is not None
    assert sum(each.n_taken for each in traced.trace.passes) == traced.tokens
    assert len(traced.trace.passes) == traced.forwards


@pytest.mark.parametrize(
    ("document", "option"),
    [
        ("x = █\n", "code"),
        ("value█\n", "word"),
        ("def f():\n    █\n", "block"),
        ("x = 1  # the█\n", "text"),
    ],
)
def test_a_guess_is_not_shown_while_typing_but_when_asked_for(document: str, option: str) -> None:
    bench = Bench(ScriptedEngine("value", log_prob=math.log(0.4)), {f"min_confidence_{option}": 0.5})
    doubtful = bench.complete(document, language="python", trigger=Trigger.AUTOMATIC)
    assert (doubtful.text, doubtful.outcome) == ("", Outcome.FILTERED)
    assert doubtful.confidence == pytest.approx(0.4)
    assert [recent.text for recent in bench.recent.texts()] == ["value"], "the next key may agree with it"
    assert bench.complete(document, language="python", trigger=Trigger.INVOKED).text == "value"
    sure = Bench(ScriptedEngine("value", log_prob=math.log(0.6)), {f"min_confidence_{option}": 0.5})
    assert sure.complete(document, language="python", trigger=Trigger.AUTOMATIC).text == "value"


def test_only_the_tokens_that_are_shown_count() -> None:
    starts, log_probs = [0, 0, 4, 8], [-9.0, -1.0, -3.0, -7.0]
    assert confidence(log_probs, starts, "ab, cd, ef", "ab, cd,") == pytest.approx(math.exp(-2))
    assert confidence(log_probs, starts, "ab, cd, ef", "") == 0


def test_who_wishes_for_plain_decoding_gets_it() -> None:
    bench = Bench(ScriptedEngine("1"))
    bench.service.complete(at_cursor("x = █\n"), CancelToken(), Wishes(is_plain=True))
    assert bench.drafted_for == []
    bench.complete("x = █\n")
    assert len(bench.drafted_for) == 1


def test_parts_of_other_files_stand_before_the_document_and_are_warmed_too() -> None:
    engine = ScriptedEngine("1")
    bench = Bench(engine, context=extra_context(Shelf({"lib.py": "def value(of):\n    return of\n"})))
    request = at_cursor("from lib import value\n\nvalue(█)\n", path="main.py", language="python")
    bench.service.prewarm(request, CancelToken())
    bench.service.complete(request, CancelToken())
    (prompt,) = engine.prompts
    assert engine.prefilled == [prompt]
    separator, begin = control("<|file_sep|>"), prompt.index(control("<|fim_prefix|>"))
    other, own = small_tokenizer().encode("lib.py\ndef value(of): ...\n"), small_tokenizer().encode("main.py\n")
    assert prompt[:begin] == [separator, *other, separator, *own]
    assert not small_tokenizer().control_ids & {*engine.contexts[0]}, "drafts are looked for by the document's text"


@dataclass
class WatchedEngine(ScriptedEngine):
    """Looks around in each pass."""

    look: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.before_step = lambda _: self.look()

    def prefill(self, prompt: Sequence[int], cancel: CancelToken) -> None:
        self.look()
        super().prefill(prompt, cancel)


@pytest.fixture
def indexer() -> Iterator[int]:
    """A process that works in the background."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        BACKGROUND.add(process.pid)
        yield process.pid
        BACKGROUND.remove(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing pauses elsewhere")
@pytest.mark.parametrize("what", ["complete", "alternatives", "prewarm"])
def test_the_index_pauses_while_the_model_works_and_no_longer(what: str, indexer: int) -> None:
    """Whoever asks, and however."""
    looked = list[None]()

    def look() -> None:
        if not looked:
            await_pause(indexer)
        looked.append(None)

    bench = Bench(WatchedEngine("one", look=look))
    request, cancel = at_cursor("x = █\n"), CancelToken()
    works: dict[str, Callable[[], object]] = {
        "complete": lambda: bench.service.complete(request, cancel),
        "alternatives": lambda: bench.service.alternatives(request, ["two"], cancel),
        "prewarm": lambda: bench.service.prewarm(request, cancel),
    }
    works[what]()
    assert looked
    state = Path(f"/proc/{indexer}/stat")
    wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] != "T", "the index goes on")
