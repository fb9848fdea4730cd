"""The bundle of a finding: what fits, what is left out, what an older version's state becomes."""

import base64

import msgspec
import pytest

from qml_processors.base import Finding, unpack_state
from qml_processors.runner import replay
from qml_processors.runner.bundle import MAX_BUNDLE_BYTES, MAX_STATE_BYTES, reproduce, unpack
from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.errors import DecodeError, StateTooNewError


class HeavyState(msgspec.Struct):
    weight: bytes = b""
    seen: int = 0


@pytest.fixture
def heavy(bench):
    def heavy(state_bytes, text_bytes=0):
        """Return the notice of a processor whose state before the step has exactly this many bytes."""

        class Heavy(bench.Toy):
            name = "heavy"
            state = HeavyState

            def apply(self, state, event, rules):
                state.seen += 1
                if state.seen == 1:
                    state.weight = fit(state, state_bytes)
                    return ()
                return (Finding(transition="notice", rule="Heavy", annotations={"text": "x" * text_bytes}),)

            def migrate(self, raw, from_version):
                return unpack_state(self, raw, from_version)

        story = bench.story()
        story.play([bench.Op("metric", wait=1), bench.Op("metric", wait=1)])
        (event,) = replay(story.log, [Heavy()]).findings
        return event, Heavy()

    return heavy


def fit(state, state_bytes):
    bare = len(msgspec.msgpack.encode(HeavyState(b"\0" * 1000, state.seen))) - 1000
    return bytes(state_bytes - bare)


def test_a_state_of_24_kib_fits_and_one_byte_more_does_not(heavy):
    event, processor = heavy(MAX_STATE_BYTES)
    bundle = unpack(event.data.evidence.bundle)
    assert len(base64.b64decode(bundle.state)) == MAX_STATE_BYTES == 24 * 1024
    assert len(event.data.evidence.bundle) < MAX_BUNDLE_BYTES
    assert len(encode(event)) < MAX_EVENT_BYTES
    assert [output.rule for output in reproduce(bundle, processor)] == ["Heavy"]
    assert heavy(MAX_STATE_BYTES + 1)[0].data.evidence.bundle is None


def test_a_finding_that_says_too_much_for_its_bundle_is_sent_without_it(heavy):
    said = heavy(MAX_STATE_BYTES, 20_000)[0]
    assert said.data.evidence.bundle is not None
    assert len(encode(said)) <= MAX_EVENT_BYTES
    said = heavy(MAX_STATE_BYTES, 40_000)[0]
    assert said.data.evidence.bundle is None
    assert len(said.data.annotations["text"]) == 40_000


def test_a_state_of_an_older_version_is_migrated_and_one_of_a_newer_is_refused(heavy):
    event, processor = heavy(1000)
    bundle = unpack(event.data.evidence.bundle)
    processor.version = 2
    assert [output.rule for output in reproduce(bundle, processor)] == ["Heavy"]
    with pytest.raises(StateTooNewError):
        reproduce(msgspec.structs.replace(bundle, version=3), processor)


@pytest.mark.parametrize("state", ["!", "AAA", base64.b64encode(b"\xc1").decode()])
def test_a_state_that_is_none_is_one_clear_error(heavy, state):
    event, processor = heavy(1000)
    bundle = msgspec.structs.replace(unpack(event.data.evidence.bundle), state=state)
    with pytest.raises(DecodeError, match="its state"):
        reproduce(bundle, processor)
