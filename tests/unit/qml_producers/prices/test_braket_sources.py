"""Amazon's price list and what a device says of its own price."""

import json
from datetime import UTC, date, datetime

import pytest
from braket.device_schema.iqm import IqmDeviceCapabilities

from qml_producers.prices import Prices, Use, with_device_cost
from qml_producers.prices.catalogue import read_book, shipped_books
from qml_producers.prices.price_list import parse_price_list
from quantum_mlops.errors import ConfigError

TODAY = date(2026, 11, 21)
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
METADATA = '"FormatVersion","v1.0"\n"Disclaimer","for information, only"\n"Publication Date","2026-11-02T10:00:00Z"\n"Version","20261102100000"\n"OfferCode","AmazonBraket"\n'
COLUMNS = [
    "SKU",
    "EffectiveDate",
    "Unit",
    "PricePerUnit",
    "Currency",
    "Product Family",
    "operation",
    "Region Code",
    "DeviceName",
    "Device Name",
    "Version",
]


def row(**known):
    return ",".join(f'"{known.get(name.replace(" ", "_"), "")}"' for name in COLUMNS)


def qpu(family, device, amount, region="eu-north-1", currency="USD"):
    return row(
        Product_Family=family,
        DeviceName=device,
        PricePerUnit=amount,
        Region_Code=region,
        Currency=currency,
        Unit="Shots",
        EffectiveDate="2026-11-01",
    )


def simulator(name, amount, region="us-east-1", operation="CompleteTask"):
    return row(
        Product_Family="Simulator Task",
        Version=name,
        PricePerUnit=amount,
        Region_Code=region,
        Currency="USD",
        Unit="minutes",
        operation=operation,
    )


ROWS = [
    qpu("Quantum Task", "Garnet", "0.3000000000"),
    qpu("Quantum Task-Shot", "Garnet", "0.0014500000"),
    qpu("Quantum Task", "IBEX-Q1", "0.3000000000"),
    qpu("Quantum Task-Shot", "IBEX-Q1", "0.0235000000"),
    qpu("Quantum Task", "Twice", "0.3"), qpu("Quantum Task-Shot", "Twice", "0.1"), qpu("Quantum Task-Shot", "Twice", "0.2"),
    qpu("Quantum Task", "Feeless", "0.3"), qpu("Quantum Task-Shot", "Broken", "free"),
    row(Product_Family="Braket Managed Jobs QPU Task", Device_Name="Garnet", PricePerUnit="0.3", Region_Code="eu-north-1", Currency="USD"),
    simulator("SV1", "0.0750000000"), simulator("SV1", "0.0750000000", "us-west-2"), simulator("SV1", "9", operation="Managed-Jobs"),
    simulator("DM1", "0.075"), simulator("DM1", "0.08", "eu-west-2"),
    row(Product_Family="Notebook", PricePerUnit="0.1", Region_Code="us-east-1", Currency="USD"),
]  # fmt: skip


def price_list(rows=ROWS, columns=COLUMNS, metadata=METADATA):
    return (metadata + "\n".join([",".join(f'"{name}"' for name in columns), *rows]) + "\n").encode()


def estimate(book, device, **known):
    return Prices([book]).estimate(Use(provider="braket", device=device, at=AT, **known))


def test_amazons_price_list_is_a_book_with_its_own_version():
    book = parse_price_list(price_list(), "index.csv", TODAY)
    assert estimate(book, GARNET, shots=1000).amount == "1.75"
    assert estimate(book, GARNET, shots=1000).price_version == "amazon-braket-price-list 20261102100000"
    assert estimate(book, "arn:aws:braket:eu-north-1::device/qpu/aqt/Ibex-Q1", shots=1000).amount == "23.8"
    assert estimate(book, GARNET.replace("eu-north-1", "us-east-1"), shots=1000) is None
    assert book.prices[0].effective_from == date(2026, 11, 1)


def test_a_simulator_of_the_list_costs_by_the_second_with_the_minimum():
    book = parse_price_list(price_list(), "index.csv", TODAY)
    sv1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
    assert [estimate(book, sv1, seconds=seconds).amount for seconds in (0.1, 60)] == ["0.00375", "0.075"]


@pytest.mark.parametrize("name", ["qpu/iqm/Twice", "qpu/iqm/Feeless", "qpu/iqm/Broken", "quantum-simulator/amazon/dm1"])
def test_a_device_whose_price_the_list_does_not_say_plainly_has_none(name):
    book = parse_price_list(price_list(), "index.csv", TODAY)
    assert estimate(book, f"arn:aws:braket:eu-north-1::device/{name}", shots=10, seconds=10) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "index.csv: row 6 names no column 'Product Family'"),
        (price_list(columns=["a", *COLUMNS[1:5]]), "names no column 'Product Family'"),
        (price_list(metadata="a,b\n" * 5), "no Version in its first five rows"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"x" * (16 * 2**20 + 1), "over 16 MiB"),
        (price_list(rows=['"' + "x" * 200_000 + '"']), "not CSV: "),
    ],
)
def test_what_is_no_price_list_is_refused(data, said):
    with pytest.raises(ConfigError, match=said):
        parse_price_list(data, "index.csv", TODAY)


def test_a_downloaded_list_is_read_as_a_book_of_the_users(tmp_path):
    path = tmp_path / "index.csv"
    path.write_bytes(price_list())
    assert read_book(path).name == "amazon-braket-price-list"
    assert Prices.open({"QML_PRICES": str(path)}).own == 1


def test_a_device_says_its_own_price_per_shot_and_the_book_the_fee():
    shipped = Prices(shipped_books())
    service = {"deviceCost": {"price": 0.0016, "unit": "shot"}, "updatedAt": "2026-11-20T08:00:00"}
    prices = with_device_cost(shipped, GARNET, {"service": service}, AT)
    money = prices.estimate(Use(provider="braket", device=GARNET, at=AT, shots=1000))
    assert (money.amount, money.price_version) == ("1.9", "braket-device-cost 2026-11-20")
    assert prices.estimate(Use(provider="braket", device=GARNET.replace("Garnet", "Other"), at=AT, shots=1)) is None


def test_a_contract_stands_above_the_devices_own_price():
    own = shipped_books()[0]
    prices = with_device_cost(
        Prices([own, own], 1), GARNET, {"service": {"deviceCost": {"price": 9, "unit": "shot"}}}, AT
    )
    assert prices.estimate(Use(provider="braket", device=GARNET, at=AT, shots=1000)).amount == "1.75"


@pytest.mark.parametrize(
    "properties",
    [
        {}, {"service": None}, {"service": {"deviceCost": None}}, {"service": {"deviceCost": {"price": "x", "unit": "shot"}}},
        {"service": {"deviceCost": {"price": -1, "unit": "shot"}}}, {"service": {"deviceCost": {"price": 1, "unit": "qubit"}}},
        {"service": {"deviceCost": {"price": 1, "unit": "minute"}}}, {"service": {"deviceCost": {"price": True, "unit": "shot"}}},
    ],
)  # fmt: skip
def test_what_is_no_price_of_the_device_leaves_the_books_as_they_are(properties):
    shipped = Prices(shipped_books())
    assert with_device_cost(shipped, GARNET, properties, AT) is shipped


def test_brakets_own_schema_holds_the_device_cost_where_it_is_read():
    schema = json.loads(IqmDeviceCapabilities.schema_json())
    assert {"price", "unit"} == set(schema["definitions"]["DeviceCost"]["required"])
    assert "deviceCost" in schema["definitions"]["DeviceServiceProperties"]["properties"]
