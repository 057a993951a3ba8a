"""Neovim as a new user meets it: nothing open, one file, two folders, no model yet, no network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.neovim import Neovim
from tests.e2e.neovim_served import CODE, suggested, use_real_server, wait_for_words, write_model
from tests.sources_models import Hub, without_network

HUB_MODEL = "org/tiny"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


def started(neovim: Neovim, model: Path | str, path: Path) -> None:
    use_real_server(neovim, model)
    neovim.edit(path, "python")
    neovim.wait_for_server()


def test_an_empty_folder(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with Neovim(tmp_path, cwd=folder) as neovim:
        started(neovim, model, Path("first.py"))
        wait_for_words(neovim, "ready")
        assert suggested(neovim)
        assert list(folder.iterdir()) == [], "nothing is left in the user's folder"


def test_a_single_file_without_a_folder(tmp_path: Path, model: Path) -> None:
    (tmp_path / "alone.py").write_text(CODE, encoding="utf-8")
    with Neovim(tmp_path, cwd=Path("/")) as neovim:
        started(neovim, model, tmp_path / "alone.py")
        wait_for_words(neovim, "ready")
        assert suggested(neovim)


def test_two_folders(tmp_path: Path, model: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rest-lsp.toml").touch()
        (tmp_path / name / f"{name}.py").write_text(CODE, encoding="utf-8")
    with Neovim(tmp_path) as neovim:
        started(neovim, model, tmp_path / "one" / "one.py")
        wait_for_words(neovim, "ready")
        assert suggested(neovim)
        neovim.keys("<Esc>")
        neovim.api.command("write")
        neovim.edit(tmp_path / "two" / "two.py", "python")
        neovim.wait_for_server()
        wait_for_words(neovim, "ready")
        assert suggested(neovim)


def test_suggestions_begin_by_themselves_when_the_model_is_there(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model, tmp_path / "hub")
    with Hub(tmp_path / "hub").serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        hub.gate.clear()
        with Neovim(tmp_path) as neovim:
            (tmp_path / "new.py").write_text(CODE, encoding="utf-8")
            started(neovim, HUB_MODEL, tmp_path / "new.py")
            neovim.wait(lambda: hub.requests, "nothing is fetched")
            neovim.keys("Goreturn <Esc>Goreturn ")
            assert "loading" in neovim.lua("return require('rest_lsp').statusline()")
            hub.gate.set()
            neovim.wait(lambda: neovim.ghost, "no suggestion appears by itself")


def test_without_network_it_says_what_is_missing_and_lives_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(tmp_path, monkeypatch)
    with Neovim(tmp_path) as neovim:
        started(neovim, HUB_MODEL, tmp_path / "new.py")
        neovim.wait(lambda: any(HUB_MODEL in message for message in neovim.messages), "nothing is said")
        neovim.keys("ix = 1<Esc>")
        assert neovim.lines == ["x = 1"]
        neovim.api.command("RestLsp status")
        neovim.wait(lambda: any("network" in message for message in neovim.messages), "the reason is not told")
