"""A conversion is complete or absent, and what is opened is what was written."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from safetensors import safe_open

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import Cancelled, ModelError
from rest_lsp.models.convert import convert
from rest_lsp.models.decoder_config import DecoderConfig, RopeScaling
from rest_lsp.models.layout import packed_tensors
from rest_lsp.models.packed import PackedModel, WeightForm, is_complete
from rest_lsp.models.progress import ProgressEvent
from rest_lsp.models.quantise import from_bfloat16, quantise_rows, to_bfloat16
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_models import RandomSource, Recorder, tiny_config

REPOSITORY = Path(__file__).parents[2]
FORMS: tuple[WeightForm, ...] = get_args(WeightForm)


def expected(source: RandomSource, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    (tensor,) = (tensor for tensor in packed_tensors(source.config, "fp32") if tensor.name == name)
    return np.concatenate([source.tensors[part.name] for part in tensor.parts])


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    directory = tmp_path / "tiny" / "int8"
    convert(RandomSource(tiny_config()), directory, form="int8", name="tiny")
    return directory


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tied", [False, True])
def test_all_forms_hold_the_weights_of_the_source(tmp_path: Path, form: WeightForm, tied: bool) -> None:
    source = RandomSource(tiny_config(tied_head=tied))
    convert(source, tmp_path / form, form=form, name="tiny")
    model = PackedModel.open(tmp_path / form)
    assert (model.name, model.form, model.config) == ("tiny", form, source.config)
    for name in ("layers.1.qkv", "layers.0.gate_up", "layers.0.down", "layers.1.o"):
        weights = expected(source, f"{name}.weight")
        stored = model.tensors[f"{name}.weight"]
        if form == "int8":
            rows = quantise_rows(weights, 127)
            assert stored.dtype == "int8"
            assert (stored.array == rows.integers).all()
            assert (model.tensors[f"{name}.weight.scale"].array == rows.scales).all()
        else:
            assert (stored.array == (weights if form == "fp32" else to_bfloat16(weights))).all()
        assert (model.tensors[f"{name}.bias"].array == expected(source, f"{name}.bias")).all()
    for name in ("layers.0.attn_norm", "layers.1.ffn_norm", "layers.0.q_norm", "layers.1.k_norm", "norm"):
        assert (model.tensors[f"{name}.weight"].array == expected(source, f"{name}.weight")).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tied", [False, True])
def test_a_head_is_stored_unless_the_embedding_serves(tmp_path: Path, form: WeightForm, tied: bool) -> None:
    source = RandomSource(tiny_config(tied_head=tied))
    convert(source, tmp_path / form, form=form, name="tiny")
    tensors = PackedModel.open(tmp_path / form).tensors
    embedding = tensors["embed.weight"]
    assert embedding.dtype == ("fp32" if form == "fp32" else "bf16")
    assert ("head.weight" in tensors) == (not tied or form == "int8")
    if form == "int8":
        head = source.tensors["embed.weight" if tied else "head.weight"]
        assert (tensors["head.weight"].array == quantise_rows(head, 127).integers).all()


@pytest.mark.parametrize("form", FORMS)
def test_the_file_is_a_safetensors_file_for_others_too(tmp_path: Path, form: WeightForm) -> None:
    convert(RandomSource(tiny_config()), tmp_path / form, form=form, name="tiny")
    model = PackedModel.open(tmp_path / form)
    with safe_open(tmp_path / form / "weights.safetensors", "numpy") as file:
        assert set(file.keys()) == set(model.tensors)
        norm = file.get_tensor("norm.weight")
    assert (norm == model.tensors["norm.weight"].array).all()


def test_every_tensor_is_aligned_to_its_elements_and_leaves_the_file_alone(packed: Path) -> None:
    model = PackedModel.open(packed)
    assert all(data.array.ctypes.data % data.array.itemsize == 0 for data in model.tensors.values())
    model.tensors["norm.weight"].array[:] = 0
    model.verify()


def test_the_tokenizer_knows_every_row_of_the_model(packed: Path) -> None:
    model = PackedModel.open(packed)
    assert Tokenizer.from_file(model.tokenizer_path).vocab_size == model.config.vocab_size


def test_a_tokenizer_with_more_ids_than_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only 300 rows"):
        convert(RandomSource(tiny_config(vocab_size=300)), tmp_path / "m", form="fp32", name="tiny")
    assert list(tmp_path.iterdir()) == []


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    recorder = Recorder()
    convert(RandomSource(tiny_config()), tmp_path / "m", form="int8", name="tiny", progress=recorder)
    done = [event.done for event in recorder.events]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, recorder.events[-1].total)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("the callback broke")])
def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    source = RandomSource(tiny_config())
    with pytest.raises(type(error)):
        convert(source, tmp_path / "m", form="int8", name="tiny", progress=Recorder(error=error))
    assert list(tmp_path.iterdir()) == []
    convert(source, tmp_path / "m", form="int8", name="tiny")
    PackedModel.open(tmp_path / "m").verify()


def test_cancelling_stops_between_blocks(tmp_path: Path) -> None:
    cancel = CancelToken()
    seen: list[ProgressEvent] = []

    def cancel_soon(event: ProgressEvent) -> None:
        seen.append(event)
        if len(seen) == 3:
            cancel.cancel()

    with pytest.raises(Cancelled):
        convert(RandomSource(tiny_config()), tmp_path / "m", form="int8", name="t", progress=cancel_soon, cancel=cancel)
    assert len(seen) == 3
    assert list(tmp_path.iterdir()) == []


KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from rest_lsp.models.convert import convert
from tests.fakes_models import RandomSource, tiny_config

def die(event):
    if event.done > 1000:
        os.kill(os.getpid(), signal.SIGKILL)

convert(RandomSource(tiny_config()), Path(sys.argv[1]), form="int8", name="tiny", progress=die)
"""


def test_a_killed_conversion_starts_afresh(tmp_path: Path) -> None:
    directory = tmp_path / "m"
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(directory)], check=False, cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL
    assert not is_complete(directory)
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    convert(RandomSource(tiny_config()), directory, form="int8", name="tiny")
    PackedModel.open(directory).verify()
    assert list(tmp_path.iterdir()) == [directory]


def test_a_conversion_replaces_an_incomplete_folder(tmp_path: Path) -> None:
    directory = tmp_path / "m"
    directory.mkdir()
    (directory / "weights.safetensors").write_bytes(b"half")
    convert(RandomSource(tiny_config()), directory, form="fp32", name="tiny")
    PackedModel.open(directory).verify()


def test_a_form_that_is_no_longer_made_counts_as_incomplete(packed: Path) -> None:
    complete = packed / "complete.json"
    complete.write_text(complete.read_text(encoding="utf-8").replace('"int8"', '"int7"'), encoding="utf-8")
    assert not is_complete(packed)


def test_missing_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    source = RandomSource(tiny_config())
    del source.tensors["layers.1.up.weight"]
    with pytest.raises(ModelError, match=r"layers\.1\.up\.weight is missing"):
        convert(source, tmp_path / "m", form="int8", name="tiny")
    source = RandomSource(tiny_config())
    source.tensors["layers.0.v.weight"] = source.tensors["layers.0.v.weight"][1:]
    with pytest.raises(ModelError, match=r"layers\.0\.v\.weight has the shape \(15, 32\) instead of \(16, 32\)"):
        convert(source, tmp_path / "m", form="int8", name="tiny")


def test_a_full_disk_is_seen_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1 << 20))
    with pytest.raises(ModelError, match=r"no room for the converted model.*1\.0 MB are free") as caught:
        convert(RandomSource(tiny_config()), tmp_path / "m", form="int8", name="tiny")
    assert "cache folder" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def damage_size(packed: Path) -> None:
    with (packed / "weights.safetensors").open("r+b") as file:
        file.truncate(file.seek(0, 2) - 1)


def damage_header(packed: Path) -> None:
    with (packed / "weights.safetensors").open("r+b") as file:
        file.seek(20)
        file.write(b"#")


def damage_header_length(packed: Path) -> None:
    with (packed / "weights.safetensors").open("r+b") as file:
        file.write(b"\xff" * 8)


def damage_tokenizer(packed: Path) -> None:
    with (packed / "tokenizer.json").open("ab") as file:
        file.write(b" ")


def damage_config(packed: Path) -> None:
    path = packed / "config.json"
    path.write_text(path.read_text().replace('"n_heads": 4', '"n_heads": 2'))


def damage_completion(packed: Path) -> None:
    (packed / "complete.json").write_text('{"format": 1}')


def damage_version(packed: Path) -> None:
    path = packed / "complete.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 999'))


def remove_weights(packed: Path) -> None:
    (packed / "weights.safetensors").unlink()


DAMAGES = [
    damage_size,
    damage_header,
    damage_header_length,
    damage_tokenizer,
    damage_config,
    damage_completion,
    damage_version,
    remove_weights,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_when_opening(packed: Path, damage: object) -> None:
    assert callable(damage)
    damage(packed)
    with pytest.raises(ModelError, match="is damaged") as caught:
        PackedModel.open(packed)
    assert str(packed) in caught.value.message
    assert "converted anew" in caught.value.hint


def test_one_flipped_weight_is_noticed_by_verify(packed: Path) -> None:
    weights = packed / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="have changed"):
        PackedModel.open(packed).verify()


@pytest.mark.parametrize(
    "config",
    [
        tiny_config(),
        tiny_config(rope_scaling=RopeScaling("llama3", 32.0, 1.0, 4.0, 8192), sliding_window=64),
        tiny_config(attention_multiplier=0.0078125, embedding_multiplier=12.0, logits_divisor=8.0),
    ],
)
def test_a_configuration_survives_its_file(config: DecoderConfig) -> None:
    assert DecoderConfig.from_json(config.to_json()) == config
    assert json.loads(config.to_json())["n_kv_heads"] == 2


def test_bfloat16_round_trip_is_exact() -> None:
    bits = np.arange(0, 0x7F80, dtype=np.uint16)
    assert (to_bfloat16(from_bfloat16(bits)) == bits).all()
