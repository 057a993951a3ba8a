"""Projects to measure: pinned source distributions, fetched with pip, verified, unpacked in the user's cache.

Knows where files come from, not what is measured in them.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rest_lsp.errors import RestLspError


class CorpusError(RestLspError):
    """A project cannot be fetched."""


@dataclass(frozen=True)
class Distribution:
    """A source distribution on the Python package index, pinned by the hash of its archive.

    `suffixes` are those of the files in which holes are cut.
    """

    name: str
    version: str
    sha256: str
    suffixes: tuple[str, ...] = (".py",)

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"


FLASK = Distribution("flask", "3.1.2", "bf656c15c80190ed628ad08cdfd3aaa35beb087855e2f494910aa3774cc4fd87")
PROJECTS = {
    project.name: project
    for project in (
        FLASK,
        Distribution("requests", "2.32.5", "dbba0bac56e100853db0ea71b82b4dfd5fe2bf6d3754a8893c3af500cec7d7cf"),
        Distribution("werkzeug", "3.1.3", "60723ce945c19328679790e3282cc758aa4a6040e4bb330f53d30fa546d44746"),
        Distribution("httpx", "0.28.1", "75e98c5f16b0f35b567856f597f06ff2270a374470a5c2392242528e3e3e42fc"),
        Distribution("psutil", "7.1.0", "655708b3c069387c8b77b072fc429a57d0e214221d01c0a772df7dfedcb3bcd2", (".c",)),
    )
}
"""Four in Python, and one in C.  None of them is among those that confidence in drafts is fitted to."""

FITTING = {
    project.name: project
    for project in (
        Distribution("jinja2", "3.1.6", "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d"),
        Distribution("click", "8.2.1", "27c491cc05d968d271d5a1db13e3b5a184636d9d930f148c50b038f0d0646202"),
        Distribution("attrs", "25.3.0", "75d7cefc7fb576747b2c81b4442d4d4a1ce0900973527c011d1030fd3bf4af1b"),
        Distribution("rich", "14.0.0", "82f1bc23a6a21ebca4ae0c45af9bdbc492ed20231dcb63f297d6d1021a9d5725"),
    )
}
"""Where `bench calibrate` fits; never to be measured."""

TESTING = {name: PROJECTS[name] for name in ("flask", "requests", "werkzeug")}
"""Where it tests what it has fitted."""


def fetch(distribution: Distribution, cache_dir: Path) -> Path:
    """The unpacked distribution, fetched unless it is in `cache_dir` already.  Raises CorpusError.

    It is unpacked beside its place and moved there when complete, so that a folder that exists is whole.
    """
    target = cache_dir / "corpora" / distribution.folder
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as name:
            scratch = Path(name)
            unpacked = unpack(download(distribution, scratch), scratch / "unpacked") / distribution.folder
            if not target.is_dir():
                shutil.move(unpacked, target)
    except OSError as error:
        raise CorpusError(
            f"{distribution.label} cannot be stored in {target.parent}: {error.strerror or error}.",
            "Choose a cache folder that can be written.",
        ) from error
    return target


def download(distribution: Distribution, folder: Path) -> Path:
    """The archive, its hash verified.  Raises CorpusError.

    pip asks the distribution's build backend for metadata even when it only downloads; the required hash makes sure
    that this never happens with an archive that is not the pinned one.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{distribution.name}=={distribution.version} --hash=sha256:{distribution.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", distribution.name, "--require-hashes", "--retries", "1"]
    command += ["--requirement", str(requirements), "--dest", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = sorted(folder.glob("*.tar.gz"))
    if result.returncode != 0 or not archives:
        reason = next((line for line in result.stderr.splitlines() if line.startswith("ERROR")), "no archive came")
        raise CorpusError(
            f"pip could not download {distribution.label} ({reason.removeprefix('ERROR:').strip(' .')}).",
            "Go online once, or measure a folder of your own with --workspace.",
        )
    verify(archives[0], distribution)
    return archives[0]


def verify(archive: Path, distribution: Distribution) -> None:
    """Raises CorpusError, and removes the archive, when its hash is not the pinned one."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != distribution.sha256:
        archive.unlink()
        raise CorpusError(
            f"The archive of {distribution.label} has the SHA-256 {found}, not the pinned one.",
            "Check the package index that pip uses, then try again.",
        )


def unpack(archive: Path, folder: Path) -> Path:
    """`folder` with the archive's files in it; members that would leave it are refused with CorpusError."""
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise CorpusError(f"The archive {archive.name} cannot be unpacked: {error}.", "Try again.") from error
    return folder
