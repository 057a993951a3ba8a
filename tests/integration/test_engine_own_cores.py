"""Threads of a forward pass and the cores that they may use, seen from outside in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="one core keeps nothing apart",
)

PASSES = """
import json, os, sys
from pathlib import Path
from tests.engines import tiny_engine
cores = sorted(os.sched_getaffinity(0))[:2]
os.sched_setaffinity(0, cores)
model = tiny_engine(Path(sys.argv[1]), "int8", threads=int(sys.argv[2])).verifier.model
cache = model.new_cache()
for _ in range(3):
    model.append([1, 2, 3], cache)
kept = [sorted(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task")]
print(json.dumps({"cores": cores, "caller": sorted(os.sched_getaffinity(0)), "kept": [k for k in kept if len(k) == 1]}))
"""


def cores_after_passes(folder: Path, threads: int) -> dict[str, list[object]]:
    command = [sys.executable, "-c", PASSES, str(folder), str(threads)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return dict(json.loads(ended.stdout))


def test_with_a_thread_for_each_core_the_second_keeps_to_the_second_core(tmp_path: Path) -> None:
    """The calling one runs all of Python, so that between passes it may go anywhere, as may what it starts."""
    found = cores_after_passes(tmp_path, 2)
    assert (found["kept"], found["caller"]) == ([found["cores"][1:]], found["cores"])


def test_with_a_core_to_spare_threads_go_where_the_system_wants(tmp_path: Path) -> None:
    found = cores_after_passes(tmp_path, 1)
    assert (found["kept"], found["caller"]) == ([], found["cores"])
