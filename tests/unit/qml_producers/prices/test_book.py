import os
from decimal import Decimal

import pytest

from qml_producers.prices import Prices, open_for_host, parse_book
from qml_producers.prices.catalogue import read_book
from quantum_mlops.errors import ConfigError

HEAD = 'name = "lab"\nversion = "1"\n'
GOOD = (
    HEAD
    + '[[prices]]\nprovider = "ibm"\ndevices = ["ibm_*"]\ncurrency = "EUR"\neffective_from = 2026-01-01\nsecond = 1.37\n'
)


def test_a_number_in_the_file_is_the_decimal_that_was_written():
    book = parse_book(GOOD.encode(), "prices.toml")
    assert book.prices[0].second == Decimal("1.37")
    assert parse_book(GOOD.replace("1.37", '"1.37"').encode(), "x").prices == book.prices


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("second =", "secnd ="), "prices.toml: prices[0].secnd: unknown key; did you mean second?"),
        (GOOD.replace("1.37", "-1"), "prices.toml: prices[0].second: -1 is no price; give 0 or more, at most 1,000,000,000"),
        (GOOD.replace("1.37", "nan"), "prices.toml: prices[0].second: NaN is no price"),
        (GOOD.replace("1.37", "0.0000000000001"), "prices.toml: prices[0].second: more than 12 digits after the point"),
        (GOOD.replace("1.37", '"much"'), "prices.toml: prices[0].second: no number; write it like 0.30"),
        (GOOD.replace("second = 1.37\n", ""), "prices.toml: prices[0]: has no price; give at least one of task, shot, second"),
        (GOOD.replace("second = 1.37", "shot = 1\nminimum_seconds = 3"), "prices[0].minimum_seconds: needs a price per second"),
        (GOOD.replace('"EUR"', '"eur"'), "prices[0].currency: 'eur' is no ISO 4217 code"),
        (GOOD.replace("effective_from = 2026-01-01\n", ""), "prices.toml: prices[0]: effective_from is missing"),
        (GOOD.replace("2026-01-01", '"soon"'), "prices[0].effective_from: no day; write it like 2026-01-31"),
        (HEAD, "prices.toml: prices is missing; a book has name, version and [[prices]]"),
        ("name = lab", "prices.toml: not TOML: "),
        ("x = " + "[" * 5000, "prices.toml: n"),
        ("#" * 2**20 + "#", "prices.toml: over 1 MiB"),
    ],
)  # fmt: skip
def test_a_wrong_book_is_refused_with_the_place_the_key_and_the_mend(text, said):
    with pytest.raises(ConfigError) as refused:
        parse_book(text.encode(), "prices.toml")
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(ConfigError, match="not UTF-8 at byte 3"):
        parse_book(b"# \n\xff", "prices.toml")


def test_the_users_books_are_found_by_variable_or_in_the_config_folder(tmp_path):
    folder = tmp_path / "quantum-mlops"
    folder.mkdir()
    (folder / "prices.toml").write_text(GOOD)
    first = tmp_path / "a.toml"
    first.write_text(GOOD.replace('"lab"', '"first"'))
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert [book.name for book in Prices.open(home).books] == ["lab", "amazon-braket", "azure-quantum"]
    named = Prices.open({**home, "QML_PRICES": f"{first}{os.pathsep}{folder / 'prices.toml'}"})
    assert [book.name for book in named.books[: named.own]] == ["first", "lab"]
    assert Prices.open({"XDG_CONFIG_HOME": str(tmp_path / "none")}).own == 0


def test_a_book_that_is_named_must_be_there(tmp_path):
    with pytest.raises(ConfigError, match="no.toml: QML_PRICES names no file"):
        Prices.open({"QML_PRICES": str(tmp_path / "no.toml")})
    with pytest.raises(ConfigError, match="no such file"):
        read_book(tmp_path)


def test_a_host_hears_of_a_wrong_book_once_and_its_costs_are_unknown(tmp_path, capfd):
    path = tmp_path / "prices.toml"
    path.write_text("wrong")
    environ = {"QML_PRICES": str(path)}
    assert open_for_host(environ).books == open_for_host(environ).books == ()
    said = capfd.readouterr().err
    assert said.count(str(path)) == 1
    assert "until it is mended costs are unknown" in said
