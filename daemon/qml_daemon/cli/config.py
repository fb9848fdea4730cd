"""`quantum-mlops config check`."""

import os

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

app = typer.Typer(help="The configuration.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _config() -> None:
    """Look at the configuration."""


@app.command("check")
def check_config(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration, with the environment overlay; every mistake with its place, exit code 2.

    \b
    A note tells what is no mistake and yet has no effect: a label to group by that no alert has, a receiver without
    a route. The exit code is 0.

    \b
    Examples:
      quantum-mlops config check
      quantum-mlops config check --config quantum-mlops.toml
      quantum-mlops config check --json
    """
    from qml_daemon.advice import advise
    from qml_daemon.configuration import read_config
    from qml_daemon.notifiers.plugins import build_notifiers, load_kinds
    from qml_processors.runner import load_processors

    found = read_config(config, os.environ)
    build_notifiers(found, load_kinds())
    notes = list(advise(found, load_processors()))
    if as_json:
        import json

        import msgspec

        # By name, as the lines below: the settings of receivers may hold secrets.
        shown = {
            "path": None if found.path is None else str(found.path),
            "receivers": {name: list(kinds) for name, kinds in found.receivers.items()},
            "thresholds": [rule.name for rule in found.rules.threshold],
            "log": found.log.kind,
            "kafka": None if found.kafka is None else msgspec.to_builtins(found.kafka),  # paths of secrets, no secret
            "mqtt": None if found.mqtt is None else msgspec.to_builtins(found.mqtt),  # likewise
            "follower": msgspec.to_builtins(found.follower) if found.follower.enabled else None,
            "state_dir": str(found.state_dir),
            "spool_dir": str(found.spool_dir),
            "notes": notes,
        }
        print(json.dumps(shown))
        return
    print(f"{found.path or 'no file, the defaults'}: ok")
    print(f"  receivers  {', '.join(f'{name} ({chr(44).join(kinds)})' for name, kinds in found.receivers.items())}")
    print(f"  thresholds {', '.join(rule.name for rule in found.rules.threshold) or 'none'}")
    if kafka := found.kafka:
        how = kafka.sasl_mechanism or kafka.security_protocol
        print(f"  kafka      {', '.join(kafka.bootstrap_servers)} ({how})")
        print(f"             topics {kafka.topic_prefix}*, group {kafka.group}")
    if found.mqtt is not None:
        print(f"  mqtt       {found.mqtt.url} ({', '.join(found.mqtt.topics)})")
    if found.follower.enabled:
        asked = "all providers" if found.follower.providers is None else ", ".join(found.follower.providers)
        print(f"  follower   {asked}; calibrations: {found.follower.calibrations}")
    print(f"  state      {found.state_dir}")
    print(f"  spool      {found.spool_dir}")
    for note in notes:
        print(f"  note       {note}")
