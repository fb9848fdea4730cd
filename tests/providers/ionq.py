"""IonQ's API v0.4 on 127.0.0.1, as far as the real `qiskit_ionq` and our door ask for it. Jobs run for real.

    with IonqCloud() as cloud:
        provider = IonQProvider(cloud.key, url=cloud.url)   # and IONQ_API_URL=cloud.url for the number of qubits

A job goes one status on with every GET of it, along the `statuses` in force when it was submitted, and stays in the
last: `cloud.statuses = ("ready", "started", "completed")`, `("ready",)` for one that never ends.
"""

import json
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tests.providers.ionq_circuits import frequencies, probabilities_of, sample

QUBITS = {"simulator": 29, "qpu.aria-1": 25, "qpu.forte-1": 36, "qpu.qpu": 11, "qpu": 11}
ERRORS = {"ideal": 0.0, "aria-1": 0.02, "forte-1": 0.01}
FINAL = {"completed", "failed", "canceled"}
STARTED = {"started", "running", "completed", "failed"}
CHARACTERIZATION = {
    "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "date": "2026-11-20T06:30:00Z",
    "backend": "qpu.forte-1",
    "qubits": 36,
    "connectivity": [[0, 1], [0, 2], [1, 2]],
    "fidelity": {
        "spam": {"median": 0.9962, "stderr": None},
        "1q": {"median": 0.9998, "stderr": 0.00002},
        "2q": {"median": 0.9946, "stderr": 0.0004},
    },
    "timing": {"readout": 0.00015, "reset": 0.00005, "1q": 0.00011, "2q": 0.0009, "t1": 100.0, "t2": 1.0},
}


@dataclass
class Fault:
    """What to answer in place of the truth, `times` times, to requests whose path holds `path`."""

    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    times: int = 1


@dataclass
class CloudJob:
    """One job, or the child of one with several circuits."""

    id: str
    body: dict[str, Any]
    statuses: list[str]
    submitted: datetime
    probabilities: dict[str, float]
    outcomes: list[int]
    parent: str | None = None
    children: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The status that the last answer told."""
        return self.statuses[0]


class IonqCloud:
    """The service; attributes without underscore are switches and may be set at any time.

    `documents` are answered at their paths as they are, in place of what is made of the jobs.
    """

    def __init__(self) -> None:
        self.key = "ionq-test-key"
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.jobs: dict[str, CloudJob] = {}
        self.statuses: Sequence[str] = ("completed",)
        self.failure: Mapping[str, str] = {"code": "QuantumComputerError", "message": "the ions were lost"}
        self.predicted_wait_ms, self.waited_ms = 5000, 4000
        self.predicted_execution_ms, self.execution_ms = 300, 250
        self.cost: Mapping[str, Any] | None = {"value": 24.83, "unit": "usd"}
        self.estimated_cost: Mapping[str, Any] | None = {"value": 25.5, "unit": "usd"}
        self.characterizations: list[dict[str, Any]] | None = [CHARACTERIZATION]
        self.latency_seconds = 0.0
        self.is_truncated = False
        self.faults: list[Fault] = []
        self.documents: dict[str, Any] = {}
        self._rng = np.random.default_rng(20261121)
        self._lock = threading.Lock()
        cloud = self

        class Handler(_Handler):
            service = cloud

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """What IONQ_API_URL and `IonQProvider(url=…)` take."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v0.4"

    def start(self) -> Self:
        """Serve from a thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fail(self, path: str, status: int, times: int = 1, body: str | None = None, **headers: str) -> None:
        """Answer the next requests for `path` with `status`; `Retry_After="2"` gives a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append(Fault(path, status, named, body, times))

    def asked(self, path: str) -> int:
        """Return how many requests were for a path that holds `path`."""
        return sum(path in asked for _, asked in self.requests)

    def answer(  # noqa: C901, PLR0911 - a table of routes
        self, method: str, path: str, query: Mapping[str, str], body: Any, *, known: bool
    ) -> tuple[int, Any]:
        """Return status and document."""
        if path in self.documents and known:
            return 200, self.documents[path]
        parts = [part for part in path.split("/") if part]
        if parts and parts[0].startswith("v0."):
            parts = parts[1:]
        with self._lock:
            match (method, *parts):
                case ("GET", "backends", name):  # asked without a key
                    return self._backend(name)
                case _ if not known:
                    return 401, {"statusCode": 401, "error": "Unauthorized", "message": "Invalid key provided"}
                case ("GET", "backends"):
                    return 200, [self._backend(name)[1] for name in QUBITS]
                case ("GET", "backends", name, "characterizations"):
                    return self._characterized(name, int(query.get("limit", 10)))
                case ("POST", "jobs"):
                    return self._submit(body)
                case ("GET", "jobs"):
                    return 200, {"jobs": [self._document(job) for job in self.jobs.values()], "next": None}
                case ("GET", "jobs", "estimate"):
                    return 200, self._estimate(query)
                case ("POST", "sessions"):
                    return 201, {"id": str(uuid.uuid4()), "backend": body["backend"], "active": True}
                case ("POST", "sessions", session, "end"):
                    return 200, {"id": session, "active": False, "status": "ended"}
                case (_, "jobs", job, *rest) if job in self.jobs:
                    return self._job(method, self.jobs[job], rest)
        return 404, {"statusCode": 404, "error": "Not Found", "message": "Resource not found"}

    def _backend(self, name: str) -> tuple[int, Any]:
        if name not in QUBITS:
            return 404, {"statusCode": 404, "error": "Not Found", "message": f"no backend {name}"}
        document = {"backend": name, "status": "available", "degraded": False, "qubits": QUBITS[name]}
        return 200, {**document, "average_queue_time": 1_181_215, "last_updated": "2026-11-20T06:31:00Z"}

    def _characterized(self, name: str, limit: int) -> tuple[int, Any]:
        if self.characterizations is None or name == "simulator":
            return 200, {"characterizations": None, "pages": 0}
        found = [{**each, "backend": name} for each in self.characterizations[:limit]]
        return 200, {"characterizations": found, "pages": len(found)}

    def _estimate(self, query: Mapping[str, str]) -> dict[str, Any]:
        numbers = {name: int(query.get(name, 0)) for name in ("1q_gates", "2q_gates", "qubits", "shots")}
        return {
            "input_values": {"backend": query.get("backend"), **numbers},
            "estimated_cost": (self.estimated_cost or {}).get("value"),
            "cost_unit": (self.estimated_cost or {}).get("unit"),
            "estimated_execution_time": self.predicted_execution_ms / 1000,
            "current_predicted_queue_time": self.predicted_wait_ms / 1000,
            "estimated_at": _iso(datetime.now(UTC)),
        }

    def _submit(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.bodies.append(body)
        given = body["input"]
        if body["type"] == "ionq.circuit.v1":
            job = self._add(body, given["circuit"], None)
        elif body["type"] == "ionq.multi-circuit.v1":
            job = self._add(body, [], None)
            job.children = [self._add(body, each["circuit"], job.id).id for each in given["circuits"]]
        else:
            return 400, {"statusCode": 400, "error": "Bad Request", "message": f"no {body['type']} here"}
        return 201, {"id": job.id, "status": "submitted", "session_id": body.get("session_id")}

    def _add(self, body: dict[str, Any], gates: Sequence[Any], parent: str | None) -> CloudJob:
        model = (body.get("noise") or {}).get("model", "ideal")
        simulated = body["backend"] == "simulator"
        error = ERRORS[model] if simulated else ERRORS["forte-1"]
        exact = probabilities_of(gates, body["input"]["qubits"], error)
        outcomes = [] if simulated and model == "ideal" else sample(exact, body["shots"], self._rng)
        told = frequencies(outcomes) if outcomes else exact
        job = CloudJob(str(uuid.uuid4()), body, list(self.statuses), datetime.now(UTC), told, outcomes, parent)
        self.jobs[job.id] = job
        return job

    def _job(  # noqa: PLR0911 - a table of routes
        self, method: str, job: CloudJob, rest: Sequence[str]
    ) -> tuple[int, Any]:
        match (method, *rest):
            case ("GET",):
                document = self._document(job)
                if len(job.statuses) > 1:
                    job.statuses.pop(0)
                return 200, document
            case ("GET", "cost"):
                is_paid = job.status == "completed" and job.body["backend"] != "simulator"
                return 200, {
                    "dry_run": False,
                    "estimated_cost": self.estimated_cost,
                    "cost": self.cost if is_paid else None,
                }
            case ("GET", "results", "probabilities"):
                return 200, job.probabilities
            case ("GET", "results", "probabilities", "aggregated"):
                return 200, {child: self.jobs[child].probabilities for child in job.children}
            case ("GET", "results", "shots") if job.outcomes:
                return 200, [str(outcome) for outcome in job.outcomes]
            case ("PUT", "status", "cancel"):
                if job.status not in FINAL:
                    job.statuses = ["canceled"]
                return 200, {"id": job.id, "status": job.status}
            case ("DELETE",):
                return 200, {"id": job.id, "status": "deleted"}
        return 404, {"statusCode": 404, "error": "Not Found", "message": "Resource not found"}

    def _document(self, job: CloudJob) -> dict[str, Any]:
        """As GetJobResponse of the API's description."""
        started = job.submitted + timedelta(milliseconds=self.waited_ms)
        ended = started + timedelta(milliseconds=self.execution_ms)
        is_final, has_started = job.status in FINAL, job.status in STARTED
        results = f"/v0.4/jobs/{job.id}/results"
        probabilities = f"{results}/probabilities" + ("/aggregated" if job.children else "")
        urls = {"probabilities": {"url": probabilities}} | (
            {"shots": {"url": f"{results}/shots"}} if job.outcomes and not job.children else {}
        )
        return {
            "id": job.id,
            "status": job.status,
            "type": job.body["type"],
            "backend": job.body["backend"],
            "dry_run": False,
            "submitter_id": "64b03577072d45001c85e9c4",
            "project_id": "1333d459-cf47-4a5e-acc1-8d4eb4f7b025",
            "parent_job_id": job.parent,
            "session_id": job.body.get("session_id"),
            "metadata": job.body.get("metadata"),
            "name": job.body.get("name"),
            "submitted_at": _iso(job.submitted),
            "started_at": _iso(started) if has_started else None,
            "completed_at": _iso(ended) if is_final else None,
            "predicted_wait_time_ms": self.predicted_wait_ms,
            "predicted_execution_duration_ms": self.predicted_execution_ms,
            "execution_duration_ms": self.execution_ms if job.status == "completed" else None,
            "shots": job.body["shots"],
            "noise": job.body.get("noise"),
            "failure": dict(self.failure) if job.status == "failed" else None,
            "output": {},
            "settings": job.body.get("settings") or {},
            "stats": {"qubits": job.body["input"]["qubits"], "circuits": max(1, len(job.children))},
            "results": urls if job.status == "completed" else None,
            "child_job_ids": job.children or None,
        }


class _Handler(BaseHTTPRequestHandler):
    service: IonqCloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        service, asked = self.service, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        service.requests.append((method, self.path))
        if service.latency_seconds:
            time.sleep(service.latency_seconds)
        fault = next((each for each in service.faults if each.path in self.path and each.times > 0), None)
        if fault is not None:
            fault.times -= 1
            said = {"statusCode": fault.status, "error": "Error", "message": "switched on by the test"}
            self._send(fault.status, (fault.body or json.dumps(said)).encode(), fault.headers)
            return
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        known = self.headers.get("Authorization") == f"apiKey {service.key}"
        status, document = service.answer(method, asked.path, query, json.loads(raw) if raw else None, known=known)
        text = json.dumps(document).encode()
        self._send(status, text[: len(text) // 2] if service.is_truncated else text, {})

    def _send(self, status: int, text: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
