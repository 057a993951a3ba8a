"""Languages of files by their extension, named as editors name them in LSP.  Knows no content."""

from __future__ import annotations

from pathlib import PurePath

_LANGUAGES = {
    ".c": "c", ".cc": "cpp", ".cpp": "cpp", ".cs": "csharp", ".go": "go", ".h": "c", ".hpp": "cpp", ".java": "java",
    ".js": "javascript", ".jsx": "javascriptreact", ".kt": "kotlin", ".lua": "lua", ".md": "markdown", ".php": "php",
    ".py": "python", ".pyi": "python", ".pyx": "cython", ".rb": "ruby", ".rs": "rust", ".sh": "shellscript",
    ".swift": "swift", ".toml": "toml", ".ts": "typescript", ".tsx": "typescriptreact", ".yaml": "yaml", ".yml": "yaml",
}  # fmt: skip


def language_of(path: str | PurePath) -> str:
    """The identifier of a file's language, "" for an extension that is not known."""
    return _LANGUAGES.get(PurePath(path).suffix.lower(), "")
