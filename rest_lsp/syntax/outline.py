"""What a Python file defines, in few words: signatures, first lines of docstrings, and values of constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tree_sitter import Node

from rest_lsp.syntax.grammars import parser_for

MAX_VALUE_CHARACTERS = 120
"""A longer value of a constant is a table, and not worth its tokens."""
_OPENING, _CLOSING = re.compile(r"\( "), re.compile(r",? \)")
_NESTING = frozenset({"if_statement", "else_clause", "try_statement", "except_clause", "block"})


class Definition(NamedTuple):
    """`head` is the whole of a function or constant, the first lines of a class; `members` are those of a class."""

    name: str
    head: str
    members: tuple[Definition, ...] = ()


def outline(text: str) -> dict[str, Definition]:
    """What the top level of a Python file defines, by name; empty where the grammar is missing."""
    parser = parser_for("python")
    if parser is None:
        return {}
    root = parser.parse(text.encode(errors="replace")).root_node
    return {definition.name: definition for node in _statements(root) if (definition := _definition(node))}


def _statements(node: Node) -> Iterator[Node]:
    """Those of the top level, and of what is there under a condition."""
    for child in node.children:
        if child.type in _NESTING:
            yield from _statements(child)
        else:
            yield child


def _definition(node: Node, indent: str = "") -> Definition | None:
    decorators = [_text(child) for child in node.children if child.type == "decorator"]
    inner = node.child_by_field_name("definition") or node
    name, body = inner.child_by_field_name("name"), inner.child_by_field_name("body")
    if inner.type == "expression_statement":
        return _assigned(inner, indent)
    if inner.type not in ("function_definition", "class_definition") or name is None or body is None:
        return None
    signature = _signature(inner)
    lines = [f"{indent}{line}\n" for line in (*decorators, signature)]
    described = _docstring(body)
    if inner.type == "function_definition":
        if not described:
            return Definition(_text(name), "".join(lines).removesuffix("\n") + " ...\n")
        return Definition(_text(name), "".join(lines) + f'{indent}    """{described}"""\n')
    head = "".join(lines) + (f'{indent}    """{described}"""\n' if described else "")
    found = (_definition(child, indent + "    ") for child in body.children)
    members = tuple(member._replace(head=_without_docstring(member.head)) for member in found if member)
    return Definition(_text(name), head, members)


def _signature(node: Node) -> str:
    """In one line, up to the colon."""
    colon = max(child.end_byte for child in node.children if child.type == ":")
    text = (node.text or b"")[: colon - node.start_byte].decode(errors="replace")
    return _CLOSING.sub(")", _OPENING.sub("(", " ".join(text.split())))


def _assigned(statement: Node, indent: str) -> Definition | None:
    """A constant or a field: `name = value` or `name: type`."""
    node = statement.children[0] if statement.children else statement
    left = node.child_by_field_name("left")
    if node.type != "assignment" or left is None or left.type != "identifier":
        return None
    text = " ".join(_text(node).split())
    return Definition(_text(left), f"{indent}{text}\n") if len(text) <= MAX_VALUE_CHARACTERS else None


def _docstring(body: Node) -> str:
    """Its first line; "" without one."""
    first = body.children[0] if body.children else None
    string = first.children[0] if first is not None and first.type == "expression_statement" else None
    if string is None or string.type != "string":
        return ""
    content = "".join(_text(child) for child in string.children if child.type == "string_content")
    return content.strip().partition("\n")[0].strip()


def _without_docstring(head: str) -> str:
    """A member in one line less: what it is for costs more than its name says."""
    lines = head.splitlines(keepends=True)
    return "".join(lines[:-1]).removesuffix("\n") + " ...\n" if lines[-1].lstrip().startswith('"""') else head


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")
