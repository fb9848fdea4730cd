import json
from datetime import datetime

import pytest

from qml_daemon import price_report
from qml_daemon.cli import prices

CEPHEUS = "arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q"
OWN = 'name = "contract"\nversion = "2026"\n[[prices]]\nprovider = "ibm"\ndevices = ["ibm_*"]\ncurrency = "EUR"\neffective_from = 2026-01-01\nsecond = 1.37\n'


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    """The day on which the shipped books are of age, whatever day it is: they are warned of after 180 days."""

    class Today(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 11, 21, tzinfo=tz)

    monkeypatch.setattr(prices, "datetime", Today)
    monkeypatch.setattr(price_report, "datetime", Today)


def test_prices_are_listed_with_their_dates_and_books(run):
    code, out, err = run("prices", "list", "--device", CEPHEUS)
    assert (code, err) == (0, "")
    assert "0.30 a task + 0.000425 a shot USD  since 2026-04-16  looked up 2026-07-22" in out
    assert "amazon-braket 2026-11-21: https://github.com/amazon-braket/" in out
    assert out.endswith("1 price; what is not here is unknown, not free\n")
    code, out, _ = run("prices", "list", "--provider", "azure", "--json")
    assert (code, len(json.loads(out))) == (0, 5)
    assert json.loads(out)[0]["one_qubit_gate_shot"] == "0.000220"


def test_an_estimate_names_the_price_it_is_by(run):
    code, out, _ = run("prices", "estimate", "--provider", "braket", "--device", CEPHEUS, "--shots", "1000")
    assert (code, out.split("  ")[0]) == (0, "0.725 USD")
    assert "by amazon-braket" in out
    code, out, _ = run("prices", "estimate", "--provider", "braket", "--device", CEPHEUS, "--shots", "1000", "--json")
    assert json.loads(out)["amount"] == "0.725"


def test_what_is_unknown_is_said_with_the_reason_and_exit_code_1(run):
    code, out, _ = run("prices", "estimate", "--provider", "ibm", "--device", "ibm_fez", "--seconds", "3")
    assert code == 1
    assert out.startswith("unknown: no book has a price for it; write yours to prices.toml in the configuration folder")
    code, out, _ = run("prices", "estimate", "--provider", "braket", "--device", CEPHEUS)
    assert code == 1
    assert out.endswith("and that needs --shots\n")
    assert run("prices", "estimate", "--provider", "x", "--device", "y", "--json")[:2] == (1, "null\n")


def test_the_users_own_book_is_in_the_configuration_folder(run, tmp_path):
    folder = tmp_path / "quantum-mlops"
    folder.mkdir()
    (folder / "prices.toml").write_text(OWN)
    code, out, _ = run("prices", "estimate", "--provider", "ibm", "--device", "ibm_fez", "--seconds", "3")
    assert (code, out) == (0, "4.11 EUR  by contract 2026 (no source given)\n")
    (folder / "prices.toml").write_text(OWN.replace("second", "secnd"))
    code, _, err = run("prices", "list")
    assert (code, err) == (
        2,
        f"quantum-mlops: {folder / 'prices.toml'}: prices[0].secnd: unknown key; did you mean second?\n",
    )
    code, out, _ = run("doctor", "--json")
    line = next(one for one in json.loads(out) if one["name"] == "prices")
    assert (code, line["verdict"]) == (1, "fail")


def test_a_book_is_checked_before_it_is_used(run, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN + "retrieved_at = 2024-01-01\n")
    code, out, err = run("prices", "check", str(path))
    assert code == 0
    assert f"{path}: ok, 1 price of contract 2026" in out
    assert "were looked up" in err
    assert run("prices", "check", str(path), "--json")[1].startswith("[{")
    assert run("prices", "check", str(tmp_path / "none"))[0] == 2


def test_options_that_are_no_numbers_are_refused_in_one_line(run):
    for option, value in (("--seconds", "long"), ("--seconds", "-1"), ("--at", "today")):
        code, out, err = run("prices", "estimate", "--provider", "x", "--device", "y", option, value)
        assert (code, out) == (2, "")
        assert err.startswith(f"quantum-mlops: {option}: ")


def test_the_doctor_names_the_books(run):
    line = next(one for one in json.loads(run("doctor", "--json")[1]) if one["name"] == "prices")
    assert "none of your own; shipped amazon-braket" in line["text"]
