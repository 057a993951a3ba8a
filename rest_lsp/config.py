"""Every option, declared once: default, type, range and text.

Command line, environment, files, editor settings, the README table and the JSON schema are all derived from here.
Where the values come from is the business of `config_sources`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

ENVIRONMENT_PREFIX = "REST_LSP_"
WORKSPACE_FILE = "rest-lsp.toml"
# A workspace may come from anybody, so it must not decide where on this machine we write.
_PERSONAL = {"personal": True}

ContextKinds = Literal["definitions", "similar", "both"]
UserPath = Annotated[Path, AfterValidator(lambda path: path.expanduser())]


def user_cache_dir() -> Path:
    """Where downloads, packed models and datastores are kept unless `model.cache_dir` says otherwise."""
    if os.name == "nt" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "rest-lsp" / "cache"
    return _xdg("XDG_CACHE_HOME", ".cache") / "rest-lsp"


def user_config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The user's own `rest-lsp.toml`, which applies to every workspace."""
    if os.name == "nt" and (roaming := environment.get("APPDATA")):
        return Path(roaming) / "rest-lsp" / WORKSPACE_FILE
    return _xdg("XDG_CONFIG_HOME", ".config", environment) / "rest-lsp" / WORKSPACE_FILE


class Section(BaseModel):
    """A named group of options.  Immutable, so that a request sees the same settings from start to end."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ModelOptions(Section):
    """Which model writes the completions and where it is kept."""

    name: str = Field(
        default="auto",
        min_length=1,
        description="A name from `rest-lsp models list`, a local folder or `.gguf` file, or a Hugging Face id. "
        "`auto` takes qwen2.5-coder-1.5b on a GPU with room for it, and where it is here on a CPU that was measured "
        "to be fast enough, else qwen2.5-coder-0.5b.",
    )
    offline: bool = Field(default=False, description="Never use the network; a model that is not here is an error.")
    cache_dir: UserPath = Field(
        default_factory=user_cache_dir,
        description="Folder for downloads, packed models and datastores.",
        json_schema_extra={**_PERSONAL, "shown": "the user's cache folder"},
    )


class DeviceOptions(Section):
    """What the model runs on."""

    name: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="`auto` takes a GPU when torch finds one."
    )
    dtype: Literal["auto", "int8", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Form of the weights. `auto` takes int8 on a CPU, and bf16 or fp16 on a GPU, or int8 where only "
        "that fits an NVIDIA GPU.",
    )
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads for the model; 0 takes the physical cores.")
    fixed_width: bool = Field(
        default=False,
        description="On a GPU, run every pass in one width and one order of sums, so that drafted passes round as "
        "plain ones do; slower. A CPU is exact without.",
    )


class CompletionOptions(Section):
    """What is asked of the model and how long it may take."""

    max_tokens_single: int = Field(default=48, ge=1, le=512, description="Most tokens of a single-line completion.")
    max_tokens_multi: int = Field(default=160, ge=1, le=2048, description="Most tokens of a multi-line completion.")
    multiline: Literal["auto", "always", "never"] = Field(
        default="auto", description="Whether a completion may have several lines; `auto` looks at the cursor's place."
    )
    candidates: int = Field(
        default=3,
        ge=1,
        le=8,
        description="Most suggestions to choose from when they are asked for by key; all but the first are sampled.",
    )
    prompt_tokens: int = Field(
        default=768, ge=64, le=32768, description="Budget for the text before and after the cursor, in tokens."
    )
    context_tokens: int = Field(
        default=0,
        ge=0,
        le=8192,
        description="Budget for parts of other files before the prompt, on top of `prompt_tokens`; 0 puts none there.",
    )
    context_kinds: ContextKinds = Field(
        default="both",
        description="Which parts: definitions of imported names (Python), places similar to the cursor's, or both.",
    )
    anchor_lines: int = Field(
        default=4,
        ge=0,
        le=64,
        description="Lines above the cursor where the prompt is split: what follows costs no re-reading. "
        "Before code on its line: behind a bracket that is open there, or at the cursor.",
    )
    temperature: float = Field(default=0.0, ge=0, le=2, description="0 always takes the most likely token.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Sample only from the tokens that make up this mass.")
    top_k: int = Field(default=0, ge=0, le=1000, description="Sample only from this many tokens; 0 means all.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="The same seed samples the same completion.")
    min_confidence_code: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="While typing, show only what the model gives this probability per token (their geometric mean).",
    )
    min_confidence_word: float = Field(default=0.65, ge=0, le=1, description="The same behind a part of a word.")
    min_confidence_block: float = Field(default=0.65, ge=0, le=1, description="The same for several lines.")
    min_confidence_text: float = Field(default=0.65, ge=0, le=1, description="The same in comments and strings.")
    min_confidence_invoked: float = Field(
        default=0.0, ge=0, le=1, description="The same for a completion that was asked for by key."
    )
    time_budget_automatic_ms: int = Field(
        default=2000, ge=0, le=60000, description="Time for a completion while typing; whole lines only. 0 is no limit."
    )
    time_budget_invoked_ms: int = Field(
        default=8000, ge=0, le=60000, description="Time for a completion that was asked for by key. 0 is no limit."
    )


class DraftingOptions(Section):
    """How drafts are made.  They change the speed, never the tokens; a time budget may let more be shown."""

    enabled: bool = Field(default=True, description="Draft from the document and the repository.")
    max_nodes: int = Field(default=64, ge=1, le=64, description="Most draft tokens that are verified in one pass.")
    fixed_nodes: int = Field(
        default=0, ge=0, le=64, description="Draft this many tokens in each pass; 0 lets measured costs decide."
    )
    use_document: bool = Field(default=True, description="Draft from the file that is being edited.")
    use_after: bool = Field(default=True, description="Draft also from the part of that file behind the cursor.")
    use_datastore: bool = Field(default=True, description="Draft from the rest of the repository.")
    use_libraries: bool = Field(
        default=True, description="Draft also from installed packages and the standard library, where they are indexed."
    )
    use_completions: bool = Field(
        default=True, description="Draft from recent completions, first of all the one being typed through."
    )
    use_through: bool = Field(
        default=True, description="Draft the rest of the completion that is being typed through as nearly certain."
    )
    use_deleted: bool = Field(default=True, description="Draft from text that was just deleted at the cursor.")
    use_successors: bool = Field(default=True, description="Draft what the model just put behind the same token.")
    use_affinity: bool = Field(
        default=True, description="Prefer places in files that are open, imported, or near the document."
    )
    use_calibration: bool = Field(default=True, description="Learn in each workspace which drafts are accepted.")
    use_trust: bool = Field(default=True, description="Draft less where drafts have just failed.")


class DatastoreOptions(Section):
    """What of the workspace is indexed for drafts.  Files that git ignores never are, nor what looks like a secret."""

    enabled: bool = Field(default=True, description="Keep an index of the workspace.")
    directory: UserPath | None = Field(
        default=None,
        description="Folder for the indexes of all workspaces.",
        json_schema_extra={**_PERSONAL, "shown": "`datastores` in `model.cache_dir`"},
    )
    max_file_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 26, description="Larger files are left out.")
    exclude: tuple[str, ...] = Field(
        default=(), description="More patterns of files to leave out, in the syntax of `.gitignore`."
    )
    stores: tuple[str, ...] = Field(
        default=(), description="Shared stores to draft from as well, by their names in `rest-lsp store list`."
    )
    packages: bool = Field(
        default=True, description="Draft from installed packages that the workspace imports as well."
    )
    standard_library: bool = Field(default=True, description="Draft from Python's standard library as well.")
    python: UserPath | None = Field(
        default=None,
        description="Interpreter whose packages these are; else that of `.venv`, `venv` or the active environment.",
        json_schema_extra={"shown": "found"},
    )
    watch: bool = Field(default=True, description="Follow changes on disk while the server runs.")


class ServerOptions(Section):
    """How the server behaves towards its editor."""

    log_level: Literal["error", "warning", "info", "debug"] = Field(
        default="info", description="How much goes to the editor's log. Code never does."
    )
    unload_minutes: float = Field(
        default=0.0, ge=0, le=10080, description="Free the model's memory after so long without a request. 0 keeps it."
    )
    linger_minutes: float = Field(
        default=10.0,
        ge=0,
        le=10080,
        description="The shared process ends so long after its last editor or port has gone.",
    )


class HistoryOptions(Section):
    """What is written down about completions for `rest-lsp dashboard`; it stays on this machine."""

    enabled: bool = Field(
        default=True, description="Keep a record of completions: times, counts, and the files that drafts came from."
    )
    max_mb: int = Field(
        default=128,
        ge=4,
        le=4096,
        description="Size limit of the record, which all workspaces share; the oldest completions give way.",
        json_schema_extra={**_PERSONAL},
    )
    with_code: bool = Field(
        default=False,
        description="Also keep the text of drafted tokens, so that the dashboard shows trees with their code.",
        json_schema_extra={**_PERSONAL},
    )


class Settings(Section):
    """All options of one workspace."""

    model: ModelOptions = Field(default_factory=ModelOptions)
    device: DeviceOptions = Field(default_factory=DeviceOptions)
    completion: CompletionOptions = Field(default_factory=CompletionOptions)
    drafting: DraftingOptions = Field(default_factory=DraftingOptions)
    datastore: DatastoreOptions = Field(default_factory=DatastoreOptions)
    server: ServerOptions = Field(default_factory=ServerOptions)
    history: HistoryOptions = Field(default_factory=HistoryOptions)

    @property
    def datastores_dir(self) -> Path:
        """The folder that holds one index per workspace."""
        return self.datastore.directory or self.model.cache_dir / "datastores"

    @property
    def history_file(self) -> Path:
        """The record of completions, one for all workspaces."""
        return self.model.cache_dir / "history" / "history.sqlite"


@dataclass(frozen=True)
class Option:
    """One declared option, with the names under which each source knows it."""

    section: str
    name: str
    field: FieldInfo

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def environment(self) -> str:
        return f"{ENVIRONMENT_PREFIX}{self.section}_{self.name}".upper()

    @property
    def flag(self) -> str:
        """On the command line `--model` is enough for `model.name`."""
        return "--" + (self.section if self.name == "name" else f"{self.section}-{self.name}".replace("_", "-"))

    @property
    def default(self) -> Any:
        return self.field.get_default(call_default_factory=True)

    @property
    def description(self) -> str:
        return self.field.description or ""

    @property
    def is_switch(self) -> bool:
        return self.field.annotation is bool

    @property
    def is_list(self) -> bool:
        return isinstance(self.default, tuple)

    @property
    def is_personal(self) -> bool:
        """A workspace's file must not set it."""
        return bool(self.extra("personal"))

    def extra(self, key: str) -> object:
        declared = self.field.json_schema_extra
        return declared.get(key) if isinstance(declared, dict) else None


def options() -> tuple[Option, ...]:
    """All options in the order of their declaration."""
    return tuple(_options())


def section_type(section: str) -> type[Section]:
    """The class that declares the options of `section`; KeyError when there is no such section."""
    declared = Settings.model_fields[section].annotation
    assert isinstance(declared, type)
    assert issubclass(declared, Section)
    return declared


def _options() -> Iterator[Option]:
    for section in Settings.model_fields:
        for name, field in section_type(section).model_fields.items():
            yield Option(section, name, field)


def _xdg(variable: str, fallback: str, environment: Mapping[str, str] = os.environ) -> Path:
    chosen = Path(environment.get(variable, ""))
    return chosen if chosen.is_absolute() else Path.home() / fallback
