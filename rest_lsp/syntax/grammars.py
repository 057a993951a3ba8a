"""Which grammar parses which language: one row per language, each grammar from its own wheel, loaded when first needed.

A grammar that is missing, or was made for another version of the library, is as good as none: whoever asks falls back
to indentation.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import NamedTuple

from tree_sitter import Language, Parser

log = logging.getLogger(__name__)


class Grammar(NamedTuple):
    """A module, and its function that hands out the grammar."""

    module: str
    function: str = "language"


GRAMMARS: dict[str, Grammar] = {
    "c": Grammar("tree_sitter_c"),
    "cpp": Grammar("tree_sitter_cpp"),
    "go": Grammar("tree_sitter_go"),
    "java": Grammar("tree_sitter_java"),
    "javascript": Grammar("tree_sitter_javascript"),
    "javascriptreact": Grammar("tree_sitter_javascript"),
    "lua": Grammar("tree_sitter_lua"),
    "python": Grammar("tree_sitter_python"),
    "ruby": Grammar("tree_sitter_ruby"),
    "rust": Grammar("tree_sitter_rust"),
    "shellscript": Grammar("tree_sitter_bash"),
    "typescript": Grammar("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": Grammar("tree_sitter_typescript", "language_tsx"),
}
"""By the identifiers of LSP."""


@cache
def parser_for(language: str) -> Parser | None:
    """The parser of `language`, None when there is none.  A broken one costs one line in the log."""
    grammar = GRAMMARS.get(language)
    if grammar is None:
        return None
    try:
        return Parser(Language(getattr(import_module(grammar.module), grammar.function)()))
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        log.warning("The grammar of %s cannot be used (%s); its code is read by indentation.", language, error)
        return None
