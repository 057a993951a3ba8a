"""How much of a download is there, while the program that downloads makes folders and removes them."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from rest_lsp.memory import folder_bytes


def test_folders_that_vanish_while_they_are_counted_count_nothing(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x" * 100)

    def unpack_and_remove() -> None:
        for number in range(300):
            folder = tmp_path / f"unpack-{number}" / "deep" / "deeper"
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(b"y")
            shutil.rmtree(tmp_path / f"unpack-{number}")

    program = threading.Thread(target=unpack_and_remove)
    program.start()
    while program.is_alive():
        assert 100 <= folder_bytes(tmp_path) <= 101
    program.join()
    assert folder_bytes(tmp_path) == 100
