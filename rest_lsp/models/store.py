"""The models of one cache folder: what is there, fetching, converting, opening.  Knows nothing about engines.

Layout: downloads/<name>-<checksum>/FILE (original files) and models/<name>-<checksum>/<form>/ (packed).
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import ModelError
from rest_lsp.memory import folder_bytes
from rest_lsp.models.catalogue import Catalogue, CatalogueEntry, load_catalogue
from rest_lsp.models.child_download import DownloadFailed
from rest_lsp.models.convert import convert
from rest_lsp.models.disk import require_space
from rest_lsp.models.download import fetch
from rest_lsp.models.hub import download_file, download_repository, known_bytes
from rest_lsp.models.locking import exclusive
from rest_lsp.models.packed import PackedModel, WeightForm, is_complete
from rest_lsp.models.progress import Progress, ProgressEvent, silent
from rest_lsp.models.reference import HubReference, LocalReference, find_reference, gguf_file_in
from rest_lsp.models.source import WeightSource

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EROFS)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One line of `models list`; sizes in bytes.  `original_bytes` is 0 when the file is not on this machine."""

    entry: CatalogueEntry
    original_bytes: int
    forms: tuple[str, ...]
    packed_bytes: int


class ModelStore:
    """Front of the package.  Processes may share a cache folder; downloads and conversions exclude each other."""

    def __init__(
        self,
        cache_dir: Path,
        *,
        catalogue: Catalogue | None = None,
        offline: bool = False,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> None:
        self._downloads = cache_dir / "downloads"
        self._models = cache_dir / "models"
        self._catalogue = load_catalogue() if catalogue is None else catalogue
        self._offline = offline
        self._progress = progress
        self._cancel = cancel

    def list(self) -> list[ModelListing]:
        """All catalogue models, with what of each is on this machine."""
        return [self._listing(entry) for entry in self._catalogue.values()]

    def pull(self, name_or_path: str) -> Path:
        """The original file or folder, downloaded and verified.  Raises ModelError, Cancelled."""
        reference = find_reference(name_or_path, self._catalogue)
        if isinstance(reference, LocalReference):
            return reference.path
        with self._writing(self._downloads / reference.folder_name):
            return self._pull(reference)

    def path(self, name_or_path: str) -> Path | None:
        """Where the original lies; None when it has not been downloaded.  Raises ModelError for an unknown name."""
        reference = find_reference(name_or_path, self._catalogue)
        if isinstance(reference, LocalReference):
            return reference.path
        if isinstance(reference, HubReference) and not self._marker(reference).exists():
            return None
        path = self._original(reference)
        return path if path.exists() else None

    def open(self, name_or_path: str, form: WeightForm) -> PackedModel:
        """Open a model by catalogue name, path or hub id; download, verify and convert it first where needed.

        A model that is converted already opens in milliseconds, without network or lock.  Raises ModelError, Cancelled.
        """
        reference = find_reference(name_or_path, self._catalogue)
        if isinstance(reference, LocalReference) and is_complete(reference.path):
            return _require_form(PackedModel.open(reference.path), form)
        packed = self._models / reference.folder_name / form
        opened = _open_if_sound(packed)
        if opened is not None:
            return opened
        with self._writing(packed.parent):
            opened = _open_if_sound(packed)
            if opened is not None:
                return opened
            original = reference.path if isinstance(reference, LocalReference) else self._locked_pull(reference)
            self._progress(ProgressEvent("read", 0, 0, "files"))
            convert(
                open_source(original),
                packed,
                form=form,
                name=reference.name,
                progress=self._progress,
                cancel=self._cancel,
            )
        return PackedModel.open(packed)

    def _listing(self, entry: CatalogueEntry) -> ModelListing:
        original, packed = self._original(entry), self._models / entry.folder_name
        forms = tuple(sorted(folder.name for folder in packed.glob("*") if is_complete(folder)))
        return ModelListing(
            entry=entry,
            original_bytes=original.stat().st_size if original.exists() else 0,
            forms=forms,
            packed_bytes=folder_bytes(packed),
        )

    def _original(self, reference: CatalogueEntry | HubReference) -> Path:
        folder = self._downloads / reference.folder_name
        return folder / reference.file if reference.file else folder

    def _locked_pull(self, reference: CatalogueEntry | HubReference) -> Path:
        with self._writing(self._downloads / reference.folder_name):
            return self._pull(reference)

    def _pull(self, reference: CatalogueEntry | HubReference) -> Path:
        if isinstance(reference, CatalogueEntry):
            folder = self._downloads / reference.folder_name
            return fetch(reference, folder, offline=self._offline, progress=self._progress, cancel=self._cancel)
        return self._pull_from_hub(reference)

    def _pull_from_hub(self, reference: HubReference) -> Path:
        """A finished download is marked and never looked up again: a running editor must not need a network."""
        folder, marker = self._downloads / reference.folder_name, self._marker(reference)
        if marker.exists():
            return self._original(reference)
        try:
            if self._offline:
                raise DownloadFailed("downloads are switched off")
            self._require_space(reference, folder)
            if reference.file:
                download_file(
                    reference.repository, reference.file, folder, on_growth=self._on_hub_growth, cancel=self._cancel
                )
            else:
                download_repository(reference.repository, folder, on_growth=self._on_hub_growth, cancel=self._cancel)
        except DownloadFailed as failure:
            raise ModelError(
                f"The model {reference.repository} could not be fetched from the Hugging Face hub ({failure}).",
                "Check its name, the network and proxy settings, and try again; what arrived is kept.",
            ) from failure
        marker.touch()
        return self._original(reference)

    def _marker(self, reference: HubReference) -> Path:
        """Written when all of a download has arrived: the folder alone is there after a failed one, too."""
        name = (reference.file or "repository").replace("/", "--")
        return self._downloads / reference.folder_name / f".{name}.downloaded"

    def _require_space(self, reference: HubReference, folder: Path) -> None:
        """The hub does not always tell sizes; then the disk is filled until it is full."""
        n_bytes = known_bytes(reference.repository, reference.file)
        if n_bytes is not None:
            require_space(folder, max(0, n_bytes - folder_bytes(folder)), f"the download of {reference.name}")

    def _on_hub_growth(self, done: int) -> None:
        self._progress(ProgressEvent("download", done, 0, "bytes"))

    @contextmanager
    def _writing(self, folder: Path) -> Iterator[None]:
        try:
            with exclusive(folder, self._progress, self._cancel):
                yield
        except OSError as error:
            raise _explained(error, folder) from error


def _explained(error: OSError, folder: Path) -> ModelError:
    """Reading the original may fail as well as writing to the cache."""
    at = None if error.filename is None else Path(os.fsdecode(error.filename))
    is_ours = at is not None and (at.is_relative_to(folder) or folder.is_relative_to(at))
    if is_ours or error.errno in _DISK_ERRORS:
        return ModelError(
            f"The cache folder {folder} cannot be written ({error.strerror or error}).",
            "Free some space there, or set another cache folder.",
        )
    return ModelError(
        f"The model could not be made ready ({error}).", "Check that its files can be read, and try again."
    )


def open_source(original: Path) -> WeightSource:
    """A reader of the original file or folder.  Raises ModelError."""
    # Readers are imported here: a model that is converted already needs none of them.
    from rest_lsp.models.gguf_source import GgufSource
    from rest_lsp.models.safetensors_source import SafetensorsSource

    file = gguf_file_in(original) if original.is_dir() else original
    open_file: Callable[[Path], WeightSource] = GgufSource
    return SafetensorsSource(original) if file is None else open_file(file)


def _open_if_sound(packed: Path) -> PackedModel | None:
    """A damaged conversion is only a cache: it is set right by converting again."""
    if not is_complete(packed):
        return None
    try:
        return PackedModel.open(packed)
    except ModelError as error:
        _log.warning("%s It is converted anew.", error.message)
        return None


def _require_form(model: PackedModel, form: WeightForm) -> PackedModel:
    if model.form != form:
        raise ModelError(
            f"The packed model {model.directory} is of form {model.form}, but this machine needs {form}.",
            "Name the original model, so that it can be converted.",
        )
    return model
