"""The line of a silence."""

from qml_daemon.cli.silence import _line


def test_what_others_wrote_in_a_silence_cannot_steer_the_terminal() -> None:
    silence = {
        "id": "s1", "state": "active", "matchers": ['run="\x1b[2J"'], "ends": "2026-11-21T17:00:00Z",
        "created_by": "eve\n", "comment": "\x1b]0;title\x07 done",
    }  # fmt: skip
    assert _line(silence) == 's1 active run="?[2J" until 2026-11-21 17:00 UTC by eve : ?]0;title? done'
