"""Cells of a notebook as one document: what is read around a cell, however the notebook came to be as it is."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import Prompt, PromptBuilder
from rest_lsp.completion.request import Cell, CompletionRequest, CompletionResult, Outcome, SourceUse
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.server.conversion import offered_in, request_at, request_of
from rest_lsp.server.documents import Document, EditorWorkspace
from rest_lsp.server.notebooks import MOST_PROSE, Whole, whole_in
from rest_lsp.server.prewarm import as_if_taken
from tests.fakes_completion import small_tokenizer

URI = "file:///w/sums.ipynb"
CODE, MARKUP = types.NotebookCellKind.Code, types.NotebookCellKind.Markup
TEXT = st.text(alphabet="a\n\r \u6f22\U0001f600", max_size=12)
KINDS = [(CODE, "python"), (CODE, "python"), (CODE, "sql"), (MARKUP, "markdown")]


@dataclass
class Written:
    """A cell as a person sees it."""

    number: int
    kind: types.NotebookCellKind
    language: str
    text: str
    version: int = 1

    @property
    def uri(self) -> str:
        return f"vscode-notebook-cell:/w/sums.ipynb#W{self.number}"

    @property
    def cell(self) -> types.NotebookCell:
        return types.NotebookCell(self.kind, self.uri)

    @property
    def item(self) -> types.TextDocumentItem:
        return types.TextDocumentItem(self.uri, self.language, self.version, self.text)


@dataclass
class Notebook:
    """A notebook in an editor, and the same in a workspace that is told of changes alone."""

    cells: list[Written]
    workspace: EditorWorkspace = field(init=False)
    version: int = 1

    def __post_init__(self) -> None:
        self.workspace = self.anew()

    def anew(self) -> EditorWorkspace:
        """A workspace that is told of the notebook as it is."""
        workspace = EditorWorkspace(None, [], types.PositionEncodingKind.Utf16)
        notebook = types.NotebookDocument(URI, "jupyter-notebook", 1, [each.cell for each in self.cells])
        documents = [each.item for each in self.cells]
        workspace.put_notebook_document(types.DidOpenNotebookDocumentParams(notebook, documents))
        return workspace

    def change(self, **cells: Any) -> None:
        self.version += 1
        identifier = types.VersionedNotebookDocumentIdentifier(self.version, URI)
        change = types.NotebookDocumentChangeEvent(cells=types.NotebookDocumentCellChanges(**cells))
        self.workspace.update_notebook_document(types.DidChangeNotebookDocumentParams(identifier, change))

    def splice(self, start: int, n_deleted: int, new: list[Written]) -> None:
        """What stays is neither closed nor opened, so this moves cells as well."""
        old = self.cells[start : start + n_deleted]
        self.cells[start : start + n_deleted] = new
        self.change(
            structure=types.NotebookDocumentCellChangeStructure(
                types.NotebookCellArrayChange(start, n_deleted, [each.cell for each in new]),
                did_open=[each.item for each in new if each not in old],
                did_close=[types.TextDocumentIdentifier(each.uri) for each in old if each not in new],
            )
        )

    def edit(self, cell: Written, start: int, end: int, text: str) -> None:
        document = self.document(cell)
        edited = types.Range(document.position_of(start), document.position_of(end))
        cell.text = document.source[:start] + text + document.source[end:]
        cell.version += 1
        identifier = types.VersionedTextDocumentIdentifier(cell.version, cell.uri)
        changes = [types.TextDocumentContentChangePartial(edited, text)]
        self.change(text_content=[types.NotebookDocumentCellContentChanges(identifier, changes)])

    def document(self, cell: Written, workspace: EditorWorkspace | None = None) -> Document:
        document = (workspace or self.workspace).open_document(cell.uri)
        assert document is not None
        return document

    def whole(self, cell: Written, workspace: EditorWorkspace | None = None) -> Whole:
        return whole_in(workspace or self.workspace, self.document(cell, workspace))


def notebook_of(*cells: str | tuple[types.NotebookCellKind, str, str]) -> Notebook:
    """Texts of cells of Python, and others with their kind and language."""
    written = [(CODE, "python", each) if isinstance(each, str) else each for each in cells]
    return Notebook([Written(number, *each) for number, each in enumerate(written)])


def drawn_cell(data: st.DataObject, number: int) -> Written:
    kind, language = data.draw(st.sampled_from(KINDS))
    magic = data.draw(st.sampled_from(["", "", "%%bash\n", "%%time\n"]))
    return Written(number, kind, language, magic + data.draw(TEXT))


def change_somehow(notebook: Notebook, data: st.DataObject, numbers: itertools.count[int]) -> None:
    cells = notebook.cells
    start = data.draw(st.integers(0, len(cells)))
    n_deleted = data.draw(st.integers(0, len(cells) - start))
    kind = data.draw(st.sampled_from(["splice", "move", "edit", "language"]))
    if kind == "splice" or not cells:
        new = [drawn_cell(data, next(numbers)) for _ in range(data.draw(st.integers(0, 2)))]
        notebook.splice(start, n_deleted, new)
    elif kind == "move":
        notebook.splice(start, n_deleted, data.draw(st.permutations(cells[start : start + n_deleted])))
    elif kind == "edit":
        cell = data.draw(st.sampled_from(cells))
        whole = range(len(cell.text) + 1)
        at = [index for index in whole if cell.text[max(0, index - 1) : index + 1] != "\r\n"]
        first, last = sorted([data.draw(st.sampled_from(at)), data.draw(st.sampled_from(at))])
        notebook.edit(cell, first, last, data.draw(TEXT))
    else:
        # An editor takes the cell out and puts it back to tell that its language is another.
        index = data.draw(st.integers(0, len(cells) - 1))
        cell = cells[index]
        notebook.splice(index, 1, [])
        notebook.splice(index, 0, [Written(cell.number, CODE, "sql", cell.text, cell.version)])


@given(st.data())
def test_any_sequence_of_changes_gives_the_text_of_the_notebook_built_anew(data: st.DataObject) -> None:
    numbers = itertools.count()
    notebook = Notebook([drawn_cell(data, next(numbers)) for _ in range(data.draw(st.integers(0, 4)))])
    for _ in range(data.draw(st.integers(1, 6))):
        change_somehow(notebook, data, numbers)
        anew = notebook.anew()
        for cell in notebook.cells:
            whole, expected = notebook.whole(cell), notebook.whole(cell, anew)
            assert whole._replace(document=expected.document) == expected
            assert whole.document.source == cell.text
            assert whole.cell is not None
            assert whole.text[whole.cell.start : whole.cell.end] == cell.text


def test_a_cell_is_read_with_those_around_it_in_their_order() -> None:
    notebook = notebook_of("import os\n", "a = 1", "b = 2", "\n", "c = 3\n\n")
    whole = notebook.whole(notebook.cells[2])
    assert (whole.before, whole.after) == ("import os\n\na = 1\n\n", "\n\nc = 3")
    assert (whole.uri, whole.language) == (URI, "python")


def test_cells_in_other_languages_are_left_out() -> None:
    notebook = notebook_of(
        "a = 1",
        (CODE, "sql", "select 1"),
        "%%bash\nls",
        "%%time\nb = 2",
        (MARKUP, "python", "not run"),
        (CODE, "raw", "As it is"),
        "%%writefile a.txt\ntext",
        "c = 3",
        "%%sh\npwd",
    )
    last = notebook.whole(notebook.cells[7])
    assert last.before == "a = 1\n\n%%time\nb = 2\n\n"
    assert last.after == ""
    assert notebook.whole(notebook.cells[2]).language == "shellscript"
    assert notebook.whole(notebook.cells[2]).after == "\n\n%%sh\npwd"
    assert notebook.whole(notebook.cells[6]).cell == Cell(0, 22)
    assert notebook.whole(notebook.cells[1]).language == "sql"


@pytest.mark.parametrize(
    ("language", "above", "below"),
    [
        ("python", "# %% [markdown]\n# # Sums\n#\n# - one\n\n", "\n\n# %% [markdown]\n# The end"),
        ("julia", "# %% [markdown]\n# # Sums\n#\n# - one\n\n", "\n\n# %% [markdown]\n# The end"),
        ("sql", "-- %% [markdown]\n-- # Sums\n--\n-- - one\n\n", "\n\n-- %% [markdown]\n-- The end"),
        ("typescript", "// %% [markdown]\n// # Sums\n//\n// - one\n\n", "\n\n// %% [markdown]\n// The end"),
        ("markdown", "", ""),
        ("brainfuck", "", ""),
    ],
)
def test_markdown_is_comment_between_code(language: str, above: str, below: str) -> None:
    cells = [(MARKUP, "markdown", "# Sums\n\n- one\n\n"), (CODE, language, "word"), (MARKUP, "markdown", "The end")]
    notebook = notebook_of(*cells)
    whole = notebook.whole(notebook.cells[1])
    assert (whole.before, whole.after, whole.language) == (above, below, language)


def test_a_cell_of_markdown_sees_markdown_alone_and_as_it_is() -> None:
    notebook = notebook_of((MARKUP, "markdown", "# Sums"), "a = 1", (MARKUP, "markdown", "One"), "b = 2")
    whole = notebook.whole(notebook.cells[2])
    assert (whole.text, whole.language) == ("# Sums\n\nOne", "markdown")


@pytest.mark.parametrize(
    ("prose", "said"),
    [
        ("one\r\ntwo\r\n", "# one\r\n# two"),
        (f"![a](data:image/png;base64,{'A' * 10_000})\nbelow", "# ![a](data:image/png\n# below"),
        ("x" * 9_000, f"# {'x' * (MOST_PROSE - 2)}"),
        (f"{'x' * (MOST_PROSE - 9)}\r\nlast\r\nlonger", f"# {'x' * (MOST_PROSE - 9)}"),
    ],
)
def test_of_markdown_only_words_are_read_and_not_too_many(prose: str, said: str) -> None:
    notebook = notebook_of((MARKUP, "markdown", prose), "word")
    assert notebook.whole(notebook.cells[1]).before == f"# %% [markdown]\n{said}\n\n"


def test_a_document_that_is_no_cell_is_the_whole_of_itself() -> None:
    notebook = notebook_of("a = 1")
    notebook.workspace.put_text_document(types.TextDocumentItem("file:///w/a.py", "python", 1, "b = 2"))
    document = notebook.workspace.open_document("file:///w/a.py")
    assert document is not None
    whole = whole_in(notebook.workspace, document)
    assert (whole.text, whole.cell, whole.uri) == ("b = 2", None, "file:///w/a.py")


def test_changes_of_a_notebook_that_was_never_opened_are_ignored() -> None:
    notebook = notebook_of("a = 1")
    identifier = types.VersionedNotebookDocumentIdentifier(2, "file:///w/other.ipynb")
    notebook.workspace.update_notebook_document(
        types.DidChangeNotebookDocumentParams(identifier, types.NotebookDocumentChangeEvent())
    )
    assert notebook.whole(notebook.cells[0]).text == "a = 1"


def test_line_ends_between_cells_are_those_of_the_cell() -> None:
    notebook = notebook_of("a = 1", "b = 2\r\nc = 3", "d = 4")
    whole = notebook.whole(notebook.cells[1])
    assert (whole.before, whole.after) == ("a = 1\r\n\r\n", "\r\n\r\nd = 4")


def asked(whole: Whole, line: int, character: int, menu: types.SelectedCompletionInfo | None = None) -> Any:
    context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic, menu)
    position = types.Position(line, character)
    identifier = types.TextDocumentIdentifier(whole.document.uri)
    return request_of(types.InlineCompletionParams(context, identifier, position), whole, None)


def test_what_is_asked_stands_in_the_whole_and_what_is_offered_in_the_cell() -> None:
    notebook = notebook_of("import os", "x = os.\ny", "z = 1")
    request = asked(notebook.whole(notebook.cells[1]), 0, 7)
    assert request.text[: request.offset] == "import os\n\nx = os."
    assert request.text[request.offset :] == "\ny\n\nz = 1"
    at = request.offset
    assert offered_in(request, "path", at, at) == ("path", 7, 7, 7)
    following = as_if_taken(request, CompletionResult("path", at, at, Outcome.RETURNED))
    assert following.cell == Cell(11, 24)
    assert following.text[11:24] == "x = os.path\ny"


@pytest.mark.parametrize(("start", "end"), [(10, 12), (11, 21), (30, 30), (12, 11)])
def test_nothing_is_offered_that_would_change_another_cell(start: int, end: int) -> None:
    notebook = notebook_of("import os", "x = os.\ny", "z = 1")
    request = asked(notebook.whole(notebook.cells[1]), 0, 7)
    assert request.cell == Cell(11, 20)
    assert offered_in(request, "text", start, end) is None


def test_a_menu_replaces_text_of_the_cell() -> None:
    notebook = notebook_of("import os", "x = os.pa", "z = 1")
    menu = types.SelectedCompletionInfo(types.Range(types.Position(0, 7), types.Position(0, 9)), "path")
    request = asked(notebook.whole(notebook.cells[1]), 0, 8, menu)
    assert (request.selected_start, request.selected_text) == (18, "path")
    assert request.text == "import os\n\nx = os.p\n\nz = 1"
    assert request.cell == Cell(11, 19)


def test_a_place_in_the_notebook_is_shown_in_its_cell() -> None:
    notebook = notebook_of((MARKUP, "markdown", "Text\n\nand more"), "import os\nimport re", "x = 1", "y = 2")
    whole = notebook.whole(notebook.cells[2])
    placed = [whole.located(SourceUse("sums.ipynb", line, 1), "sums.ipynb") for line in (0, 1, 3, 6, 8, 10)]
    assert [(use.path[-2:], use.line) for use in placed] == [
        ("W0", 0),
        ("W0", 0),
        ("W0", 2),
        ("W1", 1),
        ("W2", 0),
        ("W3", 0),
    ]
    assert whole.located(SourceUse("other.py", 3, 1), "sums.ipynb") == SourceUse("other.py", 3, 1)


def test_while_somebody_types_in_a_cell_nearly_all_of_the_prompt_stays() -> None:
    tokenizer = small_tokenizer()
    builder = PromptBuilder(tokenizer, find_family(tokenizer), budget_tokens=400, anchor_lines=4)

    def prompt_in(notebook: Notebook, cell: Written) -> Prompt:
        request: CompletionRequest = request_at(notebook.whole(cell), len(cell.text), None)
        return builder.build_prompt(take_snapshot(request, builder.reach))

    above, below = (
        [f"value = {n}\nprint(value)" for n in range(40)],
        [f"def f{n}(self):\n    return {n}" for n in range(40)],
    )
    notebook = notebook_of(*above, "total", *below)
    cell = notebook.cells[len(above)]
    before = prompt_in(notebook, cell)
    for key in " = value\nprint(total)":
        notebook.edit(cell, len(cell.text), len(cell.text), key)
        prompt = prompt_in(notebook, cell)
        pairs = zip(before.ids, prompt.ids, strict=False)
        n_same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        assert n_same >= len(before.ids) - 5
        assert len(prompt.ids) <= 400
        before = prompt
    assert "def f0(self)" in tokenizer.decode(before.suffix_ids)
