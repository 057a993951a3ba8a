"""Where the model tests download from, and what the datastore's faults happen to, for every file that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults_datastore import Rig
from tests.files_datastore import write_tokenizer
from tests.sources_models import Hub, without_network


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip sees is the folder that is returned, and the hub is a port where nobody listens."""
    return without_network(tmp_path, monkeypatch)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "hub"
    folder.mkdir()
    with Hub(folder).serving() as serving:
        monkeypatch.setenv("HF_ENDPOINT", serving.url)
        yield serving


@pytest.fixture(scope="session")
def small_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture
def rig(tmp_path: Path, small_tokenizer: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, small_tokenizer)
    yield rig
    rig.close()
