"""Who gets in, and under which name."""

import pytest

from athanor.app.doors import Doors, NoTokenChosen, TokenWanted, UnknownHost, UnknownOrigin

LOOPBACK = Doors(loopback=True, token="")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8700", "[::1]:8700", "LOCALHOST:1"])
def test_loopback_answers_to_its_own_names(host: str) -> None:
    LOOPBACK.check("/api/v1/runs", {"host": host})


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.1:8700", "[::1"]
)
def test_a_rebound_name_is_refused(host: str) -> None:
    with pytest.raises(UnknownHost):
        LOOPBACK.check("/api/v1/runs", {"host": host})


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:9999", "file://", "", "http://["]
)
def test_a_foreign_page_is_refused(origin: str) -> None:
    with pytest.raises(UnknownOrigin):
        LOOPBACK.check("/api/v1/runs", {"host": "127.0.0.1:8700", "origin": origin})


def test_its_own_page_gets_in() -> None:
    LOOPBACK.check("/", {"host": "127.0.0.1:8700", "origin": "http://127.0.0.1:8700"})


def test_any_other_address_wants_a_token() -> None:
    with pytest.raises(NoTokenChosen):
        Doors.for_host("0.0.0.0", token="", demanded=False)  # noqa: S104 - what is refused
    doors = Doors.for_host("10.0.0.1", token="long-secret", demanded=False)
    with pytest.raises(TokenWanted):
        doors.check("/api/v1/runs", {"host": "10.0.0.1"})
    with pytest.raises(TokenWanted):
        doors.check("/api/v1/runs", {"host": "10.0.0.1", "authorization": "Bearer wrong"})
    doors.check("/api/v1/runs", {"host": "10.0.0.1", "authorization": "Bearer long-secret"})
    doors.check("/healthz", {"host": "10.0.0.1"})


def test_a_shared_host_demands_the_token_on_loopback_too() -> None:
    doors = Doors.for_host("127.0.0.1", token="t", demanded=True)
    with pytest.raises(TokenWanted):
        doors.check("/api/v1/runs", {"host": "localhost"})
