"""`quantum-mlops receivers test`."""

import os
import time
from typing import Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

app = typer.Typer(help="The receivers of alerts.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _receivers() -> None:
    """Work with the receivers of alerts."""


@app.command("test")
def try_receivers(
    name: Annotated[
        str | None, typer.Argument(help="A receiver; all where it is left out.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Send a test message to receivers, past the daemon and its outbox; exit code 1 if one did not take it.

    \b
    Examples:
      quantum-mlops receivers test
      quantum-mlops receivers test team
      quantum-mlops receivers test --json
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.notifiers.plugins import build_notifiers, load_kinds
    from qml_daemon.notifiers.trial import trial_notification
    from quantum_mlops.config.keys import suggest
    from quantum_mlops.errors import ConfigError, DeliveryError

    found = read_config(config, os.environ)
    if name is not None and name not in found.receivers:
        raise ConfigError(f"no receiver is called {name!r}{suggest(name, list(found.receivers))}")
    tried: list[dict[str, str | None]] = []
    for (receiver, kind), notifier in build_notifiers(found, load_kinds()).items():
        if name not in (None, receiver):
            continue
        reason = None
        try:
            notifier.send([trial_notification(receiver, time.time_ns())])
        except DeliveryError as error:
            reason = str(error)
        finally:
            notifier.close()
        tried.append({"receiver": receiver, "kind": kind, "error": reason})
        if not as_json:
            print(f"{receiver} ({kind}): {'ok' if reason is None else f'failed: {reason}'}", flush=True)
    if as_json:
        import json

        print(json.dumps(tried))
    return 0 if all(one["error"] is None for one in tried) else 1
