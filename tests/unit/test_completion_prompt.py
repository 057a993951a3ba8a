"""The anchored prompt: what goes where, what stays when somebody types, and which typed tokens are healed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import Prompt, PromptBuilder
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.syntax.place import ParsedDocuments
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_completion import at_cursor, control, small_tokenizer

TOKENIZER = small_tokenizer()
PREFIX, SUFFIX, MIDDLE = (control(f"<|fim_{name}|>") for name in ("prefix", "suffix", "middle"))


LIKE_QWEN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""Cuts behind the last line end of a run of blanks; GPT-2 cuts before the last blank, wherever the line ends."""


def build(
    request: CompletionRequest, *, budget: int = 4000, anchor_lines: int = 4, tokenizer: Tokenizer = TOKENIZER
) -> Prompt:
    builder = PromptBuilder(tokenizer, find_family(tokenizer), budget_tokens=budget, anchor_lines=anchor_lines)
    return builder.build_prompt(take_snapshot(request, builder.reach))


def text_of(ids: list[int]) -> str:
    return TOKENIZER.decode(ids)


def middle_of(prompt: Prompt) -> str:
    return text_of(prompt.middle_ids) + prompt.pending.decode()


def test_the_parts_stand_in_order_and_join_to_the_document() -> None:
    prompt = build(at_cursor("a = 1\nb = 2\nc = (█)\nd = 4\n"), anchor_lines=1)
    assert prompt.ids == [PREFIX, *prompt.prefix_ids, SUFFIX, *prompt.suffix_ids, MIDDLE, *prompt.middle_ids]
    assert text_of(prompt.prefix_ids) == "a = 1\n"
    assert middle_of(prompt) == "b = 2\nc = ("
    assert text_of(prompt.suffix_ids) == ")\nd = 4\n"


def test_the_context_for_drafting_has_no_markers_and_no_suffix() -> None:
    prompt = build(at_cursor("a = 1\nb = 2\nc = (█)\nd = 4\n"), anchor_lines=1)
    assert prompt.context_ids == [*prompt.prefix_ids, *prompt.middle_ids]
    assert not TOKENIZER.control_ids & set(prompt.context_ids)


@pytest.mark.parametrize(
    ("document", "pending"),
    [
        ("x = f(se█", b"(se"),
        ("    retur█", b" retur"),
        ("    █", b"    "),
        ("x = 1█", b"1"),
        ("f():█", b":"),
        ("x = 🙂█", "🙂".encode()[-1:]),
    ],
)
def test_tokens_that_more_text_may_change_are_healed(document: str, pending: bytes) -> None:
    assert build(at_cursor(document), anchor_lines=0).pending == pending


def test_without_healing_the_prompt_ends_at_the_cursor_and_is_anchored_alike() -> None:
    before, after = "a = 1\n" * 20 + "print(sel", ")\nb = 2\n"
    snapshot = take_snapshot(CompletionRequest(before + after, len(before)), 10_000)
    healed, unhealed = (
        PromptBuilder(TOKENIZER, find_family(TOKENIZER), budget_tokens=512, anchor_lines=4, heals=heals).build_prompt(
            snapshot
        )
        for heals in (True, False)
    )
    assert healed.pending
    assert unhealed.healing is None
    assert text_of(unhealed.middle_ids).endswith("print(sel")
    assert text_of(unhealed.middle_ids) == text_of(healed.middle_ids) + healed.pending.decode()
    assert (unhealed.prefix_ids, unhealed.suffix_ids) == (healed.prefix_ids, healed.suffix_ids)


def test_nothing_is_healed_where_nothing_is_typed() -> None:
    for document in ("█", "█\nx", "a\n█"):
        prompt = build(at_cursor(document), anchor_lines=0)
        assert prompt.healing is None
        assert prompt.middle_ids == []


@pytest.mark.parametrize(
    ("split", "document", "pending"),
    [
        (LIKE_QWEN, "x\n█", b""),
        (LIKE_QWEN, "x\n\n█", b""),
        (LIKE_QWEN, "x()\n\n█\n", b""),
        (LIKE_QWEN, "x\n\n  █", b"  "),
        (None, "x\n█", b"\n"),
        (None, "x\n\n█", b"\n\n"),
    ],
)
def test_a_line_end_is_healed_only_where_it_may_belong_to_the_next_line(
    split: str | None, document: str, pending: bytes
) -> None:
    blanks = ("\n\n\n", "  ") if split else ("\n\n   ", "\n   ")
    tokenizer = small_tokenizer(words=blanks, split=split)
    prompt = build(at_cursor(document), anchor_lines=8, tokenizer=tokenizer)
    assert prompt.pending == pending
    assert tokenizer.decode(prompt.middle_ids).encode() + pending == document.partition("█")[0].encode()
    assert (prompt.healing is None) == (pending == b"")


def test_an_empty_document_gives_the_markers_alone() -> None:
    assert build(at_cursor("█")).ids == [PREFIX, SUFFIX, MIDDLE]


def test_the_end_of_a_document_has_an_empty_suffix() -> None:
    assert build(at_cursor("a = 1\nb = █"), anchor_lines=0).suffix_ids == []


def test_marker_text_in_a_document_is_text() -> None:
    prompt = build(at_cursor("a = '<|fim_middle|>'\nb = █\n# <|fim_suffix|>\n"), anchor_lines=1)
    assert sum(token in TOKENIZER.control_ids for token in prompt.ids) == 3
    assert "<|fim_middle|>" in middle_of(prompt)


def test_windows_line_ends_do_not_reach_the_model() -> None:
    with_cr = build(at_cursor("a = 1\r\nb = █\r\nc = 3\r\n"))
    assert with_cr.ids == build(at_cursor("a = 1\nb = █\nc = 3\n")).ids


def typed(line: str, line_number: int) -> list[Prompt]:
    """The prompts of every keystroke while `line` is typed in the middle of a document."""
    lines = [f"name_{number}\n" for number in range(100)]
    before, after = "".join(lines[:line_number]), "".join(lines[line_number:])
    builder = PromptBuilder(TOKENIZER, find_family(TOKENIZER), budget_tokens=1400, anchor_lines=4)
    return [
        builder.build_prompt(
            take_snapshot(CompletionRequest(before + line[:n] + "\n" + after, len(before) + n), builder.reach)
        )
        for n in range(len(line) + 1)
    ]


@pytest.mark.parametrize("line_number", [0, 3, 50, 53, 99])
def test_a_keystroke_changes_only_the_end_of_the_prompt(line_number: int) -> None:
    prompts = typed("    return self.value(the, value)", line_number)
    for earlier, later in pairwise(prompts):
        assert later.prefix_ids == earlier.prefix_ids
        assert later.suffix_ids == earlier.suffix_ids
        shared = len(later.ids) - len(later.middle_ids) + common(earlier.middle_ids, later.middle_ids)
        assert shared >= len(earlier.ids) - 4


def test_new_lines_move_the_anchor_only_now_and_then() -> None:
    lines = [f"name_{number}\n" for number in range(200)]
    builder = PromptBuilder(TOKENIZER, find_family(TOKENIZER), budget_tokens=1400, anchor_lines=4)
    prefixes = []
    for number in range(100, 140):
        before = "".join(lines[:number])
        prompt = builder.build_prompt(take_snapshot(CompletionRequest(before, len(before)), builder.reach))
        prefixes.append(prompt.prefix_ids)
        assert 4 <= middle_of(prompt).count("\n") < 8
    moved = [(one, two) for one, two in pairwise(prefixes) if one != two]
    assert 9 <= len(moved) <= 10
    restarted = [1 for one, two in moved if two[: len(one)] != one]
    assert len(restarted) <= 5


@pytest.mark.parametrize(
    ("document", "prefix", "middle"),
    [
        ("a = 1\nb = x█, y\n", "a = 1\nb = ", "x"),
        ("a = 1\nret█urn\n", "a = 1\nret", ""),
        ("a = 1\nb = f(x)█  # so\n", "", "a = 1\nb = f(x)"),
        ("a = 1\nb = f(x█))\ny\n", "", "a = 1\nb = f(x"),
        ("a = 1\nb = f(x█", "", "a = 1\nb = f(x"),
    ],
)
def test_only_before_code_the_prompt_is_split_on_the_cursors_line(document: str, prefix: str, middle: str) -> None:
    prompt = build(at_cursor(document))
    assert (text_of(prompt.prefix_ids), middle_of(prompt)) == (prefix, middle)


@pytest.mark.parametrize(
    ("document", "prefix", "middle"),
    [
        ("a = 1\nb = f(█y)\n", "a = 1\nb = f(", ""),
        ("a = 1\nb = f(0, █y)\n", "a = 1\nb = f", "(0,"),
        ("a = 1\nb = f(x, g(1), █, y)\n", "a = 1\nb = f", "(x, g(1),"),
        ("a = 1\nb = f(x, g(1█), y)\n", "a = 1\nb = f", "(x, g("),
        ('a = 1\nb = f(x, "a) (█, y)\n', "a = 1\nb = f", '(x, "a) '),
        ("a = 1\nb = (1)█ + y\n", "a = 1\nb = (1", ""),
    ],
)
def test_before_code_the_prompt_is_split_behind_the_first_bracket_that_is_open_on_its_line(
    document: str, prefix: str, middle: str
) -> None:
    builder = PromptBuilder(TOKENIZER, find_family(TOKENIZER), budget_tokens=512, anchor_lines=4)
    snapshot = take_snapshot(replace(at_cursor(document), language="python"), builder.reach, ParsedDocuments())
    prompt = builder.build_prompt(snapshot)
    assert (text_of(prompt.prefix_ids), text_of(prompt.middle_ids)) == (prefix, middle)


@pytest.mark.parametrize("after", ["y)\n", ", y)\n"])
@pytest.mark.parametrize("typed", ["x", "a=1, b=[2, 3], ", '"x :), é🙂", ', "g(h(1), "])
def test_a_keystroke_before_code_changes_only_the_end_of_the_prompt(typed: str, after: str) -> None:
    builder = PromptBuilder(TOKENIZER, find_family(TOKENIZER), budget_tokens=512, anchor_lines=4)
    before, after, documents = "a = 1\nb = f(0, ", after + "c = 2\n" * 50, ParsedDocuments()
    prompts = [
        builder.build_prompt(
            take_snapshot(
                CompletionRequest(before + typed[:n] + after, len(before) + n, language="python"),
                builder.reach,
                documents,
            )
        )
        for n in range(len(typed) + 1)
    ]
    for earlier, later in pairwise(prompts):
        shared = len(later.ids) - len(later.middle_ids) + common(earlier.middle_ids, later.middle_ids)
        assert (later.prefix_ids, later.suffix_ids) == (earlier.prefix_ids, earlier.suffix_ids)
        assert shared >= len(earlier.ids) - 4


@given(
    lines=st.lists(st.text(alphabet="ab(🙂 \t", max_size=60), min_size=1, max_size=60),
    data=st.data(),
    budget=st.integers(64, 400),
    anchor_lines=st.integers(0, 9),
)
def test_the_budget_holds_and_the_nearest_text_is_there(
    lines: list[str], data: st.DataObject, budget: int, anchor_lines: int
) -> None:
    text = "\n".join(lines)
    offset = data.draw(st.integers(0, len(text)))
    prompt = build(CompletionRequest(text, offset), budget=budget, anchor_lines=anchor_lines)
    assert len(prompt.ids) <= budget
    before = b"".join(map(TOKENIZER.token_bytes, prompt.context_ids)) + prompt.pending
    after = b"".join(map(TOKENIZER.token_bytes, prompt.suffix_ids))
    assert text[:offset].encode().endswith(before)
    assert text[offset:].encode().startswith(after)
    assert before or not offset


def test_a_document_that_fits_is_there_as_a_whole() -> None:
    text = "".join(f"name_{number} = 1\n" for number in range(30))
    prompt = build(CompletionRequest(text, 250))
    assert text_of(prompt.context_ids) + prompt.pending.decode() == text[:250]
    assert text_of(prompt.suffix_ids) == text[250:]


def test_a_document_that_does_not_fit_begins_at_a_line() -> None:
    text = "".join(f"name_{number} = 1\n" for number in range(3000))
    offset = text.index("name_1500 ")
    prompt = build(CompletionRequest(text, offset), budget=800)
    before, after = text_of(prompt.prefix_ids), text_of(prompt.suffix_ids)
    assert before.startswith("name_")
    assert before.endswith(" = 1\n")
    assert after.startswith("name_1500 ")
    assert after.endswith(" = 1\n")
    assert 350 < len(prompt.prefix_ids) <= 600
    assert 150 < len(prompt.suffix_ids) <= 200


@pytest.mark.parametrize("size", [20_000, 5_000_000])
def test_one_huge_line_is_cut_within(size: int) -> None:
    text = "ab" * (size // 2)
    builder = PromptBuilder(TOKENIZER, find_family(TOKENIZER), budget_tokens=512, anchor_lines=4)
    ids = [
        builder.build_prompt(take_snapshot(CompletionRequest(text, offset), builder.reach))
        for offset in range(size // 2, size // 2 + 20)
    ]
    assert all(200 < len(prompt.ids) <= 512 for prompt in ids)
    assert len({tuple(prompt.prefix_ids) for prompt in ids}) <= 2


def common(one: list[int], two: list[int]) -> int:
    pairs = zip(one, two, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))
