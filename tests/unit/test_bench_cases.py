"""Cases: the format, its errors, and holes that are made from real-looking files."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rest_lsp.bench.case_maker import PYTHON, make_cases, source_files
from rest_lsp.bench.cases import KINDS, Case, CaseError, parse_case, read_cases, write_cases
from rest_lsp.bench.holes import cut_hole
from rest_lsp.bench.spans import MAX_LINES, MIN_CHARACTERS, find_spans
from rest_lsp.errors import RequestError
from rest_lsp.positions import Position, TextPositions

CASE = Case("a", "src/b.py", "block", Position(1, 4), Position(3, 9))

MODULE = '''"""A module 😀 of no use."""

import os

GREETING = "😀😀 héllo wörld"


class Thing:
    """A string of its own, which no hole begins in."""

    def speak(self, name: str) -> str:
        """Say 😀 something to somebody."""
        parts = ["😀", GREETING, name, "日本語のテキスト"]
        if not name:
            raise ValueError("a name, please 😀")
        for part in parts:
            print("😀", part, len(part))
            os.environ["😀"] = part
        return " ".join(parts)

    def listen(self, names: list[str]) -> list[str]:
        with open("😀.txt", encoding="utf-8") as file:
            names = [*names, *file.read().split()]
            names.sort(key=len)
        try:
            names.remove("日本語")
            names.append("😀 and more")
        except ValueError:
            names.clear()
        while len(names) > 3:
            names.pop()
            print(names, "😀")
        return names
'''


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("one.py", "two.py", "deep/three.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(MODULE.replace("Thing", name.partition(".")[0].replace("/", "_").title()), encoding="utf-8")
    return tmp_path


def test_cases_survive_the_file(tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.jsonl", [CASE])
    assert read_cases(tmp_path / "cases.jsonl") == [CASE]


def test_a_missing_kind_follows_from_the_lines() -> None:
    row = CASE.to_json()
    del row["kind"]
    assert parse_case(json.dumps(row), "here").kind == "block"
    assert parse_case(json.dumps({**row, "end": {"line": 1, "character": 6}}), "here").kind == "line"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "page"}, "unknown kind 'page'"),
        ({"end": {"line": 1, "character": 4}}, "empty or backwards"),
        ({"start": {"line": -1, "character": 4}}, "empty or backwards"),
        ({"start": 7}, "is not a case"),
        ({"path": "../secret.py"}, "leaves the workspace"),
        ({"path": "/etc/passwd"}, "leaves the workspace"),
    ],
)
def test_a_bad_case_is_named_with_its_line(tmp_path: Path, change: dict[str, object], words: str) -> None:
    lines = [json.dumps(CASE.to_json()), json.dumps({**CASE.to_json(), "id": "b", **change})]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(CaseError, match=words) as caught:
        read_cases(tmp_path / "cases.jsonl")
    assert "cases.jsonl, line 2" in caught.value.message
    assert caught.value.hint


def test_missing_empty_and_repeating_files_of_cases(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="cannot be read"):
        read_cases(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n\n", encoding="utf-8")
    with pytest.raises(CaseError, match="no case"):
        read_cases(tmp_path / "empty.jsonl")
    write_cases(tmp_path / "twice.jsonl", [CASE, CASE])
    with pytest.raises(CaseError, match="stands twice"):
        read_cases(tmp_path / "twice.jsonl")


@given(st.text(alphabet="ab\t😀é\n\r\u2028\x0c"), st.data())
def test_positions_and_offsets_are_inverse(text: str, data: st.DataObject) -> None:
    positions = TextPositions(text)
    offset = data.draw(st.integers(0, len(text)))
    is_between_cr_and_lf = text[offset - 1 : offset + 1] == "\r\n"
    if offset == 0 or not is_between_cr_and_lf:
        position = positions.position(offset)
        assert positions.offset(position) == offset
        before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
        assert position.line == before.count("\n")
        assert position.character == len(before.rpartition("\n")[2].encode("utf-16-le")) // 2


def test_a_position_within_a_character_or_behind_the_text_is_refused() -> None:
    positions = TextPositions("a😀b\nc")
    assert positions.offset(Position(0, 3)) == 2
    for position in (Position(0, 2), Position(0, 5), Position(2, 0), Position(-1, 0)):
        with pytest.raises(RequestError):
            positions.offset(position)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_every_hole_lies_in_its_file_and_is_of_its_kind(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    workspace = tmp_path_factory.mktemp("workspace")
    (workspace / "emoji.py").write_text(MODULE, encoding="utf-8")
    for case in make_cases(workspace, seed=seed, per_kind=5):
        hole = cut_hole(workspace, case)
        assert hole.text[: hole.offset] + hole.truth + hole.text[hole.offset :] == MODULE
        assert len(hole.truth.strip()) >= MIN_CHARACTERS[case.kind]
        assert 1 <= hole.truth.count("\n") + 1 <= MAX_LINES[case.kind]
        assert hole.text[hole.offset] == "\n", "a hole ends where a line ends"
        typed = hole.text[: hole.offset].rpartition("\n")[2]
        assert bool(typed.strip()) == (case.kind == "line")


def test_the_same_seed_gives_the_same_cases_and_another_one_others(workspace: Path) -> None:
    cases = make_cases(workspace, seed=3, per_kind=4)
    assert cases == make_cases(workspace, seed=3, per_kind=4)
    assert cases != make_cases(workspace, seed=4, per_kind=4)
    assert len({case.id for case in cases}) == len(cases)


def test_holes_of_each_kind_are_spread_over_the_files(workspace: Path) -> None:
    cases = make_cases(workspace, seed=1, per_kind=3)
    for kind in KINDS:
        assert {case.path for case in cases if case.kind == kind} == {"one.py", "two.py", "deep/three.py"}


def test_a_body_begins_after_its_docstring_and_a_block_is_a_statements_body() -> None:
    bodies = [MODULE[span.start : span.end] for span in find_spans(MODULE, "body", random.Random(1))]
    blocks = [MODULE[span.start : span.end] for span in find_spans(MODULE, "block", random.Random(1))]
    assert [body.partition(" ")[0] for body in bodies] == ["parts", "with"]
    assert sorted(block.partition("\n")[0] for block in blocks) == [
        "names = [*names, *file.read().split()]",
        "names.pop()",
        'names.remove("日本語")',
        'print("😀", part, len(part))',
    ]


def test_bodies_on_the_header_line_and_tiny_ones_are_no_holes() -> None:
    text = "if a: call(\n    first_argument,\n    second_argument,\n)\nwhile b:\n    c()\n    d()\n"
    assert find_spans(text, "block", random.Random(1)) == []


def test_holes_of_a_kind_do_not_overlap(tmp_path: Path) -> None:
    levels = ["    " * depth + f"if condition_{depth}():\n" for depth in range(12)]
    text = "# A comment.\n" * 20 + "".join(levels) + "    " * 12 + "first_call()\n" + "    " * 12 + "second_call()\n"
    (tmp_path / "nested.py").write_text(text, encoding="utf-8")
    assert len(make_cases(tmp_path, seed=1, per_kind=5, kinds=["block"])) == 1


def test_generated_hidden_and_broken_files_have_no_holes(workspace: Path) -> None:
    for name in (".venv/x.py", "tests/data/x.py", "build/x.py", "node_modules/x.py"):
        path = workspace / name
        path.parent.mkdir(parents=True)
        path.write_text(MODULE, encoding="utf-8")
    assert sorted(source_files(workspace, PYTHON)) == ["deep/three.py", "one.py", "two.py"]
    (workspace / "one.py").write_text("# @generated\n" + MODULE, encoding="utf-8")
    (workspace / "two.py").write_text(MODULE + "def broken(:\n", encoding="utf-8")
    assert {case.path for case in make_cases(workspace, seed=1, per_kind=9)} == {"deep/three.py"}


def test_a_tree_without_holes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="No hole can be cut"):
        make_cases(tmp_path, seed=1, per_kind=1)


def test_a_case_of_another_version_of_its_file_is_refused(workspace: Path) -> None:
    with pytest.raises(CaseError, match=r"cannot be read"):
        cut_hole(workspace, CASE)
    with pytest.raises(CaseError, match=r"does not lie in one\.py"):
        cut_hole(workspace, Case("a", "one.py", "line", Position(900, 0), Position(900, 3)))
