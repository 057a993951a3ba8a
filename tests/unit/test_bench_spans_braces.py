"""Holes in languages with braces: what is a block, what is a body, and what is neither."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rest_lsp.bench.case_maker import make_cases
from rest_lsp.bench.cases import Kind
from rest_lsp.bench.spans_braces import find_brace_spans

TEXT = """// A file in C, and then some JavaScript.
static PyObject *
count(PyObject *self, PyObject *args)
{
    int total = 0;
    return Py_BuildValue("i", total);
}

struct point {
    int first_member;
    int second_member;
};

int add(int a, int b) {
    if (a > b) {
        total += a - b;
        return total;
    } else if (
            a == b && something_else(a))
    {
        first_call(a, b);
        second_call(a, b);
    }
    const f = (x) => {
        const doubled = x * 2;
        return doubled + 1;
    };
    /* if (never) {
        this_is(a, comment);
        so_it_is(left, out);
    } */
}
"""


def holes(kind: Kind) -> list[str]:
    return [TEXT[span.start : span.end] for span in find_brace_spans(TEXT, kind, random.Random(1))]


def test_bodies_are_those_of_functions_and_blocks_those_of_control_flow() -> None:
    assert [hole.partition("\n")[0] for hole in holes("body")] == [
        "int total = 0;",
        "if (a > b) {",
        "const doubled = x * 2;",
    ]
    assert [hole.partition("\n")[0] for hole in holes("block")] == ["total += a - b;", "first_call(a, b);"]
    assert holes("block")[0].endswith("return total;")


def test_rests_of_lines_are_code() -> None:
    found = holes("line")
    assert found
    assert all(len(hole.strip()) >= 8 for hole in found)
    assert not any("this_is" in hole and hole.startswith("//") for hole in found)


@pytest.mark.parametrize("suffix", [".c", ".js"])
def test_a_tree_without_python_is_measured_all_the_same(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"one{suffix}").write_text(TEXT, encoding="utf-8")
    cases = make_cases(tmp_path, seed=1, per_kind=2)
    assert {case.kind for case in cases} == {"line", "block", "body"}
    assert {case.path for case in cases} == {f"one{suffix}"}
