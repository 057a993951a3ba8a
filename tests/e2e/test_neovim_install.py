"""The plugin installed as people install it: unpacked as a package, by the built-in manager, from a clone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.neovim import PLUGIN, SCRIPTED_SERVER, Neovim, lua_list
from tests.e2e.phrases import suggest

SETUP = f"require('rest_lsp').setup({{ cmd = {lua_list(SCRIPTED_SERVER)}, keymaps = {{ accept = '<Tab>' }} }})"


def unpacked(folder: Path) -> str:
    """As a package below `pack/*/start`, which needs no manager."""
    shutil.copytree(PLUGIN, folder / "data" / "nvim" / "site" / "pack" / "rest_lsp" / "start" / "rest_lsp.nvim")
    return ""


def by_the_builtin_manager(folder: Path) -> str:
    """From a repository that holds the plugin alone, with tags as the manager wants them."""
    repository = folder / "origin" / "rest_lsp.nvim"
    shutil.copytree(PLUGIN, repository)
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "v0.1.0"]):
        subprocess.run([*git, *command], check=True)
    return f"vim.pack.add({{ 'file://{repository}' }}, {{ confirm = false }})"


def from_a_clone(folder: Path) -> str:
    """A manager that knows the clone's folder only, as lazy.nvim does in `config`."""
    shutil.copytree(PLUGIN, folder / "clone" / "editor_extension" / "neovim")
    return (
        f"vim.opt.rtp:append([==[{folder / 'clone'}]==] .. '/editor_extension/neovim')"
        " vim.cmd.runtime('plugin/rest_lsp.lua')"
    )


@pytest.mark.parametrize("install", [unpacked, by_the_builtin_manager, from_a_clone])
def test_an_installed_plugin_completes(install: object, tmp_path: Path) -> None:
    assert callable(install)
    config = tmp_path / "config" / "nvim" / "init.lua"
    config.parent.mkdir(parents=True)
    config.write_text(f"{install(tmp_path)}\n{SETUP}\n", encoding="utf-8")
    with Neovim(tmp_path, "-i", "NONE") as neovim:
        neovim.collect_messages()
        neovim.edit("one.py")
        neovim.wait_for_server()
        neovim.keys("i")
        suggestion = suggest("", "")
        assert suggestion is not None
        neovim.wait_for_ghost(suggestion.text)
        neovim.keys("<Tab><Esc>")
        assert neovim.lines == suggestion.text.split("\n")
        neovim.api.command("RestLsp toggle")
        neovim.wait(lambda: neovim.messages, "the command says nothing")
        if install is not from_a_clone:
            neovim.api.command("helptags ALL")
            neovim.api.command("help :RestLsp-explain")
            assert neovim.api.current.buffer.name.endswith("doc/rest_lsp.txt")
