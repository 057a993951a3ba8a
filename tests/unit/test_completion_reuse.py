"""What is left of a suggestion while somebody types on: what was shown, cut, and never text that does not fit."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, StopReason, Trigger
from rest_lsp.completion.reuse import ReuseCache, Reused
from tests.fakes_completion import at_cursor

PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}


def suggested(cache: ReuseCache, marked: str, text: str, *, replaced: int = 0, **options: Any) -> str:
    """Let the model have said `text` at the cursor; returns what taking it would make of the document."""
    request = at_cursor(marked, **options)
    start, end = request.offset, request.offset + replaced
    cache.add(request, CompletionResult(text, start, end, Outcome.RETURNED if text else Outcome.EMPTY), "tag")
    return request.text[:start] + text + request.text[end:]


def taken(request: CompletionRequest, found: Reused) -> str:
    return request.text[: found.start] + found.text + request.text[found.end :]


def rest_of(cache: ReuseCache, marked: str, **options: Any) -> str | None:
    """The text that is offered at the cursor, with the text that gives way to it in brackets."""
    request = at_cursor(marked, **options)
    known = cache.find(request)
    if not known:
        return None
    found = known[0]
    gone = request.text[found.start : found.end]
    return found.text + (f"[{gone}]" if gone else "")


def test_who_types_an_alternative_goes_on_seeing_it_and_those_that_agree() -> None:
    cache = ReuseCache()
    for text in ("load(path)", "left", "load_all()", "load"):
        suggested(cache, "x = █\n", text)

    def texts(marked: str) -> list[str]:
        return [found.text for found in cache.find(at_cursor(marked))]

    assert texts("x = █\n") == ["load", "left"], "what only says more than another is no choice"
    assert texts("x = le█\n") == ["ft"]
    assert texts("x = load_█\n") == ["all()"]
    assert texts("x = lost█\n") == []


@pytest.mark.parametrize(
    ("marked", "rest"),
    [
        ("x = █\n", "compute(a, b)"),
        ("x = comp█\n", "ute(a, b)"),
        ("x = compute(a, █\n", "b)"),
        ("x = compute(█)\n", "a, b)[)]"),
        ("x = compute(a, b)█\n", None),
        ("x = compare█\n", None),
        ("x =█\n", None),
        ("x = comp█()\n", None),
        ("y = comp█\n", None),
        ("x = comp█\ny", None),
    ],
)
def test_typing_through_and_deleting_back(marked: str, rest: str | None) -> None:
    cache = ReuseCache()
    suggested(cache, "x = █\n", "compute(a, b)")
    assert rest_of(cache, marked) == rest
    assert rest_of(cache, "x = co█\n") == "mpute(a, b)", "the suggestion stays for later"


@pytest.mark.parametrize(
    ("marked", "rest"),
    [
        ("def f(█)\n    pass", "a, b):[)]"),
        ("def f(a, █)\n    pass", "b):[)]"),
        ("def f(a, b█)\n    pass", "):[)]"),
        ("def f(a, b)█\n    pass", ":"),
        ("def f(a, b))█\n    pass", None),
    ],
)
def test_closers_that_give_way_are_typed_over(marked: str, rest: str | None) -> None:
    cache = ReuseCache()
    suggested(cache, "def f(█)\n    pass", "a, b):", replaced=1)
    assert rest_of(cache, marked) == rest


def test_several_lines_with_any_line_end() -> None:
    cache = ReuseCache()
    suggested(cache, "def f():█\r\nx = 1\r\n", "\r\n    a = 1\r\n    return a")
    assert rest_of(cache, "def f():\r\n    █\r\nx = 1\r\n") == "a = 1\r\n    return a"
    assert rest_of(cache, "def f():\n    █\nx = 1\n") is None, "another line end is another document"


def test_a_pair_that_the_editor_closed_must_be_in_the_suggestion() -> None:
    cache = ReuseCache()
    suggested(cache, "x = █\n", "f(")
    assert rest_of(cache, "x = f█\n") == "("
    suggested(cache, "y = █\n", "'a' + b")
    assert rest_of(cache, "y = '█'\n") == "a' + b[']"
    assert rest_of(cache, "y = (█)\n") is None


def test_nothing_to_say_is_known_at_this_place_only() -> None:
    cache = ReuseCache()
    suggested(cache, "x = 1█\n", "")
    assert rest_of(cache, "x = 1█\n") == ""
    assert rest_of(cache, "x = 12█\n") is None
    assert rest_of(cache, "x = 1█)\n") is None


def test_other_documents_and_other_languages_are_other_places() -> None:
    cache = ReuseCache()
    suggested(cache, "x = █", "1", path="a.py", language="python")
    assert rest_of(cache, "x = █", path="a.py", language="python") == "1"
    assert rest_of(cache, "x = █", path="b.py", language="python") is None
    assert rest_of(cache, "x = █", path="a.py", language="ruby") is None


def test_what_was_cut_for_lack_of_time_is_not_enough_for_who_asks_by_key() -> None:
    cache = ReuseCache()
    for marked, text in (("x = █", "1"), ("y = █", "")):
        request = at_cursor(marked)
        outcome = Outcome.RETURNED if text else Outcome.EMPTY
        cache.add(request, CompletionResult(text, 4, 4, outcome, stop=StopReason.BUDGET))
    assert rest_of(cache, "x = █", trigger=Trigger.AUTOMATIC) == "1"
    assert rest_of(cache, "x = █", trigger=Trigger.INVOKED) is None
    assert rest_of(cache, "y = █", trigger=Trigger.AUTOMATIC) is None, "nothing in time is not nothing to say"


def test_a_menu_is_answered_in_its_range_when_it_agrees() -> None:
    cache = ReuseCache()
    suggested(cache, "x.app█\n", "end(1)")
    menu = {"selected_text": "append", "selected_start": 2}
    assert rest_of(cache, "x.app█\n", **menu) == "append(1)[app]"
    assert rest_of(cache, "x.appe█\n", **menu) == "append(1)[appe]"
    assert rest_of(cache, "x.app█\n", selected_text="apply", selected_start=2) is None


def test_a_suggestion_for_a_menus_item_goes_on_when_the_item_is_taken() -> None:
    cache = ReuseCache()
    request = at_cursor("x.app█\n", selected_text="append", selected_start=2)
    cache.add(request, CompletionResult("append(1)", 2, 5, Outcome.RETURNED))
    assert rest_of(cache, "x.append█\n") == "(1)"


def test_what_scrolls_at_the_edges_of_a_long_document_changes_nothing() -> None:
    above = "".join(f"line_{number} = {number}\n" for number in range(400))
    below = "".join(f"below_{number} = {number}\n" for number in range(400))
    cache = ReuseCache()
    suggested(cache, f"{above}x = █\n{below}", "compute()")
    assert rest_of(cache, f"import this\n{above}x = c█\n{below}end") == "ompute()"
    assert rest_of(cache, f"{above.replace('line_350', 'row')}x = c█\n{below}") == "ompute()"
    assert rest_of(cache, f"{above.replace('line_399', 'row')}x = c█\n{below}") is None, "too near"
    assert rest_of(cache, f"{above}x = c█\n{below.replace('below_1 ', 'row')}") is None, "too near"
    assert rest_of(cache, f"{above.replace('line_3', 'row_')}x = c█\n{below}") is None, "too much"


def test_the_least_used_is_forgotten_first() -> None:
    cache = ReuseCache(kept=2)
    suggested(cache, "a = █", "1")
    suggested(cache, "b = █", "2")
    assert rest_of(cache, "a = █") == "1"
    suggested(cache, "c = █", "3")
    assert (rest_of(cache, "a = █"), rest_of(cache, "b = █"), rest_of(cache, "c = █")) == ("1", None, "3")
    cache.clear()
    assert rest_of(cache, "a = █") is None


def test_what_is_shown_stays_although_the_model_once_said_otherwise() -> None:
    cache = ReuseCache()
    suggested(cache, "x = co█\n", "nnect()")
    suggested(cache, "x = █\n", "compute()")
    assert rest_of(cache, "x = c█\n") == "ompute()"
    assert rest_of(cache, "x = co█\n") == "mpute()"


class Typist:
    """A document and somebody who types into it, in an editor that closes pairs."""

    def __init__(self, choose: random.Random) -> None:
        self.choose = choose
        self.text = "".join(choose.choices("ab()[]'\n ", k=choose.randrange(30)))
        self.cursor = choose.randint(0, len(self.text))

    @property
    def request(self) -> CompletionRequest:
        return CompletionRequest(self.text, self.cursor)

    def type(self, char: str) -> None:
        behind = self.text[self.cursor : self.cursor + 1]
        if char == behind and char in PAIRS.values():
            self.cursor += 1
            return
        closer = PAIRS.get(char, "") if self.choose.random() < 0.5 else ""
        self.text = self.text[: self.cursor] + char + closer + self.text[self.cursor :]
        self.cursor += 1

    def delete(self) -> None:
        self.text = self.text[: max(0, self.cursor - 1)] + self.text[self.cursor :]
        self.cursor = max(0, self.cursor - 1)

    def edit_anywhere(self) -> None:
        place = self.choose.randint(0, len(self.text))
        self.text = self.text[:place] + self.choose.choice("ab()") + self.text[place:]
        self.cursor += place < self.cursor


def rest_by_definition(shown: tuple[str, int, int, str], request: CompletionRequest) -> set[tuple[str, int, int]]:
    """Every (text, start, end) from the cursor on that makes the same document as the whole suggestion does.

    `shown` is the document, the range, and the text of a suggestion.  Only closers that the text writes may give way.
    """
    document, start, end, whole = shown
    wanted = document[:start] + whole + document[end:]
    found = set()
    for n_gone in range(9):
        begin, behind = request.text[: request.offset], request.text[request.offset + n_gone :]
        gone = request.text[request.offset : request.offset + n_gone]
        text = wanted[len(begin) : len(wanted) - len(behind)]
        is_cut = (
            0 < len(text) <= len(whole) and whole.endswith(text) and len(begin) + len(text) + len(behind) == len(wanted)
        )
        is_same = begin + text + behind == wanted and behind == document[end:]
        if len(gone) == n_gone and set(gone) <= set(")]}>\"'`;,:") and is_cut and is_same and is_spelled(gone, text):
            found.add((text, request.offset, request.offset + n_gone))
    return found


def is_spelled(part: str, whole: str) -> bool:
    for char in part:
        place = whole.find(char)
        if place < 0:
            return False
        whole = whole[place + 1 :]
    return True


@pytest.mark.parametrize("seed", range(40))
def test_random_typing_against_the_definition(seed: int) -> None:
    choose = random.Random(seed)
    n_found = 0
    for _ in range(60):
        typist = Typist(choose)
        cache = ReuseCache()
        whole = "".join(choose.choices("ab()[]'\n ", k=choose.randrange(1, 12)))
        n_replaced = 0
        while typist.text[typist.cursor + n_replaced : typist.cursor + n_replaced + 1] in tuple(")]'"):
            n_replaced += 1
        n_replaced = choose.randint(0, n_replaced)
        end = typist.cursor + n_replaced
        shown = (typist.text, typist.cursor, end, whole)
        cache.add(typist.request, CompletionResult(whole, typist.cursor, end, Outcome.RETURNED))
        to_type = list(reversed(whole))
        for _ in range(12):
            act = choose.random()
            if act < 0.7 and to_type:
                typist.type(to_type.pop())
            elif act < 0.85:
                typist.delete()
            elif act < 0.92:
                typist.edit_anywhere()
            else:
                typist.type(choose.choice("ab('"))
            known = cache.find(typist.request)
            allowed = rest_by_definition(shown, typist.request)
            if not known:
                assert not allowed
            for found in known:
                assert (found.text, found.start, found.end) in allowed
                assert taken(typist.request, found) == shown[0][: shown[1]] + whole + shown[0][end:]
                n_found += 1
    assert n_found > 50
