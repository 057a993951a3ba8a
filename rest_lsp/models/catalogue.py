"""The models that are known by name, read from catalogue.toml.  Knows nothing about what is on this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rest_lsp.errors import ModelError
from rest_lsp.spelling import nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BUILT_IN = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One GGUF file.  `wheels` are pinned requirements whose `wheel_member` files, joined in order, are the file."""

    name: str
    description: str
    licence: str
    file: str
    bytes: int
    sha256: str
    hub_repo: str
    wheels: tuple[str, ...]
    wheel_member: str

    @property
    def folder_name(self) -> str:
        """Name and checksum: another file under the same name gets another folder."""
        return f"{self.name}-{self.sha256[:12]}"


Catalogue = Mapping[str, CatalogueEntry]


def load_catalogue(path: Path = _BUILT_IN) -> Catalogue:
    """Entries by name, in the order of the file."""
    models = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
    return {model["name"]: CatalogueEntry(**{**model, "wheels": tuple(model["wheels"])}) for model in models}


def unknown_model(name: str, catalogue: Catalogue) -> ModelError:
    """The error for a name that is neither in the catalogue, nor a path, nor a hub id; it suggests the nearest name."""
    near = nearest(name.lower(), catalogue, likeness=0.4)
    hint = f"Did you mean {near!r}? " if near else ""
    known = ", ".join(catalogue)
    return ModelError(
        f"There is no model {name!r}.",
        f"{hint}Known are {known}; the path of a .gguf file or model folder, or a hub id, works as well.",
    )
