"""Amazon Braket's REST API, as far as the real AwsSession, AwsDevice and AwsQuantumTask ask for it, on 127.0.0.1.

It serves Braket (devices, tasks, cancelling, searching), S3 (the results), STS (who am I) and the public price list.
Tasks run for real on the SDK's own simulators. A `Script` says how the next task goes, a `Fault` how a request fails.

    with BraketCloud() as cloud:
        monkeypatch.setattr(os, "environ", {**os.environ, **cloud.environ()})
        cloud.scripts.append(Script(statuses=("QUEUED", "FAILED"), failure_reason="device went away"))
        AwsDevice(GARNET).run(Circuit().h(0), shots=100).result()
"""

import asyncio
import gc
import json
import sys
import threading
import time
import uuid
import warnings
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tests.providers.braket_devices import FORTE, GARNET, SV1, device_documents, price_list

__all__ = ["FORTE", "GARNET", "SV1", "BraketCloud", "Fault", "Request", "Script"]

ACCOUNT = "000000000000"
BUCKET = "amazon-braket-tests"
PRICES = "/offers/v1.0/aws/AmazonBraket/current/index.csv"
ENDS = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


@dataclass(frozen=True)
class Script:
    """How one task goes: its status at each GetQuantumTask, the last one again and again.

    `queue_positions` are told one after the other while it is queued. A program set may fail in part:
    `failed_executables` of its first program.
    """

    statuses: tuple[str, ...] = ("QUEUED", "RUNNING", "COMPLETED")
    queue_positions: tuple[str, ...] = ("2",)
    failure_reason: str | None = None
    successful_shots: int | None = None
    execution_milliseconds: int = 7
    failed_executables: int = 0


@dataclass
class Fault:
    """What becomes of the next `times` requests whose "METHOD /path" begins with `request`."""

    request: str
    status: int = 500
    error: str = "InternalServiceException"
    message: str = "try again"
    headers: dict[str, str] = field(default_factory=dict)
    latency_seconds: float = 0.0
    truncated: bool = False
    times: int = 1


@dataclass(frozen=True)
class Request:
    """One request that arrived: `path` is decoded and without its query."""

    method: str
    path: str
    query: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Task:
    """One quantum task as the service keeps it."""

    arn: str
    request: dict[str, Any]
    script: Script
    created: datetime
    looks: int = 0
    queue_looks: int = 0
    ended: datetime | None = None
    cancelled: bool = False

    @property
    def action(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.request["action"])
        return found

    @property
    def is_program_set(self) -> bool:
        return bool(self.action["braketSchemaHeader"]["name"] == "braket.ir.openqasm.program_set")

    @property
    def action_metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = {"actionType": self.action["braketSchemaHeader"]["name"]}
        if self.is_program_set:
            inputs = [program.get("inputs") or {} for program in self.action["programs"]]
            found["programCount"] = len(inputs)
            found["executableCount"] = sum(max(map(len, each.values()), default=1) for each in inputs)
        return found

    @property
    def directory(self) -> str:
        return f"{self.request['outputS3KeyPrefix']}/{self.arn.rsplit('/', 1)[-1]}"


class BraketCloud:
    """The service. `requests`, `tasks`, `scripts`, `faults` and `devices` may be read and changed while it runs."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.tasks: dict[str, Task] = {}
        self.scripts: deque[Script] = deque()
        self.faults: list[Fault] = []
        self.devices = device_documents()
        self.prices = price_list()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"cloud": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        _collect()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def environ(self) -> dict[str, str]:
        """Return the environment in which boto3 and the Braket SDK talk to this server only."""
        return {
            "BRAKET_ENDPOINT": self.url,
            "AWS_ENDPOINT_URL_BRAKET": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ACCESS_KEY_ID": "AKIATESTONLY",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_DEFAULT_REGION": "eu-north-1",
            "AWS_REGION": "eu-north-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AMZN_BRAKET_OUT_S3_BUCKET": BUCKET,
            "BRAKET_PRICE_OFFERS_URL": self.url + PRICES,
            "NO_PROXY": "127.0.0.1",
        }

    def requested(self, line: str) -> list[Request]:
        """Return the requests so far whose "METHOD /path" begins with `line`."""
        return [request for request in self.requests if request.line.startswith(line)]

    def reset(self) -> None:
        """Forget what was asked, scripted and changed; tasks stay."""
        with self.lock:
            self.requests.clear()
            self.scripts.clear()
            self.faults.clear()
            self.devices = device_documents()
            self.prices = price_list()

    def fault_for(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and line.startswith(fault.request):
                    fault.times -= 1
                    return fault
        return None

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        region = body["deviceArn"].split(":")[3] or "eu-north-1"
        arn = f"arn:aws:braket:{region}:{ACCOUNT}:quantum-task/{uuid.uuid4()}"
        with self.lock:
            script = self.scripts.popleft() if self.scripts else Script()
            self.tasks[arn] = Task(arn, body, script, datetime.now(UTC))
        return {"quantumTaskArn": arn}

    def cancel(self, arn: str) -> dict[str, Any]:
        task = self.tasks[arn]
        with self.lock:
            task.cancelled = True
            task.script = Script(statuses=("CANCELLING", "CANCELLED"))
            task.looks = 0
        return {"quantumTaskArn": arn, "cancellationStatus": "CANCELLING"}

    def look(self, task: Task) -> dict[str, Any]:
        """Return GetQuantumTask's answer, and go on to the task's next status."""
        with self.lock:
            statuses = task.script.statuses
            status = statuses[min(task.looks, len(statuses) - 1)]
            task.looks += 1
            if status in ENDS and task.ended is None:
                task.ended = datetime.now(UTC)
            queue: dict[str, Any] = {"queue": "QUANTUM_TASKS_QUEUE", "queuePriority": "Normal", "position": "None"}
            if status == "QUEUED" and task.script.queue_positions:
                positions = task.script.queue_positions
                queue["position"] = positions[min(task.queue_looks, len(positions) - 1)]
                task.queue_looks += 1
            elif status != "QUEUED":
                queue["message"] = (
                    f"Task is in {status} status. AmazonBraket does not show queue position for this status."
                )
        shots = task.request["shots"]
        answer: dict[str, Any] = {
            "quantumTaskArn": task.arn,
            "status": status,
            "deviceArn": task.request["deviceArn"],
            "deviceParameters": task.request.get("deviceParameters", "{}"),
            "shots": shots,
            "outputS3Bucket": task.request["outputS3Bucket"],
            "outputS3Directory": task.directory,
            "createdAt": _instant(task.created),
            "queueInfo": queue,
            "tags": task.request.get("tags", {}),
            "associations": task.request.get("associations", []),
            "actionMetadata": task.action_metadata,
        }
        if "jobToken" in task.request:
            answer["jobArn"] = f"arn:aws:braket:eu-north-1:{ACCOUNT}:job/{task.request['jobToken']}"
        if task.ended is not None and status in ENDS:
            answer["endedAt"] = _instant(task.ended)
        if status == "COMPLETED":
            executed = task.script.successful_shots
            answer["numSuccessfulShots"] = shots if executed is None else executed
        if status == "FAILED" and task.script.failure_reason is not None:
            answer["failureReason"] = task.script.failure_reason
        return answer

    def result(self, key: str) -> str | None:
        """Return the S3 object of a task's result, None where there is none."""
        for task in self.tasks.values():
            if key == f"{task.directory}/results.json":
                return run_task(task)
        return None


def run_task(task: Task) -> str:
    """Run a task's action on one of the SDK's simulators and return its results.json."""
    from braket.analog_hamiltonian_simulator.rydberg.rydberg_simulator import RydbergAtomSimulator
    from braket.default_simulator import DensityMatrixSimulator, StateVectorSimulator
    from braket.ir.ahs import Program as AhsProgram
    from braket.ir.openqasm import Program, ProgramSet

    action = task.action
    header = action["braketSchemaHeader"]["name"]
    shots = task.request["shots"]
    if header == "braket.ir.ahs.program":
        outcome = RydbergAtomSimulator().run(AhsProgram.parse_obj(action), shots=shots)
    else:
        program = (ProgramSet if task.is_program_set else Program).parse_obj(action)
        simulator = DensityMatrixSimulator() if "pragma braket noise" in json.dumps(action) else StateVectorSimulator()
        outcome = simulator.run(program, shots=shots)
    document = json.loads(outcome.json())
    metadata = document["taskMetadata"]
    metadata |= {"id": task.arn, "deviceId": task.request["deviceArn"], "createdAt": _instant(task.created)}
    if task.ended is not None:
        metadata["endedAt"] = _instant(task.ended)
    if "simulator" in task.request["deviceArn"] and document.get("additionalMetadata"):
        document["additionalMetadata"]["simulatorMetadata"] = {
            "braketSchemaHeader": {"name": "braket.task_result.simulator_metadata", "version": "1"},
            "executionDuration": task.script.execution_milliseconds,
        }
    if task.is_program_set:
        _fail_executables(document, task.script.failed_executables)
    return json.dumps(document)


def _fail_executables(document: dict[str, Any], number: int) -> None:
    results = document["programResults"][0]["executableResults"]
    for index in range(min(number, len(results))):
        results[index] = {
            "braketSchemaHeader": {"name": "braket.task_result.program_set_executable_failure", "version": "1"},
            "inputsIndex": results[index]["inputsIndex"],
            "failureMetadata": {"failureReason": "the device refused it", "retryable": True, "category": "DEVICE"},
        }


def _collect() -> None:
    """Close the event loop and collect the sockets that Braket leaves: else the warnings fail a later test of others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(RuntimeError):  # there is no loop
            asyncio.get_event_loop().close()
        asyncio.set_event_loop(None)
        gc.collect()


def _instant(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that did not wait."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    cloud: BraketCloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw.startswith(b"{") else {}
        request = Request(self.command, path, parts.query, body, dict(self.headers))
        self.cloud.requests.append(request)
        fault = self.cloud.fault_for(request.line)
        if fault is not None:
            time.sleep(fault.latency_seconds)
            if fault.status >= 400:
                headers = {"x-amzn-ErrorType": fault.error, **fault.headers}
                self._answer(fault.status, json.dumps({"message": fault.message}), headers)
                return
        status, text, kind = self._route(request, raw)
        headers = {"Content-Type": kind}
        if status >= 400 and kind == "application/json":
            headers["x-amzn-ErrorType"] = json.loads(text)["type"]
        self._answer(status, text, headers, truncated=fault is not None and fault.truncated)

    def _route(self, request: Request, raw: bytes) -> tuple[int, str, str]:  # noqa: PLR0911 - one return a resource
        cloud, path, xml = self.cloud, request.path, "application/xml"
        if path == PRICES:
            return 200, cloud.prices, "text/csv"
        if path == "/" and b"GetCallerIdentity" in raw:
            return 200, _IDENTITY, "text/xml"
        if path.startswith("/device/"):
            found = cloud.devices.get(path.removeprefix("/device/"))
            if found is None:
                return _refusal(404, "ResourceNotFoundException", "no such device")
            return _json({**found, "deviceCapabilities": json.dumps(found["deviceCapabilities"])})
        if request.line == "POST /devices":
            keys = ("deviceArn", "deviceName", "providerName", "deviceType", "deviceStatus")
            return _json({"devices": [{key: device[key] for key in keys} for device in cloud.devices.values()]})
        if request.line == "POST /quantum-task":
            return _json(cloud.create(request.body), 201)
        if path.startswith("/quantum-task/"):
            arn = path.removeprefix("/quantum-task/").removesuffix("/cancel")
            task = cloud.tasks.get(arn)
            if task is None:
                return _refusal(404, "ResourceNotFoundException", "no such quantum task")
            return _json(cloud.cancel(arn) if path.endswith("/cancel") else cloud.look(task))
        bucket, _, key = path.removeprefix("/").partition("/")
        if request.method == "PUT" and bucket and not key:
            return 200, "", xml
        result = cloud.result(key) if request.method in {"GET", "HEAD"} else None
        return (404, _NO_SUCH_KEY, xml) if result is None else (200, result, "binary/octet-stream")

    def _answer(self, status: int, text: str, headers: dict[str, str], *, truncated: bool = False) -> None:
        data = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        sent = data[: len(data) // 2] if truncated else data
        self.send_header("Content-Length", str(len(sent)))  # cut, but framed: what breaks is the document
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)


def _json(document: dict[str, Any], status: int = 200) -> tuple[int, str, str]:
    return status, json.dumps(document), "application/json"


def _refusal(status: int, error: str, message: str) -> tuple[int, str, str]:
    return _json({"type": error, "message": message}, status)


_NO_SUCH_KEY = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
_IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:iam::{ACCOUNT}:user/tests</Arn><UserId>AIDATESTS</UserId><Account>{ACCOUNT}</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
