"""One reference execution as counts of outcomes."""

from quantum_mlops.events import Event, Outcomes, ShotsMeasured

Counts = dict[str, int]


def series_of(event: Event) -> str | None:
    """Return the series of a reference execution that can be charted, else None.

    Plain training shots move by design and have no series; expectation values carry no outcomes.
    """
    data = event.data
    if not isinstance(data, ShotsMeasured) or data.reference not in {"canary", "frozen"}:
        return None
    if data.outcomes is None and data.statistics is None:
        return None
    qubits = "-".join(map(str, data.footprint.qubits)) if data.footprint else "unknown"
    return f"{data.backend}/{qubits}/{data.circuit}/{data.parameters or '-'}/{data.reference}"


def counts_of(data: ShotsMeasured) -> tuple[Counts, int]:
    """Return counts by outcome (hex text of the packed key) and the shots outside them."""
    if data.outcomes is not None:
        return _unpack(data.outcomes), 0
    if data.statistics is not None:
        return _unpack(data.statistics.top), data.statistics.rest
    return {}, 0


def _unpack(outcomes: Outcomes) -> Counts:
    width = max(1, (outcomes.bits + 7) // 8)
    keys = outcomes.keys.hex()
    step = 2 * width
    return {
        keys[start : start + step]: count
        for start, count in zip(range(0, len(keys), step), outcomes.counts, strict=False)
    }
