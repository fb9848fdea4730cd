"""Rebound names and other sites' pages."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

ROUTES = [Route("/", lambda request: PlainTextResponse("in"), methods=["GET", "POST"])]
OURS = "https://monitor.example.org/qml"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:8765", "LOCALHOST", "[::1]:1", "127.9.9.9", "monitor.example.org"]
)
def test_our_own_names_are_answered(serve, host: str) -> None:
    _, client = serve(ROUTES, external_url=OURS)
    assert client.get("/", headers={"Host": host}).text == "in"


@pytest.mark.parametrize(
    "host", ["evil.org", "localhost.evil.org", "127.0.0.1.evil.org", "[::2]", "", "[", "a@localhost@b"]
)
def test_a_rebound_name_is_refused_while_loopback_is_the_only_lock(serve, host: str) -> None:
    _, client = serve(ROUTES, external_url=OURS)
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"


def test_with_tokens_any_name_is_answered(serve, tokens) -> None:
    _, client = serve(ROUTES, tokens)
    assert client.get("/", headers={"Host": "10.0.0.7"}).text == "in"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8765", "Host": "localhost:8765", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://monitor.example.org"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://evil.org"}, 403),
        ({"Origin": "http://localhost:3000", "Host": "localhost:8765"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://[evil"}, 403),
    ],
)
@pytest.mark.parametrize("with_tokens", [False, True])
def test_another_sites_page_may_change_nothing(serve, tokens, headers, status: int, with_tokens: bool) -> None:
    _, client = serve(ROUTES, tokens if with_tokens else None, OURS)
    assert client.post("/", headers=headers).status_code == status
    assert client.get("/", headers=headers).status_code == 200
