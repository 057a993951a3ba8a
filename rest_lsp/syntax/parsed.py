"""A parsed text, and what an insertion makes of it.  Indices are those of the text, in characters.

Parsing again after a change costs well under a millisecond; the first time it is about 15 ms per 2,000 lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from tree_sitter import Node, Parser, Point, Tree


class Scope(Enum):
    """What a place in a text is part of."""

    CODE = "code"
    COMMENT = "comment"
    STRING = "string"


class Part(NamedTuple):
    """What a place is part of, and the index where that begins (0 for code)."""

    scope: Scope
    start: int


CODE = Part(Scope.CODE, 0)
CLOSING_TOKENS = frozenset({"}", ")", "]", "end", "fi", "done", "esac"})
_STRINGS = frozenset({"char_literal", "rune_literal", "character", "heredoc_body"})
_CODE_IN_STRINGS = frozenset(
    {"interpolation", "template_substitution", "command_substitution", "expansion", "string_interpolation"}
)


@dataclass(frozen=True)
class Parsed:
    """`data` is the text in UTF-8, `is_ascii` whether characters and bytes are the same."""

    parser: Parser
    data: bytes
    tree: Tree
    is_ascii: bool

    @classmethod
    def of(cls, parser: Parser, text: str, earlier: Parsed | None = None) -> Parsed:
        """Parse `text`; what it shares with `earlier`, by the same parser, is not parsed again."""
        data = text.encode(errors="replace")
        tree = earlier.tree_for(data) if earlier is not None and earlier.parser is parser else parser.parse(data)
        return cls(parser, data, tree, len(data) == len(text))

    @cached_property
    def n_errors(self) -> int:
        """How many places the grammar cannot make sense of, or misses something at."""
        return sum(1 for _ in _errors(self.tree.root_node))

    @property
    def is_sound(self) -> bool:
        return not self.tree.root_node.has_error

    @property
    def is_blank(self) -> bool:
        return not self.data.strip()

    def with_insert(self, start: int, end: int, text: str) -> Parsed:
        """What it would be with `text` in the place of `start` to `end`."""
        first, last = self._byte(start), self._byte(end)
        new = text.encode(errors="replace")
        data = self.data[:first] + new + self.data[last:]
        tree = self._edited(data, first, last, first + len(new))
        return Parsed(self.parser, data, tree, self.is_ascii and len(new) == len(text))

    def tree_for(self, data: bytes) -> Tree:
        """The tree of another text, most of which is this one."""
        first = _common_prefix(self.data, data)
        shared = min(len(self.data), len(data)) - first
        rest = _common_suffix(self.data, data, shared)
        return self._edited(data, first, len(self.data) - rest, len(data) - rest)

    def part_at(self, offset: int) -> Part:
        """What the place between the characters `offset - 1` and `offset` is part of."""
        at = self._byte(offset)
        node = self.tree.root_node.descendant_for_byte_range(max(0, at - 1), max(0, at - 1))
        while node is not None:
            if node.type in _CODE_IN_STRINGS:
                return CODE
            if "comment" in node.type:
                return Part(Scope.COMMENT, self._index(node.start_byte)) if self._goes_on(node, at) else CODE
            if _is_string(node) and node.start_byte < at < node.end_byte:
                return Part(Scope.STRING, self._index(node.start_byte))
            node = node.parent
        return CODE

    def closes_before(self, start: int, end: int, opened_before: int) -> bool:
        """Whether a token from `start` to `end` closes what was opened before the index `opened_before`."""
        first, last, limit = self._byte(start), self._byte(end), self._byte(opened_before)
        around = self.tree.root_node.descendant_for_byte_range(first, last)
        return around is not None and any(
            leaf.type in CLOSING_TOKENS
            and not leaf.is_missing
            and leaf.start_byte >= first
            and leaf.parent is not None
            and not leaf.parent.is_error
            and leaf.parent.start_byte < limit
            for leaf in _leaves(around, first, last)
        )

    def _goes_on(self, comment: Node, at: int) -> bool:
        """Whether what is typed at `at`, inside or right behind a comment, is still comment."""
        if at < comment.end_byte:
            return at > comment.start_byte
        ending = self.data[comment.start_byte : comment.end_byte]
        return not ending.endswith((b"\n", b"*/", b"]]", b"=end"))

    def _byte(self, offset: int) -> int:
        if self.is_ascii:
            return offset
        return len(self.data.decode()[:offset].encode())

    def _index(self, at: int) -> int:
        return at if self.is_ascii else len(self.data[:at].decode())

    def _edited(self, data: bytes, first: int, old_end: int, new_end: int) -> Tree:
        tree = self.tree.copy()
        tree.edit(
            start_byte=first,
            old_end_byte=old_end,
            new_end_byte=new_end,
            start_point=_point(self.data, first),
            old_end_point=_point(self.data, old_end),
            new_end_point=_point(data, new_end),
        )
        return self.parser.parse(data, tree)


def _point(data: bytes, at: int) -> Point:
    return Point(data.count(b"\n", 0, at), at - data.rfind(b"\n", 0, at) - 1)


def _common_prefix(first: bytes, second: bytes) -> int:
    """Length of the beginning that both share, by halving: comparing slices is far quicker than a loop over bytes."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(first: bytes, second: bytes, limit: int) -> int:
    """Length of the end that both share, `limit` at most."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if first[len(first) - middle : len(first) - low] == second[len(second) - middle : len(second) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _errors(node: Node) -> Iterator[Node]:
    if not node.has_error:
        return
    if node.is_error or node.is_missing:
        yield node
    for child in node.children:
        if child.has_error or child.is_missing:
            yield from _errors(child) if child.has_error else (child,)


def _leaves(node: Node, first: int, last: int) -> Iterator[Node]:
    """Tokens of `node` that lie in the bytes from `first` to `last`, at least in part."""
    if node.child_count == 0:
        yield node
        return
    for child in node.children:
        if child.start_byte >= last:
            return
        if child.end_byte > first:
            yield from _leaves(child, first, last)


def _is_string(node: Node) -> bool:
    return node.is_named and (node.type in _STRINGS or "string" in node.type)
