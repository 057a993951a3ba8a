"""`rest-lsp query`: what the index knows behind a text, as a tree of continuations with counts, files and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from rest_lsp.cli_index import workspace_root
from rest_lsp.cli_options import JsonOption, Overrides, WorkspaceOption, settings_for, takes_options
from rest_lsp.cli_terminal import print_json
from rest_lsp.datastore.datastore import Datastore, Occurrence
from rest_lsp.tokenizer import Tokenizer
from rest_lsp.workspace import open_datastore, tokenizer_path

PLACES = 3
LIMIT = 512


@dataclass
class Branch:
    """What follows with one token.  `count` are occurrences, `places` some of them as "path:line", first line 1."""

    token: int | None
    count: float = 0.0
    places: list[str] = field(default_factory=list)
    children: dict[int, Branch] = field(default_factory=dict)

    def to_json(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """Plain data, likeliest first."""
        return {
            "text": "" if self.token is None else tokenizer.decode([self.token]),
            "count": round(self.count, 1),
            "places": self.places,
            "children": [child.to_json(tokenizer) for child in self.best()],
        }

    def best(self) -> list[Branch]:
        """Children by falling count."""
        return sorted(self.children.values(), key=lambda child: -child.count)


@takes_options("model", "datastore")
def query(
    text: Annotated[str, typer.Argument(help="The end of some code, such as `return self.`.")],
    workspace: WorkspaceOption = None,
    depth: Annotated[int, typer.Option(min=1, max=32, help="Tokens to look ahead.")] = 6,
    branches: Annotated[int, typer.Option(min=1, max=64, help="Continuations to show at each place.")] = 5,
    json: JsonOption = False,
    *,
    overrides: Overrides,
) -> None:
    """Show what stands behind a text in the index: continuations with counts, files and lines.

    This is what drafts are made of. Longest matches only; the number of matching tokens is told.

        rest-lsp query "return self."
    """
    root = workspace_root(workspace)
    settings = settings_for(root, overrides)
    path = tokenizer_path(settings)
    tokenizer = Tokenizer.from_file(path)
    datastore = open_datastore(settings, root, path)
    try:
        found = datastore.find(tokenizer.encode(text), depth=depth, limit=LIMIT, time_limit_ms=1e4).occurrences()
        longest = found[0].length if found else 0
        tree = grow(datastore, tokenizer, [one for one in found if one.length == longest])
    finally:
        datastore.close()
    if json:
        print_json({"text": text, "matching_tokens": longest, **tree.to_json(tokenizer)})
        return
    title = f"{escape(text)}  [dim]{longest} matching tokens, {tree.count:,.0f} occurrences[/]"
    shown = Tree(title if longest else f"{escape(text)}  [dim]nothing in the index ends like this[/]")
    _show(shown, tree, tokenizer, branches)
    Console(highlight=False, soft_wrap=True).print(shown)


def grow(datastore: Datastore, tokenizer: Tokenizer, occurrences: Sequence[Occurrence]) -> Branch:
    """One tree of all continuations; equal beginnings are counted together."""
    root = Branch(None)
    for _, tokens, weight, origin in occurrences:
        branch = root
        branch.count += weight
        place: str | None = None
        for token in tokens:
            branch = branch.children.setdefault(token, Branch(token))
            branch.count += weight
            if len(branch.places) < PLACES:
                if place is None:
                    line = datastore.line_of(origin, tokenizer.count_newlines)
                    place = origin.path if line is None else f"{origin.path}:{line + 1}"
                branch.places.append(place)
    return root


def _show(shown: Tree, branch: Branch, tokenizer: Tokenizer, width: int) -> None:
    """Runs without a fork become one line."""
    for child in branch.best()[:width]:
        ids = []
        end = child
        while end.token is not None:
            ids.append(end.token)
            if len(end.children) != 1 or end.best()[0].count != child.count:
                break
            end = end.best()[0]
        written = tokenizer.decode(ids).replace("\n", "\u21b5").replace("\t", "\u21e5")
        note = f"{child.count:,.0f}\u00d7  {', '.join(child.places)}"
        _show(shown.add(f"[bold]{escape(written)}[/]  [dim]{escape(note)}[/]"), end, tokenizer, width)
