"""One loaded model for all sessions of a process that ask for the same."""

from __future__ import annotations

import gc
import logging
import math
import weakref

from rest_lsp.assembly import LoadedModel, load_model, wanted_capacity
from rest_lsp.config import Settings
from rest_lsp.errors import RestLspError
from rest_lsp.models.progress import Progress

log = logging.getLogger(__name__)


class ModelPool:
    """Hands out models; to be used in the thread that runs them.

    The one that was asked for last stays loaded when its sessions have ended, until another one is wanted.
    """

    def __init__(self) -> None:
        self._loaded: weakref.WeakValueDictionary[str, LoadedModel] = weakref.WeakValueDictionary()
        self._refused: dict[str, int] = {}
        self._last: LoadedModel | None = None

    def load(self, settings: Settings, progress: Progress) -> LoadedModel:
        """As `load_model`, unless the model is there: that one gets room for longer prompts where it needs it."""
        key = settings.model_dump_json(include={"model", "device"})
        known = self._loaded.get(key)
        if known is None:
            # The former one must be gone before the next one comes, unless another session has it.
            self._last = None
            gc.collect()
            known = self._loaded[key] = load_model(settings, progress)
            self._refused.pop(key, None)
            log.info("The model %s is loaded.", known.engine.info.model)
        else:
            self._widen(key, known, wanted_capacity(settings))
        self._last = known
        return known

    def _widen(self, key: str, known: LoadedModel, capacity: int) -> None:
        """Only once for what there is no room for: trying costs the other windows a model that is loaded."""
        if capacity >= self._refused.get(key, math.inf):
            return
        try:
            known.engine.widen(capacity)
        except RestLspError as error:
            self._refused[key] = capacity
            log.warning("Prompts stay as short as they are in other windows. %s", error)
