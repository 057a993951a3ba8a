"""Shared stores: made once, exported and imported, checked, and drafted from as tiers of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rest_lsp.cli_app import app
from rest_lsp.datastore.datastore import Datastore, tokenizer_fingerprint
from rest_lsp.datastore.shared import SharedStores
from rest_lsp.errors import DatastoreError
from tests.faults_datastore import Rig
from tests.files_datastore import write_files

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"


def shared(rig: Rig) -> SharedStores:
    return SharedStores(rig.cache, tokenizer_fingerprint(rig.tokenizer_path))


def with_stores(rig: Rig, *names: str, notices: list[str] | None = None) -> Datastore:
    told = notices if notices is not None else []
    return Datastore.open(
        rig.root, directory=rig.cache, tokenizer_path=rig.tokenizer_path, stores=names, notice=told.append
    )


def test_a_library_becomes_a_tier_with_its_own_name_and_lines(rig: Rig, tmp_path: Path) -> None:
    library = write_files(
        tmp_path / "library",
        {"one.py": "import os\nlibrary_name = 1\n", "keys.py": f"k = '{SECRET}'\n", ".env": "x=1\n"},
    )
    store = shared(rig).build("library", library, rig.tokenizer.encode_batch)
    assert sorted(store.segment.paths) == ["keys.py", "one.py"]
    rig.write({"a.py": "alpha = 1\n"})
    datastore = with_stores(rig, "library")
    datastore.refresh()
    context = rig.tokenizer.encode("library_name")
    assert all(one.length < len(context) for one in datastore.find(context, depth=3).occurrences())
    (tier,) = datastore.tiers
    assert tier.name == "library"
    found = tier.find(context, depth=3).occurrences()[0]
    assert found.origin.path == "library:one.py"
    assert datastore.line_of(found.origin, rig.tokenizer.count_newlines) == 1
    assert all(SECRET not in rig.tokenizer.decode(store.segment.document_ids(at).tolist()) for at in range(2))
    datastore.close()


def test_an_exported_workspace_is_imported_elsewhere_and_checked(rig: Rig, tmp_path: Path) -> None:
    rig.write({"a.py": "alpha_name = 1\n", "b.py": "beta_name = 2\n"})
    datastore = rig.open()
    datastore.refresh()
    file = tmp_path / "team.seg"
    shared(rig).export(datastore.living_segments(), file)
    stores = SharedStores(tmp_path / "elsewhere", tokenizer_fingerprint(rig.tokenizer_path))
    assert sorted(stores.take("team", file).segment.paths) == ["a.py", "b.py"]
    assert stores.names() == ["team"]
    with pytest.raises(DatastoreError, match="another tokenizer"):
        SharedStores(tmp_path / "elsewhere", "f" * 32).take("team", file)
    data = bytearray(file.read_bytes())
    data[-60] ^= 1
    file.write_bytes(data)
    with pytest.raises(DatastoreError, match=r"team\.seg"):
        stores.take("again", file)
    stores.remove("team")
    assert stores.names() == []


def test_stores_that_cannot_be_used_are_told_and_left_out(rig: Rig, tmp_path: Path) -> None:
    notices: list[str] = []
    datastore = with_stores(rig, "missing", "../bad", notices=notices)
    assert datastore.tiers == ()
    assert len(notices) == 2
    assert "missing" in notices[0]
    datastore.close()
    empty = write_files(tmp_path / "empty", {".env": "x"})
    with pytest.raises(DatastoreError, match="no files"):
        shared(rig).build("empty", empty, rig.tokenizer.encode_batch)


def test_the_commands(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_LSP_MODEL_CACHE_DIR", str(tmp_path / "cache"))
    for module in ("cli_index", "cli_store"):
        monkeypatch.setattr(f"rest_lsp.{module}.tokenizer_path", lambda *_: rig.tokenizer_path)
    rig.write({"a.py": "alpha_name = 1\n"})

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    assert "none" in run("store", "list")
    run("index", "--workspace", str(rig.root))
    run("store", "export", str(tmp_path / "x.seg"), "--workspace", str(rig.root))
    assert "1 files" in run("store", "import", "team", str(tmp_path / "x.seg"))
    assert "1 files" in run("store", "build", "again", str(rig.root))
    assert [line.partition(":")[0] for line in run("store", "list").splitlines()] == ["again", "team"]
    assert '"name": "team"' in run("store", "list", "--json")
    run("store", "remove", "team")
    assert "team" not in run("store", "list")
