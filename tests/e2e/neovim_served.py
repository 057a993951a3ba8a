"""Neovim with `rest-lsp serve` as it is shipped, on a tiny random model."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.neovim import Neovim, lua_list
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder

CODE = "def add(self, other):\n    return self.value + other.value\n"
BEGINNINGS = ("se", "add", "x", "item", "other.se", "compute(other.add", "self.val", "return sel", "return ")
SERVE = (sys.executable, "-m", "rest_lsp", "serve")
PENDING = """
return #vim.tbl_filter(function(each) return each.type == 'pending' end, vim.lsp.get_clients({ bufnr = 0 })[1].requests)
"""
SETTINGS = """{
  device = { name = 'cpu', dtype = 'fp32', threads = 1 },
  completion = {
    multiline = 'never', max_tokens_single = 8,
    min_confidence_code = 0, min_confidence_word = 0, min_confidence_block = 0, min_confidence_text = 0,
  },
  drafting = { fixed_nodes = 4 },
  model = { name = [==[%s]==] },
}"""


def write_model(folder: Path) -> Path:
    """A tiny random model, as its own files and as the hub has them."""
    write_hub_folder(folder, RandomSource(tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=4096)))
    return folder


def use_real_server(neovim: Neovim, model: Path | str) -> None:
    neovim.use_plugin(f"{{ cmd = {lua_list(SERVE)}, settings = {SETTINGS % model}, keymaps = {{ accept = '<Tab>' }} }}")


def wait_for_words(neovim: Neovim, words: str) -> None:
    neovim.wait(lambda: neovim.lua("return require('rest_lsp').statusline()") == f"rest_lsp: {words}", words)


def suggested(neovim: Neovim) -> str:
    """Type beginnings until the random model has something to say; it has not behind each."""
    for beginning in BEGINNINGS:
        neovim.keys(f"<Esc>Go{beginning}")
        neovim.lua("require('rest_lsp').trigger()")
        neovim.wait(lambda: neovim.lua(PENDING) == 0, "the server does not answer")
        if neovim.ghost:
            return neovim.ghost
    raise AssertionError("the model has nothing to say")
