"""What grammars say about a place in code, over the languages that have one."""

from __future__ import annotations

import ast
import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.completion.request import Cell
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.syntax import grammars
from rest_lsp.syntax.grammars import GRAMMARS, Grammar, parser_for
from rest_lsp.syntax.magics import language_of_cell, without_magics
from rest_lsp.syntax.parsed import Parsed, Scope
from rest_lsp.syntax.place import MAX_CHARACTERS, ParsedDocuments, Place
from tests.fakes_completion import CURSOR, at_cursor


def place_in(marked: str, language: str) -> Place:
    text = marked.replace(CURSOR, "")
    place = ParsedDocuments().place("a", language, text, marked.index(CURSOR))
    assert place is not None
    return place


@pytest.mark.parametrize("language", GRAMMARS)
def test_every_grammar_is_here(language: str) -> None:
    assert parser_for(language) is not None


@pytest.mark.parametrize(
    ("marked", "language", "scope"),
    [
        ("x = 1  # no█te", "python", Scope.COMMENT),
        ("x = 1  # note█", "python", Scope.COMMENT),
        ("x = 1█  # note", "python", Scope.CODE),
        ("# note\n█x = 1", "python", Scope.CODE),
        ("x = 'a█b'", "python", Scope.STRING),
        ("x = 'ab'█", "python", Scope.CODE),
        ('def f():\n    """Do\n    █\n    """', "python", Scope.STRING),
        ("x = f'a{b█}c'", "python", Scope.CODE),
        ("int x; /* é ü ö █ */", "c", Scope.COMMENT),
        ("int x; /* a */█", "c", Scope.CODE),
        ("/// doc█\nfn f() {}\n", "rust", Scope.COMMENT),
        ("/// doc\n█fn f() {}\n", "rust", Scope.CODE),
        ("const a = `b ${c█} d`;", "javascript", Scope.CODE),
        ("const a = `b █ d`;", "javascript", Scope.STRING),
        ('s := "a█"', "go", Scope.STRING),
        ('puts "a#{b█}"', "ruby", Scope.CODE),
        ("--[[ a █ ]]", "lua", Scope.COMMENT),
        ("echo 'a █'", "shellscript", Scope.STRING),
    ],
)
def test_scope(marked: str, language: str, scope: Scope) -> None:
    assert place_in(marked, language).part.scope is scope


@pytest.mark.parametrize(
    ("marked", "language", "text", "leaves"),
    [
        ("function f() {\n  if (a) {\n    █\n  }\n}", "javascript", "b(); }", True),
        ("function f() {\n  if (a) {\n    █\n  }\n}", "javascript", "b('}');", False),
        ("function f() {\n  if (a) {\n    █\n  }\n}", "javascript", "b({ c: 1 });", False),
        ("function f() {\n  if (a) {█\n}", "javascript", "\n    b();\n  }", False),
        ("def f\n  █\nend\n", "ruby", "if a\n    b\n  end", False),
        ("def f\n  █\nend\n", "ruby", "a\nend", True),
        ("while a; do\n  █\ndone\n", "shellscript", "if b; then c; fi", False),
        ("while a; do\n  █\ndone\n", "shellscript", "b\ndone", True),
    ],
)
def test_leaving_the_block_around_the_cursor(marked: str, language: str, text: str, leaves: bool) -> None:
    assert place_in(marked, language).leaves_block(text) is leaves


def test_what_breaks_and_what_mends_a_document() -> None:
    place = place_in("def f():\n    return g(█)\n", "python")
    assert not place.breaks("a, b", 0)
    assert not place.breaks("a)", 1)
    assert place.breaks("a b", 0)
    assert place.breaks("a)", 0)
    half = place_in("def f():\n    return g(█\n", "python")
    assert half.mends("a)")
    assert not half.mends("a")
    assert not half.breaks("a, b", 0)


def test_line_ends_of_windows_change_no_place() -> None:
    text = "a = 1\r\n# note\r\nb = 'x'\r\n"
    place = ParsedDocuments().place("a", "python", text, text.index("x"))
    assert place is not None
    assert place.part.scope is Scope.STRING


def test_languages_without_a_grammar_and_very_long_texts_have_no_place() -> None:
    documents = ParsedDocuments()
    assert documents.place("a", "cobol", "x", 0) is None
    assert documents.place("a", "python", "#" * (MAX_CHARACTERS + 1), 0) is None


def test_a_grammar_that_cannot_be_loaded_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(grammars.GRAMMARS, "lost", Grammar("tree_sitter_lost"))
    with caplog.at_level(logging.WARNING):
        assert ParsedDocuments().place("a", "lost", "x", 0) is None
    assert "The grammar of lost cannot be used" in caplog.text


def test_parsing_on_after_any_edit_is_parsing_anew() -> None:
    """What is remembered of a document must never be seen in the answers."""
    text, draw = Path(__file__).read_text(encoding="utf-8"), random.Random(1)
    documents, parser = ParsedDocuments(), parser_for("python")
    assert parser is not None
    for _ in range(60):
        start = draw.randrange(len(text))
        end = min(len(text), start + draw.choice([0, 1, 5, 200]))
        text = text[:start] + draw.choice(["", "é", "(", ")", '"', "\n", "\n    if a:\n        b = 'ü'\n"]) + text[end:]
        place = documents.place("a", "python", text, start)
        assert place is not None
        anew = Parsed.of(parser, text)
        assert str(place.document.tree.root_node) == str(anew.tree.root_node)
        assert place.part == anew.part_at(start)
        assert place.document.with_insert(start, start, "x(").n_errors == anew.with_insert(start, start, "x(").n_errors


NOTEBOOK = """%matplotlib inline
!echo it's "here
files = !ls 'a
if files:
    !rm -r it's
?print
print??
total = (a
  % b)
name = "%s" % (
    a)
x != 3
%%time
 !
"""


def test_magics_leave_code_that_parses_and_lines_that_are_as_long() -> None:
    code = without_magics(NOTEBOOK)
    ast.parse(code.replace("\n 0", "\n0"))
    assert [len(line) for line in code.split("\n")] == [len(line) for line in NOTEBOOK.split("\n")]
    kept = [line for line in NOTEBOOK.split("\n") if line in code.split("\n")]
    assert kept == ["if files:", "total = (a", "  % b)", 'name = "%s" % (', "    a)", "x != 3", ""]


def test_a_magic_does_not_make_a_string_of_what_follows() -> None:
    request = at_cursor("!echo '''\n\nx = █\n\n!echo '''\n", language="python", cell=Cell(11, 15))
    snapshot = take_snapshot(request, 1000, ParsedDocuments())
    assert snapshot.scope is Scope.CODE
    assert snapshot.before.startswith("!echo '''\n")
    assert take_snapshot(replace(request, cell=None), 1000, ParsedDocuments()).scope is Scope.STRING


@given(st.text(alphabet="%!?=ab '\"\n\r\t(", max_size=30))
def test_magics_never_move_anything(text: str) -> None:
    code = without_magics(text)
    assert len(code) == len(text)
    assert [at for at, char in enumerate(code) if char in "\r\n"] == [
        at for at, char in enumerate(text) if char in "\r\n"
    ]


@pytest.mark.parametrize(
    ("text", "language", "written_in"),
    [
        ("%%bash\nls", "python", "shellscript"),
        ("\n%%HTML\n<p>", "python", "html"),
        ("%%time\nx = 1", "python", "python"),
        ("%%writefile a.txt", "python", "writefile"),
        ("%time x = 1", "python", "python"),
        ("%%bash", "julia", "julia"),
    ],
)
def test_a_cell_magic_names_the_language(text: str, language: str, written_in: str) -> None:
    assert language_of_cell(text, language) == written_in
