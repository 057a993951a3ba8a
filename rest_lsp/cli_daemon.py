"""`rest-lsp daemon`: the process that all editor windows of a user share, and what it is doing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec
import typer

from rest_lsp.cli_options import JsonOption, Overrides, takes_options
from rest_lsp.cli_serve import SECTIONS, make_backend
from rest_lsp.cli_terminal import print_json, print_text
from rest_lsp.config import Settings, user_config_file
from rest_lsp.config_sources import Loaded, beginning_in, load_settings
from rest_lsp.daemon.address import Address, NoDaemon, runtime_address
from rest_lsp.errors import RestLspError
from rest_lsp.waiting import wait_politely

if TYPE_CHECKING:
    from rest_lsp.assembly_pool import ModelPool
    from rest_lsp.daemon.wire import Door, Hello, Report
    from rest_lsp.http.run import HttpDoor
    from rest_lsp.server.backend import Backend
    from rest_lsp.server.turns import TurnThread

app = typer.Typer(help="The process that all editor windows share.", no_args_is_help=True)

_SHOWN_LINES = 200
_END_S = 10.0
_FOR_HTTP = ("uvicorn", "starlette", "prometheus_client")


@app.command()
def status(json: JsonOption = False) -> None:
    """Say whether it runs, how much memory it takes, and for whom."""
    report = _ask("status")
    if json:
        print_json(msgspec.to_builtins(report))
    elif report is None:
        print_text("No daemon is running; the next editor starts one.")
    else:
        print_text(_in_words(report))


@app.command()
def stop() -> None:
    """End it, and free its memory. An editor that is open starts it again with the next key."""
    report = _ask("stop")
    if report is None:
        print_text("No daemon is running.")
    else:
        _await_end()
        print_text(f"The daemon {report.pid} has ended.")


@app.command()
def restart() -> None:
    """End it and start it anew, as after an update; editors that are open go on with the new one."""
    from rest_lsp.cli_front import start_daemon

    if _ask("stop") is not None:
        _await_end()
    print_text(f"The daemon {start_daemon()} is running.")


@app.command()
def logs() -> None:
    """Print the end of its log."""
    address = _address()
    for path in (address.log, address.stray_output):
        if path.exists():
            print_text("\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]))


class _Opener:
    """Makes what serves a front or clients of HTTP; the pool of models is the same for all."""

    def __init__(self) -> None:
        self._settings = load_settings().settings
        self._pool: ModelPool | None = None

    def linger_s(self) -> float:
        """As the editor that was configured last wants it."""
        return 60 * self._settings.server.linger_minutes

    def open_backend(self, hello: Hello) -> Backend:
        overrides = _read_arguments(hello.arguments)

        def load(workspace: Path | None, editor: Mapping[str, Any]) -> Loaded:
            return self._load(workspace, overrides, hello, editor)

        return make_backend(load, self._open_session)

    def open_door(self, door: Door, thread: TurnThread) -> Callable[[], HttpDoor]:
        from rest_lsp.daemon.host import UnusableArguments

        missing = next((name for name in _FOR_HTTP if find_spec(name) is None), None)
        if missing is not None:
            raise UnusableArguments(f"The daemon has no {missing}.")
        root = Path(door.folder)
        settings = self._load(root, door.options, door).settings

        def make() -> HttpDoor:
            from rest_lsp.http.run import HttpDoor, Opening

            idle_s = 60 * settings.server.unload_minutes
            opening = Opening(door.names, door.token, lambda: self._open_session(settings, [root]), idle_s)
            return HttpDoor(opening, thread, root)

        return make

    def _load(
        self,
        workspace: Path | None,
        overrides: Overrides,
        said: Hello | Door,
        editor: Mapping[str, Any] | None = None,
    ) -> Loaded:
        loaded = load_settings(
            workspace,
            editor=editor,
            command_line=overrides,
            environment=said.environment,
            user_file=user_config_file(said.environment),
        )
        self._settings = beginning_in(Path(said.begins), loaded.settings)
        return loaded._replace(settings=self._settings)

    def _open_session(self, settings: Settings, *arguments: Any) -> Any:
        """Runs in the engine's thread, where importing torch keeps nobody from being answered."""
        from rest_lsp.assembly_pool import ModelPool
        from rest_lsp.assembly_session import open_session

        self._pool = self._pool or ModelPool()
        return open_session(settings, *arguments, load=self._pool.load)


def _read_arguments(arguments: list[str]) -> Overrides:
    """The options that a front was started with.  Raises UnusableArguments."""
    from rest_lsp.daemon.host import UnusableArguments

    given: list[Overrides] = []
    reader = typer.Typer(add_completion=False)

    @reader.command()
    @takes_options(*SECTIONS)
    def serve(*, overrides: Overrides) -> None:
        given.append(overrides)

    try:
        reader(arguments, prog_name="rest-lsp serve")
    except SystemExit:
        # It has said what is wrong on standard error, but the person sees that of the front.
        if not given:
            raise UnusableArguments("These are not the arguments of rest-lsp serve.") from None
    return given[0]


def _address() -> Address:
    try:
        return runtime_address()
    except NoDaemon as error:
        raise RestLspError(str(error)) from None


def _ask(wish: Literal["status", "stop"]) -> Report | None:
    """What the daemon reports of itself; None when there is none."""
    from rest_lsp.daemon.joining import ask

    try:
        return ask(_address(), wish)
    except NoDaemon as error:
        raise RestLspError(str(error)) from None


def _await_end() -> None:
    from rest_lsp.daemon.joining import await_end

    if not await_end(_address(), _END_S):
        raise RestLspError("The daemon does not end.", "`rest-lsp daemon logs` may say why.")


def _in_words(report: Report) -> str:
    # Not every system says how much.
    memory = f", {report.memory_bytes / 1e9:.2f} GB of memory" if report.memory_bytes else ""
    lines = [f"Process {report.pid}, version {report.version}, for {report.uptime_s / 60:.0f} min{memory}."]
    for client in report.clients:
        folders = ", ".join(client.folders) or "no folder"
        documents = "" if client.open_documents is None else f" {client.open_documents} open documents,"
        lines.append(f"  {client.editor or 'an editor'} ({client.pid}): {folders},{documents} {client.state}")
    return "\n".join(lines if report.clients else [*lines, "  No editor is connected, and no port is served."])


def main() -> NoReturn:
    """Be the daemon; what it prints goes where `logs` finds it."""
    from rest_lsp.daemon.host import Openers
    from rest_lsp.daemon.run import run_daemon

    wait_politely()
    opener = _Opener()
    try:
        run_daemon(runtime_address(), Openers(opener.open_backend, opener.open_door), opener.linger_s)
    except NoDaemon as error:
        sys.exit(f"rest-lsp: {error}")


if __name__ == "__main__":
    main()
