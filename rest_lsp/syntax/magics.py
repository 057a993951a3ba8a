"""IPython's own syntax in cells of Python: lines for IPython or a shell, and cells in another language.

A grammar of Python takes `!echo it's` for the beginning of a string.  Knows no notebooks.
"""

from __future__ import annotations

import re

PYTHON = "python"
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_OF_PYTHON = frozenset({"capture", "debug", "memit", "mprun", "prun", "pypy", "python", "python3", "time", "timeit"})
"""Cell magics behind which Python goes on."""

_LANGUAGES = {"bash": "shellscript", "js": "javascript", "sh": "shellscript", "svg": "html"}
"""Languages that editors name otherwise than the magic does."""

_LINE = re.compile(
    r"""(?:^([ \t]*)(?:%(?=%?[a-z]|[ \t\r]*$)|!(?=[^\s=)\]}'"]|[ \t\r]*$)|\?(?=[\w%?]))"""
    r"""|(?<==)([ \t]*)(?:%(?=[a-z])|!(?=[^\s='"])))[^\r\n]?""",
    re.MULTILINE | re.IGNORECASE,
)
_QUESTION = re.compile(r"\?{1,2}(?=[ \t\r]*$)", re.MULTILINE)


def language_of_cell(text: str, language: str) -> str:
    """What the cell is written in: for a cell of Python, that of its cell magic, or the magic's name."""
    magic = _CELL_MAGIC.match(text) if language == PYTHON else None
    if magic is None:
        return language
    name = magic[1].lower()
    return PYTHON if name in _OF_PYTHON else _LANGUAGES.get(name, name)


def without_magics(text: str) -> str:
    """The same number of characters in Python alone: `!ls -l` and `files = !ls` become `0#s -l` and `files = 0#s`.

    A number is a whole statement, also where a block must not be empty; the rest is comment.  Line ends stay.
    """
    return _QUESTION.sub(lambda found: " " * len(found[0]), _LINE.sub(_number_and_comment, text))


def _number_and_comment(found: re.Match[str]) -> str:
    indentation = found[1] if found[1] is not None else found[2]
    return indentation + "0#"[: len(found[0]) - len(indentation)]
