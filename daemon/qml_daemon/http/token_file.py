"""The tokens file: TOML, one `[[tokens]]` each with name, project, scopes and the SHA-256 of the secret.

The secret itself is shown once, when it is made, and stored nowhere. The file is read again when it changed.
"""

import contextlib
import hashlib
import hmac
import logging
import os
import stat
import threading
import time
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from quantum_mlops.errors import ConfigError

Scope = Literal["ingest", "read", "admin"]
EVERY_PROJECT = "*"
MAX_BYTES = 1024 * 1024
EVENTS_PER_SECOND = 20_000
_LOOK_AGAIN_SECONDS = 1.0

_logger = logging.getLogger("quantum_mlops.http")


class Token(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may do what. `project` is stamped on its events and bounds what it reads; `*` is every project.

    `admin` includes `read`. `events_per_second` is what it may send, in bursts of two seconds' worth.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9_.-]+\Z")]
    project: Annotated[str, Meta(min_length=1, max_length=512)]
    scopes: list[Scope]
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    events_per_second: Annotated[int, Meta(ge=1)] = EVENTS_PER_SECOND

    def allows(self, scope: Scope) -> bool:
        """Return whether the token has the scope."""
        return scope in self.scopes or (scope == "read" and "admin" in self.scopes)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    tokens: list[Token] = []


class TokenFile:
    """The tokens in force. Thread-safe; looks at the file at most once a second.

    A file that was broken while the daemon runs leaves the earlier tokens in force, and is logged once.

    Raises:
        ConfigError: the file cannot be read, is no tokens file, or other users may read it.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._seen = _look(path)
        self._tokens = read_tokens(path)
        self._next_look = time.monotonic() + _LOOK_AGAIN_SECONDS
        self._fault: str | None = None

    def find(self, secret: str) -> Token | None:
        """Return the token of a secret. Takes the same time whichever it is, and whether there is one."""
        digest = hash_secret(secret)
        found = None
        for token in self.tokens():
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def tokens(self) -> list[Token]:
        """Return the tokens in force now."""
        with self._lock:
            if time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + _LOOK_AGAIN_SECONDS
                self._look_again()
            return self._tokens

    def _look_again(self) -> None:
        try:
            seen = _look(self.path)
            if seen == self._seen and self._fault is None:
                return
            self._tokens, self._seen, self._fault = read_tokens(self.path), seen, None
        except ConfigError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                _logger.error("%s; the tokens read before stay in force", error)  # noqa: TRY400 - a user's mistake
        else:
            _logger.info("%s: read again, %d tokens", self.path, len(self._tokens))


def hash_secret(secret: str) -> str:
    """Return what the file holds of a secret: its SHA-256 in hex. Secrets are random, so no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read_tokens(path: Path) -> list[Token]:
    """Return the tokens in a file.

    Raises:
        ConfigError: it cannot be read, other users may read or write it, or it is no tokens file.

    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"http.tokens_file: {path}: cannot be read: {error.strerror}; quantum-mlops token add makes it"
        ) from error
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigError(f"http.tokens_file: {path}: open to other users (mode {mode:03o}); mend: chmod 600 {path}")
    if len(data) > MAX_BYTES:
        raise ConfigError(f"http.tokens_file: {path}: over 1 MiB, this is no tokens file")
    try:
        tokens = msgspec.convert(tomllib.loads(data.decode()), _File).tokens
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, msgspec.ValidationError) as error:
        raise ConfigError(f"http.tokens_file: {path}: {error}") from error
    for known, what in (([token.name for token in tokens], "name"), ([token.sha256 for token in tokens], "sha256")):
        if len(set(known)) < len(known):
            raise ConfigError(f"http.tokens_file: {path}: two tokens have the same {what}")
    return tokens


def write_tokens(path: Path, tokens: list[Token]) -> None:
    """Replace the file; a reader sees the old one or the new one. A new file has mode 600, an old one keeps its own.

    Raises:
        OSError: the disk refuses.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    parts = ["# Tokens of quantum-mlops, kept by `quantum-mlops token`. Only the SHA-256 of each secret is here.\n"]
    for token in tokens:
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in msgspec.to_builtins(token).items()]
        parts.append("\n".join(["[[tokens]]", *lines, ""]))  # JSON texts, lists and numbers are TOML as well
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))
        _keep_access(path, file.fileno())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _keep_access(path: Path, handle: int) -> None:
    """Give the file behind `handle` owner and mode of `path`: the daemon may be another user than who keeps it."""
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):  # not ours to give; the mode above stays
            os.fchown(handle, old.st_uid, old.st_gid)


def _look(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(
            f"http.tokens_file: {path}: cannot be read: {error.strerror}; quantum-mlops token add makes it"
        ) from error
    return (found.st_ino, found.st_mtime_ns, found.st_mode)
