"""What drafters learnt in a workspace, kept from session to session: a few kilobytes in the cache folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

from rest_lsp.config import DraftingOptions, Settings
from rest_lsp.drafting.calibration import Calibration
from rest_lsp.drafting.successors import SuccessorTable
from rest_lsp.drafting.tree_drafter import Experience
from rest_lsp.kept_json import write_whole

log = logging.getLogger(__name__)


def new_experience(options: DraftingOptions) -> Experience:
    """What drafters are allowed to learn, with nothing learnt yet."""
    return Experience(
        calibration=Calibration() if options.use_calibration else None,
        successors=SuccessorTable() if options.use_successors else None,
        cools_down=options.use_trust,
    )


def kept_experience(settings: Settings, workspace: Path | None, model: str) -> Experience:
    """As new, with the acceptance that earlier sessions of this workspace and model have seen."""
    experience = new_experience(settings.drafting)
    if experience.calibration and workspace:
        experience.calibration = _read(calibration_file(settings, workspace, model)) or experience.calibration
    return experience


def keep_experience(experience: Experience, settings: Settings, workspace: Path | None, model: str) -> None:
    """Write the acceptance down for the next session; a folder that cannot be written costs a message."""
    calibration = experience.calibration
    if not (calibration and calibration.observed and workspace):
        return
    path = calibration_file(settings, workspace, model)
    try:
        write_whole(path, calibration.to_json())
    except OSError as error:
        log.warning("What drafts taught cannot be kept in %s (%s); it is learnt anew.", path, error.strerror)


def calibration_file(settings: Settings, workspace: Path, model: str) -> Path:
    """Another file for each workspace and model."""
    digest = hashlib.blake2b(f"{model}\0".encode() + os.fsencode(workspace.resolve()), digest_size=8).hexdigest()
    return settings.model.cache_dir / "acceptance" / f"{digest}.json"


def _read(path: Path) -> Calibration | None:
    try:
        return Calibration.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError, IndexError):
        return None
