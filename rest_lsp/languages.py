"""Languages, named as editors name them in LSP: of files by their extension; how comments begin.  Knows no content."""

from __future__ import annotations

from pathlib import PurePath

_LANGUAGES = {
    ".c": "c", ".cc": "cpp", ".cpp": "cpp", ".cs": "csharp", ".go": "go", ".h": "c", ".hpp": "cpp", ".java": "java",
    ".js": "javascript", ".jsx": "javascriptreact", ".kt": "kotlin", ".lua": "lua", ".md": "markdown", ".php": "php",
    ".py": "python", ".pyi": "python", ".pyx": "cython", ".rb": "ruby", ".rs": "rust", ".sh": "shellscript",
    ".swift": "swift", ".toml": "toml", ".ts": "typescript", ".tsx": "typescriptreact", ".yaml": "yaml", ".yml": "yaml",
}  # fmt: skip

HASH_COMMENTS = frozenset({
    "cython", "dockerfile", "elixir", "julia", "makefile", "perl", "powershell", "python", "r", "ruby", "shellscript",
    "toml", "yaml",
})  # fmt: skip
DASH_COMMENTS = frozenset({"haskell", "lua", "sql"})
SLASH_COMMENTS = frozenset({
    "c", "cpp", "csharp", "dart", "fsharp", "go", "groovy", "java", "javascript", "javascriptreact", "kotlin", "php",
    "rust", "scala", "swift", "typescript", "typescriptreact",
})  # fmt: skip


def language_of(path: str | PurePath) -> str:
    """The identifier of a file's language, "" for an extension that is not known."""
    return _LANGUAGES.get(PurePath(path).suffix.lower(), "")


def line_comment(language: str) -> str | None:
    """What a comment up to the line's end begins with, None where that is not known."""
    beginnings = {"#": HASH_COMMENTS, "--": DASH_COMMENTS, "//": SLASH_COMMENTS}
    return next((beginning for beginning, languages in beginnings.items() if language in languages), None)
