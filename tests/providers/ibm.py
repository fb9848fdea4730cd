"""A stand-in for IBM's cloud: the HTTP API that the real qiskit-ibm-runtime speaks, on 127.0.0.1.

IAM tokens, backends, usage, jobs, metrics, results and sessions. Jobs run for real, on Aer, so their results are real.
A job's life is scripted and moves with the questions that are asked of it, so no test waits for time to pass:

    with IbmCloud() as cloud:
        cloud.script(JobScript(statuses=("Queued", "Running"), queue_seconds=30, qpu_seconds=2.5))
        service = cloud.service()                       # the SDK's own class
        job = SamplerV2(service.backend("ibm_hanoi")).run([circuit])

The shapes are those of the SDK 0.51 and of IBM's published API; the live service was never asked.
"""

import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.providers.ibm_device import Device

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/0123456789abcdef:11111111-2222-3333-4444-555555555555::"
API_KEY = "an-api-key-of-nobody"
RAN_TOO_LONG = 1305


@dataclass
class JobScript:
    """The life of one job.

    `statuses` are what the first questions are answered, one each; then comes `end`: "Completed", "Failed",
    "Cancelled", or any other word; None repeats the last of `statuses` for ever. `bill_after` questions for the
    metrics say that the usage is pending. `old_metrics` has the keys of SDK 0.49 and before.
    """

    statuses: tuple[str, ...] = ()
    end: str | None = "Completed"
    reason: str | None = None
    reason_code: int | None = None
    queue_seconds: float = 12.0
    run_seconds: float = 3.0
    qpu_seconds: float = 2.0
    estimated_seconds: float = 4.0
    bill_after: int = 0
    old_metrics: bool = False


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose "METHOD path" matches `request` (a regular expression)."""

    request: str
    status: int | None = None
    retry_after: str | None = None
    truncated: bool = False
    latency_seconds: float = 0.0
    times: int = 1


@dataclass
class Request:
    """A request that came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class CloudJob:
    """A job as the service keeps it."""

    id: str
    backend: str
    program: str
    script: JobScript
    submitted: dict[str, Any]
    created: datetime
    result: str
    asked: int = 0
    told: str = ""
    metrics_asked: int = 0
    results_read: int = 0
    cancelled: bool = False
    tags: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The status that the next answer tells."""
        if self.cancelled:
            return "Cancelled"
        words = self.script.statuses
        if self.asked < len(words):
            return words[self.asked]
        return self.script.end or words[-1]

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return _is_end(self.status)

    def document(self) -> dict[str, Any]:
        """What GET /jobs/{id} answers."""
        state: dict[str, Any] = {"status": self.status}
        if self.is_over and self.script.reason:
            state |= {"reason": self.script.reason, "reason_code": self.script.reason_code}
        return {
            "id": self.id,
            "backend": self.backend,
            "program": {"id": self.program},
            "status": self.status,
            "state": state,
            "created": _utc(self.created),
            "runtime": "",
            "tags": self.tags,
            "session_id": self.submitted.get("session_id"),
            "private": self.submitted.get("private", False),
            "cost": 300,
            "estimated_running_time_seconds": self.script.estimated_seconds,
        }

    def metrics(self) -> dict[str, Any]:
        """What GET /jobs/{id}/metrics answers."""
        script = self.script
        started = self.created + timedelta(seconds=script.queue_seconds)
        ended = started + timedelta(seconds=script.run_seconds)
        known = self.told or self.status
        is_over = self.cancelled or _is_end(known)
        times = {
            "created": _utc(self.created),
            "running": _utc(started) if (is_over or known == "Running") and not self.cancelled else None,
            "finished": _utc(ended) if is_over else None,
        }
        billed = is_over and self.metrics_asked > script.bill_after
        if script.old_metrics:
            seconds = script.qpu_seconds if billed else None
            return {"timestamps": times, "bss": {"seconds": seconds}, "usage": {"quantum_seconds": seconds}}
        usage: dict[str, Any] = {"status": "complete" if billed else "pending"}
        if billed:
            usage["qpu_charge_time_seconds"] = script.qpu_seconds
        return {"timestamps": times, "usage": usage}


class IbmCloud:
    """The server. Thread-safe; `requests` holds all that came in, `jobs` all jobs by id."""

    def __init__(self, *devices: Device) -> None:
        chosen = devices or (Device("hanoi", ("2024-04-16", "2024-05-27")),)
        self.devices = {device.name: device for device in chosen}
        self.requests: list[Request] = []
        self.jobs: dict[str, CloudJob] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.faults: list[Fault] = []
        self.usage: dict[str, Any] = {"usage_consumed_seconds": 10, "usage_limit_seconds": 600}
        self.token_seconds = 3600
        self.default_script = JobScript()
        self._scripts: list[JobScript] = []
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> Self:
        """Listen on a free port."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening; idempotent."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """The server itself: what IAM_URL says."""
        assert self._server is not None, "not started"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """What the SDK takes as `url`; it leaves an address with "experimental" as it is."""
        return f"{self.address}/experimental"

    @property
    def environ(self) -> dict[str, str]:
        """The SDK's own environment variables; to be in force while it connects."""
        return {
            "IAM_URL": self.address,
            "QISKIT_FUNCTIONS_EXPERIMENTAL": "1",  # ask no Global Search for instances
            "QISKIT_IBM_TOKEN": API_KEY,
            "QISKIT_IBM_INSTANCE": CRN,
            "QISKIT_IBM_URL": self.url,
        }

    def service(self) -> Any:
        """Return the SDK's QiskitRuntimeService, connected here. `environ` must be in force."""
        from qiskit_ibm_runtime import QiskitRuntimeService

        return QiskitRuntimeService(channel="ibm_quantum_platform", token=API_KEY, instance=CRN, url=self.url)

    def script(self, *scripts: JobScript) -> None:
        """Say how the next jobs live, one each; after them come jobs of `default_script`."""
        self._scripts.extend(scripts)

    def asked(self, pattern: str) -> list[Request]:
        """Return the requests whose "METHOD path" matches, in order."""
        with self._lock:
            return [request for request in self.requests if re.search(pattern, str(request))]

    def answer(self, request: Request) -> tuple[int, Any]:
        """Return status and body. Called by the server's threads."""
        for method, pattern, respond in _ROUTES:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                if respond is not _token and not self._knows(request.headers.get("Authorization", "")):
                    return 401, _error("authentication failed", 1200)
                with self._lock:
                    return respond(self, request, *found.groups())
        return 404, _error(f"no such resource: {request}", 1404)

    def _knows(self, authorization: str) -> bool:
        token = authorization.removeprefix("Bearer ")
        return self._tokens.get(token, 0.0) > time.time()

    def give_token(self, api_key: str) -> tuple[int, Any]:
        """Answer IAM's question for a token, which is a JWT: the SDK reads its times."""
        if api_key != API_KEY:
            return 400, {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
        now = int(time.time())
        times = {"iat": now, "exp": now + self.token_seconds}
        parts = ({"alg": "none", "typ": "JWT"}, times, {"nonce": len(self._tokens)})
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        self._tokens[token] = times["exp"]
        return 200, {"access_token": token, "token_type": "Bearer", "expiration": times["exp"]}

    def expire_tokens(self) -> None:
        """Have every token refused from now on, as after its time or a change of the account."""
        self._tokens.clear()

    def note(self, request: Request) -> Fault | None:
        """Keep a request; return the fault that it meets."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.request, str(request)):
                    fault.times -= 1
                    return fault
        return None

    def submit(self, body: dict[str, Any]) -> CloudJob:
        """Take a job and run it: it is over as soon as its script says so."""
        script = self._scripts.pop(0) if self._scripts else self.default_script
        device = self.devices[body["backend"]]
        if script.end == "Completed" or script.end is None:
            try:
                result = device.run(body["program_id"], body["params"])
            except Exception as error:  # noqa: BLE001 - as the service: the job fails, not the request
                script = JobScript(script.statuses, "Failed", f"{type(error).__name__}: {error}", 1517)
                result = f"Traceback\n{error}"
        else:
            result = "Traceback (most recent call last):\nRuntimeError: the device gave up"
        name = uuid.uuid4().hex[:20]
        self.jobs[name] = CloudJob(
            name,
            device.name,
            body["program_id"],
            script,
            {key: value for key, value in body.items() if key != "params"},
            datetime.now(UTC),
            result,
            tags=body.get("tags", []),
        )
        return self.jobs[name]


def _is_end(status: str) -> bool:
    return status.split(maxsplit=1)[0] in {"Completed", "Failed", "Cancelled"}


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _error(message: str, code: int) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message, "solution": "", "more_info": ""}], "trace": "t"}


def _token(cloud: IbmCloud, request: Request) -> tuple[int, Any]:
    return cloud.give_token(parse_qs(request.body).get("apikey", [""])[0])


def _backends(cloud: IbmCloud, _request: Request) -> tuple[int, Any]:
    return 200, {
        "devices": [
            {
                "name": device.name,
                "status": {"name": "online" if device.operational else "paused", "reason": "available"},
                "qubits": device.configuration["n_qubits"],
                "queue_length": device.pending_jobs,
                "is_simulator": False,
            }
            for device in cloud.devices.values()
        ]
    }


def _backend(cloud: IbmCloud, request: Request, name: str, what: str) -> tuple[int, Any]:
    device = cloud.devices.get(name)
    if device is None:
        return 404, _error(f"no backend {name}", 1401)
    if what == "configuration":
        return 200, device.configuration
    if what == "properties":
        before = request.query.get("updated_before")
        return 200, device.properties_before(before[0]) if before else device.properties
    return 200, {
        "state": device.operational,
        "status": device.status,
        "message": "",
        "length_queue": device.pending_jobs,
        "backend_version": device.configuration["backend_version"],
    }


def _usage(cloud: IbmCloud, _request: Request) -> tuple[int, Any]:
    return 200, cloud.usage


def _submit(cloud: IbmCloud, request: Request) -> tuple[int, Any]:
    body = request.body
    if body.get("backend") not in cloud.devices:
        return 404, _error(f"no backend {body.get('backend')}", 1401)
    session = cloud.sessions.get(body.get("session_id", ""))
    if body.get("session_id") and (session is None or not session["accepting_jobs"]):
        return 400, _error("the session is closed", 1217)
    job = cloud.submit(body)
    if session is not None:
        session.update(state="active", last_job_started=_utc(job.created))
    return 200, {"id": job.id, "backend": job.backend, "session_id": body.get("session_id"), "private": False}


def _jobs(cloud: IbmCloud, request: Request) -> tuple[int, Any]:
    wanted = request.query.get("session_id")
    found = [job.document() for job in reversed(cloud.jobs.values())]
    found = [each for each in found if wanted is None or each["session_id"] == wanted[0]]
    return 200, {"jobs": found, "count": len(found), "limit": len(found), "offset": 0}


def _job(cloud: IbmCloud, request: Request, name: str, what: str | None) -> tuple[int, Any]:
    job = cloud.jobs.get(name)
    if job is None:
        return 404, _error(f"job not found: {name}", 1291)
    if what == "metrics":
        job.metrics_asked += 1
        return 200, job.metrics()
    if what == "results":
        job.results_read += 1
        private = job.submitted.get("private") and job.results_read > 1
        return (404, _error("the result of a private job was read already", 1292)) if private else (200, job.result)
    if what == "logs":
        return 200, ""
    document = job.document()
    job.asked, job.told = job.asked + 1, job.status
    return 200, document


def _cancel(cloud: IbmCloud, _request: Request, name: str) -> tuple[int, Any]:
    job = cloud.jobs.get(name)
    if job is None or job.is_over:
        return (404, _error(f"job not found: {name}", 1291)) if job is None else (409, _error("is over", 1295))
    job.cancelled = True
    return 204, None


def _open_session(cloud: IbmCloud, request: Request) -> tuple[int, Any]:
    body = request.body or {}
    name = str(uuid.uuid4())
    now = _utc(datetime.now(UTC))
    cloud.sessions[name] = {
        "id": name,
        "backend_name": body.get("backend"),
        "interactive_ttl": 60,
        "max_ttl": body.get("max_ttl", 28800),
        "active_ttl": 28800,
        "state": "open",
        "accepting_jobs": True,
        "started_at": now,
        "mode": body.get("mode"),
        "elapsed_time": 0,
        "timestamps": [{"status": "open", "timestamp": now}],
    }
    return 200, cloud.sessions[name]


def _session(cloud: IbmCloud, request: Request, name: str, _what: str | None = None) -> tuple[int, Any]:
    session = cloud.sessions.get(name)
    if session is None:
        return 404, _error(f"session not found: {name}", 1292)
    if request.method == "GET":
        return 200, session
    session.update(state="closed", accepting_jobs=False, closed_at=_utc(datetime.now(UTC)))
    if request.method == "DELETE":
        for job in cloud.jobs.values():
            job.cancelled = job.cancelled or (job.submitted.get("session_id") == name and not job.is_over)
    return 204, None


_ROUTES: list[tuple[str, str, Any]] = [
    ("POST", "/(?:identity/)?token", _token),
    ("GET", "/backends", _backends),
    ("GET", "/backends/([^/]+)/(configuration|properties|status)", _backend),
    ("GET", "/instances/usage", _usage),
    ("POST", "/jobs", _submit),
    ("GET", "/jobs", _jobs),
    ("GET", "/jobs/([^/]+)(?:/(metrics|results|logs))?", _job),
    ("POST", "/jobs/([^/]+)/cancel", _cancel),
    ("POST", "/sessions", _open_session),
    ("GET", "/sessions/([^/]+)", _session),
    ("PATCH", "/sessions/([^/]+)", _session),
    ("DELETE", "/sessions/([^/]+)/(close)", _session),
]


def _handler(cloud: IbmCloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_json = "json" in (self.headers.get("Content-Type") or "")
            request = Request(
                self.command,
                parts.path.removeprefix("/experimental"),
                parse_qs(parts.query),
                json.loads(raw) if raw and is_json else raw.decode(),
                dict(self.headers.items()),
            )
            fault = cloud.note(request)
            if fault is not None and fault.latency_seconds:
                time.sleep(fault.latency_seconds)
            if fault is not None and fault.status is not None:
                status, body = fault.status, _error("as planted", fault.status)
            else:
                status, body = cloud.answer(request)
            text = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
            if fault is not None and fault.truncated:
                text = text[: len(text) // 2]
            with suppress(ConnectionError):  # who asked may be gone
                self.send_response(status)
                for name, value in _headers(body, fault):
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server calls
            """Stay quiet."""

    return Handler


def _headers(body: Any, fault: Fault | None) -> Iterator[tuple[str, str]]:
    if body is not None:
        yield "Content-Type", "text/plain" if isinstance(body, str) else "application/json"
    if fault is not None and fault.retry_after is not None:
        yield "Retry-After", fault.retry_after
