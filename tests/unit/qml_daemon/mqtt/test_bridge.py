"""The bridge against a real mosquitto: what is acknowledged is in the log, what is not comes again."""

import asyncio
import shutil
import socket
import threading

import aiomqtt
import pytest

from qml_processors.runner.runner import Runner, own_processors
from quantum_mlops.codec import decode, encode
from quantum_mlops.errors import EventTooLargeError, LogError, RetryableError
from quantum_mlops.events import Event, Tick
from tests.mosquitto import DAEMON, PASSWORDS, make_authority
from tests.waiting import wait_for

SOURCE = "qml://lab/0123456789ab/0"
NOW = 1_800_000_000_000_000_000
pytestmark = pytest.mark.system_tool("mosquitto")


def numbers(house):
    return sorted({int(number) for _, number in house.events()})


def test_events_arrive_in_order_and_are_counted(house, emitter, metric):
    bridge = house.open_connected()
    assert emitter().post([metric(number) for number in range(300)]) == []
    wait_for(lambda: bridge.stats().events == 300, "they are counted")
    assert house.events() == [("iris", str(number)) for number in range(300)]
    assert house.letters() == []
    assert (bridge.stats().messages, bridge.stats().rejected, bridge.stats().fault) == (300, {}, None)


def test_an_event_is_its_topics_whatever_it_says(house, publish, metric):
    house.open_connected()
    assert publish("iris", [("qml/v1/iris/events", metric(1, project="wine"))]) == [0]
    wait_for(house.events, "the event is in the log")
    assert house.events() == [("iris", "1")]


def test_nothing_is_acknowledged_before_the_log_has_it(make_house, emitter, metric):
    first = make_house()
    bridge = first.open_connected()
    first.is_stuck = True
    emitter().post([metric(number) for number in range(50)])
    wait_for(lambda: bridge.stats().messages, "messages are received")
    first.inbox.close()  # the daemon ends without its log
    bridge.close(20)
    second = make_house()
    second.open_connected()
    wait_for(lambda: len(second.events()) >= 50, "what was not acknowledged came again")
    assert numbers(second) == list(range(50))
    assert first.events() == []


def test_a_log_that_stands_still_holds_the_broker_back(house, emitter, metric):
    bridge = house.open_connected(receive_maximum=10)
    house.is_stuck = True
    emitter().post([metric(number) for number in range(200)])
    wait_for(lambda: bridge.stats().waiting, "messages wait")
    assert bridge.stats().messages <= 10
    house.is_stuck = False
    wait_for(lambda: len(house.events()) == 200, "the rest came")
    assert numbers(house) == list(range(200))


def test_a_log_that_fails_is_tried_again(house, emitter, metric, monkeypatch):
    house.open_connected()
    append, faults = house.log.append, [LogError("the disk is full")]

    def fail(events, **more):
        if faults:
            raise faults.pop()
        append(events, **more)

    monkeypatch.setattr(house.log, "append", fail)
    emitter().post([metric(1)])
    wait_for(house.events, "the event is in the log")
    assert (house.events(), faults) == ([("iris", "1")], [])


def test_an_event_that_only_the_log_refuses_is_a_dead_letter(house, publish, metric, monkeypatch):
    bridge = house.open_connected()
    append, seen = house.log.append, []

    def refuse(events, **more):
        if not seen:
            seen.append(len(events))
            raise EventTooLargeError(70_000, 65_536)
        append(events, **more)

    monkeypatch.setattr(house.log, "append", refuse)
    publish("iris", [("qml/v1/iris/events", metric(1))])
    wait_for(house.events, "tried one by one, it is taken")
    wait_for(lambda: bridge.stats().events == 1, "it is counted once")


def test_what_is_no_event_becomes_a_dead_letter_with_the_reason_and_the_rest_goes_on(house, publish, metric):
    bridge = house.open_connected()
    deep = b'{"data":' + b"[" * 40 + b"]" * 40 + b"}"
    reserved = encode(
        Event(id="3", source="lab", type="quantum_mlops.tick.v1", time=NOW, partitionkey="p", data=Tick())
    )
    old = metric(4, time=1, project="wine")
    large = metric(5, source="x" * 70_000)
    payloads = [b"", b"\xff\xfe no json", b'{"id": "1"}', deep, reserved, old, large, metric(6)]
    assert publish("iris", [("qml/v1/iris/events", payload) for payload in payloads]) == [0] * len(payloads)
    wait_for(house.events, "the good one is in the log")
    assert house.events() == [("iris", "6")]
    letters = house.letters()
    assert [one.origin for one in letters] == ["mqtt"] * 7
    reasons = [one.reason for one in letters]
    assert "nested deeper than 32 levels" in reasons[3]
    assert "is made by the service itself" in reasons[4]
    assert "check the sender's clock" in reasons[5]
    assert "over the limit of 65536 bytes" in reasons[6]
    assert [one.data for one in letters[:4]] == payloads[:4]
    assert decode(letters[5].data).project == "iris"  # put back in it goes to no project but its topic's
    rejected = {"malformed": 3, "too_deep": 1, "reserved_type": 1, "time": 1, "too_large": 1}
    wait_for(lambda: bridge.stats().rejected == rejected, "they are counted, after the log has them")


def test_a_topic_in_another_spelling_is_a_dead_letter(house, publish, metric, mosquitto):
    (mosquitto.folder / "acl").write_text("pattern readwrite #\n")
    mosquitto.end()
    mosquitto.start()
    house.open_connected()
    publish("iris", [("qml/v1/%69ris/events", metric(1)), ("qml/v1/a%2Fb/events", metric(2))])
    wait_for(house.events, "the good one is in the log")
    assert house.events() == [("a/b", "2")]
    (letter,) = house.letters()
    assert letter.reason == "no project writes its topic like 'qml/v1/%69ris/events'"
    assert letter.key == ("lab", "1")


def test_a_broker_that_is_killed_again_and_again_loses_nothing(house, emitter, metric, mosquitto):
    bridge = house.open_connected(receive_maximum=20_000)  # it keeps up, however busy this machine is
    client, sent, ends = emitter(), 0, threading.Event()

    def publish_on():
        nonlocal sent
        while not ends.is_set():
            batch = [metric(0, SOURCE, id=f"{number:016x}") for number in range(sent, sent + 200)]
            try:
                client.post(batch)
            except RetryableError:
                ends.wait(0.02)
                continue
            sent += 200

    thread = threading.Thread(target=publish_on)
    thread.start()
    try:
        for _ in range(3):
            before, connections = sent, bridge.stats().connections
            wait_for(lambda: sent >= before + 400, "messages are published")  # noqa: B023 - called at once
            mosquitto.kill()
            mosquitto.start()
            wait_for(lambda: bridge.stats().connections > connections, "the bridge is back")  # noqa: B023
    finally:
        ends.set()
        thread.join()
    wait_for(
        lambda: {int(number, 16) for _, number in house.events()} >= set(range(sent)),
        "every acknowledged event is in the log",
    )
    runner = Runner(house.log, own_processors())
    runner.open(0)
    while runner.process_batch():
        pass
    (partition,) = runner.stats().partitions
    counts = partition.counts
    # Some of a last batch that was not acknowledged may still come.
    found = [int(number, 16) for _, number in house.events()[: counts.events + counts.duplicates]]
    assert set(found) >= set(range(sent))
    assert counts.events == len(set(found))  # what came twice has effect once
    assert house.letters() == []


def test_a_daemon_that_is_away_finds_what_came_meanwhile(make_house, emitter, metric, mosquitto):
    first = make_house()
    bridge = first.open_connected()
    first.inbox.close()
    bridge.close(20)
    client = emitter()
    for start in range(0, 3000, 1000):
        client.post([metric(number) for number in range(start, start + 1000)])
    mosquitto.end()
    mosquitto.start()
    second = make_house()
    second.open_connected()
    wait_for(lambda: len(second.events()) == 3000, "the broker kept them, over its restart, too")
    assert second.events() == [("iris", str(number)) for number in range(3000)]


def test_a_broker_that_comes_back_empty_is_counted_and_subscribed_anew(house, emitter, metric, mosquitto):
    bridge = house.open_connected()
    mosquitto.kill()
    shutil.rmtree(mosquitto.folder / "state")
    (mosquitto.folder / "state").mkdir()
    mosquitto.start()
    wait_for(lambda: bridge.stats().sessions_lost == 1, "the loss is seen")
    emitter().post([metric(1)])
    wait_for(house.events, "events come again")


def test_tls_with_an_authority_of_ones_own(house, mosquitto):
    bridge = house.open_connected(url=mosquitto.tls_url, ca_file=str(mosquitto.ca_file))
    assert bridge.stats().fault is None


def test_what_keeps_it_out_is_said_with_the_setting_to_check(house, tmp_path, mosquitto):
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password")
    wrong.chmod(0o600)
    other, _, _ = make_authority(tmp_path / "other")
    bridges = [
        house.open_bridge(password_file=str(wrong)),
        house.open_bridge(url=mosquitto.tls_url, ca_file=str(other)),
        house.open_bridge(url=f"mqtt://127.0.0.1:{mosquitto.tls_port}"),
        house.open_bridge(topics=["qml/v1/+/events", "qml/v1/wine/events"], user="iris", password_file=str(_password(tmp_path))),
    ]  # fmt: skip
    wait_for(lambda: all(one.stats().fault != "not connected yet" for one in bridges[:3]), "they were tried")
    faults = [one.stats().fault for one in bridges]
    assert faults[0] == "refuses the user or the password: check mqtt.user and mqtt.password_file"
    assert faults[1].startswith("has a certificate that does not verify")
    assert faults[1].endswith("check mqtt.ca_file")
    assert faults[2].startswith("closed the connection; where that stays so the port may be for the other one")
    assert "not-the-password" not in "".join(map(str, faults))


def _password(folder):
    path = folder / "of-iris"
    path.write_text("of-the-iris")
    path.chmod(0o600)
    return path


def test_two_daemons_of_one_name_say_so(house, make_house):
    first = house.open_connected()
    second = make_house().open_connected()
    wait_for(
        lambda: "own mqtt.client_id, here it is house" in f"{first.stats().fault} {second.stats().fault}",
        "one was thrown out",
    )


def test_messages_without_acknowledgement_are_taken_while_there_is_room(house, mosquitto, publish, metric):
    bridge = house.open_connected()
    house.is_stuck = True
    asyncio.run(_flood(mosquitto, [metric(number) for number in range(1500)]))
    wait_for(lambda: bridge.stats().waiting, "messages wait")
    house.is_stuck = False
    publish("iris", [("qml/v1/iris/events", metric(9999))])
    wait_for(lambda: 9999 in numbers(house), "what is to be acknowledged is taken all the same")
    wait_for(lambda: bridge.stats().events + bridge.stats().dropped == 1501, "each is stored or counted")
    assert bridge.stats().events == len(house.events())


async def _flood(mosquitto, payloads):
    environ = mosquitto.environ()
    async with aiomqtt.Client(
        "127.0.0.1", mosquitto.port, username="iris", password=environ["QML_MQTT_PASSWORD"],
        protocol=aiomqtt.ProtocolVersion.V5, max_queued_outgoing_messages=0,
    ) as client:  # fmt: skip
        for payload in payloads:
            await client.publish("qml/v1/iris/events", payload, qos=0)


def test_a_broker_that_says_nothing_does_not_keep_the_daemon_from_ending(house):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bridge = house.open_bridge(url=f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1) == b"\x10"
            assert bridge.close(2)
            assert not bridge.is_serving


def test_a_password_file_that_is_gone_is_said_and_found_when_it_is_back(house, tmp_path):
    bridge = house.open_bridge(password_file=str(tmp_path / "later"))
    wait_for(lambda: "mqtt.password_file: cannot read" in f"{bridge.stats().fault}", "it is said")
    (tmp_path / "later").write_text(PASSWORDS[DAEMON])
    (tmp_path / "later").chmod(0o600)
    wait_for(lambda: bridge.stats().connected, "it is found")
