"""Colours only where a person looks."""

import io

import pytest

from qml_daemon.cli.terminal import paint, wants_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_no_colours_and_a_terminal_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not wants_colour(io.StringIO())
    assert wants_colour(Terminal())
    assert paint("x", "red", on=True) == "\033[31mx\033[0m"
    assert paint("x", "red", on=False) == "x"


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())
