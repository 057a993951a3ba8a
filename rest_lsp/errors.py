"""What can go wrong, in words for the person at the keyboard.  Knows nothing about the rest of the package."""

from __future__ import annotations


class RestLspError(Exception):
    """An expected failure: `message` says what happened and to which file or option, `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class ConfigError(RestLspError):
    """An option has a value that cannot be used."""


class ModelError(RestLspError):
    """A model is unknown, missing, damaged or of an unsupported kind."""


class DatastoreError(RestLspError):
    """A datastore cannot be read or written."""


class RequestError(RestLspError):
    """A completion was asked for at a place that does not exist."""


class Cancelled(Exception):
    """The work was superseded or given up; nobody waits for its result."""
