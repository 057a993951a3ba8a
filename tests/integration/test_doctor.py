"""The self-check: what is there is ok, what is missing has a fix, what is broken is told and never raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rest_lsp import doctor_gpu, doctor_machine, memory
from rest_lsp.config import Settings
from rest_lsp.config_sources import Loaded, load_settings
from rest_lsp.daemon.wire import Tried
from rest_lsp.dashboard import index_health
from rest_lsp.doctor import examine
from rest_lsp.doctor_machine import Check, check_shared_process
from rest_lsp.doctor_model import check_memory
from rest_lsp.engine import gpu
from tests.files_cli import Place, make_place, rest_lsp


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def loaded(place: Place, **changes: str) -> Loaded:
    environment = {**place.environment, **{f"REST_LSP_{name}": value for name, value in changes.items()}}
    return load_settings(place.workspace, environment=environment, user_file=place.workspace / "none.toml")


def checks(place: Place, **changes: str) -> dict[str, Check]:
    return {check.name: check for check in examine(loaded(place, **changes), place.workspace)}


def test_before_the_first_start_nothing_is_broken_and_every_warning_has_a_fix(place: Place) -> None:
    found = checks(place)
    assert {"python", "options", "torch", "processor", "memory", "cache folder", "git"} <= found.keys()
    assert {"gpu", "kernel", "file watching", "suffix sorting", "model", "index", "store", "completion"} <= found.keys()
    assert not [check for check in found.values() if check.status == "fail"]
    assert not [check for check in found.values() if check.status == "warn" and not check.fix]
    assert found["suffix sorting"].status == "ok"
    assert "asks for it" in found["torch"].reason


def test_with_a_model_it_ends_in_a_completion(place: Place) -> None:
    arguments = ("complete", str(place.workspace / "app.py"), "--line", "1", "--column", "11")
    assert rest_lsp(*arguments, place=place).returncode == 0
    result = rest_lsp("doctor", "--json", "--workspace", str(place.workspace), place=place)
    report = json.loads(result.stdout)
    found = {check["name"]: check for check in report["checks"]}
    assert (result.returncode, report["broken"]) == (0, False), found
    assert "converted (fp32)" in found["model"]["reason"]
    assert "1 files" in found["index"]["reason"]
    assert "for the same text: drafts make it" in found["completion"]["reason"]
    assert "measured here: 1 token " in found["kernel"]["reason"]
    assert "checksums of all 1 files" in found["store"]["reason"]


def test_a_model_that_is_missing_is_broken_only_when_it_cannot_be_fetched(place: Place) -> None:
    assert checks(place, MODEL="qwen2.5-coder-0.5b", MODEL_OFFLINE="false")["model"].status == "warn"
    offline = checks(place, MODEL="qwen2.5-coder-0.5b", MODEL_OFFLINE="true")["model"]
    assert (offline.status, offline.fix) == ("fail", "rest-lsp models pull qwen2.5-coder-0.5b")


def test_damaged_weights_are_found(place: Place, tmp_path: Path) -> None:
    arguments = ("complete", str(place.workspace / "app.py"), "--line", "1", "--column", "11")
    assert rest_lsp(*arguments, place=place).returncode == 0
    weights = next((tmp_path / "cache" / "models").rglob("weights.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    damaged = checks(place)["model"]
    assert damaged.status == "fail"
    assert str(weights.parent) in damaged.fix


def test_a_broken_thing_is_an_exit_code(place: Place) -> None:
    cache = str(place.workspace / "app.py" / "cache")
    result = rest_lsp("doctor", "--model-cache-dir", cache, "--workspace", str(place.workspace), place=place)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert any(line.startswith("fail") and "cache folder" in line for line in result.stdout.splitlines())
    assert "REST_LSP_MODEL_CACHE_DIR" in result.stdout


def test_options_that_cannot_be_used_are_named(place: Place) -> None:
    found = checks(place, COMPLETION_TOP_K="many")["options"]
    assert found.status == "warn"
    assert "REST_LSP_COMPLETION_TOP_K" in found.reason


def test_an_impossible_device_is_a_finding(place: Place) -> None:
    assert checks(place, DEVICE_DTYPE="fp16")["torch"].status == "fail"


def test_few_watches_little_memory_and_no_git_are_warnings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "watches").write_text("8192\n")
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:  1000 kB\n")
    monkeypatch.setattr(doctor_machine, "_WATCHES", tmp_path / "watches")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = [doctor_machine.check_file_watching(), check_memory(Settings()), doctor_machine.check_git()]
    assert [check.status for check in found] == ["warn", "warn", "warn"]
    assert "8,192" in found[0].reason


def test_a_check_that_raises_anything_is_a_finding_and_the_others_go_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Check:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr("rest_lsp.doctor.check_processor", broken)
    found = checks(place)
    assert found["processor"].status == "fail"
    assert "RuntimeError: no kernel image" in found["processor"].reason
    assert found["git"].status == "ok"


def test_a_socket_that_cannot_be_shared_is_a_warning_with_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("REST_LSP_RUNTIME_DIR", str(folder))
    found = check_shared_process()
    assert found.status == "warn"
    assert "Others may use" in found.reason
    assert found.fix


def test_a_damaged_index_is_found_and_the_fix_mends_it(place: Place, tmp_path: Path) -> None:
    index = ("index", "--workspace", str(place.workspace))
    assert rest_lsp(*index, place=place).returncode == 0
    assert checks(place)["store"].status == "ok"
    segment = next((tmp_path / "cache").rglob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[-9] ^= 1
    segment.write_bytes(content)
    damaged = checks(place)["store"]
    assert damaged.status == "fail"
    assert segment.name in damaged.reason
    assert damaged.fix.startswith("rest-lsp index")
    assert rest_lsp(*index, place=place).returncode == 0
    assert checks(place)["store"].status == "ok"


def test_a_store_that_is_not_there_is_named(place: Place) -> None:
    assert rest_lsp("index", "--workspace", str(place.workspace), place=place).returncode == 0
    found = checks(place, DATASTORE_STORES='["nowhere"]')["store"]
    assert found.status == "warn"
    assert "nowhere" in found.reason


@pytest.mark.parametrize(
    ("listed", "cuda", "status", "words"),
    [
        ([], None, "ok", "the processor does the work"),
        (["A card with driver 1.2"], None, "warn", "built without CUDA"),
        (["A card with driver 1.2"], "13.0", "warn", "too old for torch, which needs CUDA 13.0"),
    ],
)
def test_a_gpu_that_torch_cannot_use(
    listed: list[str], cuda: str | None, status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_gpu, "nvidia_gpus", lambda: listed)
    monkeypatch.setattr(gpu, "usable_gpu", lambda: None)
    monkeypatch.setattr(gpu, "cuda_of_torch", lambda: cuda)
    found = doctor_gpu.check_gpu()
    assert (found.status, bool(found.fix)) == (status, status != "ok")
    assert words in found.reason


def test_a_gpu_that_computes_wrongly_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_gpu, "nvidia_gpus", lambda: ["A card with driver 1.2"])
    monkeypatch.setattr(gpu, "usable_gpu", lambda: gpu.Gpu("cpu", "A card", "CUDA 13.0"))
    found = doctor_gpu.check_gpu()
    assert (found.status, found.reason) == ("ok", "A card with driver 1.2, CUDA 13.0; it computes rightly.")
    monkeypatch.setattr(gpu, "trouble_on", lambda _: "no kernel image is available")
    assert doctor_gpu.check_gpu().status == "fail"


def test_the_names_and_drivers_of_gpus_come_from_the_drivers_tool(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 550.54.15'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert doctor_gpu.nvidia_gpus() == ["NVIDIA H100 80GB HBM3 with driver 550.54.15"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert doctor_gpu.nvidia_gpus() == []


def test_the_dashboard_shows_the_same_list_and_loads_no_model(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REST_LSP_RUNTIME_DIR", str(tmp_path_factory.mktemp("run", numbered=True)))
    found = index_health.check_installation(place.workspace)
    assert [check["name"] for check in found] == list(checks(place))
    assert (found[-1]["status"], "rest-lsp doctor" in found[-1]["fix"]) == ("warn", True)
    monkeypatch.setattr(index_health, "try_out", lambda _, folder: Tried("ok", f"It works in {folder}.", ""))
    assert index_health.check_installation(place.workspace)[-1]["reason"] == f"It works in {place.workspace}."
