"""`quantum-mlops rules test`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from qml_daemon.cli.options import ConfigOption, JsonOption

app = typer.Typer(help="Rules.", no_args_is_help=True, rich_markup_mode=None)
_TOLD_EVERY = 20_000


@app.callback()
def _rules() -> None:
    """Try rules."""


@app.command("test")
def try_stored(
    since: Annotated[
        str, typer.Option(metavar="DURATION|TIME", help="Show what opened since then (7d, or RFC 3339).")
    ] = "7d",
    rule: Annotated[str | None, typer.Option(metavar="NAME", help="Only this rule.", show_default=False)] = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="A store.sqlite; else the configured one.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say what the rules of a configuration would have found on the stored log; changes and sends nothing.

    \b
    Edit a copy of the configuration, try it here, then put it in force by `quantum-mlops reload`.

    \b
    Examples:
      quantum-mlops rules test --since 7d
      quantum-mlops rules test --config new.toml --log state/store.sqlite --rule LowAccuracy/below
    """
    from qml_daemon.cli.moment import read_moment
    from qml_daemon.configuration import read_config
    from qml_daemon.history import open_store
    from qml_daemon.trial import try_rules
    from quantum_mlops.clock import DAY, system_clock

    found = read_config(config, os.environ)
    reader = open_store(found, log)
    try:
        trial = try_rules(reader, found.rules, read_moment(since, system_clock(), "--since"), _tell)
    finally:
        reader.close()
    findings = [one for one in trial.findings if rule is None or rule in _names(one.rule)]
    rules = [one for one in trial.rules if rule is None or rule in _names(one.rule)]
    if as_json:
        import msgspec

        print(msgspec.json.encode({**msgspec.structs.asdict(trial), "rules": rules, "findings": findings}).decode())
        return 0
    from qml_daemon.cli.finding_text import finding_lines, span, utc

    days = (trial.until - max(trial.since, trial.begins)) / DAY
    for one in findings:
        print("\n".join(finding_lines(one)), end="\n\n")
    if trial.begins > trial.since:
        print(f"note: the log begins at {utc(trial.begins)} only", file=sys.stderr)
    if rule is not None and not rules:
        there = ", ".join(one.rule for one in trial.rules) or "nothing"
        print(f"note: nothing was found by a rule called {rule!r}, then or now; found was: {there}", file=sys.stderr)
    for each in rules:
        parts = [f"{each.opened} opened"]
        parts += [f"{each.per_day:.2g} a day"] if days >= 1 else []
        parts += [f"{each.notices} notices"] if each.notices else []
        parts += [f"the longest {span(each.longest_seconds)}"] if each.longest_seconds is not None else []
        counts = ", ".join([*parts, f"{each.open_now} still open"])
        print(f"{each.rule}: {counts}; with the rules that were in force: {each.found_before}")
    print(f"{len(findings)} findings ({trial.events:,} events replayed, until {utc(trial.until)})")
    return 0


def _names(rule: str) -> tuple[str, str]:
    """Return what a rule may be called: `LowAccuracy/below`, or as the configuration has it `LowAccuracy`."""
    return rule, rule.partition("/")[0]


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty() and done % _TOLD_EVERY < 500:  # noqa: PLR2004 - the replay's chunk
        print(f"\r{done / max(total, 1):4.0%} of {total:,} records", end="\r", file=sys.stderr)
