"""Durations as a person reads them."""

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def duration_text(seconds: float) -> str:
    """Return at most two units, the smaller cut off.

    >>> duration_text(7_830.0), duration_text(59.6), duration_text(0.25), duration_text(172_800.0)
    ('2 h 10 min', '60 s', '0.25 s', '2 d')
    """
    if seconds < _UNITS[-1][1]:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - two digits
    left = int(seconds)
    parts = []
    for name, size in (*_UNITS, ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
        if len(parts) == 2:  # noqa: PLR2004 - two units
            break
    return " ".join(parts)
