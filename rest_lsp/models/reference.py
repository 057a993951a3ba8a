"""What the user's `model` setting means: a catalogue name, something on disk, or a hub id.  Reads no model file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from rest_lsp.errors import ModelError
from rest_lsp.models.catalogue import Catalogue, CatalogueEntry, unknown_model

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(/[\w./-]+\.gguf)?")
_NOT_IN_FOLDER_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class HubReference:
    """A repository on the hub; `file` names one GGUF file in it, None means its safetensors files."""

    repository: str
    file: str | None

    @property
    def name(self) -> str:
        return f"{self.repository}/{self.file}" if self.file else self.repository

    @property
    def folder_name(self) -> str:
        return self.repository.replace("/", "--")


@dataclass(frozen=True, slots=True)
class LocalReference:
    """A .gguf file, a folder with safetensors files, or a folder that is already packed."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem if self.path.is_file() else self.path.name

    @property
    def folder_name(self) -> str:
        """The file's name and a digest of path, sizes and times, so that a model that changes is converted again."""
        digest = hashlib.sha256(str(self.path).encode())
        for file in [self.path] if self.path.is_file() else sorted(self.path.iterdir()):
            if file.suffix in (".gguf", ".safetensors", ".json"):
                found = file.stat()
                digest.update(f"{file.name} {found.st_size} {found.st_mtime_ns}".encode())
        return f"{_NOT_IN_FOLDER_NAMES.sub('-', self.name) or 'model'}-{digest.hexdigest()[:12]}"


def find_reference(name_or_path: str, catalogue: Catalogue) -> CatalogueEntry | LocalReference | HubReference:
    """Raises ModelError, with the nearest catalogue name, when it is none of them."""
    if name_or_path in catalogue:
        return catalogue[name_or_path]
    path = Path(name_or_path).expanduser()
    if path.exists():
        return LocalReference(path.resolve())
    if path.is_absolute() or name_or_path.startswith((".", "~")):
        raise ModelError(
            f"There is no model file or folder {path}.", "Correct the path, or name a model of `rest-lsp models list`."
        )
    if _HUB_ID.fullmatch(name_or_path) and ".." not in name_or_path:
        organisation, repository, *file = name_or_path.split("/", 2)
        return HubReference(f"{organisation}/{repository}", file[0] if file else None)
    raise unknown_model(name_or_path, catalogue)


def gguf_file_in(folder: Path) -> Path | None:
    """The only GGUF file of a folder without safetensors; None when there is none.  Raises ModelError for several."""
    if any(folder.glob("*.safetensors")):
        return None
    files = sorted(folder.glob("*.gguf"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise ModelError(f"The folder {folder} holds several GGUF files ({names}).", "Name one of the files instead.")
    return files[0] if files else None
