"""Starts the shipper of one recorder, where its target is a service, and says at the end what is left."""

import contextlib
import os
import random
import time
from pathlib import Path

from quantum_mlops.sdk.notice import Notices, describe, say
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.shipping.address import Credential, parse_address
from quantum_mlops.shipping.client import Client
from quantum_mlops.shipping.heads import ProcessSource, list_segments
from quantum_mlops.shipping.shipment import Shipment
from quantum_mlops.shipping.shipper import Shipper


def start_shipper(settings: Settings, nonce: str, notices: Notices) -> Shipper | None:
    """Return the running shipper of a process; None, with one line on stderr, where there can be none."""
    if settings.target is None:
        return None
    folder = Path(settings.spool)
    try:
        address = parse_address(settings.target)
        credential = Credential(os.environ)
        if address.scheme == "http" and not address.is_loopback and credential.is_set:
            say(f"the token for {address} travels unencrypted: use https:// outside of this machine")
        source = ProcessSource(folder, nonce)
        client = Client(address, credential)
        shipment = Shipment(folder, client, time.time_ns, notices.again)
        shipper = Shipper(source, shipment, client, notices.again, random.random)
        shipper.start()
    except (OSError, RuntimeError) as error:
        say(f"nothing is sent to {settings.target} by this process: {describe(error)}; events stay in {folder}")
        return None
    return shipper


def finish_shipper(shipper: Shipper | None, settings: Settings, *, ended: bool) -> int:
    """Ship what is left for at most `flush_seconds`; then say how much stays, where, and how to send it.

    `ended` says that the spool is closed. Returns the bytes that stay. Never raises.
    """
    if settings.target is None:
        return 0
    folder = Path(settings.spool)
    left = 0
    if shipper is not None:
        left = shipper.finish(settings.flush_seconds, ended=ended)
    else:
        with contextlib.suppress(OSError):  # why nothing is sent was said at the start
            left = sum(size for _, size in list_segments(folder))
    if left:
        why = f" ({shipper.trouble})" if shipper is not None and shipper.trouble is not None else ""
        size = f"{left / 1024:.0f} KiB" if left < 1024**2 else f"{left / 1024**2:.1f} MiB"
        say(
            f"{size} of events are not at {settings.target} yet{why}; they are kept in {folder}; to send them: "
            f"quantum-mlops ship --once --spool {folder} --target {settings.target}"
        )
    return left
