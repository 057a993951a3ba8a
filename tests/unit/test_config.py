"""Options: precedence of their sources, and that a bad value costs one message and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.config import Settings, options, user_cache_dir, user_config_file
from rest_lsp.config_sources import Loaded, beginning_in, load_settings
from rest_lsp.config_text import allowed_values, allowed_words, shown


def load(
    tmp_path: Path,
    *,
    workspace: str = "",
    user: str = "",
    environment: Mapping[str, str] | None = None,
    editor: Mapping[str, Any] | None = None,
    command_line: Mapping[str, object] | None = None,
) -> Loaded:
    (tmp_path / "rest-lsp.toml").write_text(workspace, encoding="utf-8")
    (tmp_path / "user.toml").write_text(user, encoding="utf-8")
    return load_settings(
        tmp_path,
        user_file=tmp_path / "user.toml",
        environment=environment or {},
        editor=editor,
        command_line=command_line,
    )


def test_without_any_source_all_defaults_and_no_message(tmp_path: Path) -> None:
    assert load_settings(tmp_path, environment={}, user_file=tmp_path / "none.toml") == Loaded(Settings(), ())


def test_each_source_overrules_the_ones_below_it(tmp_path: Path) -> None:
    layers: dict[str, Any] = {
        "user": "completion.top_k = 1",
        "workspace": "completion.top_k = 2",
        "editor": {"completion": {"topK": 3}},
        "environment": {"REST_LSP_COMPLETION_TOP_K": "4"},
        "command_line": {"completion.top_k": "5"},
    }
    for height in range(1, len(layers) + 1):
        given_layers = dict(list(layers.items())[:height])
        assert load(tmp_path, **given_layers) == Loaded(Settings.model_validate({"completion": {"top_k": height}}), ())


@pytest.mark.parametrize(
    "editor",
    [
        {"drafting": {"maxNodes": 8}},
        {"drafting": {"max_nodes": 8}},
        {"drafting.maxNodes": 8},
        {"restLsp": {"drafting": {"maxNodes": 8}}},
        {"rest_lsp": {"drafting.max_nodes": 8}},
    ],
)
def test_editor_settings_are_understood_in_every_spelling(tmp_path: Path, editor: dict[str, Any]) -> None:
    loaded = load(tmp_path, editor=editor)
    assert (loaded.settings.drafting.max_nodes, loaded.problems) == (8, ())


def test_an_unset_editor_setting_leaves_the_file_in_force(tmp_path: Path) -> None:
    loaded = load(tmp_path, workspace="drafting.max_nodes = 8", editor={"drafting": {"maxNodes": None}})
    assert (loaded.settings.drafting.max_nodes, loaded.problems) == (8, ())


def test_model_and_device_have_a_short_form_everywhere(tmp_path: Path) -> None:
    assert load(tmp_path, workspace='model = "auto"').settings.model.name == "auto"
    assert load(tmp_path, user='model = "a"').settings.model.name == "a"
    assert load(tmp_path, environment={"REST_LSP_DEVICE": "cpu"}).settings.device.name == "cpu"
    assert load(tmp_path, editor={"model": "b"}).settings.model.name == "b"


def test_a_list_may_be_written_with_commas_in_the_environment(tmp_path: Path) -> None:
    loaded = load(tmp_path, environment={"REST_LSP_DATASTORE_EXCLUDE": "*.sql, docs/"})
    assert loaded.settings.datastore.exclude == ("*.sql", "docs/")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {"environment": {"REST_LSP_COMPLETION_TEMPERTURE": "1"}},
            "REST_LSP_COMPLETION_TEMPERTURE is not an option. Did you mean REST_LSP_COMPLETION_TEMPERATURE?",
        ),
        (
            {"environment": {"REST_LSP_COMPLETION_TEMPERATURE": "hot"}},
            "REST_LSP_COMPLETION_TEMPERATURE = 'hot' is ignored: it takes a number from 0 to 2. Using 0.0.",
        ),
        (
            {"editor": {"device": {"name": "cdua"}}},
            "editor settings: device.name = 'cdua' is ignored: it takes one of auto, cpu, cuda, mps."
            ' Did you mean cuda? Using "auto".',
        ),
        (
            {"editor": {"completion": {"maxTokenSingle": 3}}},
            "editor settings: completion.max_token_single is not an option. Did you mean completion.max_tokens_single?",
        ),
        (
            {"command_line": {"drafting.max_nodes": "65"}},
            "command line: drafting.max_nodes = '65' is ignored: it takes a whole number from 1 to 64. Using 64.",
        ),
    ],
)
def test_a_bad_option_is_one_message_and_then_the_default(
    tmp_path: Path, sources: dict[str, Any], message: str
) -> None:
    assert load(tmp_path, **sources) == Loaded(Settings(), (message,))


def test_a_bad_value_leaves_the_good_one_below_it_in_force(tmp_path: Path) -> None:
    loaded = load(tmp_path, workspace="completion.top_k = 7", environment={"REST_LSP_COMPLETION_TOP_K": "x"})
    assert loaded.settings.completion.top_k == 7
    assert len(loaded.problems) == 1
    assert loaded.problems[0].endswith("Using 7.")


def test_a_damaged_file_is_named_and_the_rest_still_counts(tmp_path: Path) -> None:
    loaded = load(tmp_path, workspace="[completion\n", user="completion.top_k = 7")
    assert loaded.settings.completion.top_k == 7
    assert len(loaded.problems) == 1
    assert str(tmp_path / "rest-lsp.toml") in loaded.problems[0]


def test_a_workspace_cannot_choose_where_files_are_written(tmp_path: Path) -> None:
    loaded = load(tmp_path, workspace='[model]\ncache_dir = "/elsewhere"\n[datastore]\ndirectory = "/elsewhere"')
    assert loaded.settings == Settings()
    assert ["model.cache_dir" in loaded.problems[0], "datastore.directory" in loaded.problems[1]] == [True, True]
    assert load(tmp_path, user='model.cache_dir = "/elsewhere"').settings.model.cache_dir == Path("/elsewhere")


@pytest.mark.parametrize("name", ["org/huge", "org/repo/model.gguf", "./model.gguf", "/models/mine", "qwen2.5-coder"])
def test_a_workspace_chooses_only_models_of_the_catalogue(tmp_path: Path, name: str) -> None:
    loaded = load(tmp_path, workspace=f'model = "{name}"')
    assert loaded.settings == Settings()
    (problem,) = loaded.problems
    assert f"model.name = {name!r} is ignored" in problem
    assert load(tmp_path, user=f'model = "{name}"').settings.model.name == name
    assert load(tmp_path, editor={"model": name}).settings.model.name == name


@pytest.mark.parametrize("name", ["auto", "qwen2.5-coder-1.5b"])
def test_a_workspace_may_choose_a_model_of_the_catalogue(tmp_path: Path, name: str) -> None:
    loaded = load(tmp_path, workspace=f'model.name = "{name}"')
    assert (loaded.settings.model.name, loaded.problems) == (name, ())


def test_paths_begin_at_home_when_they_say_so(tmp_path: Path) -> None:
    loaded = load(tmp_path, command_line={"model.cache_dir": "~/models"})
    assert loaded.settings.model.cache_dir == Path.home() / "models"
    assert loaded.settings.datastores_dir == Path.home() / "models" / "datastores"


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("models/mine", "models/mine"),
        ("organisation/model", None),
        ("qwen2.5-coder-0.5b", None),
        ("~nobody-of-this-name/model", None),
        (300 * "m", None),
    ],
)
def test_paths_that_begin_nowhere_begin_in_the_given_folder(tmp_path: Path, name: str, whole: str | None) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "qwen2.5-coder-0.5b").mkdir()
    given = {"model.name": name, "model.cache_dir": "kept", "datastore.directory": str(tmp_path / "index")}
    settings = beginning_in(tmp_path, load(tmp_path, command_line=given).settings)
    assert settings.model.name == (str(tmp_path / whole) if whole else name)
    assert settings.model.cache_dir == tmp_path / "kept"
    assert settings.datastore.directory == tmp_path / "index"
    assert settings.completion == Settings().completion


def test_the_usual_folders_follow_the_desktop_standard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative/is/ignored")
    assert user_cache_dir() == tmp_path / "cache" / "rest-lsp"
    assert user_config_file() == Path.home() / ".config" / "rest-lsp" / "rest-lsp.toml"


@pytest.mark.parametrize("option", options(), ids=lambda option: option.path)
def test_each_option_has_a_text_a_range_and_an_acceptable_default(tmp_path: Path, option: Any) -> None:
    assert option.description.endswith(".")
    assert allowed_values(option)
    assert not allowed_words(option) or shown(option.default).strip('"') in allowed_words(option)
    if option.default is not None and not option.is_list:
        loaded = load(tmp_path, environment={option.environment: shown(option.default).strip('"')})
        assert loaded == Loaded(Settings(), ())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["completion", "model", "device", "drafting", "topK", "name", "", "."]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    )
)
def test_no_editor_settings_whatever_raise(value: object) -> None:
    editor = value if isinstance(value, dict) else {"completion": value}
    assert isinstance(load_settings(editor=editor, environment={}, user_file=Path("none.toml")).settings, Settings)
