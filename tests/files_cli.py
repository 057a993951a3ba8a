"""A tiny model and a small workspace for tests of the command line, and running it as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rest_lsp.daemon.address import RUNTIME_VARIABLE, TRANSPORT_VARIABLE
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder

SOURCE = "def add(first, second):\n    return first + second\n\n\ndef double(value):\n    return add(value, value)\n"


class Place(NamedTuple):
    """`environment` makes every command use `model`, and nothing outside of the test's folder."""

    workspace: Path
    environment: dict[str, str]


def make_place(folder: Path) -> Place:
    """A workspace with a file `app.py`, which is no repository, and a random model that can fill in the middle."""
    workspace = folder / "workspace"
    workspace.mkdir()
    (workspace / "app.py").write_text(SOURCE, encoding="utf-8")
    config = tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=4096)
    write_hub_folder(folder / "model", RandomSource(config))
    options = {
        "MODEL": str(folder / "model"),
        "MODEL_CACHE_DIR": str(folder / "cache"),
        "MODEL_OFFLINE": "true",
        "DEVICE_DTYPE": "fp32",
        "DEVICE_NAME": "cpu",
        "DEVICE_THREADS": "1",
        "COMPLETION_MAX_TOKENS_SINGLE": "6",
        "COMPLETION_MAX_TOKENS_MULTI": "6",
    }
    environment = {f"REST_LSP_{name}": value for name, value in options.items()}
    return Place(workspace, {**environment, "XDG_CONFIG_HOME": str(folder / "config")})


def clean_environment(place: Place | None = None) -> dict[str, str]:
    """This process's environment without options of its own; wide enough that messages are not wrapped.

    Where a daemon is looked for stays: a test must not meet, or leave behind, that of whoever runs the tests.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("REST_LSP_") or name in (RUNTIME_VARIABLE, TRANSPORT_VARIABLE)
    }
    return {**inherited, "COLUMNS": "200", "NO_COLOR": "1", **(place.environment if place else {})}


def rest_lsp(*arguments: str, place: Place | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `rest-lsp` to its end, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "rest_lsp", *arguments],
        env={**clean_environment(place), "PYTHONPATH": str(Path(__file__).parent.parent)},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
