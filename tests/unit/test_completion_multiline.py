"""One line or several, and where an automatic suggestion is unwanted."""

from __future__ import annotations

import pytest

from rest_lsp.completion.brackets import unmatched_closers, unmatched_openers
from rest_lsp.completion.multiline import is_multiline, is_unwanted
from tests.fakes_completion import snapshot_at


@pytest.mark.parametrize(
    ("document", "language", "several"),
    [
        ("█", "", True),
        ("def f():\n    █\n", "python", True),
        ("a = 1\n   █   \nb = 2", "python", True),
        ("def f():█\n", "python", True),
        ("def f():█  \nx = 1", "python", True),
        ("def f():█\n    return 1", "python", False),
        ("def f():█\n\n\n    return 1", "python", False),
        ("function f() {█\n}", "javascript", True),
        ("const f = () =>█\n", "javascript", True),
        ("x = [█", "python", True),
        ("call(█)", "python", False),
        ("function f() {█}", "javascript", False),
        ("x = 1█", "python", False),
        ("x = █\n", "python", False),
        ("case a:█\n", "javascript", False),
        ("# note:█\n", "python", False),
        ("// note {█\n", "javascript", False),
        ("    █ + 1", "python", False),
        ('def f():\n    """Do\n\n    █\n    """', "python", False),
        ("/*\n█\n*/", "c", False),
    ],
)
def test_the_place_decides(document: str, language: str, several: bool) -> None:
    assert is_multiline(snapshot_at(document, language=language)) is several


@pytest.mark.parametrize("document", ["█", "x = █", "f(█)"])
def test_the_option_overrules_the_place(document: str) -> None:
    assert is_multiline(snapshot_at(document), "always")
    assert not is_multiline(snapshot_at(document), "never")


@pytest.mark.parametrize(
    ("document", "unwanted"),
    [
        ("na█me", True),
        ("x = █ compute(a, b)", True),
        ("f(█)", False),
        ("f('█'))]};", False),
        ("f(█, a)", False),
        ("x = █", False),
        ("name█", False),
        ("█name", False),
    ],
)
def test_automatic_suggestions_keep_out_of_the_way(document: str, unwanted: bool) -> None:
    assert is_unwanted(snapshot_at(document)) is unwanted


@pytest.mark.parametrize(("text", "closers"), [("a)", [1]), ("f(a)", []), ("f(a))]", [4, 5]), (")(", [0]), ("", [])])
def test_unmatched_closers(text: str, closers: list[int]) -> None:
    assert unmatched_closers(text) == closers


@pytest.mark.parametrize(
    ("text", "openers"), [("f(a, [b], {c", [1, 10]), ("f(a) + g(')', (", [8, 14]), (") (", [2]), ("f()", [])]
)
def test_unmatched_openers(text: str, openers: list[int]) -> None:
    assert unmatched_openers(text) == openers


@pytest.mark.parametrize(
    ("document", "language", "unwanted"),
    [
        ("x = 1  # █", "python", True),
        ("x = 1  # the█", "python", False),
        ("# the █ end", "python", True),
        ("/* the█ */", "c", False),
        ("/**\n * █\n */", "c", True),
        ("import 'a█'", "javascript", False),
        ("import 'a█b'", "javascript", True),
        ("x = 'a' █", "python", False),
    ],
)
def test_automatic_suggestions_in_comments_and_strings(document: str, language: str, unwanted: bool) -> None:
    assert is_unwanted(snapshot_at(document, language=language)) is unwanted
