"""`quantum-mlops silence add | list | expire`."""

import os
from typing import Annotated, Any

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make alerts quiet for a while.")


@app.command("add")
def add_silence(
    matchers: Annotated[list[str], typer.Argument(metavar="MATCHER...", help="All must hold, as in routes.")],
    lasts: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long.")] = "2h",
    comment: Annotated[str, typer.Option("--comment", help="Why, for the others.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do not tell alerts that match, for a while. They still fire, and are told if they do so afterwards.

    \b
    Examples:
      quantum-mlops silence add 'backend="ibm_hanoi"' --for 8h --comment "maintenance until noon"
      quantum-mlops silence add 'rule="CircuitDrift"' 'qubits=~"0-.*"'
    """
    import getpass

    body = {"matchers": matchers, "for": lasts, "comment": comment, "created_by": getpass.getuser()}
    silence = _call(config, "POST", "/api/v1/silences", body)
    if as_json:
        _print_json(silence)
    else:
        print(_line(silence))
        print(_effect(config, matchers))
        print(f"end it: quantum-mlops silence expire {silence['id']}")


@app.command("list")
def list_silences(
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones of the last days too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List silences, the one that ends last first.

    \b
    Examples:
      quantum-mlops silence list
      quantum-mlops silence list --all --json
    """
    found = [
        one
        for one in _call(config, "GET", "/api/v1/silences")["silences"]
        if everything or one["state"] != "expired"
    ]  # fmt: skip
    if as_json:
        _print_json(found)
        return
    for one in found:
        print(_line(one))
    print(f"{len(found)} silence{'' if len(found) == 1 else 's'}")


@app.command("expire")
def expire_silence(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="As `silence list` shows it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a silence now.

    \b
    Example:
      quantum-mlops silence expire 3f2a91c04b7e
    """
    from urllib.parse import quote

    silence = _call(config, "DELETE", f"/api/v1/silences/{quote(silence_id, safe='')}")
    if as_json:
        _print_json(silence)
    else:
        print(_line(silence))


def _effect(config: Any, texts: list[str]) -> str:
    """Say which firing alerts the matchers take: one that takes none is often a slip."""
    from qml_daemon.configuration import read_config
    from qml_daemon.firing import read_alerts
    from qml_daemon.places import OUTBOX
    from qml_daemon.plain_text import safe
    from quantum_mlops.config.matcher import matches, parse_matcher
    from quantum_mlops.errors import QuantumMlopsError

    try:
        alerts = read_alerts(read_config(config, os.environ).state_dir / OUTBOX)
    except QuantumMlopsError as error:  # the silence is in force all the same
        return f"which alerts it takes cannot be told here: {error}"
    firing = [one for one in alerts if one.status == "firing"]
    if not firing:
        return "no alert fires now"
    matchers = [parse_matcher(text) for text in texts]
    taken = [one for one in firing if all(matches(each, one.routing_labels) for each in matchers)]
    if taken:
        return f"it takes {len(taken)} of the {len(firing)} alerts that fire now"
    rules = ", ".join(sorted({one.rule for one in firing}))
    return safe(f"note: it takes none of the {len(firing)} alerts that fire now ({rules})")


def _call(config: Any, method: str, path: str, body: object = None) -> Any:
    from qml_daemon.cli.api import call_daemon
    from qml_daemon.configuration import read_config

    return call_daemon(read_config(config, os.environ), method, path, body)


def _line(silence: dict[str, Any]) -> str:
    from qml_daemon.plain_text import safe

    who = f" by {silence['created_by']}" if silence["created_by"] else ""
    why = f": {silence['comment']}" if silence["comment"] else ""
    return safe(
        f"{silence['id']} {silence['state']} {' '.join(silence['matchers'])}"
        f" until {silence['ends'][:16].replace('T', ' ')} UTC{who}{why}"
    )


def _print_json(value: object) -> None:
    import msgspec

    print(msgspec.json.encode(value).decode())
