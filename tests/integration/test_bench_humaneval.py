"""`rest-lsp bench humaneval`: the experiment with a tiny model, the sandbox, what stays out of stores, the rules."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rest_lsp.bench import humaneval_sandbox, humaneval_store
from rest_lsp.bench.cli import app
from rest_lsp.bench.humaneval import parse_samplings, parse_sizes, tell_what_is_missing
from rest_lsp.bench.humaneval_problems import ContinuationRules, read_problems, solution_text, task_of
from rest_lsp.bench.humaneval_sandbox import passes
from rest_lsp.bench.humaneval_store import LibraryFile, build_store, fill
from rest_lsp.completion.request import StopReason
from rest_lsp.engine.choice import choose_form
from rest_lsp.errors import RestLspError
from rest_lsp.models.convert import convert
from rest_lsp.tokenizer import Tokenizer
from tests.engines import SIZES
from tests.fakes_models import RandomSource, tiny_config, write_tokenizer

PROBLEMS = read_problems()
CODE = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n    return result\n"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return Tokenizer.from_file(write_tokenizer(tmp_path))


@dataclass(frozen=True)
class Experiment:
    """Two problems with a tiny model and two stores; texts are kept in `kept`."""

    folder: Path
    found: Sequence[LibraryFile]

    @property
    def kept(self) -> Path:
        return self.folder / "kept.jsonl"

    def run(self) -> dict[str, Any]:
        command = ["humaneval", "--limit", "2", "--stores", "0.001,0.003", "--nodes", "6", "--results", str(self.kept)]
        command += ["--json", str(self.folder / "out.json"), "--plot", str(self.folder / "out.png")]
        command += ["--model", str(self.folder / "model"), "--model-cache-dir", str(self.folder / "cache")]
        command += ["--device", "cpu", "--device-dtype", "fp32"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(humaneval_store, "library_files", lambda _cache_dir: self.found)
            result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "are those of plain decoding" in result.output
        assert "REST, 27 GB" in result.output
        written: dict[str, Any] = json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        return written


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    folder = tmp_path_factory.mktemp("humaneval")
    source = RandomSource(tiny_config(**{**SIZES, "max_context": 2048}))
    convert(source, folder / "model", form=choose_form("fp32"), name="tiny")
    libraries = folder / "libraries"
    libraries.mkdir()
    for number in range(40):
        (libraries / f"part_{number:02}.py").write_text(CODE.replace("total", f"total_{number}") * 9, encoding="utf-8")
    return Experiment(folder, [LibraryFile(path, path.name) for path in sorted(libraries.iterdir())])


@pytest.fixture(scope="module")
def report(experiment: Experiment) -> dict[str, Any]:
    return experiment.run()


def test_each_store_is_measured_greedy_and_sampled_and_changes_no_token(
    experiment: Experiment, report: dict[str, Any]
) -> None:
    assert (experiment.folder / "out.png").read_bytes().startswith(b"\x89PNG")
    rows = [(row["sampling"], row["store"], row["texts"], row["differing_tokens"]) for row in report["rows"]]
    stores = ("plain", "0.001M", "0.003M")
    assert rows == [(sampling, store, 2, 0) for sampling in ("greedy", "nucleus") for store in stores]
    assert 0 < report["stores"]["0.001M"] < report["stores"]["0.003M"]
    for sampling in ("greedy", "nucleus"):
        assert len({row["pass_at_1"] for row in report["rows"] if row["sampling"] == sampling}) == 1
    drafted = [text for text in report["texts"] if text["store"] != "plain"]
    assert sum(text["drafted"] for text in drafted) > 0
    plain = [text for text in report["texts"] if text["store"] == "plain"]
    assert all(text["forwards"] == text["tokens"] for text in plain)


def test_a_cut_run_goes_on_and_measures_nothing_again(experiment: Experiment, report: dict[str, Any]) -> None:
    subject, *texts = experiment.kept.read_text(encoding="utf-8").splitlines()
    assert len(texts) == 4
    experiment.kept.write_text("\n".join([subject, *texts[:2], texts[2][:-9]]), encoding="utf-8")
    again = experiment.run()
    times, timeless = zip(*(parted(found["texts"]) for found in (report, again)), strict=True)
    assert times[1][:6] == [pytest.approx(ms, abs=0.02) for ms in times[0][:6]]
    assert times[1][6:] != times[0][6:]
    assert timeless[1] == timeless[0]


def parted(texts: list[dict[str, Any]]) -> tuple[list[float], list[dict[str, Any]]]:
    """Times, and what else is told."""
    times = [text["decode_ms"] for text in texts]
    return times, [{key: value for key, value in text.items() if not key.endswith("_ms")} for text in texts]


@pytest.mark.parametrize("problem", [PROBLEMS[0], PROBLEMS[38], PROBLEMS[163]], ids=lambda problem: problem.id)
def test_solutions_pass_and_others_do_not(problem: Any) -> None:
    assert passes(problem.program("\n" + problem.solution))
    assert not passes(problem.program("\n    return None\n"))


@pytest.mark.parametrize(
    "program",
    [
        "import socket\nsocket.socket()",
        "import os\nos.system('true')",
        "import subprocess\nsubprocess.run(['true'])",
        "data = 'x' * 2**31",
        "raise SystemExit(0)",
        "with open('file', 'w') as file:\n    file.write('x')",
        "def broken(:",
    ],
)
def test_what_a_program_must_not_do_is_refused(program: str) -> None:
    assert not passes(program)
    assert passes("import math, re, typing\nassert math.sqrt(4) == 2")


@pytest.mark.parametrize(
    "program",
    [
        "open(FILE, 'w')",
        "open(FILE, 'r+').truncate()",
        "open(FILE, 'a')",
        "open(FILE + '.new', 'x')",
        "import pathlib\npathlib.Path(FILE).write_text('')",
        "import os\nos.open(FILE, os.O_WRONLY | os.O_TRUNC)",
        "import os\nos.truncate(FILE, 0)",
        "import os\nos.remove(FILE)",
        "import pathlib\npathlib.Path(FILE).unlink()",
        "import os\nos.rename(FILE, FILE + '.new')",
        "import os\nos.replace(FILE, FILE + '.new')",
        "import os\nos.mkdir(FILE + '.new')",
        "import os\nos.link(FILE, FILE + '.new')",
        "import os\nos.symlink(FILE, FILE + '.new')",
        "import os\nos.chmod(FILE, 0)",
        "import os\nos.utime(FILE, (0, 0))",
        "import os, shutil\nshutil.rmtree(os.path.dirname(FILE))",
        "import shutil\nshutil.move(FILE, FILE + '.new')",
        "import sqlite3\nsqlite3.connect(FILE + '.new')",
    ],
)
def test_no_file_is_written_removed_or_renamed(program: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "file"
    file.write_text("kept", encoding="utf-8")
    before = file.stat()
    assert not passes(f"FILE = {str(file)!r}\n{program}")
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert file.read_text(encoding="utf-8") == "kept"
    assert (file.stat().st_mode, file.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


@pytest.mark.parametrize("program", ["import os\nos.kill(os.getpid(), 0)", "import os\nos.kill(os.getppid(), 0)"])
def test_no_process_gets_a_signal(program: str) -> None:
    assert not passes(program)


def test_limits_stay() -> None:
    assert not passes("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))")


def test_what_programs_read_and_import_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text", encoding="utf-8")
    assert passes(f"assert open({str(tmp_path / 'file')!r}).read() == 'text'")
    assert passes("import os\nassert os.listdir() == []\nos.environ['A'] = 'b'")
    assert passes("import collections, decimal, fractions, hashlib, itertools, json, random, statistics, string")


def test_a_program_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(humaneval_sandbox, "WALL_SECONDS", 1)
    assert not passes("while True: pass")


def test_files_that_know_an_answer_stay_out(tmp_path: Path) -> None:
    telling = set[str]().union(*(problem.telling_lines for problem in PROBLEMS))
    texts = {
        "clean.py": CODE,
        "prompt.py": PROBLEMS[0].prompt + "\n    pass\n",
        "answer.py": PROBLEMS[2].solution + CODE,
    }
    texts["answer.py"] = "def f(numbers, threshold):\n" + PROBLEMS[0].solution
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    fill(tmp_path / "store", 10**6, [LibraryFile(tmp_path / name, f"x/{name}") for name in texts], telling)
    assert [path.name for path in (tmp_path / "store").rglob("*.py")] == ["clean.py"]


def test_a_store_ends_when_it_is_full(tmp_path: Path) -> None:
    files = []
    for number in range(9):
        (tmp_path / f"{number}.py").write_text(CODE, encoding="utf-8")
        files.append(LibraryFile(tmp_path / f"{number}.py", f"{number}.py"))
    fill(tmp_path / "store", 3 * len(CODE), files, set())
    assert len(list((tmp_path / "store").iterdir())) == 3


def test_a_store_that_is_smaller_than_it_should_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "all.py").write_text(CODE * 46, encoding="utf-8")
    found = [LibraryFile(tmp_path / "all.py", "all.py")]
    monkeypatch.setattr(humaneval_store, "library_files", lambda _cache_dir: found)
    console = Console(file=io.StringIO(), width=200)
    for _ in range(2):
        for size in (0.0005, 3.0):
            tell_what_is_missing(console, build_store(size, tmp_path / "cache", set()), size)
    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(told) == 2, "each time for the larger one, which is kept"
    assert "The store of 3 M tokens has only about 0.001 M" in told[0]


def test_a_text_ends_where_something_new_begins(tokenizer: Tokenizer) -> None:
    rules = ContinuationRules(tokenizer)
    body = "\n    return self.value\n"
    reasons = [rules.feed(token) for token in tokenizer.encode(body + "\ndef add(self")]
    assert StopReason.BLOCK in reasons
    assert rules.text == body
    assert solution_text(tokenizer.encode(body + "# open"), tokenizer) == body[:-1]
    looping = [ContinuationRules(tokenizer).feed(token) for token in tokenizer.encode("self." * 40)]
    assert looping[-1] is not StopReason.BLOCK


def test_problems_are_taken_at_even_distances_and_continued_plainly(tokenizer: Tokenizer) -> None:
    assert len(PROBLEMS) == 164
    assert [problem.id for problem in read_problems(4)] == [f"HumanEval/{number}" for number in (0, 41, 82, 123)]
    task = task_of(PROBLEMS[0], tokenizer)
    assert tokenizer.decode(task.ids) == PROBLEMS[0].prompt


@pytest.mark.parametrize(("parse", "text"), [(parse_sizes, "1,x"), (parse_sizes, "0"), (parse_samplings, "beam")])
def test_what_makes_no_sense_is_told(parse: Any, text: str) -> None:
    with pytest.raises(RestLspError, match=text.replace("0", "'0'")):
        parse(text)
