"""Requests whose ids are symbols, since each server gives ids of its own."""

import http.client
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

HUGE = "\u27e81e400\u27e9"
"""Stands for the bare number 1e400, which Python's JSON can't write."""
_SYMBOL = re.compile("\u27e6[a-z]+[.][0-9]+\u27e7")
_TIMES = frozenset(
    {
        "creation_time",
        "last_update_time",
        "creation_timestamp",
        "last_updated_timestamp",
        "creation_timestamp_ms",
        "last_updated_timestamp_ms",
    }
)
_UNORDERED = frozenset(
    {"metrics", "params", "tags", "aliases", "dataset_inputs", "latest_versions", "files", "events"}
)
_RANDOM_NAME = re.compile(r"[a-z]+-[a-z]+-[0-9]{1,4}")


def symbol(kind: str, number: int) -> str:
    """What stands for the n-th thing of a kind."""
    return f"\u27e6{kind}.{number}\u27e7"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. Symbols in it become ids; `learns` says which symbol an answer's id gets."""

    method: str
    path: str
    query: Sequence[tuple[str, Any]] = ()
    body: Any = None
    """JSON, or bytes as they are."""
    learns: Mapping[str, str] = field(default_factory=dict)
    """Symbol by the place of its id in the answer: `run.info.run_id`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, made comparable."""

    status: int
    code: str
    told: Any
    message: str = ""


class Side:
    """One of the servers, with the ids that it gave."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url)
        self._connection = self._connected()
        self._ids: dict[str, str] = {}
        self._symbols: dict[str, str] = {}
        self._found: re.Pattern[str] | None = None

    def forget(self) -> None:
        """Begin an episode: nothing is known."""
        self._ids.clear()
        self._symbols.clear()
        self._found = None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def send(self, ask: Ask) -> Reply:
        """Send a request; its answer in symbols."""
        path = self._resolved(ask.path)
        if ask.query:
            path += "?" + "&".join(
                f"{name}={quote(self._resolved(_shown(value)), safe='')}"
                for name, value in ask.query
            )
        status, kind, content = self._exchange(ask.method, path, *self._body(ask.body))
        if not kind.startswith("application/json"):
            text = "" if status >= 400 else content.decode("utf-8", "replace")
            return Reply(status, "", self._in_symbols(text) if text not in {"", "{}"} else {})
        try:
            answer = json.loads(content)
        except ValueError:
            return Reply(status, "", "no JSON")
        if status >= 400:
            code = answer.get("error_code", "") if isinstance(answer, dict) else ""
            message = str(answer.get("message", "")) if isinstance(answer, dict) else ""
            return Reply(status, code, None, self._in_symbols(message))
        for place, known in ask.learns.items():
            self._learn(known, _at(answer, place))
        return Reply(status, "", self._normal(answer))

    def _connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._place.hostname or "", self._place.port, timeout=120)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str, bytes]:
        for again in (True, False):
            try:
                self._connection.putrequest(method, path, skip_accept_encoding=True)
                for name, value in headers.items():
                    self._connection.putheader(name, value)
                if body is not None:
                    self._connection.putheader("Content-Length", str(len(body)))
                self._connection.endheaders(body)
                answer = self._connection.getresponse()
                return answer.status, answer.headers.get("content-type", ""), answer.read()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                self._connection = self._connected()
                if not again:
                    raise
        raise AssertionError

    def _body(self, given: Any) -> tuple[bytes | None, dict[str, str]]:
        if given is None:
            return None, {}
        if isinstance(given, bytes):
            return given, {"Content-Type": "application/octet-stream"}
        text = self._resolved(json.dumps(given, ensure_ascii=False))
        text = text.replace(f'"{HUGE}"', "1e400")
        sent = text.encode("utf-8", "surrogatepass")
        return sent, {"Content-Type": "application/json"}

    def _resolved(self, text: str) -> str:
        return _SYMBOL.sub(lambda found: self._ids.get(found.group(), "999999999"), text)

    def _learn(self, known: str, value: Any) -> None:
        if value is None:
            return
        self._ids[known] = str(value)
        self._symbols[str(value)] = known
        long = [re.escape(one) for one in self._symbols if len(one) > 8]
        self._found = re.compile("|".join(long)) if long else None

    def _in_symbols(self, text: str) -> str:
        if self._found is not None:
            text = self._found.sub(lambda found: self._symbols[found.group()], text)
        return re.sub(
            r"(mlflow-artifacts:/|^)([0-9]+)(?=/)",
            lambda found: found.group(1) + self._symbols.get(found.group(2), "?"),
            text,
        )

    def _normal(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            if value.get("key") == "mlflow.runName":
                value = {**value, "value": _named(value.get("value"))}
            return {
                name: self._normal(one, name)
                for name, one in value.items()
                if name != "workspace" and not (name == "outputs" and one == {})
            }
        if isinstance(value, list):
            inner = [self._normal(one) for one in value]
            return sorted(inner, key=_spelt) if key in _UNORDERED else inner
        if key in _TIMES:
            return "time"
        if key == "next_page_token":
            return "token"
        if key == "experiment_id":
            return self._symbols.get(str(value), "?")
        if key in {"run_name", "name"}:
            return _named(value)
        if isinstance(value, str):
            return self._in_symbols(value)
        if isinstance(value, float) and math.isnan(value):
            return "NaN"  # a bare NaN of MLflow's, which no JSON has
        return value


def _named(name: Any) -> Any:
    return "a name" if isinstance(name, str) and _RANDOM_NAME.fullmatch(name) else name


def _spelt(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return str(value)


def _at(answer: Any, place: str) -> Any:
    for name in place.split("."):
        if not isinstance(answer, dict):
            return None
        answer = answer.get(name)
    return answer
