"""`quantum-mlops doctor`."""

import os

from qml_daemon.cli.options import ConfigOption, JsonOption


def examine(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Examine this installation: versions, folders, disk, configuration, receivers, daemon, spool, clock.

    \b
    Exit code 0: all well or only remarks; 1: something is broken; 2: the configuration is wrong.

    \b
    Examples:
      quantum-mlops doctor
      quantum-mlops doctor --json
    """
    from qml_daemon.examination import examine_all

    found = examine_all(config, os.environ)
    if as_json:
        import msgspec

        print(msgspec.json.encode(found).decode())
    else:
        from qml_daemon.cli.terminal import paint

        colours = {"ok": "green", "note": "yellow", "fail": "red"}
        for one in found:
            print(f"{paint(f'{one.verdict:<4}', colours[one.verdict])} {one.name:<13} {one.text}")
    failed = [one.name for one in found if one.verdict == "fail"]
    return 2 if "configuration" in failed else 1 if failed else 0
