"""Notices of the follower and of the calibrations on stderr, without those of the SDKs in the same process."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OURS = ("qml_daemon.following", "qml_daemon.calibrations")


@contextmanager
def say_notices(form: str) -> Iterator[None]:
    """Write our warnings and errors to stderr, in this form of `logging`."""
    loggers = [logging.getLogger(name) for name in _OURS]
    propagated = [logger.propagate for logger in loggers]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(form))
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, before in zip(loggers, propagated, strict=True):
            logger.removeHandler(handler)
            logger.propagate = before
