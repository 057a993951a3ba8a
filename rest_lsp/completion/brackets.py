"""Brackets outside strings and comments, by a scan without a grammar.  Pure functions, quick enough for every key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rest_lsp.completion.layout import CLOSING, OPENING
from rest_lsp.languages import DASH_COMMENTS, HASH_COMMENTS

BACKTICK_STRINGS = frozenset({"javascript", "javascriptreact", "typescript", "typescriptreact", "go", "shellscript"})

_PARTNER = dict(zip(OPENING, CLOSING, strict=True))
_DOUBLE, _SINGLE = r'"(?:\\.|[^"\\\n])*"', r"'(?:\\.|[^'\\\n])*'"
_CHARACTER = r"'(?:\\.[^'\n]{0,8}|[^'\\\n])'"
_TRIPLE = r'"""(?:\\.|[^\\])*?"""|' + r"'''(?:\\.|[^\\])*?'''"
_CASE_ARM = r"^[ \t]*[^\s()#;&|$]+(?:[ \t]*\|[ \t]*[^\s()]+)*\)"


class Bracket(NamedTuple):
    """One bracket and where it stands."""

    at: int
    char: str


def brackets_of(text: str, language: str = "") -> list[Bracket]:
    """Those that are code; a quote without a partner on its line opens no string."""
    found = _tokens(language).finditer(text)
    return [Bracket(match.start(), match[0]) for match in found if match.lastgroup == "bracket"]


def imbalance(brackets: Iterable[Bracket]) -> int:
    """How many brackets have no partner."""
    waiting: list[str] = []
    lonely = 0
    for _, char in brackets:
        if char in _PARTNER:
            waiting.append(_PARTNER[char])
        elif char in waiting:
            while waiting.pop() != char:
                lonely += 1
        else:
            lonely += 1
    return lonely + len(waiting)


def unmatched_closers(text: str, language: str = "") -> list[int]:
    """Indices of the closing brackets in `text` whose opening one stands before it."""
    return _unmatched(text, language)[0]


def unmatched_openers(text: str, language: str = "") -> list[int]:
    """Indices of the opening brackets in `text` that nothing closes behind them."""
    return _unmatched(text, language)[1]


def open_quote(line: str, language: str = "") -> str:
    """The quote that opens a string which `line` does not close, "" when there is none."""
    code = _tokens(language).sub(lambda match: match[0] if match.lastgroup == "bracket" else " ", line)
    last = max((code.rfind(quote) for quote in _quotes(language)), default=-1)
    if last < 0:
        return ""
    is_apostrophe = code[last] == "'" and code[:last][-3:].isalnum() and len(code[:last]) >= 3
    return "" if is_apostrophe else code[last]


def end_of_string(text: str, quote: str) -> int:
    """Index of the first `quote` in `text` that no backslash escapes, -1 when there is none."""
    index = 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == quote:
            return index
        index += 1
    return -1


def _unmatched(text: str, language: str) -> tuple[list[int], list[int]]:
    """Closing and opening ones without a partner; any closing one closes the last that is open."""
    closers: list[int] = []
    openers: list[int] = []
    for index, char in brackets_of(text, language):
        if char in OPENING:
            openers.append(index)
        elif openers:
            openers.pop()
        else:
            closers.append(index)
    return closers, openers


def _quotes(language: str) -> str:
    quotes = '"' if language == "rust" else "\"'"
    return quotes + "`" if language in BACKTICK_STRINGS or not language else quotes


@lru_cache(maxsize=64)
def _tokens(language: str) -> re.Pattern[str]:
    """What a scan steps over as one piece, and brackets."""
    parts = [_DOUBLE, _CHARACTER if language == "rust" else _SINGLE, *_comments(language)]
    if language in ("python", "cython", ""):
        parts.insert(0, _TRIPLE)
    if language in BACKTICK_STRINGS:
        parts.append(r"`(?:\\.|[^`\\])*`")
    if language == "shellscript":
        parts.append(_CASE_ARM)
    return re.compile(rf"(?P<bracket>[()\[\]{{}}])|{'|'.join(parts)}", re.MULTILINE | re.DOTALL)


def _comments(language: str) -> list[str]:
    if language == "shellscript":
        return [r"(?<!\S)#[^\n]*"]
    if language in HASH_COMMENTS:
        return [r"#[^\n]*"]
    if language in DASH_COMMENTS:
        return [r"--\[\[.*?\]\]", r"--[^\n]*"]
    return [r"//[^\n]*", r"/\*.*?\*/"] if language else []
