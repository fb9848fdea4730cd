"""Lists and single things over a real server."""

import pytest

from qml_daemon.alert import Alert
from quantum_mlops.clock import SECOND
from quantum_mlops.events import Cost, Evidence, FindingChanged, Job, MetricLogged, Money, RunStarted


def finding(name: str, transition: int = 0, **fields) -> FindingChanged:
    labels = {"backend": "ibm_hanoi", "run": "r1"}
    return FindingChanged(
        finding_id=name, transition=transition, rule=fields.pop("rule", "CircuitDrift"), series="iris/drift/x",
        severity="critical", labels=labels, **fields,
    )  # fmt: skip


def names(response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


def test_a_run_and_its_job_are_told_whole(served) -> None:
    served.emit("run.started", RunStarted(name="vqc", tags={"who": "ada"}), runid="r1")
    cost = Cost(final=Money(amount="1.20", currency="USD"))
    served.emit("job.completed", Job(job_id="j1", backend="ibm_hanoi", cost=cost), runid="r1", step=3)
    (run,) = served.get("runs").json()["items"]
    assert run == served.get("runs/r1").json()
    assert (run["status"], run["tags"], run["jobs"]) == ("running", {"who": "ada"}, {"completed": 1})
    assert run["started"] == run["seen"] == "2027-01-15T08:00:00.000000000Z"
    job = served.get("jobs/j1").json()
    assert job["cost_final"] == {"amount": "1.20", "currency": "USD"}
    assert (job["run"], job["backend"], job["status"], job["step"]) == ("r1", "ibm_hanoi", "completed", 3)
    assert served.get("backends/ibm_hanoi").json()["jobs"] == {"completed": 1}


def test_a_series_is_listed_without_points_and_told_with_them(served) -> None:
    for step in range(3):
        served.emit("metric.logged", MetricLogged(values={"loss/train": 0.5 + step}), runid="a/b", step=step)
    (item,) = served.get("series", run="a/b", metric="loss/train").json()["items"]
    assert "points" not in item
    one = served.get(f"series/{item['id'].replace('%', '%25')}").json()
    assert [(point["step"], point["value"]) for point in one["points"]] == [(0, 0.5), (1, 1.5), (2, 2.5)]
    assert (one["count"], one["last"], one["run"]) == (3, 2.5, "a/b")


def test_findings_are_filtered_and_one_has_its_bundle(served) -> None:
    evidence = Evidence(events=[("qml://host/0a/0", "1")], processor="drift", processor_version=1, bundle="{}")
    served.emit("finding.opened", finding("f1", evidence=evidence))
    served.clock.advance_seconds(1)
    served.emit("finding.opened", finding("f2", rule="LowAccuracy"))
    served.emit("finding.closed", finding("f2", 1, rule="LowAccuracy", reason="calm"))
    assert names(served.get("findings")) == ["f2", "f1"]
    assert names(served.get("findings", open="true")) == ["f1"]
    assert names(served.get("findings", open="false")) == ["f2"]
    assert names(served.get("findings", open="true", status="resolved")) == []
    assert names(served.get("findings", rule="LowAccuracy", status="resolved", backend="ibm_hanoi", run="r1")) == ["f2"]
    assert names(served.get("findings", since="2027-01-15T08:00:01Z")) == ["f2"]
    assert names(served.get("findings", until="2027-01-15T09:00:01+01:00")) == ["f1"]
    one = served.get("findings/f1").json()
    assert one["evidence"]["bundle"] == "{}"
    assert one["evidence"]["events"] == [{"source": "qml://host/0a/0", "id": "1"}]
    assert "bundle" not in served.get("findings", rule="CircuitDrift").json()["items"][0]["evidence"]
    assert [change["change"] for change in served.get("findings/f2").json()["changes"]] == ["opened", "closed"]


def test_alerts_are_those_of_the_dispatcher_in_pages(served) -> None:
    served.alerts = [
        Alert(
            key=f"k{number}", fingerprint="x", finding_id=f"f{number}", status="firing", rule="CircuitDrift",
            severity="warning", starts=served.clock() + number // 2 * SECOND, updated=served.clock(),
            labels={"project": ("iris", "wine")[number % 2]},
        )
        for number in range(5)
    ]  # fmt: skip
    first = served.get("alerts", limit=3).json()
    second = served.get("alerts", limit=3, cursor=first["next"]).json()
    assert [item["id"] for item in [*first["items"], *second["items"]]] == ["k4", "k3", "k2", "k1", "k0"]
    assert second["next"] is None
    assert names(served.get("alerts", project="wine", rule="CircuitDrift", severity="warning")) == ["k3", "k1"]
    assert served.get("alerts/k1").json()["finding"] == "f1"
    assert served.get("alerts/k9").status_code == 404


def test_pages_end_with_a_null_cursor_and_hold_every_row_once(served) -> None:
    for number in range(7):
        served.emit("job.created", Job(job_id=f"j{number}"))
    found, cursor = [], None
    while True:
        page = served.get("jobs", limit=3, **({} if cursor is None else {"cursor": cursor})).json()
        found += [item["id"] for item in page["items"]]
        served.emit("job.created", Job(job_id=f"new{len(found)}"))
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [f"j{number}" for number in range(6, -1, -1)]


@pytest.mark.parametrize(
    ("path", "parameters", "name", "why"),
    [
        ("jobs", {"limit": "0"}, "limit", "limit: expected `int` >= 1"),
        ("jobs", {"limit": "many"}, "limit", "limit: expected `int`, got `str`"),
        (
            "jobs",
            {"status": "done"},
            "status",
            "'done'; known are created, queued, running, unknown, cancelled, failed, completed",
        ),
        ("jobs", {"status": "null"}, "status", "status: invalid value 'null'; known are created"),
        ("jobs", {"since": "yesterday"}, "since", "write it like 2026-11-21T16:00:00Z"),
        ("jobs", {"until": "2026-02-30T00:00:00Z"}, "until", "until: "),
        ("jobs", {"statsu": "failed"}, "statsu", "did you mean status?"),
        ("jobs", {"cursor": "AAAA"}, "cursor", "leave it out to begin with the newest"),
        ("jobs", {"cursor": "!"}, "cursor", "leave it out to begin with the newest"),
        ("jobs", {"backend": ["a", "b"]}, "backend", "given 2 times; give it once"),
        ("findings", {"open": "perhaps"}, "open", "open: expected `bool`"),
        ("jobs/j1", {"limit": "1"}, "limit", "no such parameter; known are project"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_mend(served, path, parameters, name, why) -> None:
    answer = served.get(path, **parameters)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == name
    assert why in answer.json()["detail"]


def test_a_cursor_of_another_list_is_refused(served) -> None:
    for number in range(3):
        served.emit("job.created", Job(job_id=f"j{number}"), runid=f"r{number}")
    cursor = served.get("jobs", limit=1).json()["next"]
    answer = served.get("runs", limit=1, cursor=cursor)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")
    assert "of another list" in answer.json()["detail"]


def test_an_id_of_two_projects_asks_for_the_project(served) -> None:
    served.emit("job.created", Job(job_id="j1"), project="iris")
    served.emit("job.failed", Job(job_id="j1"), project="wine")
    answer = served.get("jobs/j1")
    assert (answer.status_code, answer.json()["parameter"]) == (409, "project")
    assert served.get("jobs/j1", project="wine").json()["status"] == "failed"
    assert served.get("jobs/j9").status_code == 404


def test_a_token_of_one_project_sees_nothing_else(guarded) -> None:
    for project in ("iris", "wine"):
        served_job = Job(job_id=f"{project}-job", backend="ibm_hanoi")
        guarded.emit("job.created", served_job, project=project, runid=f"{project}-run")
        guarded.alerts.append(
            Alert(
                key=project,
                fingerprint="x",
                finding_id="f",
                status="firing",
                rule="R",
                severity="info",
                starts=1,
                updated=1,
                labels={"project": project},
            )
        )
    for path in ("jobs", "runs", "backends", "alerts"):
        items = guarded.get(path, "iris-secret").json()["items"]
        assert {item.get("project") or item["labels"]["project"] for item in items} == {"iris"}
        assert len(guarded.get(path, "all-secret").json()["items"]) == 2
    assert guarded.get("jobs/wine-job", "iris-secret").status_code == 404
    assert guarded.get("alerts/wine", "iris-secret").status_code == 404
    refused = guarded.get("jobs", "iris-secret", project="wine")
    assert (refused.status_code, refused.json()["parameter"]) == (403, "project")
    assert guarded.get("jobs", "send-secret").status_code == 403
    assert guarded.get("jobs").status_code == 401
    assert guarded.get("stream").status_code == 401


def test_views_that_cannot_be_read_are_a_503_that_says_so(served) -> None:
    served.views.reader.close()
    answer = served.get("runs")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "closed" in answer.json()["detail"]
