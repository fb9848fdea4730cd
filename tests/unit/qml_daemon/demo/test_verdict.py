"""The demo's verdict: when it went as it must."""

import pytest

from qml_daemon.demo.verdict import judge
from qml_daemon.demo.watcher import Canary, Seen
from quantum_mlops.events import Event, Evidence, FindingChanged, type_name

TEXTS = {"FIRING": {"text": "[FIRING] x"}, "RESOLVED": {"text": "[RESOLVED] x"}}


def finding(change: str, canary: int) -> Event:
    evidence = Evidence(events=[("s", str(number)) for number in range(canary - 1, canary + 1)])
    data = FindingChanged(
        finding_id="f", transition=0, rule="CircuitDrift", series="x", severity="critical", evidence=evidence
    )
    return Event(id="1", source="d", type=type_name(f"finding.{change}"), time=0, partitionkey="iris", data=data)


def seen(*findings: Event, told: str = "", change: int | None = 100) -> Seen:
    canaries = [Canary(("s", str(n)), "k2" if change is not None and n >= change else "k1") for n in range(140)]
    return Seen(canaries=canaries, findings=list(findings), messages=[TEXTS[word] for word in told.split()])


ROWS = [
    ("a found change that was told and resolved", seen(finding("opened", 101), finding("closed", 130), told="FIRING RESOLVED"), 0.09, True),
    ("a found change that still fires", seen(finding("opened", 101), told="FIRING"), 0.09, True),
    ("a clear change that was not found", seen(), 0.09, False),
    ("a change below the minimum effect", seen(), 0.03, True),
    ("a change too near to call", seen(), 0.055, True),
    ("an alert on a change below the minimum effect", seen(finding("opened", 101), told="FIRING"), 0.03, False),
    ("silence where nothing changed", seen(change=None), None, True),
    ("an alert where nothing changed", seen(finding("opened", 50), told="FIRING", change=None), None, False),
    ("an alert before the change", seen(finding("opened", 50), told="FIRING"), 0.09, False),
    ("a message that did not arrive", seen(finding("opened", 101)), 0.09, False),
    ("an end that did not arrive", seen(finding("opened", 101), finding("closed", 130), told="FIRING"), 0.09, False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "effect", "right"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_verdict_on(what: Seen, effect: float | None, right: bool) -> None:
    assert judge(what, effect).is_right is right
