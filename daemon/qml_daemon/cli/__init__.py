"""The command `quantum-mlops`. Each command is a file; what is heavy is imported when a command runs."""

import contextlib
import os
import sys
from typing import Annotated

import typer

from qml_daemon.cli import (
    alerts,
    backup,
    calibrations,
    config,
    daemon,
    dead_letters,
    demo,
    doctor,
    emit,
    export,
    follow,
    jobs,
    kafka,
    prices,
    purge,
    receivers,
    reload,
    replay,
    rules,
    runs,
    ship,
    silence,
    tail,
    token,
    version,
    worker,
)
from quantum_mlops.errors import LogLockedError, LogVersionError, QuantumMlopsError, UserError

DONE, FAILED, USERS_MISTAKE, INTERRUPTED = 0, 1, 2, 130

_HELP = """Watch quantum-ML training and serving jobs: drift, thresholds, few true alerts.

\b
Examples:
  quantum-mlops demo                 a real training job, a device that goes bad, the alert
  quantum-mlops daemon               read the spool, find, alert; Ctrl-C stops it cleanly
  quantum-mlops alerts               what is firing, and what was
  quantum-mlops runs                 runs and their jobs; quantum-mlops jobs for each job
  quantum-mlops tail -f              events as they come

\b
Exit codes: 0 done, 1 failed, 2 a mistake in what was asked or configured, 130 interrupted by Ctrl-C.
"""

app = typer.Typer(
    name="quantum-mlops",
    help=_HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(
    show: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=version.tell, help="Print the version and end.")
    ] = False,
) -> None:
    """See `_HELP`."""


app.command("daemon")(daemon.run_daemon)
app.command("worker")(worker.run_worker)
app.command("demo")(demo.run_demo)
app.add_typer(alerts.app, name="alerts")
app.command("runs")(runs.list_runs)
app.command("jobs")(jobs.list_jobs)
app.add_typer(silence.app, name="silence")
app.add_typer(rules.app, name="rules")
app.command("tail")(tail.show_tail)
app.add_typer(dead_letters.app, name="dead-letters")
app.command("emit")(emit.emit_events)
app.command("ship")(ship.ship_spool)
app.command("follow")(follow.follow_jobs)
app.command("export")(export.export_log)
app.command("replay")(replay.replay_log)
app.command("doctor")(doctor.examine)
app.command("reload")(reload.reload_daemon)
app.command("backup")(backup.back_up_state)
app.command("restore")(backup.restore_state)
app.command("purge")(purge.purge_all)
app.add_typer(kafka.app, name="kafka")
app.add_typer(config.app, name="config")
app.add_typer(receivers.app, name="receivers")
app.add_typer(prices.app, name="prices")
app.add_typer(calibrations.app, name="calibrations")
app.add_typer(token.app, name="token")
app.command("version")(version.show_version)


def main(arguments: list[str] | None = None) -> int:  # noqa: PLR0911 - one exit code a line
    """Run the command line and return its exit code. A user's mistake is one line on stderr, never a traceback."""
    try:
        return int(app(args=arguments, prog_name="quantum-mlops", standalone_mode=False) or DONE)
    except (UserError, LogLockedError, LogVersionError) as error:
        return _refuse(str(error), USERS_MISTAKE)
    except QuantumMlopsError as error:
        return _refuse(str(error), FAILED)
    except BrokenPipeError:
        # The reader of our output left, as `head` does; nobody is there to be told.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        return _refuse(f"{place}{error.strerror or error}", FAILED)
    except Exception as error:
        # typer carries its own click or uses the installed one: known by what they can do, not by class.
        if type(error).__name__ == "Abort":
            return INTERRUPTED
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            return USERS_MISTAKE
        command = "quantum-mlops" if context is None else context.command_path
        return _refuse(f"{error.format_message()} (see: {command} --help)", USERS_MISTAKE)


def _refuse(message: str, code: int) -> int:
    for line in message.splitlines() or [""]:
        print(f"quantum-mlops: {line}", file=sys.stderr)
    return code
