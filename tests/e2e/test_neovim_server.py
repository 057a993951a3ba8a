"""The plugin with `rest-lsp serve` as it is shipped, on a tiny random model: every command against the real answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.neovim import Neovim
from tests.e2e.neovim_served import CODE, suggested, use_real_server, wait_for_words, write_model


@pytest.fixture(scope="module")
def neovim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neovim]:
    model = write_model(tmp_path_factory.mktemp("model") / "tiny")
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "rest-lsp.toml").touch()
    for number in range(3):
        (folder / f"module_{number}.py").write_text(CODE * (number + 2))
    with Neovim(tmp_path_factory.mktemp("neovim"), cwd=folder) as started:
        use_real_server(started, model)
        started.edit("module_0.py", "python")
        started.wait_for_server()
        wait_for_words(started, "ready")
        yield started


def says(neovim: Neovim, command: str) -> str:
    n_before = len(neovim.messages)
    neovim.api.command(command)
    neovim.wait(lambda: len(neovim.messages) > n_before, f"{command} says nothing")
    return neovim.messages[-1]


def shows(neovim: Neovim, command: str) -> str:
    neovim.api.command(command)
    neovim.wait(lambda: neovim.api.current.buffer.name.startswith("restlsp://"), f"{command} opens nothing")
    text = "\n".join(neovim.lines)
    neovim.keys("q")
    return text


def test_ghost_text_is_taken_and_counted(neovim: Neovim) -> None:
    ghost = suggested(neovim)
    before, rows = neovim.lines[-1], len(neovim.lines)
    neovim.keys("<Tab>")
    assert "\n".join(neovim.lines[rows - 1 :]) == before + ghost
    neovim.keys("<Esc>")
    stats = shows(neovim, "RestLsp stats")
    assert "accepted_whole: 1" in stats


def test_what_the_commands_show(neovim: Neovim) -> None:
    neovim.keys("<Esc>")
    assert "state: ready" in shows(neovim, "RestLsp status")
    assert "platform: " in shows(neovim, "RestLsp debug")
    assert "Ready to complete." in shows(neovim, "RestLsp log")
    assert "ok       " in shows(neovim, "RestLsp doctor")
    assert says(neovim, "RestLsp reindex").endswith("The index is brought up to date.")
    wait_for_words(neovim, "ready")


def test_explain_names_files_or_says_that_there_are_none(neovim: Neovim) -> None:
    suggested(neovim)
    neovim.keys("<Esc>")
    n_before = len(neovim.messages)
    neovim.api.command("RestLsp explain")
    neovim.wait(
        lambda: len(neovim.messages) > n_before or neovim.lua("return #vim.fn.getqflist()") > 0, "explain says nothing"
    )
    found = neovim.lua("return vim.tbl_map(function(each) return vim.fn.bufname(each.bufnr) end, vim.fn.getqflist())")
    assert all(Path(name).name.startswith("module_") for name in found)
    neovim.api.command("cclose")


def test_models_are_listed(neovim: Neovim) -> None:
    neovim.lua("vim.ui.select = function(items, options) Shown = vim.tbl_map(options.format_item, items) end")
    neovim.api.command("RestLsp models")
    neovim.wait(lambda: neovim.lua("return Shown ~= nil"), "no models")
    assert any(line.startswith("qwen2.5-coder-0.5b (") for line in neovim.lua("return Shown"))


def test_switching_off_and_on(neovim: Neovim) -> None:
    assert says(neovim, "RestLsp toggle python").endswith("off for python.")
    wait_for_words(neovim, "off for python")
    assert says(neovim, "RestLsp toggle python").endswith("on for python.")
    wait_for_words(neovim, "ready")
    assert says(neovim, "RestLsp toggle").endswith("off.")
    wait_for_words(neovim, "paused")
    assert says(neovim, "RestLsp toggle").endswith("on.")
    says(neovim, "RestLsp snooze 5")
    neovim.wait(lambda: "paused until" in neovim.lua("return require('rest_lsp').statusline()"), "it does not snooze")
    assert says(neovim, "RestLsp snooze 0").endswith("on again.")
    wait_for_words(neovim, "ready")


def test_checkhealth_has_no_error_of_its_own(neovim: Neovim) -> None:
    neovim.api.command("checkhealth rest_lsp")
    text = "\n".join(neovim.lines)
    neovim.api.command("bwipeout")
    assert "OK Neovim" in text
    assert "OK ready; model " in text
    assert "OK <Tab>: accept" in text


def test_a_changed_setting_and_a_wrong_one(neovim: Neovim) -> None:
    client = "vim.lsp.get_clients({ name = 'rest_lsp' })[1]"
    settings = "{ restLsp = { completion = { top_k = 'x' } } }"
    neovim.lua(f"{client}:notify('workspace/didChangeConfiguration', {{ settings = {settings} }})")
    neovim.wait(lambda: "completion.top_k" in str(neovim.lua("return require('rest_lsp.server').log")), "no message")
