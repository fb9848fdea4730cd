"""Times on the command line: a duration before now, or an instant."""


def read_moment(text: str, now: int, option: str) -> int:
    """Return the instant that a duration before `now`, or an RFC 3339 time, names (nanoseconds UTC).

    Raises:
        UserError: it is neither.

    >>> read_moment("1s", 5_000_000_000, "--since")
    4000000000
    """
    from quantum_mlops.config.duration import parse_duration
    from quantum_mlops.errors import UserError
    from quantum_mlops.timestamps import parse_time

    try:
        return parse_time(text) if "T" in text else now - parse_duration(text)
    except ValueError as error:
        hint = "; write it like" if "T" in text else ", or a time like"
        raise UserError(f"{option}: {error}{hint} 2026-11-20T12:00:00Z") from error
