"""What Amazon Braket's GetDevice says of a few devices, in the shapes of `braket.device_schema`, and a price list.

The numbers are made up in the range of real ones; names, keys and units are the provider's.
"""

from typing import Any

SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
FORTE = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"

_OPERATIONS = ["h", "x", "y", "z", "rx", "ry", "rz", "cnot", "cz", "prx", "measure"]
_PRICE_COLUMNS = (
    "SKU", "EffectiveDate", "PriceDescription", "Unit", "PricePerUnit", "Currency", "Product Family", "Location",
    "operation", "Device Name", "DeviceName", "Provider", "Region Code", "Version",
)  # fmt: skip


def device_documents() -> dict[str, dict[str, Any]]:
    """Return a new GetDevice response for each device, by ARN; `deviceCapabilities` still is a mapping."""
    return {
        SV1: _device(SV1, "SV1", "Amazon Braket", "SIMULATOR", _simulator()),
        GARNET: _device(GARNET, "Garnet", "IQM", "QPU", _garnet()),
        FORTE: _device(FORTE, "Forte-1", "IonQ", "QPU", _forte()),
    }


def price_list() -> str:
    """Return the offer file as AWS serves it: five rows of metadata, then a header and one row a price."""
    rows = [
        _price("Quantum Task", "0.30", "Quantum-Task", DeviceName="Garnet", region="eu-north-1"),
        _price("Quantum Task-Shot", "0.00145", "Shot", DeviceName="Garnet", region="eu-north-1"),
        _price("Quantum Task", "0.30", "Quantum-Task", DeviceName="Forte-1", region="us-east-1"),
        _price("Quantum Task-Shot", "0.08", "Shot", DeviceName="Forte-1", region="us-east-1"),
        _price("Simulator Task", "0.075", "minutes", Version="SV1", operation="CompleteTask", region="us-east-1"),
        _price("Simulator Task", "0.075", "minutes", Version="SV1", operation="CompleteTask", region="eu-north-1"),
    ]
    metadata = ['"FormatVersion","v1.0"', '"Disclaimer","This pricing list is for informational purposes only."',
                '"Publication Date","2026-08-13T17:28:51Z"', '"Version","20260813172851"', '"OfferCode","AmazonBraket"']  # fmt: skip
    table = [_PRICE_COLUMNS, *[[row.get(column, "") for column in _PRICE_COLUMNS] for row in rows]]
    return "\n".join([*metadata, *[",".join(f'"{cell}"' for cell in row) for row in table]]) + "\n"


def _price(family: str, price: str, unit: str, *, region: str, **more: str) -> dict[str, str]:
    name = more.get("DeviceName") or more.get("Version", "")
    return {
        "SKU": f"{family}-{name}-{region}".upper().replace(" ", ""),
        "EffectiveDate": "2026-08-01",
        "PriceDescription": f"${price} per {unit} on {name}",
        "Unit": unit,
        "PricePerUnit": f"{price}0000000",
        "Currency": "USD",
        "Product Family": family,
        "Region Code": region,
        **more,
    }


def _device(arn: str, name: str, provider: str, kind: str, capabilities: dict[str, Any]) -> dict[str, Any]:
    return {
        "deviceArn": arn,
        "deviceName": name,
        "providerName": provider,
        "deviceType": kind,
        "deviceStatus": "ONLINE",
        "deviceCapabilities": capabilities,
        "deviceQueueInfo": [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "3", "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "0", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0"},
        ],
    }


def _header(name: str) -> dict[str, str]:
    return {"name": f"braket.device_schema.{name}", "version": "1"}


def _service(price: float, unit: str, shots: tuple[int, int]) -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header("device_service_properties"),
        "executionWindows": [{"executionDay": "Everyday", "windowStartHour": "00:00:00", "windowEndHour": "23:59:59"}],
        "shotsRange": list(shots),
        "deviceCost": {"price": price, "unit": unit},
        "deviceLocation": "somewhere",
        "updatedAt": "2026-11-20T08:00:00.000000",
        "getTaskPollIntervalMillis": 10,
    }


def _gate_model_action() -> dict[str, Any]:
    results = [
        {"name": name, "observables": ["x", "y", "z", "h", "i"], "minShots": 1, "maxShots": 20000}
        for name in ("Expectation", "Sample", "Variance", "Probability")
    ]
    return {
        "braket.ir.openqasm.program": {
            "actionType": "braket.ir.openqasm.program",
            "version": ["1"],
            "supportedOperations": _OPERATIONS,
            "supportedResultTypes": results,
            "supportPhysicalQubits": True,
        },
        "braket.ir.openqasm.program_set": {
            "actionType": "braket.ir.openqasm.program_set",
            "version": ["1"],
            "maximumExecutables": 100,
            "maximumTotalShots": 100000,
        },
    }


def _simulator() -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header("simulators.gate_model_simulator_device_capabilities"),
        "service": _service(0.075, "minute", (0, 100000)),
        "action": _gate_model_action(),
        "paradigm": {
            "braketSchemaHeader": _header("simulators.gate_model_simulator_paradigm_properties"),
            "qubitCount": 34,
        },
        "deviceParameters": {},
    }


def _garnet() -> dict[str, Any]:
    names = [str(number) for number in range(1, 6)]
    pairs = [f"{number}-{number + 1}" for number in range(1, 5)]
    return {
        "braketSchemaHeader": _header("iqm.iqm_device_capabilities"),
        "service": _service(0.00145, "shot", (1, 20000)),
        "action": _gate_model_action(),
        "paradigm": _paradigm(len(names), ["cz", "prx"], {pair[0]: [pair[2]] for pair in pairs}),
        "provider": {"braketSchemaHeader": _header("iqm.iqm_provider_properties"), "properties": {"one_qubit": {}}},
        "standardized": {
            "braketSchemaHeader": _header("standardized_gate_model_qpu_device_properties"),
            "oneQubitProperties": {name: _qubit(int(name)) for name in names},
            "twoQubitProperties": {
                pair: {
                    "twoQubitGateFidelity": [
                        {
                            "gateName": "CZ",
                            "fidelity": 0.991 + 0.001 * number,
                            "fidelityType": {"name": "INTERLEAVED_RANDOMIZED_BENCHMARKING"},
                        }
                    ]
                }
                for number, pair in enumerate(pairs)
            },
        },
        "deviceParameters": {},
    }


def _qubit(number: int) -> dict[str, Any]:
    return {
        "T1": {"value": 3.1e-05 + 1e-06 * number, "standardError": None, "unit": "S"},
        "T2": {"value": 9.0e-06 + 1e-06 * number, "standardError": None, "unit": "S"},
        "oneQubitFidelity": [
            {"fidelityType": {"name": "RANDOMIZED_BENCHMARKING"}, "fidelity": 0.9990},
            {"fidelityType": {"name": "SIMULTANEOUS_RANDOMIZED_BENCHMARKING"}, "fidelity": 0.9985},
            {"fidelityType": {"name": "READOUT"}, "fidelity": 0.96 + 0.004 * number},
        ],
    }


def _forte() -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header("ionq.ionq_device_capabilities"),
        "service": _service(0.08, "shot", (1, 5000)),
        "action": _gate_model_action(),
        "paradigm": _paradigm(36, ["GPi", "GPi2", "ZZ"], {}),
        "provider": {
            "braketSchemaHeader": _header("ionq.ionq_provider_properties"),
            "fidelity": {"1Q": {"mean": 0.9998}, "2Q": {"mean": 0.9925}, "spam": {"mean": 0.9938}},
            "timing": {"T1": 100, "T2": 1, "1Q": 0.00013, "2Q": 0.00095, "readout": 0.00015, "reset": 5e-05},
        },
        "deviceParameters": {},
    }


def _paradigm(qubits: int, gates: list[str], graph: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header("gate_model_qpu_paradigm_properties"),
        "connectivity": {"fullyConnected": not graph, "connectivityGraph": graph},
        "qubitCount": qubits,
        "nativeGateSet": gates,
    }
