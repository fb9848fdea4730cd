"""Four providers, one shape: what is recorded of one circuit, and the page that shows it."""

import pytest

from quantum_mlops.events import short_name
from tests.golden.provider_jobs import PAGE, SHOTS, fields_of, page, record

# boto3 and Braket leave sockets and event loops to the garbage collector; the stand-in collects them when it stops.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

CREATED = {
    "job_id", "provider", "backend", "provider_job_id", "shots_requested", "executions", "circuits.identity",
    "circuits.width", "circuits.depth", "circuits.two_qubit_gates", "circuits.gate_counts",
}  # fmt: skip
COMPLETED = {"job_id", "provider", "backend", "shots_executed", "duration_seconds"}
MEASURED = {"job_id", "provider", "backend", "circuit", "registers.bits", "shots", "outcomes"}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return record(tmp_path_factory.mktemp("providers"))


def test_every_job_is_created_ends_and_is_measured_once(found):
    for name, events in found.items():
        kinds = [short_name(event.type) for event in events]
        assert [kinds.count(kind) for kind in ("job.created", "job.completed", "shots.measured")] == [1, 1, 1], name
        assert len({event.data.job_id for event in events}) == 1, name


@pytest.mark.parametrize(
    ("kind", "least"), [("job.created", CREATED), ("job.completed", COMPLETED), ("shots.measured", MEASURED)]
)
def test_events_have_one_shape(found, kind, least):
    for name, events in found.items():
        (event,) = [event for event in events if short_name(event.type) == kind]
        assert least <= set(fields_of(event)), name


def test_the_circuit_is_the_same_everywhere(found):
    identities = set()
    for events in found.values():
        (circuit,) = events[0].data.circuits
        identities.add(circuit.source_identity or circuit.identity)
    assert len(identities) == 1


def test_all_shots_are_there_in_one_order_of_bits(found):
    """The first qubit is turned the least, so its bit is 1 the most rarely: in every provider's own order."""
    for name, events in found.items():
        measured = next(event.data for event in events if short_name(event.type) == "shots.measured")
        counts = dict(zip(measured.outcomes.keys, measured.outcomes.counts, strict=True))
        assert sum(counts.values()) == pytest.approx(SHOTS, abs=4), name  # IonQ rounds probabilities
        ones = [sum(count for key, count in counts.items() if key >> bit & 1) for bit in range(4)]
        assert ones[0] < ones[3], (name, ones)


def test_the_page_shows_what_is_recorded(found):
    assert PAGE.read_text() == page(found), "make it anew: python -m tests.golden.provider_jobs"
