"""Equal parts of decoded states are one object; nothing else of them changes."""

from msgspec import Struct, msgpack

from qml_processors.runner.sharing import Sharing


class Inner(Struct):
    """In a state."""

    name: str
    time: int
    low: float


class State(Struct):
    """A processor's."""

    run: str
    seen: int | None
    inner: Inner
    flag: bool = True
    values: list[str] = []


class Frozen(Struct, frozen=True):
    """Not to be changed."""

    run: str


def _decode(state: Struct) -> Struct:
    return msgpack.decode(msgpack.encode(state), type=type(state))


def test_two_decoded_states_share_their_strings_and_numbers() -> None:
    sharing = Sharing()
    made = State("run-1 of many", 1_700_000_000_000, Inner("loss of it", 1_700_000_000_001, -0.0))
    first, second = _decode(made), _decode(made)
    assert isinstance(first, State)
    assert isinstance(second, State)
    assert first.run is not second.run
    sharing.state(first)
    sharing.state(second)
    assert first.run is second.run
    assert first.seen is second.seen
    assert first.inner.name is second.inner.name
    assert first.inner.time is second.inner.time


def test_sharing_changes_no_byte_of_a_state() -> None:
    sharing = Sharing()
    for state in (
        State("a", 1, Inner("a", 0, 0.0)),
        State("a", None, Inner("b", 1, -0.0), flag=False),
        State("a", 0, Inner("b", 1, 1.0), values=["a"]),
        Frozen("a"),
    ):
        decoded = _decode(state)
        sharing.state(decoded)
        assert msgpack.encode(decoded) == msgpack.encode(state)


def test_a_frozen_state_stays_as_it_is() -> None:
    sharing = Sharing()
    sharing.text("a run of many")
    decoded = _decode(Frozen("a run of many"))
    assert isinstance(decoded, Frozen)
    own = decoded.run
    sharing.state(decoded)
    assert decoded.run is own
