"""`quantum-mlops token add | list | remove`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from qml_daemon.http.token_file import Token

app = typer.Typer(help="The tokens of the HTTP service.", no_args_is_help=True, rich_markup_mode=None)
NameArgument = Annotated[
    str, typer.Argument(help="Who the token is for: letters, digits, _ . and -", show_default=False)
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="The tokens file; else http.tokens_file of the configuration.",
        show_default=False,
    ),
]


@app.callback()
def _tokens() -> None:
    """Make and remove tokens of the HTTP service; a running daemon sees the change within a second."""


@app.command("add")
def add_token(
    name: NameArgument,
    project: Annotated[
        str,
        typer.Option("--project", "-p", help="Whose events it sends and sees; * is every project.", show_default=False),
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", "-s", help="ingest, read or admin; may be given again.", show_default="ingest"),
    ] = None,
    events_per_second: Annotated[
        int | None, typer.Option("--events-per-second", help="What it may send.", show_default="20000")
    ] = None,
    file: FileOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a token and print its secret, this once: the file holds only its SHA-256.

    \b
    Examples:
      quantum-mlops token add lab-laptop --project iris
      quantum-mlops token add prometheus --project '*' --scope read
      quantum-mlops token add gateway -p iris --file /etc/quantum-mlops/tokens.toml > gateway-token
    """
    import secrets
    import sys

    import msgspec

    from qml_daemon.http.token_file import Token, hash_secret, write_tokens
    from quantum_mlops.errors import ConfigError

    place, known = _open(file, config)
    if any(token.name == name for token in known):
        raise ConfigError(f"{place}: there is a token {name} already; remove it first, or choose another name")
    secret = f"qml_{secrets.token_urlsafe(32)}"
    fields: dict[str, object] = {
        "name": name,
        "project": project,
        "scopes": list(dict.fromkeys(scope or ["ingest"])),
        "sha256": hash_secret(secret),
    }
    if events_per_second is not None:
        fields["events_per_second"] = events_per_second
    try:
        token = msgspec.convert(fields, Token)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error))) from error
    write_tokens(place, [*known, token])
    print(
        f"{place}: {name} may {', '.join(token.scopes)} for project {project}; its token, shown once:", file=sys.stderr
    )
    print(secret)


@app.command("list")
def list_tokens(file: FileOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the tokens: names, projects and scopes; no secret is stored anywhere.

    \b
    Examples:
      quantum-mlops token list
      quantum-mlops token list --json
    """
    import json

    place, known = _open(file, config)
    if as_json:
        fields = ("name", "project", "scopes", "events_per_second")
        print(json.dumps([{field: getattr(token, field) for field in fields} for token in known]))
        return
    if not known:
        print(f"{place}: no tokens; make one: quantum-mlops token add NAME --project PROJECT")
    for token in known:
        print(f"{token.name:<20} {token.project:<20} {','.join(token.scopes):<20} {token.events_per_second}/s")


@app.command("remove")
def remove_token(name: NameArgument, file: FileOption = None, config: ConfigOption = None) -> None:
    """Remove a token; within a second it opens nothing any more.

    \b
    Examples:
      quantum-mlops token remove lab-laptop
    """
    from qml_daemon.http.token_file import write_tokens
    from quantum_mlops.config.keys import suggest
    from quantum_mlops.errors import ConfigError

    place, known = _open(file, config)
    left = [token for token in known if token.name != name]
    if len(left) == len(known):
        raise ConfigError(f"{place}: no token is called {name}{suggest(name, [token.name for token in known])}")
    write_tokens(place, left)
    print(f"{place}: {name} removed")


def _open(file: Path | None, config: Path | None) -> tuple[Path, list["Token"]]:
    """Return the tokens file and what is in it; it may not be there yet."""
    from qml_daemon.configuration import read_config
    from qml_daemon.http.token_file import read_tokens
    from quantum_mlops.errors import ConfigError

    if file is None:
        named = read_config(config, os.environ).http.tokens_file
        if named is None:
            raise ConfigError(
                'http.tokens_file: not set; add it to the configuration ([http] tokens_file = "tokens.toml"), '
                "or name the file: --file"
            )
        file = Path(named)
    return file.absolute(), read_tokens(file) if file.exists() else []


def _explain(text: str) -> str:
    reason, _, place = text.partition(" - at `$.")
    key = place.rstrip("`").partition("[")[0]
    mends = {
        "name": "letters, digits, _ . and -, at most 64",
        "scopes": "ingest, read or admin",
        "project": "1 to 512 characters",
        "events_per_second": "a whole number from 1 on",
    }
    return f"token {key}: {mends.get(key, reason)}"
