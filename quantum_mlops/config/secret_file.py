"""Secrets in files of their own: read where they are used, refused where other users can read them too."""

import os
import stat
from pathlib import Path

from quantum_mlops.errors import ConfigError

MAX_BYTES = 16 * 1024  # a signed token of an identity provider may be long


def read_secret(path: Path, key: str) -> str:
    """Return the one line in a secret's file. The secret stands in no error.

    `key` is the name of the setting, for the errors.

    Raises:
        ConfigError: it cannot be read, others may read or change it, or it holds no secret in one line.

    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path}: {error.strerror}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigError(
            f"{key}: {path} is open to other users (mode {mode:03o}); mend: chmod 600 {path}"
            "; where Kubernetes mounts it: defaultMode 0400 of the volume, and fsGroup if the container is not root's"
        )
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{key}: {path} is over {MAX_BYTES // 1024} KiB, this is no secret")
    try:
        secret = data.decode().strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: {path} is not UTF-8") from None
    if not secret or not secret.isprintable():
        raise ConfigError(f"{key}: {path} holds no secret in one line")
    return secret
