"""`require`: who gets in, as what, and what the others are told."""

import base64

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qml_daemon.http.tokens import project_of, require, token_of


@require("read")
async def see(request: Request) -> PlainTextResponse:
    token = token_of(request)
    return PlainTextResponse(f"{token and token.name} {project_of(request)}")


@require("read")
def see_in_a_thread(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{project_of(request)}")


ROUTES = [Route("/see", see), Route("/thread", see_in_a_thread)]


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer look-secret", "look iris"),
        ("bearer  look-secret", "look iris"),
        (basic("anyone:look-secret"), "look iris"),
        (basic(":all-secret"), "all None"),
    ],
)
def test_a_token_with_the_scope_gets_in_as_its_project(serve, tokens, header: str, expected: str) -> None:
    _, client = serve(ROUTES, tokens)
    assert client.get("/see", headers={"Authorization": header}).text == expected
    assert client.get("/thread", headers={"Authorization": header}).text == expected.split()[1]


@pytest.mark.parametrize(
    ("header", "status", "said"),
    [
        (None, 401, "a token is needed"),
        ("", 401, "a token is needed"),
        ("Bearer", 401, "a token is needed"),
        ("Digest abc", 401, "a token is needed"),
        ("Basic !!!", 401, "a token is needed"),
        (basic("look-secret"), 401, "a token is needed"),
        (f"Bearer {'x' * 5000}", 401, "a token is needed"),
        ("Bearer wrong", 401, "this token is not known here"),
        ("Bearer look-secret look-secret", 401, "this token is not known here"),
        ("Bearer send-secret", 403, "the token send lacks the scope read"),
    ],
)
def test_others_are_told_what_is_missing(serve, tokens, header: str | None, status: int, said: str) -> None:
    _, client = serve(ROUTES, tokens)
    answer = client.get("/see", headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.json()["detail"]
    assert "secret" not in answer.text
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_without_tokens_everybody_on_this_machine_gets_in(serve) -> None:
    _, client = serve(ROUTES)
    assert client.get("/see").text == "None None"
    assert client.get("/see", headers={"Authorization": "Bearer whatever"}).text == "None None"
