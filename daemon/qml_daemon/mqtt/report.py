"""What `doctor` says of `[mqtt]`, from what the running daemon wrote: connecting would take its place at the broker."""

from collections.abc import Iterator

from qml_daemon.shipping.report import Line
from qml_daemon.status import Status
from quantum_mlops.config.mqtt_address import parse_mqtt_address
from quantum_mlops.config.sections import Config


def report_bridge(config: Config, status: Status | None) -> Iterator[Line]:
    """Yield the lines; none where no broker is configured."""
    section = config.mqtt
    if section is None:
        return
    address = parse_mqtt_address(section.url, "mqtt.url")
    if section.password_file is not None and address.is_open:
        yield "mqtt", "note", f"the password for {address} travels unencrypted: use mqtts:// outside of this machine"
    if status is None or status.state != "ready":
        yield "mqtt", "note", f"{address}: the broker keeps what comes until the daemon runs"
        return
    stats = status.mqtt
    if stats is None or stats.url != str(address):
        yield "mqtt", "note", f"{address}: the running daemon has another configuration; quantum-mlops reload"
        return
    taken = f"{stats.events} events and {sum(stats.rejected.values())} dead letters since the daemon's start"
    if not stats.connected:
        yield "mqtt", "note", f"{address} {stats.fault}; {taken}"
    elif stats.sessions_lost:
        yield "mqtt", "note", f"{address}: {taken}; {stats.sessions_lost} times it had lost what it kept: persistence"
    else:
        yield "mqtt", "ok", f"{address}: {taken}"
