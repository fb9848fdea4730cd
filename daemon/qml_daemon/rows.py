"""An alert's numbers, annotations and lists as lines of text. Generic: it knows no rule by name."""

from collections.abc import Iterator, Mapping

MOST_ROWS = 5
_HEAD = ("name", "qubits", "wires")
_SHOWN_ELSEWHERE = {"summary", "description"}


def title(name: str) -> str:
    """Return a key as a person reads it.

    >>> title("changed_calibrations")
    'Changed calibrations'
    """
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def number(value: float) -> str:
    """Return four digits of a number, whole numbers as such.

    >>> number(0.0961234), number(4096.0)
    ('0.09612', '4096')
    """
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"  # noqa: PLR2004 - exact in a float


def value_rows(values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each value; `x`, `x_low` and `x_high` make one row with an interval.

    >>> list(value_rows({"hellinger": 0.1, "hellinger_low": 0.08, "hellinger_high": 0.12}))
    [('Hellinger', '0.1 (0.08 to 0.12)')]
    """
    for name, value in values.items():
        stem = name.removesuffix("_low").removesuffix("_high")
        if stem != name and stem in values:
            continue
        low, high = values.get(f"{name}_low"), values.get(f"{name}_high")
        interval = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
        yield title(name), number(value) + interval


def annotation_rows(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of the annotations beside summary and description."""
    for name, text in annotations.items():
        if name not in _SHOWN_ELSEWHERE and text:
            yield title(name), text


def detail_row(row: Mapping[str, str]) -> str:
    """Return one entry of a list; a change reads as one.

    >>> detail_row({"name": "cx_error", "qubits": "2-3", "before": "0.0089", "after": "0.0309", "change": "x3.5"})
    'cx_error 2-3: 0.0089 → 0.0309 (x3.5)'
    >>> detail_row({"name": "ibm_hanoi", "jobs": "3"})
    'ibm_hanoi: jobs 3'
    """
    rest = dict(row)
    head = " ".join(text for text in (rest.pop(name, "") for name in _HEAD) if text)
    parts = []
    if "before" in rest and "after" in rest:
        change = rest.pop("change", "")
        parts.append(f"{rest.pop('before')} → {rest.pop('after')}" + (f" ({change})" if change else ""))
    parts += [f"{name.replace('_', ' ')} {text}" for name, text in rest.items() if text]
    return f"{head}: {', '.join(parts)}" if head and parts else head or ", ".join(parts)
