"""Real Neovim, real server, real 0.5B model, on flask.  `make test-neovim` runs it; `make test` fetches no large model.

Budgets of time are off, so that a slow machine gives the same suggestions.  Pictures for the documentation are made.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rest_lsp.bench.corpus import FLASK, fetch
from rest_lsp.config import user_cache_dir
from tests.e2e.neovim import REPOSITORY, Neovim, lua_list
from tests.e2e.screen import Screen

SERVE = (sys.executable, "-m", "rest_lsp", "serve")
MODEL_S, FETCHING_S = 300.0, 1200.0  # on machines with much else to do
PICTURES = REPOSITORY / "out" / "neovim"
OPTIONS = """{
  cmd = %s,
  keymaps = {
    accept = '<Tab>', accept_word = '<M-Right>', accept_line = '<M-C-Right>',
    next = '<M-]>', prev = '<M-[>', dismiss = '<C-]>', trigger = '<M-Bslash>',
  },
  settings = {
    model = 'qwen2.5-coder-0.5b',
    device = { name = 'cpu' },
    completion = {
      time_budget_automatic_ms = 0, time_budget_invoked_ms = 0, max_tokens_multi = 64,
      min_confidence_code = 0, min_confidence_word = 0, min_confidence_block = 0, min_confidence_text = 0,
    },
    drafting = { fixed_nodes = 4 },
    datastore = { directory = [==[%s]==] },
  },
}"""
SEVERAL_LINES = 'def environment_name() -> str:<CR>"""The name of the environment."""<CR>'
WATCH = """
Words = {}
vim.api.nvim_create_autocmd('User', { pattern = 'RestLspStatus', callback = function(event)
  table.insert(Words, event.data.state)
end })
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("neovim")


@pytest.fixture(scope="module")
def neovim(folder: Path) -> Iterator[Neovim]:
    flask = folder / "flask"
    shutil.copytree(fetch(FLASK, user_cache_dir()), flask)
    (flask / "rest-lsp.toml").touch()
    with Neovim(folder, cwd=flask, XDG_CACHE_HOME=str(user_cache_dir().parent)) as started:
        started.api.command("set noswapfile formatoptions= laststatus=2 | colorscheme habamax")
        started.lua(WATCH)
        started.use_plugin(OPTIONS % (lua_list(SERVE), folder / "datastores"))
        started.lua("vim.o.statusline = \"%f %m%=%{v:lua.require'rest_lsp'.statusline()}  %l:%c \"")
        started.edit("src/flask/helpers.py")
        started.wait_for_server()
        wait_for_ready(started)
        yield started


def wait_for_ready(neovim: Neovim) -> None:
    """The first time the model is downloaded and converted."""
    words = "return require('rest_lsp').statusline()"
    neovim.wait(lambda: neovim.lua(words) == "rest_lsp: ready", "the server is not ready", FETCHING_S)


def type_at_end(neovim: Neovim, keys: str) -> str:
    """Type below everything; returns the ghost text that appears."""
    neovim.keys("<Esc>Go<CR><C-u>" + keys)
    neovim.wait(lambda: neovim.ghost, f"nothing is suggested behind {keys}", MODEL_S)
    assert neovim.ghost is not None
    return neovim.ghost


def test_the_server_goes_through_its_states(neovim: Neovim) -> None:
    seen = list(dict.fromkeys(neovim.lua("return Words")))
    assert seen == ["loading", "indexing", "ready"]


def test_ghost_text_is_an_extmark_and_tab_puts_it_into_the_file(neovim: Neovim, folder: Path) -> None:
    ghost = type_at_end(neovim, SEVERAL_LINES)
    Screen(folder / "nvim.sock", 92, 24).save(PICTURES / "neovim-ghost-text.png")
    before, rows = neovim.lines[-1], len(neovim.lines)
    neovim.keys("<Tab>")
    assert "\n".join(neovim.lines[rows - 1 :]) == before + ghost
    neovim.keys("<Esc>:write<CR>")
    saved = (folder / "flask" / "src" / "flask" / "helpers.py").read_text(encoding="utf-8")
    assert saved.endswith(before + ghost + "\n")


def test_words_then_lines(neovim: Neovim) -> None:
    ghost = type_at_end(neovim, SEVERAL_LINES)
    rows, before = len(neovim.lines), neovim.lines[-1]
    neovim.keys("<M-Right>")
    first = neovim.lines[-1].removeprefix(before)
    assert first
    assert ghost == first + (neovim.ghost or "")
    neovim.keys("<M-C-Right>")
    assert neovim.lines[rows - 1] == before + ghost.partition("\n")[0]


def test_asking_by_key_and_cycling(neovim: Neovim) -> None:
    ghost = type_at_end(neovim, SEVERAL_LINES)
    neovim.keys("<C-]>")
    neovim.wait_for_ghost(None)
    neovim.keys("<M-Bslash>")
    neovim.wait(lambda: neovim.ghost is not None, "nothing comes when asked for", MODEL_S)
    assert neovim.ghost == ghost
    n_choices = neovim.lua("return require('rest_lsp.builtin').count(vim.api.nvim_get_current_buf())")
    assert n_choices > 1, "the model has said other things as well"
    ghosts = []
    for _ in range(n_choices):
        neovim.keys("<M-]>")
        ghosts.append(neovim.ghost)
    assert ghosts[-1] == ghost, "once around leads back to the first"
    assert len(set(ghosts)) == n_choices


def test_explain_leads_to_the_files_that_were_drafted_from(neovim: Neovim, folder: Path) -> None:
    type_at_end(neovim, "def _split_other_path(name: str) -> list[str]:<CR>")
    neovim.keys("<Tab><Esc>")
    neovim.api.command("RestLsp explain")
    neovim.wait(lambda: neovim.lua("return #vim.fn.getqflist()") > 0, "the quickfix list stays empty")
    Screen(folder / "nvim.sock", 92, 24).save(PICTURES / "neovim-explain.png")
    neovim.api.command("cfirst")
    assert Path(neovim.api.current.buffer.name).is_relative_to(folder / "flask")
    assert neovim.lines[neovim.cursor[0]].strip()
    neovim.api.command("cclose | buffer src/flask/helpers.py")


def test_checkhealth_finds_nothing_wrong_with_the_plugin(neovim: Neovim) -> None:
    neovim.api.command("checkhealth rest_lsp")
    text = "\n".join(neovim.lines)
    neovim.api.command("bwipeout")
    assert "OK ready; model qwen2.5-coder-0.5b on cpu" in text
    assert "OK <Tab>: accept" in text
    # The cache is the person's own, and may hold what another version has left.
    assert [line for line in text.splitlines() if "ERROR" in line and "ERROR model:" not in line] == []


def test_a_killed_server_comes_back_and_completes(neovim: Neovim) -> None:
    os.kill(neovim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())[1]"), signal.SIGKILL)
    neovim.wait(lambda: "is started again" in "".join(neovim.messages), "nothing is said")
    neovim.wait_for_server()
    wait_for_ready(neovim)
    assert type_at_end(neovim, SEVERAL_LINES)
