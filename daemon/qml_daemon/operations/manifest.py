"""What a backup says of itself, so that a restore can tell a whole one from a torn one."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from quantum_mlops.errors import UserError

NAME = "manifest.json"
FORMAT = 1
_PIECE_BYTES = 1024 * 1024


class BackedUpFile(Struct, frozen=True):
    """One file of a backup."""

    size_bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """A whole backup. `created` is nanoseconds UTC; `events` counts those ever written to the log, by its end."""

    format: int
    version: str
    created: int
    events: int
    files: dict[str, BackedUpFile]


def describe_file(path: Path) -> BackedUpFile:
    """Return size and hash of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return BackedUpFile(path.stat().st_size, digest.hexdigest())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it; what has no manifest is no backup."""
    (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a whole backup: every file is there and as it was.

    Raises:
        UserError: it is no backup, not whole, or of a newer version.

    """
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise UserError(f"{folder}: no backup, or one that did not finish ({NAME} is missing)") from None
    except msgspec.DecodeError as error:
        raise UserError(f"{folder / NAME}: cannot be read: {error}") from error
    if manifest.format > FORMAT:
        raise UserError(f"{folder}: made by quantum-mlops {manifest.version}, a newer one; restore it with that")
    for name, said in manifest.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise UserError(f"{path}: the backup is not whole, this file is missing")
        if describe_file(path) != said:
            raise UserError(f"{path}: the backup is damaged, the file is not as it was written")
    return manifest
