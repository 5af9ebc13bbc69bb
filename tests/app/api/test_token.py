"""With a token nothing but /health answers without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from service_cases import Service, said, service_in


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Service]:
    with service_in(tmp_path, token="open sesame") as held:
        yield held


@pytest.mark.parametrize(
    "address", ["/api/v1/runs", "/metrics", "/openapi.json", "/tiles/a/b/1/tilejson.json", "/x"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "open sesame"},
        {"Authorization": "Basic open sesame"},
        {"Cookie": "landcast_token=wrong"},
    ],
)
def test_requests_without_the_token_are_refused(
    locked: Service, address: str, headers: dict[str, str]
) -> None:
    answer = locked.client.get(address, headers=headers)
    said(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    said(locked.client.post("/upscale?token=open%20sesame", headers=headers), 401)


def test_programs_send_it_with_every_request(locked: Service) -> None:
    assert locked.client.get("/health").status_code == 200
    known = {"Authorization": "Bearer open sesame"}
    assert locked.client.get("/api/v1/runs", headers=known).json() == []


def test_a_browser_brings_it_once_and_keeps_it(locked: Service) -> None:
    asked = "/api/v1/runs?token=open%20sesame&a=1"
    answer = locked.client.get(asked, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/api/v1/runs?a=1")
    assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["Set-Cookie"].split("; "))
    assert locked.client.get("/api/v1/runs").status_code == 200  # By its cookie.
    away = locked.client.get("//other.example/?token=open%20sesame", follow_redirects=False)
    assert not away.headers.get("Location", "/").startswith("//")


def test_without_a_token_there_is_nothing_to_ask_for(door: Service) -> None:
    assert door.client.get("/api/v1/runs").status_code == 200
