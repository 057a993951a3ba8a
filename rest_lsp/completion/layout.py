"""What lines of code look like, without a parser: indentation, openers and closers.  Knows nothing about requests."""

from __future__ import annotations

import re

TAB_WIDTH = 4
OPENING = "([{"
CLOSING = ")]}"
COLON_BLOCKS = frozenset({"", "python", "yaml", "nim", "gdscript", "cython", "starlark", "coffeescript"})
"""Languages in which a colon at the end of a line opens a block; "" because an unknown language may be one of them."""

_COMMENT = re.compile(r"\s*(#|//|--|\*|/\*|;;)")
_KEYWORD_BLOCKS = {
    "lua": re.compile(r"\b(then|do|else|repeat|function\s*[\w.:]*\s*\([^()]*\))$"),
    "ruby": re.compile(
        r"^\s*(?!.*\bend$)(def|class|module|if|unless|while|until|case|for)\s.*[^;]$"
        r"|\b(begin|do|then|else|ensure)$|\bdo\s*\|[^|]*\|$"
    ),
    "shellscript": re.compile(r"\b(then|do|else|in)$"),
}
"""Languages whose blocks begin with a word, and the ends of lines that begin one."""
_CLOSING_LINE = re.compile(r"\s*([)\]}]+[)\]};,]*|end[;,)]*|</[\w.:-]+>)\s*$")
_DEFINITION = re.compile(
    r"\s*(@|(export\s+|pub\s+|public\s+|private\s+|protected\s+|static\s+|abstract\s+|async\s+)*"
    r"(def|class|function|func|fn|impl|struct|enum|trait|interface|module|namespace)\b)"
)


def indent_width(line: str) -> int:
    """Columns of leading blanks, a tab counting up to the next multiple of `TAB_WIDTH`."""
    blanks = line[: len(line) - len(line.lstrip(" \t"))]
    return len(blanks.expandtabs(TAB_WIDTH))


def opens_block(line: str, language: str = "") -> bool:
    """Whether a block or bracket begins at the end of `line`."""
    code = line.rstrip()
    if not code or is_comment(code):
        return False
    keywords = _KEYWORD_BLOCKS.get(language)
    if keywords is not None and keywords.search(code):
        return True
    return code[-1] in OPENING or code.endswith("=>") or (code[-1] == ":" and language in COLON_BLOCKS)


def closes_block(line: str) -> bool:
    """Whether `line` does nothing but close a block: brackets, "end", a closing tag."""
    return _CLOSING_LINE.match(line) is not None


def may_close_block(start: str) -> bool:
    """Whether a line that begins with `start` could still turn out to close a block."""
    code = start.strip()
    return code[:1] in tuple(CLOSING) or "end".startswith(code[:3]) or code.startswith("</")


def is_comment(line: str) -> bool:
    """Whether `line` is nothing but one."""
    return _COMMENT.match(line) is not None


def is_word(text: str) -> bool:
    """Whether `text` is a character of words."""
    return text.isalnum() or text == "_"


def begins_definition(line: str) -> bool:
    """Whether `line` starts a function, class or the like (a decorator counts)."""
    return _DEFINITION.match(line) is not None
