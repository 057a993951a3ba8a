"""The dashboard's pages and data, as an ASGI application that reads the record and writes nothing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from rest_lsp.errors import RestLspError
from rest_lsp.history.completions import completion, last_completions
from rest_lsp.history.overview import SPANS, overview, revision
from rest_lsp.history.schema import open_to_read

PAGE = Path(__file__).parent / "page"
DEFAULT_SPAN = "24h"

Examine = Callable[[Path], dict[str, Any]]
"""What an index holds and leaves out, for the folder of a workspace.  Blocks; raises RestLspError."""

Check = Callable[[Path | None], list[dict[str, str]]]
"""Every check of the installation, each with name, status, reason and fix.  Blocks for seconds."""


class Pages:
    """Endpoints.  Each opens the record for itself, in a thread: they may run beside each other."""

    def __init__(
        self, record: Path, examine_index: Examine, check: Check, clock: Callable[[], float] = time.time
    ) -> None:
        self._record, self._examine_index, self._check, self._clock = record, examine_index, check, clock

    def application(self) -> Starlette:
        routes = [
            Route("/", self.page),
            Route("/api/overview", self.overview),
            Route("/api/completions", self.completions),
            Route("/api/completions/{number:int}", self.completion),
            Route("/api/index/{workspace:int}", self.index),
            Route("/api/checks", self.checks),
            Mount("/assets", StaticFiles(directory=PAGE)),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _refuse, sqlite3.Error: _unreadable})

    def page(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    def overview(self, request: Request) -> Response:
        """Nothing (204) when the page knows the newest already, so that asking often costs little."""
        span = SPANS.get(request.query_params.get("span", DEFAULT_SPAN))
        if span is None:
            raise HTTPException(400, f"The span must be one of {', '.join(SPANS)}.")
        with self._reading() as connection:
            if connection is None:
                return JSONResponse(None)
            if request.query_params.get("known") == str(revision(connection)):
                return Response(status_code=204)
            return JSONResponse(overview(connection, self._clock(), span, _workspace(request)))

    def completions(self, request: Request) -> Response:
        with self._reading() as connection:
            return JSONResponse(last_completions(connection, _workspace(request)) if connection else [])

    def completion(self, request: Request) -> Response:
        with self._reading() as connection:
            found = completion(connection, request.path_params["number"]) if connection else None
        if found is None:
            raise HTTPException(404, "This completion is no longer kept.")
        return JSONResponse(found)

    def index(self, request: Request) -> Response:
        try:
            return JSONResponse(self._examine_index(self._root(request.path_params["workspace"])))
        except RestLspError as error:
            raise HTTPException(409, str(error)) from error

    def checks(self, request: Request) -> Response:
        """What `rest-lsp doctor` says, for one workspace or none; its completion is by the model that editors use."""
        workspace = _workspace(request)
        return JSONResponse(self._check(None if workspace is None else self._root(workspace)))

    def _root(self, workspace: int) -> Path:
        """Only folders that are in the record are looked at."""
        with self._reading() as connection:
            rows = connection.execute("SELECT root FROM workspaces WHERE id = ?", (workspace,)) if connection else ()
            for (root,) in rows:
                if root:
                    return Path(root)
        raise HTTPException(404, "There is no such workspace.")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """None while nothing has been recorded."""
        if not self._record.exists():
            yield None
            return
        with closing(open_to_read(self._record)) as connection:
            yield connection


def _workspace(request: Request) -> int | None:
    given = request.query_params.get("workspace", "")
    if given and not given.isdecimal():
        raise HTTPException(400, "The workspace must be a number.")
    return int(given) if given else None


def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, error.status_code)


def _unreadable(_: Request, error: Exception) -> Response:
    message = f"The record of completions cannot be read ({error}). Delete its folder to begin anew."
    return JSONResponse({"message": message}, 500)
