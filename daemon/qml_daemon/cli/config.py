"""`quantum-mlops config check`."""

import os

import typer

from qml_daemon.cli.options import ConfigOption

app = typer.Typer(help="The configuration.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _config() -> None:
    """Look at the configuration."""


@app.command("check")
def check_config(config: ConfigOption = None) -> None:
    """Check the configuration, with the environment overlay; every mistake with its place, exit code 2.

    \b
    Examples:
      quantum-mlops config check
      quantum-mlops config check --config quantum-mlops.toml
    """
    from qml_daemon.configuration import read_config
    from qml_daemon.notifiers.plugins import build_notifiers, load_kinds

    found = read_config(config, os.environ)
    build_notifiers(found, load_kinds())
    print(f"{found.path or 'no file, the defaults'}: ok")
    print(f"  receivers  {', '.join(f'{name} ({chr(44).join(kinds)})' for name, kinds in found.receivers.items())}")
    print(f"  thresholds {', '.join(rule.name for rule in found.rules.threshold) or 'none'}")
    print(f"  state      {found.state_dir}")
    print(f"  spool      {found.spool_dir}")
