"""A notebook over real pipes: what the model sees around a cell, and answers that stay in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import WAYS, served
from tests.e2e.lsp_client import LspClient

CODE, MARKUP = 2, 1


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module", params=WAYS)
def client(request: pytest.FixtureRequest, workspace: Path) -> Iterator[LspClient]:
    with served(request.param), LspClient() as process:
        capabilities: dict[str, Any] = {"notebookDocument": {"synchronization": {}}}
        fields = {"processId": None, "rootUri": workspace.as_uri(), "capabilities": capabilities}
        announced = process.ask("initialize", fields)["capabilities"]["notebookDocumentSync"]
        assert announced == {"notebookSelector": [{"notebook": "*", "cells": [{"language": "*"}]}]}
        process.notify("initialized", {})
        process.wait_for_state("ready")
        yield process


class Notebook:
    """One notebook in an editor; cells are known by their numbers.  Those of `markdown` are no code."""

    def __init__(
        self, client: LspClient, workspace: Path, name: str, *texts: str, markdown: Collection[int] = ()
    ) -> None:
        self._client = client
        self._markdown = markdown
        self._path = workspace / name
        self._uri = self._path.as_uri()
        self._numbers = list(range(len(texts)))
        self._versions = dict.fromkeys(self._numbers, 1)
        notebook: dict[str, Any] = {"uri": self._uri, "notebookType": "jupyter-notebook", "version": 1}
        notebook["cells"] = self.cells(*self._numbers)
        documents = [self.item(number, text) for number, text in enumerate(texts)]
        client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": documents})

    def uri(self, number: int) -> str:
        return f"vscode-notebook-cell:{self._path}#W{number}"

    def cells(self, *numbers: int) -> list[dict[str, Any]]:
        return [
            {"kind": MARKUP if number in self._markdown else CODE, "document": self.uri(number)} for number in numbers
        ]

    def item(self, number: int, text: str) -> dict[str, Any]:
        language = "markdown" if number in self._markdown else "python"
        return {"uri": self.uri(number), "languageId": language, "version": 1, "text": text}

    def change(self, **cells: Any) -> None:
        self._client.notify(
            "notebookDocument/didChange",
            {"notebookDocument": {"uri": self._uri, "version": 2}, "change": {"cells": cells}},
        )

    def splice(self, start: int, n_deleted: int, *numbers: int, **opened: Any) -> None:
        array = {"start": start, "deleteCount": n_deleted, "cells": self.cells(*numbers)}
        self.change(structure={"array": array, **opened})

    def type(self, number: int, column: int, text: str) -> None:
        self._versions[number] += 1
        place = {"line": 0, "character": column}
        edit = {"range": {"start": place, "end": place}, "text": text}
        document = {"uri": self.uri(number), "version": self._versions[number]}
        self.change(textContent=[{"document": document, "changes": [edit]}])

    def complete(self, number: int, character: int) -> Any:
        return self._client.complete(self.uri(number), 0, character)

    def close(self, *numbers: int) -> None:
        closed = [{"uri": self.uri(number)} for number in numbers]
        self._client.notify(
            "notebookDocument/didClose", {"notebookDocument": {"uri": self._uri}, "cellTextDocuments": closed}
        )


def counts(client: LspClient) -> Any:
    return client.ask("rest/status")["datastore"]


def test_the_model_sees_the_cells_around_and_answers_in_the_cell(client: LspClient, workspace: Path) -> None:
    notebook = Notebook(client, workspace, "one.ipynb", "import os", "word", "after()")
    place = {"line": 0, "character": 4}
    assert notebook.complete(1, 4) == [{"insertText": "<4>", "range": {"start": place, "end": place}}]
    seen = counts(client)
    assert (seen["last_path"], seen["last_language"]) == ("one.ipynb", "python")
    assert seen["last_before"] == "import os\n\nword"
    assert seen["last_length"] == len("import os\n\nword\n\nafter()")


def test_changes_of_every_kind_are_followed(client: LspClient, workspace: Path) -> None:
    notebook = Notebook(client, workspace, "two.ipynb", "a", "b", "c")
    notebook.splice(1, 0, 3, didOpen=[notebook.item(3, "new")])
    notebook.splice(0, 4, 2, 0, 3, 1)
    notebook.type(0, 1, "X")
    notebook.splice(3, 1, didClose=[{"uri": notebook.uri(1)}])
    notebook.complete(3, 3)
    assert counts(client)["last_before"] == "c\n\naX\n\nnew"
    assert counts(client)["last_length"] == len("c\n\naX\n\nnew")


def test_markdown_around_a_cell_of_code_is_read_as_comments(client: LspClient, workspace: Path) -> None:
    notebook = Notebook(client, workspace, "prose.ipynb", "# Sums\n\nAdd.", "word", "The end", markdown=[0, 2])
    place = {"line": 0, "character": 4}
    assert notebook.complete(1, 4) == [{"insertText": "<4>", "range": {"start": place, "end": place}}]
    above = "# %% [markdown]\n# # Sums\n#\n# Add.\n\n"
    assert counts(client)["last_length"] == len(f"{above}word\n\n# %% [markdown]\n# The end")
    assert f"{above}word".endswith(counts(client)["last_before"])
    notebook.type(0, 1, "#")
    notebook.complete(1, 3)
    assert counts(client)["last_length"] == len(f"#{above}word\n\n# %% [markdown]\n# The end")


def test_in_markdown_nothing_is_offered_where_markdown_is_switched_off(client: LspClient, workspace: Path) -> None:
    def switch(*, enabled: bool) -> None:
        client.ask("workspace/executeCommand", {"command": "rest.toggle", "arguments": ["markdown", enabled]})

    notebook = Notebook(client, workspace, "off.ipynb", "word", "word", "word", markdown=[0, 1])
    switch(enabled=False)
    started = counts(client)["started"]
    assert notebook.complete(1, 4) == []
    assert counts(client)["started"] == started
    assert notebook.complete(2, 4)[0]["insertText"] == "<4>"
    assert counts(client)["last_before"].endswith("# word\n\nword")
    switch(enabled=True)
    assert notebook.complete(1, 4)[0]["insertText"] == "<4>"
    assert counts(client)["last_before"] == "word\n\nword"


def test_what_is_typed_through_in_a_cell_is_not_asked_again(client: LspClient, workspace: Path) -> None:
    notebook = Notebook(client, workspace, "three.ipynb", "import os", "say:hello", "after()")
    assert notebook.complete(1, 9)[0]["insertText"] == "hello"
    asked = counts(client)["started"]
    notebook.type(1, 9, "he")
    assert notebook.complete(1, 11)[0]["insertText"] == "llo"
    assert counts(client)["started"] == asked


def test_cells_are_no_files_for_the_index(client: LspClient, workspace: Path) -> None:
    notebook = Notebook(client, workspace, "four.ipynb", "a = 1", "b")
    notebook.type(1, 1, "c")
    client.open((workspace / "a.py").as_uri(), "x = 1\n")
    status = client.poll_status(lambda status: "a.py" in status["datastore"]["buffers"])
    assert not [name for name in status["datastore"]["buffers"] if "ipynb" in name]
    client.close_document((workspace / "a.py").as_uri())


def test_a_notebook_that_is_closed_is_gone(client: LspClient, workspace: Path) -> None:
    notebook = Notebook(client, workspace, "five.ipynb", "a", "word")
    notebook.close(0, 1)
    assert notebook.complete(1, 4) == []


def test_a_source_in_the_notebook_is_explained_by_its_cell(client: LspClient, workspace: Path) -> None:
    notebook = Notebook(client, workspace, "other.py", "a\n\n", "word")
    notebook.complete(1, 4)
    [source] = client.ask("workspace/executeCommand", {"command": "rest.explainLast", "arguments": []})["sources"]
    assert (source["uri"], source["line"]) == (notebook.uri(1), 1)
