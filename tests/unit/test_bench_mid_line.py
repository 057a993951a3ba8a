"""Arguments that are added to calls which stand already: what is cut out, and where."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

from rest_lsp.bench.cases import Case
from rest_lsp.bench.holes import Hole, cut_hole
from rest_lsp.bench.mid_line import mid_line_holes
from rest_lsp.bench.selection import Selection
from rest_lsp.positions import TextPositions

BODY = "    inner = call(first, second, x)\n    return inner\n"
SOURCE = (
    "def typed(first, second, x):\n" + BODY + "\n"
    "text = 'ä' + join(parts, separator, x)\n"
    "name = lookup(environment).name\n"
    "last = call(first, second)\n"
    "far = call(first, second, a_name_that_is_long)\n"
    "short = call(a, b, c)\n"
    "bare = sum(number for number in range(3)) + x\n"
)


def selection(tmp_path: Path, seed: int = 1) -> Selection:
    """Where the body of `typed` is typed."""
    (tmp_path / "a.py").write_text(SOURCE, encoding="utf-8")
    positions, start = TextPositions(SOURCE), SOURCE.index(BODY)
    case = Case("body", "a.py", "body", positions.position(start), positions.position(start + len(BODY)))
    return Selection(tmp_path, [cut_hole(tmp_path, case)], "a", seed)


def whole(hole: Hole) -> str:
    return hole.text[: hole.offset] + hole.truth + hole.text[hole.offset :]


def test_arguments_before_a_little_code_outside_of_what_is_typed(tmp_path: Path) -> None:
    holes = mid_line_holes(selection(tmp_path), 10).holes
    assert {hole.truth for hole in holes} == {", separator", "environment"}
    for hole in holes:
        assert whole(hole) == SOURCE
        ast.parse(hole.text)
        assert cut_hole(tmp_path, hole.case) == hole


def test_the_same_seed_chooses_the_same_and_no_more_than_wanted(tmp_path: Path) -> None:
    chosen = [mid_line_holes(selection(tmp_path, seed), 1).holes for seed in (1, 1, *range(20))]
    assert chosen[0] == chosen[1]
    assert {len(holes) for holes in chosen} == {1}
    assert len({holes[0].truth for holes in chosen}) == 2
    assert mid_line_holes(replace(selection(tmp_path), holes=[]), 1).holes == []
