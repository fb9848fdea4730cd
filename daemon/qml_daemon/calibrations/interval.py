"""How often calibrations are read: devices are measured in hours, so once a minute is the most."""

from collections.abc import Iterator

from quantum_mlops.clock import SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.sections import Sections
from quantum_mlops.errors import UserError

LEAST_SECONDS = 60.0


def seconds_between(name: str, text: str) -> float:
    """Return the seconds between two readings; `name` is what the user gave them by.

    Raises:
        UserError: no duration, or one that is too short.

    """
    try:
        seconds = parse_duration(text) / SECOND
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error
    if seconds < LEAST_SECONDS:
        raise UserError(f"{name}: {text} is too often; calibrations change in hours, give 1m or more")
    return seconds


def check_calibrations(sections: Sections) -> Iterator[str]:
    """Yield a line where calibrations would be read too often; 0 is never."""
    text = sections.follower.calibrations
    try:
        if parse_duration(text):
            seconds_between("follower.calibrations", text)
    except ValueError:  # said with its place already
        return
    except UserError as error:
        yield f"{error}, or 0 for never"
