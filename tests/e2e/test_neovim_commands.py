"""`:RestLsp` and its completion, setup's messages, `:checkhealth`, the status line, a missing or dying server."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.neovim import PLUGIN, SCRIPTED_SERVER, Neovim, lua_list

HELP = (PLUGIN / "doc" / "rest_lsp.txt").read_text(encoding="utf-8")
DOCS = (PLUGIN.parents[1] / "docs" / "neovim.md").read_text(encoding="utf-8")

SUBCOMMANDS = (
    *("toggle", "snooze", "status", "stats", "explain", "reindex"),
    *("restart", "doctor", "models", "model", "log", "debug"),
)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Neovim]:
    with Neovim(tmp_path) as neovim:
        yield neovim


@pytest.fixture
def neovim(bare: Neovim, tmp_path: Path) -> Neovim:
    (tmp_path / ".git").mkdir()
    start(bare)
    return bare


def start(neovim: Neovim, *arguments: str) -> None:
    neovim.use_plugin(f"{{ cmd = {lua_list((*SCRIPTED_SERVER, *arguments))} }}")
    neovim.edit("one.py", "python")
    neovim.wait_for_server()


def says(neovim: Neovim, command: str) -> str:
    """The message that a command leads to."""
    n_before = len(neovim.messages)
    neovim.api.command(command)
    neovim.wait(lambda: len(neovim.messages) > n_before, f"{command} says nothing")
    return neovim.messages[-1].removeprefix("rest_lsp: ")


def shows(neovim: Neovim, command: str, title: str) -> str:
    """The text of the window that a command opens."""
    neovim.api.command(command)
    neovim.wait(lambda: neovim.api.current.buffer.name == f"restlsp://{title}", f"{command} opens nothing")
    text = "\n".join(neovim.lines)
    neovim.keys("q")
    assert neovim.api.current.buffer.name.endswith("one.py")
    return text


def arguments_of(neovim: Neovim, command: str) -> list[Any]:
    received = [message["params"] for message in neovim.ask("test/received")]
    found = [each["arguments"] for each in received if each.get("command") == command]
    assert found, f"{command} was not sent"
    return list(found[-1])


def status(**fields: object) -> dict[str, object]:
    return {"method": "rest/didChangeStatus", "params": {"state": "ready", **fields}}


def subcommands(neovim: Neovim) -> list[str]:
    return list(neovim.lua("return vim.fn.getcompletion('RestLsp ', 'cmdline')"))


def test_every_subcommand_is_completed_and_documented(neovim: Neovim) -> None:
    names = subcommands(neovim)
    assert names == sorted(SUBCOMMANDS)
    texts = neovim.lua(
        "return vim.tbl_map(function(each) return each.text end, require('rest_lsp.commands').subcommands)"
    )
    for name in names:
        assert f"*:RestLsp-{name}*" in HELP
        assert f"`:RestLsp {name}" in DOCS
        assert texts[name] in " ".join(HELP.split())


def test_words_are_completed(neovim: Neovim) -> None:
    def completed(line: str) -> list[str]:
        return list(neovim.lua("return vim.fn.getcompletion(..., 'cmdline')", line))

    assert completed("RestLsp sta") == ["stats", "status"]
    assert completed("RestLsp toggle ") == ["python"]
    assert completed("RestLsp model l") == ["large"]
    assert completed("RestLsp snooze 1") == ["10"]
    assert completed("RestLsp stats ") == []


def test_a_wrong_subcommand_names_the_nearest(neovim: Neovim) -> None:
    assert says(neovim, "RestLsp tggle") == ":RestLsp tggle is not a command. Did you mean :RestLsp toggle?"


def test_toggle(neovim: Neovim) -> None:
    assert says(neovim, "RestLsp toggle") == "Suggestions are off."
    assert arguments_of(neovim, "rest.toggle") == []
    assert says(neovim, "RestLsp toggle") == "Suggestions are on."
    assert says(neovim, "RestLsp toggle python") == "Suggestions are off for python."
    assert arguments_of(neovim, "rest.toggle") == ["python"]


def test_snooze(neovim: Neovim) -> None:
    assert re.fullmatch(r"No suggestions until \d\d:\d\d\.", says(neovim, "RestLsp snooze"))
    assert arguments_of(neovim, "rest.snooze") == [10]
    assert says(neovim, "RestLsp snooze 0") == "Suggestions are on again."
    assert "is no number" in says(neovim, "RestLsp snooze soon")


def test_status_stats_and_debug_are_shown(neovim: Neovim) -> None:
    assert "model: small" in shows(neovim, "RestLsp status", "status")
    assert "model: small" in shows(neovim, "RestLsp", "status")
    assert "  returned: 3" in shows(neovim, "RestLsp stats", "stats")
    debug = shows(neovim, "RestLsp debug", "debug")
    assert "neovim: 0.1" in debug
    assert "  - a line" in debug


def test_explain_fills_the_quickfix_list(neovim: Neovim, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("first\nsecond\n")
    neovim.api.command("RestLsp explain")
    neovim.wait(lambda: neovim.lua("return #vim.fn.getqflist()") == 2, "the quickfix list stays empty")
    assert (
        neovim.lua("return vim.fn.getqflist({ title = 1 }).title")
        == "rest_lsp: 7 tokens in 3 passes of the model, 4 drafted"
    )
    assert [item["text"] for item in neovim.lua("return vim.fn.getqflist()")] == [
        "3 tokens drafted from here",
        "1 token drafted from here",
    ]
    neovim.api.command("cfirst")
    assert (neovim.api.current.buffer.name, neovim.cursor) == (str(tmp_path / "other.py"), (1, 0))


def test_reindex_and_models(neovim: Neovim) -> None:
    assert says(neovim, "RestLsp reindex") == "The index is brought up to date."
    neovim.lua(
        "vim.ui.select = function(items, options, choose)"
        " Shown = vim.tbl_map(options.format_item, items) choose(items[2]) end"
    )
    assert says(neovim, "RestLsp models").startswith("large is loaded")
    assert neovim.lua("return Shown") == [
        "small (in use, 0.50 GB): For laptops.",
        "large (to be downloaded, 1.00 GB, slow): For a GPU.",
    ]
    assert arguments_of(neovim, "rest.chooseModel") == ["large"]
    says(neovim, "RestLsp model small")
    assert arguments_of(neovim, "rest.chooseModel") == ["small"]
    assert "takes a name" in says(neovim, "RestLsp model")


def test_doctor_and_log(neovim: Neovim) -> None:
    assert "failed   disk: It is full.\n         Make room." in shows(neovim, "RestLsp doctor", "doctor")
    neovim.ask("test/tell", {"method": "window/logMessage", "params": {"type": 3, "message": "a word from the server"}})
    assert "a word from the server" in shows(neovim, "RestLsp log", "log")


def wait_for_words(neovim: Neovim, words: str) -> None:
    neovim.wait(lambda: neovim.lua("return require('rest_lsp').statusline()") == f"rest_lsp: {words}", words)


def test_the_status_line_follows_the_server(neovim: Neovim) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        (status(state="loading", percent=40, progress="0.2 of 0.5 GB"), "loading 40 %"),
        (status(state="loading", percent=40, progress="downloading 40 %"), "downloading 40 %"),
        (status(state="loading", percent=40), "loading 40 %"),
        (status(state="indexing", percent=40, progress="1,204 of 3,010 files"), "indexing 1,204 of 3,010 files"),
        (status(), "ready"),
        (status(state="paused", enabled=False), "paused"),
        (status(disabledLanguages=["python"]), "off for python"),
        (status(state="error", reason="It is gone.", fix="Bring it."), "error"),
    ]
    neovim.lua(
        "vim.api.nvim_create_autocmd('User', { pattern = 'RestLspStatus',"
        " callback = function(event) Told = event.data.state end })"
    )
    for told, words in cases:
        neovim.ask("test/tell", told)
        wait_for_words(neovim, words)
    assert neovim.lua("return Told") == "error"
    neovim.api.command("enew")
    assert neovim.lua("return require('rest_lsp').statusline()") == ""


def test_an_old_server_is_told_apart_and_still_completes(bare: Neovim) -> None:
    start(bare, "--without-commands")
    assert says(bare, "RestLsp snooze") == "This version of the server does not know rest.snooze; update it."
    bare.keys("i")
    bare.wait_for_ghost("value = compute(1, 2)")
    assert bare.lua("return require('rest_lsp').accept()") is True
    assert bare.lines == ["value = compute(1, 2)"]


def test_restart_starts_another_process(neovim: Neovim) -> None:
    former = neovim.lua("return vim.lsp.get_clients({ name = 'rest_lsp' })[1].id")
    assert says(neovim, "RestLsp restart") == "The server is started again."
    neovim.wait_for_server()
    assert neovim.lua("return vim.lsp.get_clients({ name = 'rest_lsp' })[1].id") != former


def test_a_killed_server_comes_back_and_one_that_keeps_dying_does_not(neovim: Neovim) -> None:
    for attempt in range(4):
        n_before = len(neovim.messages)
        neovim.lua("vim.lsp.get_clients({ name = 'rest_lsp' })[1]:request('test/die', nil, function() end)")
        neovim.wait(lambda: len(neovim.messages) > n_before, "nothing is said")  # noqa: B023
        if attempt < 3:
            assert "The server ended (signal 9) and is started again." in neovim.messages[-1]
            neovim.wait_for_server()
    assert "stays down; see `:RestLsp log`" in neovim.messages[-1]
    assert says(neovim, "RestLsp restart") == "The server is started."
    neovim.wait_for_server()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{ debounce = 3 }", "debounce is not an option of setup(). Did you mean debounce_ms?"),
        ("{ debounce_ms = 'x' }", 'debounce_ms = "x" is ignored: it takes a whole number from 0 to 2000.'),
        ("{ cmd = {} }", 'cmd = {} is ignored: it takes a list of texts, as in { "/path/to/rest-lsp", "serve" }.'),
        ("{ keymaps = { acept = 'x' } }", "keymaps.acept is not an option. Did you mean keymaps.accept?"),
        ("{ keymaps = { accept = 1 } }", "keymaps.accept = 1 is ignored: it takes a key."),
        (
            "{ settings = { completion = { maxTokenSingle = 3 } } }",
            "settings.completion.max_token_single is not an option."
            " Did you mean settings.completion.max_tokens_single?",
        ),
        (
            "{ settings = { device = { name = 'cdua' } } }",
            'settings.device.name = "cdua" is ignored: it takes one of auto, cpu, cuda, mps. Did you mean cuda?',
        ),
        (
            "{ settings = { completion = { top_p = 0 } } }",
            "settings.completion.top_p = 0 is ignored: it takes a number above 0, up to 1.",
        ),
        (
            "{ settings = { drafting = { max_nodes = 65 } } }",
            "settings.drafting.max_nodes = 65 is ignored: it takes a whole number from 1 to 64.",
        ),
    ],
)
def test_a_wrong_option_is_one_message_that_names_it(bare: Neovim, options: str, message: str) -> None:
    bare.use_plugin(options)
    assert bare.messages == [f"rest_lsp: {message}"]


def test_settings_reach_the_server_in_every_spelling(bare: Neovim) -> None:
    bare.use_plugin(
        f"{{ cmd = {lua_list(SCRIPTED_SERVER)},"
        " settings = { model = 'small', completion = { topK = 3, top_p = 0.5 } } }"
    )
    bare.edit("one.py", "python")
    bare.wait_for_server()
    assert bare.messages == []
    sent = {message["method"]: message["params"] for message in bare.ask("test/received")}
    wanted = {"model": {"name": "small"}, "completion": {"top_k": 3, "top_p": 0.5}}
    assert sent["initialize"]["initializationOptions"] == wanted
    assert sent["workspace/didChangeConfiguration"]["settings"] == {"restLsp": wanted}


def health(neovim: Neovim) -> str:
    neovim.api.command("checkhealth rest_lsp")
    text = "\n".join(neovim.lines)
    neovim.api.command("bwipeout")
    return text


def test_checkhealth_of_a_running_server(neovim: Neovim) -> None:
    text = health(neovim)
    assert "OK Neovim 0.1" in text
    assert "version 1.2.3" in text
    assert "OK ready; model small on cpu" in text
    assert re.search(r"ERROR disk: It is full\.\n.*\n.*Make room\.", text)
    assert "Keys" in text
    assert "None is set" in text


def test_checkhealth_without_a_server(bare: Neovim) -> None:
    bare.use_plugin("{ cmd = { '/nowhere/rest-lsp', 'serve' }, keymaps = { accept = '<Tab>' } }")
    bare.api.command("inoremap <Tab> x")
    text = health(bare)
    assert "ERROR The server /nowhere/rest-lsp, which the option cmd names, cannot be run." in text
    assert "pip install rest-lsp" in text
    assert "<Tab> no longer does accept" in text


def test_a_missing_server_is_told_once_and_the_commands_live_on(bare: Neovim) -> None:
    bare.use_plugin("{ cmd = { '/nowhere/rest-lsp', 'serve' } }")
    bare.edit("one.py", "python")
    bare.edit("two.py", "python")
    assert len(bare.messages) == 1
    assert "/nowhere/rest-lsp" in bare.messages[0]
    assert "pip install" in bare.messages[0]
    for name in ("toggle", "status", "doctor", "explain"):
        assert "cannot be run" in says(bare, f"RestLsp {name}")
    bare.lua(f"require('rest_lsp').setup({{ cmd = {lua_list(SCRIPTED_SERVER)} }})")
    says(bare, "RestLsp restart")
    bare.wait_for_server()


def test_the_server_is_found_in_the_workspaces_environment(tmp_path: Path) -> None:
    script = tmp_path / ".venv" / "bin" / "rest-lsp"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -m tests.e2e.scripted_server\n")
    script.chmod(0o755)
    (tmp_path / ".git").mkdir()
    with Neovim(tmp_path, PATH="/usr/bin:/bin") as neovim:
        neovim.use_plugin()
        neovim.edit("one.py", "python")
        neovim.wait_for_server()
        assert ".venv of the workspace" in health(neovim)


def test_file_types_that_are_left_out(bare: Neovim) -> None:
    bare.use_plugin(f"{{ cmd = {lua_list(SCRIPTED_SERVER)}, exclude_filetypes = {{ 'text' }} }}")
    bare.edit("one.txt", "text")
    bare.edit("two.py", "python")
    bare.wait_for_server()
    attached = bare.lua("return vim.tbl_keys(vim.lsp.get_clients({ name = 'rest_lsp' })[1].attached_buffers)")
    assert attached == [bare.api.current.buffer.number]


def test_nothing_is_loaded_before_it_is_needed(bare: Neovim) -> None:
    bare.lua("vim.opt.runtimepath:prepend(...)", str(PLUGIN))
    bare.api.command("runtime plugin/rest_lsp.lua")
    loaded = (
        "return vim.tbl_filter(function(name) return vim.startswith(name, 'rest_lsp') end,"
        " vim.tbl_keys(package.loaded))"
    )
    assert bare.lua(loaded) == []
    bare.lua("require('rest_lsp').setup()")
    assert "rest_lsp.suggestion" not in bare.lua(loaded)
    assert "rest_lsp.commands" not in bare.lua(loaded)
