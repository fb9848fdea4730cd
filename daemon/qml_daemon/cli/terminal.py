"""Text on a terminal: colours only where a person looks."""

import os
import sys
from typing import TextIO

_CODES = {"red": "31", "yellow": "33", "green": "32", "blue": "34", "dim": "2", "bold": "1"}
SEVERITY_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}


def wants_colour(stream: TextIO | None = None) -> bool:
    """Return whether to colour: a terminal, and NO_COLOR (no-color.org) is not set."""
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, colour: str, *, on: bool | None = None) -> str:
    """Return the text in a colour, where colours are wanted."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if (wants_colour() if on is None else on) else text
