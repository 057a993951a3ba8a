"""The command line as its users meet it: real processes, exit codes, what goes to which stream."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.files_cli import Place, clean_environment, make_place, rest_lsp

HEAVY = ("torch", "transformers", "pygls", "lsprotocol")
FIND_HEAVY = """
import sys
from rest_lsp.cli import main
try:
    main()
finally:
    print("HEAVY", [name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace whose model has been converted and whose index has been built."""
    made = make_place(tmp_path_factory.mktemp("cli"))
    indexed = rest_lsp("index", "--workspace", str(made.workspace), place=made)
    assert indexed.returncode == 0, indexed.stderr
    return made


def assert_is_message(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """One sentence that holds `words`, and one hint; nothing on standard output."""
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 2, result.stderr
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in result.stderr


def test_help_shows_the_commands_and_where_to_start() -> None:
    result = rest_lsp("--help")
    assert result.returncode == 0
    for word in ("serve", "complete", "index", "status", "models", "doctor", "bench", "rest-lsp models pull"):
        assert word in result.stdout


@pytest.mark.parametrize("command", ["serve", "complete", "index", "status", "doctor", "models pull", "bench decode"])
def test_help_of_each_command_shows_options_and_defaults(command: str) -> None:
    result = rest_lsp(*command.split(), "--help")
    assert result.returncode == 0
    assert "--model" in result.stdout
    assert "Default:" in result.stdout


@pytest.mark.parametrize("command", ["--help", "index", "status --json", "models list", "doctor --help"])
def test_light_commands_import_nothing_heavy(place: Place, command: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FIND_HEAVY.format(heavy=HEAVY), *command.split()],
        env={**clean_environment(place), "PYTHONPATH": str(Path.cwd())},
        cwd=place.workspace,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [("indx", "index"), ("models lst", "list"), ("index --workspce x", "--workspace"), ("serve --modle x", "--model")],
)
def test_a_mistyped_word_is_answered_with_the_nearest(arguments: str, nearest: str) -> None:
    result = rest_lsp(*arguments.split())
    assert result.returncode == 2
    assert nearest in result.stderr.partition("Error")[2]


def test_a_mistyped_variable_is_a_warning_and_json_stays_clean(place: Place) -> None:
    misspelt = place._replace(environment={**place.environment, "REST_LSP_DATASTOR_WATCH": "1"})
    result = rest_lsp("status", "--json", "--workspace", str(place.workspace), place=misspelt)
    assert result.returncode == 0
    assert result.stderr.strip() == (
        "warning: REST_LSP_DATASTOR_WATCH is not an option. Did you mean REST_LSP_DATASTORE_WATCH?"
    )
    assert json.loads(result.stdout)["state"] == "ready"


def test_the_index_is_built_refreshed_and_counted(place: Place) -> None:
    result = rest_lsp("index", "--workspace", str(place.workspace), "--json", place=place)
    report = json.loads(result.stdout)
    assert (report["files"], report["added"], report["tokenised"], result.stderr) == (1, 0, 0, "")
    status = json.loads(rest_lsp("status", "--workspace", str(place.workspace), "--json", place=place).stdout)
    assert {"state", "model", "device", "datastore"} <= status.keys()
    assert {"path", "tokens", "files", "segments"} <= status["datastore"].keys()
    assert status["datastore"]["tokens"] == report["tokens"] > 0


def test_the_workspace_is_the_repository_around_the_current_folder(place: Place) -> None:
    inside = place.workspace / "docs"
    inside.mkdir(exist_ok=True)
    (place.workspace / "rest-lsp.toml").write_text("completion.seed = 1\n")
    status = json.loads(rest_lsp("status", "--json", place=place, cwd=inside).stdout)
    assert status["workspace"] == str(place.workspace.resolve())


def test_a_completion_says_what_it_took(place: Place) -> None:
    arguments = ("complete", str(place.workspace / "app.py"), "--line", "5", "--column", "11", "--json")
    result = rest_lsp(*arguments, place=place)
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert {"text", "tokens", "forwards", "accepted", "prefill_ms", "decode_ms", "retrieval_ms"} <= answer.keys()
    assert {"model", "device", "dtype", "sources"} <= answer.keys()
    assert (answer["device"], answer["dtype"], answer["range"]["start"]) == (
        "cpu",
        "fp32",
        {"line": 5, "character": 11},
    )
    plain = json.loads(rest_lsp(*arguments, "--no-draft", place=place).stdout)
    assert plain["text"] == answer["text"]
    assert (plain["accepted"], plain["sources"]) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("complete", "nowhere.py", "--line", "0", "--column", "0"), ("nowhere.py", "No such file")),
        (("complete", ".", "--line", "0", "--column", "0"), ("cannot be read", "Name a text file")),
        (("complete", "binary.py", "--line", "0", "--column", "0"), ("binary.py", "not text")),
        (("complete", "app.py", "--line", "99", "--column", "0"), ("app.py", "no line 99")),
        (("complete", "app.py", "--line", "0", "--column", "99"), ("app.py", "99")),
        (("index", "--workspace", "nowhere"), ("nowhere", "does not exist")),
        (("index", "--workspace", "app.py"), ("app.py", "is a file")),
        (("index", "--model-cache-dir", "app.py/cache"), ("app.py/cache", "cannot be written", "model.cache_dir")),
        (("models", "path", "qwen2.5-coder-0.5"), ("qwen2.5-coder-0.5", "'qwen2.5-coder-0.5b'")),
        (("models", "path", "qwen2.5-coder-0.5b"), ("not on this machine", "rest-lsp models pull")),
        (("models", "pull", "qwen2.5-coder-0.5b"), ("qwen2.5-coder-0.5b", "switched off")),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_remedy(
    place: Place, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (place.workspace / "binary.py").write_bytes(b"\x7fELF\0\0\0")
    assert_is_message(rest_lsp(*arguments, place=place, cwd=place.workspace), *words)


def test_debugging_shows_where_an_error_arose(place: Place) -> None:
    debugged = place._replace(environment={**place.environment, "REST_LSP_DEBUG": "1"})
    result = rest_lsp("index", "--workspace", "nowhere", place=debugged)
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_an_interrupt_ends_with_130_and_without_a_traceback(place: Place, tmp_path: Path) -> None:
    fifo = tmp_path / "endless.py"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "rest_lsp", "complete", str(fifo), "--line", "0", "--column", "0"],
        env=clean_environment(place),
        stderr=subprocess.PIPE,
        text=True,
    )
    with fifo.open("wb"):  # Opens once the command reads from it.
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_models_are_listed_for_people_and_programs(place: Place) -> None:
    listed = json.loads(rest_lsp("models", "list", "--json", place=place).stdout)
    assert [model["downloaded"] for model in listed] == [False] * len(listed)
    assert "qwen2.5-coder-0.5b" in rest_lsp("models", "list", place=place).stdout
    assert rest_lsp("models", "path", place=place).stdout.strip() == place.environment["REST_LSP_MODEL"]


def test_the_version_is_told() -> None:
    result = rest_lsp("--version")
    assert (result.returncode, result.stdout.split()[0]) == (0, "rest-lsp")
