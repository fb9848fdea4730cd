"""A scrape over HTTP: formats, compression, tokens, and what must not be told."""

import gzip
import json

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from qml_daemon.http.token_file import TokenFile
from qml_daemon.metrics.catalogue import METRICS, PROCESS
from qml_daemon.metrics.collector import FigureCollector, build_registry
from qml_daemon.metrics.routes import routes
from qml_daemon.metrics.tally import Distribution, Figure
from quantum_mlops.events import Job

HOSTILE = 'ibm"\n\\{}'


@pytest.fixture
def client(make_audience, serve):
    audience = make_audience()
    audience.hear(
        "job.completed",
        Job(job_id="secret-job", backend=HOSTILE, provider="ibm", duration_seconds=2.0),
        run="secret-run",
    )
    return serve(routes(build_registry([audience.watched.figures])))


def test_the_text_format_has_every_metric_of_the_list(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for metric in METRICS:
        name = metric.name.removesuffix("_total")
        assert (families[name].type, families[name].documentation) == (metric.kind, metric.help)
    assert set(PROCESS) <= {sample.name for family in families.values() for sample in family.samples}
    assert not [name for name in families if name.endswith("_created")]


def test_hostile_names_arrive_as_they_are_and_ids_not_at_all(client):
    body = client.get("/metrics").text
    jobs = next(family for family in text_string_to_metric_families(body) if family.name == "qml_jobs")
    assert [(sample.labels["backend"], sample.value) for sample in jobs.samples] == [(HOSTILE, 1.0)]
    assert "secret" not in body


def test_openmetrics_is_given_to_who_asks_for_it(client):
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    families = {family.name: family for family in parse_openmetrics(answer.text)}
    assert families["qml_job_duration_seconds"].type == "histogram"


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip, deflate", "gzip"), ("identity", None), ("", None)])
def test_the_answer_is_compressed_where_that_is_accepted(client, accepted, encoding):
    with client.stream("GET", "/metrics", headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding") == encoding
    body = gzip.decompress(raw) if encoding else raw
    assert body.startswith(b"# HELP qml_jobs_total ")


def test_nothing_of_ours_is_in_the_global_registry(client):
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("qml")]


def test_with_tokens_a_scrape_needs_one_for_every_project(make_audience, make_tokens, serve):
    path, secrets = make_tokens(
        {"name": "prometheus", "project": "*", "scopes": ["read"]},
        {"name": "team", "project": "iris", "scopes": ["read"]},
        {"name": "writer", "project": "*", "scopes": ["ingest"]},
    )
    client = serve(routes(build_registry([make_audience().watched.figures])), TokenFile(path))
    headers = [{}, *({"Authorization": f"Bearer {secret}"} for secret in secrets)]
    found = [client.get("/metrics", headers=one).status_code for one in headers]
    assert found == [401, 200, 403, 403]


def test_a_figure_that_is_not_in_the_list_is_an_error():
    collector = FigureCollector([lambda: [Figure("qml_unheard_of", (), 1.0)]])
    with pytest.raises(KeyError, match="qml_unheard_of"):
        list(collector.collect())


@pytest.mark.parametrize(
    "figure",
    [Figure("qml_alerts", (), Distribution((1,), 1.0)), Figure("qml_job_queue_seconds", ("b",), 1.0)],
)
def test_a_figure_of_the_wrong_kind_is_an_error(figure):
    with pytest.raises(TypeError, match=figure.name):
        list(FigureCollector([lambda: [figure]]).collect())


def test_a_histogram_is_told_in_running_totals():
    figure = Figure("qml_job_execution_seconds", ("b",), Distribution((1, 2, 0, 0, 0, 0, 3), 4000.0))
    family = next(one for one in FigureCollector([lambda: [figure]]).collect() if one.name == figure.name)
    told = {(sample.name.removeprefix(family.name), sample.labels.get("le")): sample.value for sample in family.samples}
    assert told["_bucket", "0.1"] == 1
    assert told["_bucket", "1.0"] == 3
    assert told["_bucket", "+Inf"] == told["_count", None] == 6
    assert told["_sum", None] == 4000.0
    assert json.dumps(sorted(le for _, le in told if le)) == '["+Inf", "0.1", "1.0", "10.0", "3600.0", "60.0", "600.0"]'
