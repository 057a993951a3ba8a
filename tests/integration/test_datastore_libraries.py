"""The libraries of a workspace's Python environment become tiers by themselves, once per package version."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from rest_lsp.datastore.datastore import Datastore
from rest_lsp.datastore.environment import find_environment, imported_names, imported_packages, standard_library
from rest_lsp.datastore.libraries import FOLDER, PACKAGES, STANDARD, LibraryOptions
from tests.faults_datastore import Rig
from tests.files_datastore import write_files
from tests.waiting import wait_until

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"
BOTH = LibraryOptions(packages=True, standard=True)


def write_environment(prefix: Path, base: Path, **packages: str) -> None:
    """A virtual environment with packages of one module; each installed in version 1.0."""
    write_files(base, {"lib/python3.11/os.py": "standard_os = 1\n", "lib/python3.11/test/big.py": "test_only = 1\n"})
    write_files(prefix, {"pyvenv.cfg": f"home = {base / 'bin'}\nversion = 3.11.7\n"})
    for name, text in packages.items():
        install(prefix, name, "1.0", text)


def install(prefix: Path, name: str, version: str, text: str) -> None:
    site = prefix / "lib/python3.11/site-packages"
    files = {f"{name}/__init__.py": text, f"{name}/tests/test_it.py": "test_only = 1\n"}
    record = "".join(f"{file},,\n" for file in files)
    about = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "RECORD": record}
    for old in site.glob(f"{name}-*.dist-info/*"):
        old.unlink()
    write_files(site, {**files, **{f"{name}-{version}.dist-info/{file}": content for file, content in about.items()}})


def following(rig: Rig, options: LibraryOptions, root: Path | None = None) -> Datastore:
    """A datastore that watches and has built its tiers, if it is to have some."""
    datastore = Datastore.open(
        root or rig.root, directory=rig.cache, tokenizer_path=rig.tokenizer_path, libraries=options
    )
    datastore.watch()
    datastore.refresh()
    return datastore


def names(datastore: Datastore) -> list[str]:
    return [tier.name for tier in datastore.tiers]


def texts(rig: Rig, datastore: Datastore, name: str) -> str:
    (tier,) = [tier for tier in datastore.tiers if tier.name == name]
    segment = tier.segment
    return "".join(rig.tokenizer.decode(segment.document_ids(at).tolist()) for at in range(segment.n_documents))


@pytest.fixture(autouse=True)
def _no_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


def test_what_is_imported_becomes_a_tier_and_nothing_else(rig: Rig, tmp_path: Path) -> None:
    used = f"used_name = 1\nkey = '{SECRET}'\n"
    write_environment(rig.root / ".venv", tmp_path / "base", used=used, unused="unused_name = 1\n", own="stale = 1\n")
    rig.write({"a.py": "import used\nfrom own import x\n", "own/__init__.py": "x = 1\n", ".gitignore": ".venv\n"})
    datastore = following(rig, BOTH)
    wait_until(lambda: names(datastore) == [PACKAGES, STANDARD], "both tiers are there", 60)
    packages, standard = texts(rig, datastore, PACKAGES), texts(rig, datastore, STANDARD)
    assert "used_name" in packages
    assert not any(word in packages for word in ("unused_name", "stale", "test_only", SECRET))
    assert standard == "standard_os = 1\n"
    assert dict(datastore.status().tiers).keys() == {PACKAGES, STANDARD}
    context = rig.tokenizer.encode("used_name")
    found = datastore.tiers[0].find(context, depth=3).occurrences()[0]
    assert found.origin.path == "packages:used/__init__.py"
    assert datastore.line_of(found.origin, rig.tokenizer.count_newlines) == 0
    datastore.close()
    again = Datastore.open(rig.root, directory=rig.cache, tokenizer_path=rig.tokenizer_path, libraries=BOTH)
    assert names(again) == [PACKAGES, STANDARD], "at once, as the last session left them"
    only = LibraryOptions(packages=False, standard=True)
    without = Datastore.open(rig.root, directory=rig.cache, tokenizer_path=rig.tokenizer_path, libraries=only)
    assert names(without) == [STANDARD]


def test_a_refresh_builds_them_only_when_it_is_told_to(rig: Rig, tmp_path: Path) -> None:
    write_environment(rig.root / ".venv", tmp_path / "base", used="used_name = 1\n")
    rig.write({"a.py": "import used\n", ".gitignore": ".venv\n"})
    found = []
    for options in (BOTH, replace(BOTH, at_once=True)):
        datastore = Datastore.open(rig.root, directory=rig.cache, tokenizer_path=rig.tokenizer_path, libraries=options)
        datastore.refresh()
        found.append(names(datastore))
        datastore.close()
    assert found == [[], [PACKAGES, STANDARD]]


def test_a_version_is_built_once_for_all_workspaces(rig: Rig, tmp_path: Path) -> None:
    shared = tmp_path / "shared-venv"
    write_environment(shared, tmp_path / "base", used="used_name = 1\n")
    options = LibraryOptions(packages=True, standard=True, python=str(shared / "bin" / "python"))
    rig.write({"a.py": "import used\n"})
    first = following(rig, options)
    wait_until(lambda: len(names(first)) == 2, "both tiers are there", 60)
    built = {path: path.stat().st_mtime_ns for path in (rig.cache / FOLDER).rglob("*.seg")}
    assert sorted(path.name for path in built) == ["python-3.11.7.seg", "used-1.0.seg"]
    other = write_files(tmp_path / "other", {"b.py": "from used import used_name\n"})
    second = following(rig, options, other)
    wait_until(lambda: len(names(second)) == 2, "both tiers are there", 60)
    assert {path: path.stat().st_mtime_ns for path in (rig.cache / FOLDER).rglob("*.seg")} == built
    first.close()
    second.close()


def test_a_new_version_takes_the_place_of_the_old(rig: Rig, tmp_path: Path) -> None:
    write_environment(rig.root / ".venv", tmp_path / "base", used="old_name = 1\n")
    rig.write({"a.py": "import used\n", ".gitignore": ".venv\n"})
    datastore = following(rig, LibraryOptions(packages=True))
    wait_until(lambda: names(datastore) == [PACKAGES], "the tier is there", 60)
    install(rig.root / ".venv", "used", "2.0", "new_name = 1\n")
    datastore.compare_soon()
    wait_until(lambda: texts(rig, datastore, PACKAGES) == "new_name = 1\n", "the new version is there", 60)
    assert len(list(rig.cache.rglob("packages-*.tier"))) == 1
    datastore.close()


def test_no_tier_without_an_environment_or_without_python(rig: Rig, tmp_path: Path) -> None:
    assert find_environment(rig.root, None) is None
    assert find_environment(rig.root, tmp_path / "nowhere" / "bin" / "python") is None
    write_environment(rig.root / ".venv", tmp_path / "base", used="x = 1\n")
    rig.write({"a.js": "import used\n", ".gitignore": ".venv\n"})
    datastore = following(rig, BOTH)
    wait_until(lambda: list(rig.cache.rglob("tiers.json")), "it has looked", 60)
    assert datastore.tiers == ()
    datastore.close()


def test_the_active_environment_counts_where_the_workspace_has_none(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_environment(tmp_path / "active", tmp_path / "base", used="x = 1\n", rare="x = 1\n", never="x = 1\n")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    environment = find_environment(rig.root, None)
    assert environment is not None
    standard = standard_library(environment)
    assert standard is not None
    assert (standard.name, standard.files) == ("python-3.11.7", ("os.py",))
    found = imported_packages(environment, rig.root, Counter(used=5, rare=1))
    assert [library.name for library in found] == ["used-1.0", "rare-1.0"]


def test_imports_are_read_from_any_text() -> None:
    text = "import os, sys as s\nimport a.b.c\n  from x.y import (z,\n w)\nfrom . import own\nprint('import no')\n"
    assert imported_names([text, "import os\nsyntax error ("]) == {"os": 2, "sys": 1, "a": 1, "x": 1}
