"""The settings in force: what all sources say for the first folder, and the model that was chosen for this session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rest_lsp.config import Settings
from rest_lsp.config_sources import Loaded
from rest_lsp.server.backend import LoadSettings


class Configuration:
    """Loads when something has changed; does nothing about it."""

    def __init__(self, load_settings: LoadSettings) -> None:
        self.loaded = Loaded(Settings(), ())
        self.roots: tuple[Path, ...] = ()
        self._load_settings = load_settings
        self._editor: Mapping[str, Any] = {}
        self._chosen: str | None = None

    @property
    def settings(self) -> Settings:
        """What a session is to be opened with."""
        settings = self.loaded.settings
        return settings if self._chosen is None else with_model(settings, self._chosen)

    @property
    def root(self) -> Path | None:
        """The folder whose options are used."""
        return next(iter(self.roots), None)

    def load(self, roots: Sequence[Path], editor: object = None) -> None:
        """Read all sources; `editor` replaces what the editor said before, when it says anything."""
        if isinstance(editor, Mapping) and editor:
            self._editor = editor
        named = self.loaded.settings.model.name
        self.roots = tuple(roots)
        self.loaded = self._load_settings(self.root, self._editor)
        if self.loaded.settings.model.name != named:
            # Whoever names another model in the settings wants that one.
            self._chosen = None

    def choose_model(self, name: str | None) -> None:
        """Override the model that the settings name; None lets them decide again."""
        self._chosen = name

    @property
    def chosen_model(self) -> str | None:
        return self._chosen


def with_model(settings: Settings, name: str) -> Settings:
    """`settings` with another model."""
    return settings.model_copy(update={"model": settings.model.model_copy(update={"name": name})})
