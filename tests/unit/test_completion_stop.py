"""When generation ends and what is shown then.  Adding a case is adding a file to tests/golden/stop."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.completion.multiline import is_multiline
from rest_lsp.completion.request import StopReason
from rest_lsp.completion.stop import MAX_LINES, StopRules
from tests.fakes_completion import CURSOR, Golden, control, golden_files, small_tokenizer, snapshot_at

TOKENIZER = small_tokenizer()
END = control("<|endoftext|>")


@pytest.mark.parametrize("path", golden_files("stop"), ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    golden = Golden.read(path)
    multiline = is_multiline(golden.snapshot, "always" if golden.options.get("lines") == "always" else "auto")
    rules = StopRules(TOKENIZER, golden.snapshot, multiline=multiline, max_tokens=1000)
    feed(rules, [*TOKENIZER.encode(golden.sections["completion"]), END])
    marked = golden.sections["document"].replace(CURSOR, f"⟦{rules.text}⟧")
    assert (marked, rules.reason) == (golden.sections["expected"], StopReason(golden.options["reason"]))


@pytest.mark.parametrize("name", ["<|endoftext|>", "<|fim_prefix|>", "<|fim_pad|>", "<|file_sep|>"])
def test_any_control_token_ends_and_is_not_shown(name: str) -> None:
    rules = multiline_rules("x = █")
    assert feed(rules, [*TOKENIZER.encode("1 + 2"), control(name)]) is StopReason.END
    assert rules.text == "1 + 2"


def test_an_id_beyond_the_vocabulary_ends() -> None:
    rules = multiline_rules("x = █")
    assert rules.feed(TOKENIZER.vocab_size) is StopReason.END


def test_a_single_line_may_begin_below_a_blank_line() -> None:
    rules = StopRules(TOKENIZER, snapshot_at("def f():\n█\n    return x\n"), multiline=False, max_tokens=100)
    assert feed(rules, TOKENIZER.encode("\n    x = 1\n    y = 2\n")) is StopReason.LINE
    assert rules.text == "\n    x = 1"


def test_typed_bytes_are_not_part_of_the_text() -> None:
    rules = multiline_rules("f(se█", pending=b"(se")
    feed(rules, [*TOKENIZER.encode("(self, a)"), END])
    assert rules.text == "lf, a)"


def test_typed_bytes_may_end_within_a_token_after_several() -> None:
    rules = multiline_rules("    re█", pending=b"    re")
    feed(rules, [*TOKENIZER.encode("   "), *TOKENIZER.encode(" return x"), END])
    assert rules.text == "turn x"


def test_a_character_of_several_tokens_is_shown_once_it_is_whole() -> None:
    rules = multiline_rules("s = █")
    first, *rest = TOKENIZER.encode("🙂")
    rules.feed(first)
    assert rules.text == ""
    feed(rules, [*rest, END])
    assert rules.text == "🙂"


def test_half_a_character_at_the_end_is_no_crash() -> None:
    rules = multiline_rules("s = █")
    feed(rules, [TOKENIZER.encode("🙂")[0], END])
    assert rules.text == "\ufffd"


def test_max_tokens_shows_whole_lines_where_there_are_some() -> None:
    ids = TOKENIZER.encode("a = 1\nb = 2222")
    rules = multiline_rules("█", max_tokens=len(ids) - 2)
    assert feed(rules, ids) is StopReason.MAX_TOKENS
    assert rules.text == "a = 1"


def test_max_tokens_within_the_first_line_shows_what_there_is() -> None:
    rules = multiline_rules("x = █", max_tokens=3)
    feed(rules, TOKENIZER.encode("12345"))
    assert rules.text == "123"


def test_max_lines() -> None:
    names = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(MAX_LINES + 5)]
    rules = multiline_rules("█")
    assert feed(rules, TOKENIZER.encode("\n".join(f"{name} = {name}()" for name in names))) is StopReason.MAX_LINES
    assert len(rules.text.split("\n")) == MAX_LINES


@pytest.mark.parametrize(
    ("written", "shown"), [("a = 1\nb = 2\nc =", "a = 1\nb = 2"), ("a = 1\n", "a = 1"), ("a = 1", ""), ("", "")]
)
def test_the_time_budget_shows_whole_lines_only(written: str, shown: str) -> None:
    rules = multiline_rules("█")
    feed(rules, TOKENIZER.encode(written))
    rules.give_up()
    assert (rules.text, rules.reason) == (shown, StopReason.BUDGET)


def test_giving_up_after_the_end_changes_nothing() -> None:
    rules = multiline_rules("█")
    feed(rules, [*TOKENIZER.encode("a = 1"), END])
    rules.give_up()
    assert (rules.text, rules.reason) == ("a = 1", StopReason.END)


def test_a_stopped_completion_takes_no_more_tokens() -> None:
    rules = multiline_rules("█")
    rules.feed(END)
    with pytest.raises(ValueError, match="takes no more tokens"):
        rules.feed(END)


lines = st.lists(
    st.sampled_from(["", "    a = 1", "b()", "}", "    }", "def f():", "        c", "end", "🙂"]), max_size=12
)


@given(before=lines, after=lines, completion=lines, multiline=st.booleans())
def test_the_text_is_a_prefix_of_what_was_written(
    before: list[str], after: list[str], completion: list[str], multiline: bool
) -> None:
    snapshot = snapshot_at("\n".join(before) + CURSOR + "\n".join(after))
    written = "\n".join(completion)
    rules = StopRules(TOKENIZER, snapshot, multiline=multiline, max_tokens=1000)
    ids = [*TOKENIZER.encode(written), END]
    feed(rules, ids)
    assert rules.reason is not None
    assert written.startswith(rules.text)
    assert rules.token_ids == ids[: len(rules.token_ids)]
    assert [len(TOKENIZER.decode(ids[:i]).rstrip("\ufffd")) for i in range(len(rules.starts))] == rules.starts


def multiline_rules(document: str, *, max_tokens: int = 1000, pending: bytes = b"") -> StopRules:
    return StopRules(TOKENIZER, snapshot_at(document), multiline=True, max_tokens=max_tokens, pending=pending)


def feed(rules: StopRules, ids: Iterable[int]) -> StopReason | None:
    """Until a rule says stop."""
    return next((reason for token in ids if (reason := rules.feed(token)) is not None), None)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (" = 1\n    y = 2\n    z = 3\n    w = 4\n    v = 5\n" * 9, StopReason.MAX_LINES),
        (" = 1\n" + "    y = compute(1)\n" * 9, StopReason.LOOP),
        (" = 1\n    y = 2\n\n\n\n\n", StopReason.BLOCK),
        (" = 1\n\ndef g():\n    pass\n", StopReason.BLOCK),
    ],
)
def test_a_gap_before_code_that_the_model_does_not_end_ends_with_a_whole_line(written: str, reason: StopReason) -> None:
    rules = multiline_rules("def f():\n    x█    return x\n")
    feed(rules, TOKENIZER.encode(written))
    assert rules.reason is reason
    assert rules.text.endswith("\n")
    assert not rules.text.endswith("\n\n\n")


def test_a_gap_before_code_of_the_top_level_ends_before_a_definition() -> None:
    rules = multiline_rules("x█y = 3\n")
    feed(rules, TOKENIZER.encode(" = 1\n\nz = 2\n\ndef f():\n    pass\n"))
    assert (rules.reason, rules.text) == (StopReason.BLOCK, " = 1\n\nz = 2\n\n")


def test_a_time_budget_before_code_shows_complete_lines() -> None:
    rules = multiline_rules("def f():\n    x█    return x\n")
    feed(rules, TOKENIZER.encode(" = 1\n    y = 2\n    z"))
    rules.give_up()
    assert rules.text == " = 1\n    y = 2\n"


@pytest.mark.parametrize(
    ("document", "written", "shown"),
    [
        ("x = █\n", "compute(a, b", "compute"),
        ("x = █\n", "compute(a, b) + value", "compute(a, b)"),
        ("x = compute(█\n", "a, value) ", "a, value)"),
        ("x = compute(█\n", "a, value", ""),
        ("x = [█]\n", "value, self.a", "value, self"),
    ],
)
def test_the_time_budget_shows_so_much_of_a_line_that_the_document_parses(
    document: str, written: str, shown: str
) -> None:
    rules = StopRules(TOKENIZER, snapshot_at(document, language="python"), multiline=False, max_tokens=1000)
    feed(rules, TOKENIZER.encode(written))
    rules.give_up()
    assert (rules.text, rules.reason) == (shown, StopReason.BUDGET)
