"""Removes lines that hold secrets, because the index replays text verbatim.  Line numbers stay as they are."""

from __future__ import annotations

import re

SECRETS_VERSION = 2
"""Counts changes of what this module removes: files that were indexed under other rules are read again."""

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----")

_NAME = r"(?i:password|passwd|secret|api_?key|access_?token|auth_?token)\w*"
_VALUE = r"(?:[A-Za-z0-9+=_~-]{20,}|[A-Za-z0-9+/=]{40,})"
_WORDS = r"(?:[A-Za-z]*\d{0,4}[_/+=~-])*[A-Za-z]*\d{0,4}"
_REST = r"[ \t]*(?:[#;][^\r\n]*)?(?=[\r\n]|$)"

_PATTERNS = (
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}",
    r"\bglpat-[A-Za-z0-9_-]{20,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    r"\bAIza[A-Za-z0-9_-]{35}",
    r"\bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{32,}",
    r"\b[rs]k_live_[A-Za-z0-9]{16,}",
    r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgEI[A-Za-z0-9_-]{50,}|\bhf_[A-Za-z0-9]{30,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}",
    r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"://[^/\s:@\"']+:(?![{$<%*])[^/\s:@\"']{8,}@[\w.-]+",
    rf"{_NAME}[\"']?\s*[:=]\s*[\"'](?=[^\"'\s]*\d)(?=[^\"'\s]*[A-Za-z]){_VALUE}[\"']",
    # Without quotes only as a whole line, and not what could be a name in code, such as `secret = token_v2_from_vault`.
    rf"(?<![^\r\n])[ \t]*(?:(?:export|set|ENV|ARG|-)[ \t]+)*[\w.-]*?{_NAME}[ \t]*[:=][ \t]*"
    rf"(?=(?:[^\s\d]*\d){{2}})(?=[^\sA-Za-z]*[A-Za-z])(?!{_WORDS}{_REST}){_VALUE}{_REST}",
)
"""Few and precise: a false hit costs one line of drafts, a miss replays a key."""

_SECRET = re.compile("|".join(_PATTERNS))


_MARKS = (
    "AKIA", "ASIA", "ABIA", "ACCA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox",
    "hooks.slack.com/", "AIza", "sk-", "k_live_", "npm_", "pypi-AgEI", "hf_", "SG.", "eyJ", "://",
)  # fmt: skip
_NAME_MARKS = (
    "password", "passwd", "secret", "apikey", "api_key", "accesstoken", "access_token", "authtoken", "auth_token",
)  # fmt: skip
"""Every secret holds one of these, the latter in whatever case.  Looking for them first is fifty times quicker."""


def without_secrets(text: str) -> str:
    """`text` with every line that holds a secret, and every private key block, emptied."""
    if _KEY_BEGIN.search(text):
        return _emptied(text)
    kept = []
    end = 0
    for start, stop in _suspicious(text):
        kept += [text[end:start], _emptied(text[start:stop])]
        end = stop
    return "".join([*kept, text[end:]]) if kept else text


def _suspicious(text: str) -> list[tuple[int, int]]:
    """Where lines begin and end that may hold a secret."""
    # The long s is an s to an expression that minds no case; nothing else of two characters is one of these letters.
    folded = text.lower().replace("\u017f", "s")
    if len(folded) != len(text):
        return [(0, len(text))]
    found = set()
    for marks, where in ((_MARKS, text), (_NAME_MARKS, folded)):
        for mark in marks:
            at = where.find(mark)
            while at >= 0:
                stop = text.find("\n", at) + 1 or len(text)
                found.add((text.rfind("\n", 0, at) + 1, stop))
                at = where.find(mark, stop)
    return sorted(found)


def _emptied(text: str) -> str:
    kept = []
    inside_key = False
    for line in text.splitlines(keepends=True):
        begins = _KEY_BEGIN.search(line) is not None
        is_secret = inside_key or begins or _SECRET.search(line) is not None
        inside_key = (inside_key or begins) and not _KEY_END.search(line)
        kept.append(_line_end(line) if is_secret else line)
    return "".join(kept)


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")) :]
