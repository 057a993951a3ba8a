"""Whether completions are wanted: switched on or off as a whole, by language, or for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any


class Switches:
    """What a person switches by command.  Belongs to the event loop; `on_change` runs after every change."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.enabled = True
        self._disabled_languages: set[str] = set()
        self._on_change = on_change
        self._snoozed_until_ms: int | None = None
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def disabled_languages(self) -> list[str]:
        return sorted(self._disabled_languages)

    @property
    def snoozed_until_ms(self) -> int | None:
        """Milliseconds since the epoch, None when nobody snoozes."""
        return self._snoozed_until_ms

    @property
    def is_paused(self) -> bool:
        """Whether completions are off in every language."""
        return not self.enabled or self._snoozed_until_ms is not None

    def allows(self, language: str) -> bool:
        return not self.is_paused and language not in self._disabled_languages

    def toggle(self, language: str | None, enabled: bool | None) -> dict[str, Any]:
        """Switch to `enabled`, or over when that is None; one language, or everything when that is None."""
        if language is None:
            self.enabled = not self.enabled if enabled is None else enabled
        elif language in self._disabled_languages if enabled is None else enabled:
            self._disabled_languages.discard(language)
        else:
            self._disabled_languages.add(language)
        self._on_change()
        return {"enabled": self.enabled, "disabledLanguages": self.disabled_languages}

    def snooze(self, minutes: float) -> dict[str, Any]:
        """Nothing for `minutes` from now on; 0 ends it."""
        self._end_snooze()
        if minutes > 0:
            self._snoozed_until_ms = int(1000 * (time.time() + 60 * minutes))
            self._alarm = asyncio.get_running_loop().call_later(60 * minutes, self._wake)
        self._on_change()
        return {"snoozedUntil": self._snoozed_until_ms}

    def _wake(self) -> None:
        self._end_snooze()
        self._on_change()

    def _end_snooze(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._snoozed_until_ms = None
