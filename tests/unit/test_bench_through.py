"""The table of `rest-lsp bench through`."""

from __future__ import annotations

import io

from rich.console import Console

from rest_lsp.bench.through import Key, print_keys


def test_the_most_that_a_key_made_the_model_read_is_told() -> None:
    def key(project: str, read: int) -> Key:
        return Key(project, 8, 1, read, 10.0, 0.0, agrees=True)

    console = Console(file=io.StringIO(), width=100)
    print_keys(console, [*(key("small", read) for read in [1] * 28 + [4, 4, 4, 5]), key("other", 2), key("other", 7)])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    rows = {cells[0]: cells[1:] for line in shown.splitlines() if len(cells := line.split()) == 8}
    assert rows["small"][2:5] == ["1", "4", "5"]
    assert rows["other"][2:5] == ["4", "2", "7"]
    assert rows["all"][4] == "7"
