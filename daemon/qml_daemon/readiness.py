"""Tells systemd that the service is ready or stopping.

Source: systemd documentation, sd_notify(3), "Standalone implementations".
"""

import socket
from collections.abc import Mapping


def notify_systemd(environ: Mapping[str, str], state: str) -> bool:
    """Send `READY=1` or `STOPPING=1` to the socket in NOTIFY_SOCKET; False where there is none or it is gone."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.sendall(state.encode())
        except OSError:
            return False
    return True
