"""Lists from the views' file, as the service would answer them; read beside the running daemon."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qml_daemon.query.lists import Page


def read_page(config: Path | None, name: str, wanted: dict[str, Any]) -> "Page":
    """Return the newest items of a list. `wanted` are the service's own parameters; None is left out.

    `since` may also be a duration before now, which the service does not take.

    Raises:
        UserError: there are no views yet, or a parameter is wrong. LogError: they cannot be read.

    """
    from qml_daemon.cli.moment import read_moment
    from qml_daemon.configuration import read_config
    from qml_daemon.history import open_store
    from qml_daemon.http.problem import Problem
    from qml_daemon.query.lists import LISTINGS, Sources, answer_page
    from qml_daemon.query.parameters import read_query
    from qml_daemon.views.reader import ViewReader
    from qml_daemon.views.store import FILE
    from quantum_mlops.clock import system_clock
    from quantum_mlops.config.load import is_file
    from quantum_mlops.errors import UserError
    from quantum_mlops.timestamps import format_time

    if wanted.get("since") is not None:
        wanted = {**wanted, "since": format_time(read_moment(wanted["since"], system_clock(), "--since"))}
    found = read_config(config, os.environ)
    log = open_store(found)
    try:
        path = found.state_dir / FILE
        if not is_file(path):
            raise UserError(f"{path}: no views there yet; start `quantum-mlops daemon` once, it makes them")
        views = ViewReader(path)
        try:
            listing = next(one for one in LISTINGS if one.name == name)
            query = read_query([(key, str(value)) for key, value in wanted.items() if value is not None], listing.query)
            return answer_page(Sources(views=views, log=log), listing, query)
        except Problem as problem:
            raise UserError(f"--{problem.detail}") from problem
        finally:
            views.close()
    finally:
        log.close()
