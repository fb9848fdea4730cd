"""The daemon's own log on stderr: lines for people, or one JSON object a line for a log store."""

import logging
import sys
import traceback
from collections.abc import Callable
from typing import TextIO

import msgspec

from quantum_mlops.timestamps import format_time

_TEXT = "%(asctime)s %(levelname)s %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the error where there is one.

    >>> record = logging.LogRecord("q", logging.INFO, "f", 1, "%d gone", (3,), None)
    >>> record.created = 1.5
    >>> JsonFormatter().format(record)
    '{"time":"1970-01-01T00:00:01.500000000Z","level":"info","logger":"q","message":"3 gone"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": format_time(round(record.created * 1e6) * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        return msgspec.json.encode(line).decode()


def log_to_stderr(form: str, stream: TextIO = sys.stderr) -> Callable[[str], None]:
    """Set up logging for this process, `text` or `json`; return what says a line of the program itself."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    return (
        logging.getLogger("quantum_mlops").info if form == "json" else lambda text: print(text, file=stream, flush=True)
    )
