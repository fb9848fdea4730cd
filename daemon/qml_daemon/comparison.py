"""What a replay of the log derives, against what the log holds, finding by finding."""

from typing import Literal

from msgspec import Struct, structs

from qml_daemon.history import LogReader, read_records
from qml_daemon.spanned_log import WHOLE, Span, SpannedLog
from qml_processors.runner import load_processors, replay
from quantum_mlops import codec
from quantum_mlops.events import Event, FindingChanged, short_name
from quantum_mlops.transports.base import Stream

Verdict = Literal["same", "different", "only in the log", "only in the replay"]


class Transition(Struct, frozen=True, kw_only=True):
    """One transition of a finding. `time` is nanoseconds UTC."""

    finding_id: str
    transition: int
    change: str
    rule: str
    time: int
    verdict: Verdict


class Comparison(Struct, frozen=True, kw_only=True):
    """All transitions from `since` on, in the order of time, and how many events were replayed."""

    events: int
    is_identical: bool
    transitions: list[Transition]


def compare_replay(reader: LogReader, span: Span = WHOLE) -> Comparison:
    """Replay the log and compare the transitions of a span byte by byte; writes and sends nothing.

    `ingestedtime` is the log's and left out.

    Raises:
        LogError: the log fails.

    """
    replayed = replay(SpannedLog(reader, span), load_processors())
    again = {event.key: event for event in replayed.findings}
    stored = {
        record.event.key: record.event
        for record in read_records(reader, Stream.FINDINGS)
        if isinstance(record.event, Event)
    }
    transitions = []
    for key in dict.fromkeys([*stored, *again]):
        event = stored.get(key) or again[key]
        if span.since <= event.time < span.until and isinstance(event.data, FindingChanged):
            transitions.append(_judge(event, event.data, stored.get(key), again.get(key)))
    return Comparison(
        events=sum(counts.events for counts in replayed.counts),
        is_identical=all(one.verdict == "same" for one in transitions),
        transitions=sorted(transitions, key=lambda one: (one.time, one.finding_id, one.transition)),
    )


def _judge(event: Event, data: FindingChanged, stored: Event | None, again: Event | None) -> Transition:
    verdict: Verdict = "different"
    if stored is None:
        verdict = "only in the replay"
    elif again is None:
        verdict = "only in the log"
    elif codec.encode(structs.replace(stored, ingestedtime=None)) == codec.encode(again):
        verdict = "same"
    return Transition(
        finding_id=data.finding_id,
        transition=data.transition,
        change=(short_name(event.type) or "").removeprefix("finding."),
        rule=data.rule,
        time=event.time,
        verdict=verdict,
    )
