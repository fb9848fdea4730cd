"""The follower's own notices on stderr, without those of the SDKs in the same process."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OURS = "qml_daemon.following"


@contextmanager
def say_notices(form: str) -> Iterator[None]:
    """Write warnings and errors of the follower to stderr, in this form of `logging`."""
    logger = logging.getLogger(_OURS)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(form))
    logger.addHandler(handler)
    propagated, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
