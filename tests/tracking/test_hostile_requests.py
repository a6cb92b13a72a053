"""What no client of MLflow's sends is refused in its protocol's words, never by a 500."""

import http.client
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from athanor.app.house import House
from athanor.kernel.settings import Settings
from athanor.testing.server import RunningServer, running_server

API = "/api/2.0/mlflow"
ROUNDS = 25
GREATEST = 1.7976931348623157e308
LONG = "n" * 10_000


@dataclass(slots=True)
class Target:
    """A server, and things that exist there."""

    server: RunningServer
    experiment: str = ""
    run: str = ""
    model: str = "churn"

    def ask(
        self, method: str, path: str, body: str | None = None, workspace: str = ""
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=60)
        try:
            content = None if body is None else body.encode("utf-8", "surrogatepass")
            headers = {"Content-Type": "application/json", "X-MLFLOW-WORKSPACE": workspace}
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def made(self, path: str, **body: Any) -> dict[str, Any]:
        status, read = self.ask("POST", f"{API}/{path}", json.dumps(body))
        assert status == 200, read
        return dict(json.loads(read))

    def new_run(self) -> str:
        made = self.made("runs/create", experiment_id=self.experiment)
        return str(made["run"]["info"]["run_id"])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with running_server(tmp_path_factory.mktemp("hostile") / "workspace") as running:
        found = Target(running)
        found.experiment = found.made("experiments/create", name="kept")["experiment_id"]
        found.run = found.made("runs/create", experiment_id=found.experiment)["run"]["info"][
            "run_id"
        ]
        found.made("runs/log-metric", run_id=found.run, key="loss", value=0.5, timestamp=1)
        found.made("registered-models/create", name=found.model)
        yield found


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every method and path of the protocol; parts of paths in braces."""
    workspace = tmp_path_factory.mktemp("routes") / "workspace"
    workspace.mkdir(mode=0o700)
    house = House.open(Settings(workspace=workspace), serving=False)
    try:
        found = [
            *house.mlflow._exact,
            *((method, route.path.removeprefix("/")) for method, route in house.mlflow._templates),
        ]
    finally:
        house.close()
    return sorted(
        (method, path if path.startswith("/") else f"/api/2.0/{path}") for method, path in found
    )


FIELDS = [
    *("run_id", "run_uuid", "run_ids", "experiment_id", "experiment_ids", "name", "new_name"),
    *("key", "value", "metric_key", "timestamp", "step", "metrics", "params", "tags", "filter"),
    *("filter_string", "order_by", "max_results", "page_token", "path", "run_name", "status"),
    *("start_time", "end_time", "run_view_type", "view_type", "artifact_location", "source"),
    *("version", "alias", "stage", "stages", "archive_existing_versions", "description"),
    *("model_id", "model_type", "datasets", "models", "inputs", "outputs", "lifecycle_stage"),
    *("start_step", "end_step", "artifact_path", "url", "events", "secret", "webhook_id"),
    *("user_id", "source_run_id", "tag_key", "dataset_name", "dataset_digest", "__proto__"),
]
PARTS = ["..", "%2e%2e", "x" * 300, "%00", "a%2f..%2fb", "é"]
NESTED = "[" * 3_000 + "]" * 3_000


def raw(dice: random.Random, target: Target, depth: int = 0) -> str:
    """A value as JSON text, valid or nearly so."""
    texts = [
        *("", " ", "x", LONG, "../../etc/passwd", "/etc/passwd", "..%2f..", "a/../b", "C:\\x"),
        *("\x00", "a\x00b", "é" * 300, "名", "%", "'", '"', "--", "1e400", "NaN", "0", "-1", "#"),
        *("metrics.a > 1", "metrics.a > '", "params.`", "name LIKE '%'", "IN IN IN", "a" * 251),
        *("RUNNING", "ALL", "latest", "v1", "Production", "s3://b/m", "file:///etc", "runs:/x/y"),
        *("mlflow-artifacts:/../..", "http://[", "http://127.0.0.1:1/", target.experiment),
        *(target.run, target.run, target.experiment, target.model, target.model),
    ]
    plain = [
        *("1e400", "-1e400", "NaN", "Infinity", "-Infinity", "0", "-1", "1.5", "1e3", "null"),
        *("true", "false", str(2**31), str(2**63), str(-(2**63)), str(2**70), "9" * 5_000),
        *('"\\ud800"', '"\\udfff\\ud800"', "{}", "[]", "[null]", "[[]]", NESTED, "01", "'x'", ""),
    ]
    kind = dice.random()
    if kind < 0.45:
        return json.dumps(dice.choice(texts))
    if kind < 0.75 or depth > 2:
        return dice.choice(plain)
    if kind < 0.88:
        return "[" + ",".join(raw(dice, target, depth + 1) for _ in range(dice.randrange(4))) + "]"
    return body_of(dice, target, depth + 1)


def body_of(dice: random.Random, target: Target, depth: int = 0) -> str:
    if depth == 0 and dice.random() < 0.06:
        return raw(dice, target, 3)
    names = dice.sample(FIELDS, dice.randrange(1, 9))
    likely = {
        "run_id": target.run,
        "experiment_id": target.experiment,
        "experiment_ids": [target.experiment],
        "name": target.model,
        "key": "k",
    }
    parts = [f"{json.dumps(name)}: {raw(dice, target, depth + 1)}" for name in names]
    parts += [
        f"{json.dumps(name)}: {json.dumps(value)}"
        for name, value in likely.items()
        if name not in names and dice.random() < 0.7
    ]
    return "{" + ", ".join(parts) + "}"


def hostile(
    dice: random.Random, target: Target, method: str, template: str
) -> tuple[str, str | None]:
    """A path and a body for a route."""
    path = template
    while "{" in path:
        head, _, rest = path.partition("{")
        part = dice.choice([target.run, *PARTS])
        path = head + quote(part, safe="%/") + rest.partition("}")[2]
    if method not in {"GET", "DELETE"}:
        return path, body_of(dice, target)
    query = {
        name: str(raw(dice, target, 3)).strip('"')[:3_000]
        for name in dice.sample(FIELDS, dice.randrange(5))
    }
    return f"{path}?{urlencode(query, errors='surrogatepass')}", None


def test_any_body_and_any_query_is_answered_or_refused(
    target: Target, routes: list[tuple[str, str]]
) -> None:
    dice = random.Random(20261121)
    assert len(routes) > 40
    failed = []
    for method, template in routes:
        for _ in range(ROUNDS):
            path, body = hostile(dice, target, method, template)
            status, read = target.ask(method, path, body)
            if status >= 500 and status != 501:
                failed.append((method, path[:300], (body or "")[:1000], read[-300:]))
                break
            if status >= 400:
                assert json.loads(read)["error_code"], (method, path[:300], read[:300])
    assert failed == []
    again = target.ask("GET", f"{API}/runs/get?run_id={target.run}")
    assert again[0] in {200, 404}
    assert target.ask("GET", "/health")[0] == 200


@pytest.mark.parametrize(
    "search",
    ["runs/search", "experiments/search", "registered-models/search", "model-versions/search"],
)
@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        "(" * 10_000,
        "'" * 9_999,
        "metrics.a > 1 AND " * 500,
        "name = '" + "y" * 10_000 + "'",
        "tags.a LIKE '" + "%" * 5_000 + "'",
        "run_id IN (" + "'a'," * 3_000 + "'b')",
        "metrics.a > 1e400",
        "start_time > 1e400",
        "start_time < " + "9" * 4_000,
        "tags.a = '\ud800'",
        "tags.a = '\x00'",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_any_filter_is_answered_or_refused(target: Target, search: str, text: str) -> None:
    body = {"filter": text, "max_results": 10, "experiment_ids": [target.experiment]}
    if search.startswith(("runs", "exp")):
        status, read = target.ask("POST", f"{API}/{search}", json.dumps(body))
    else:
        query = urlencode({"filter": text, "max_results": 10}, errors="surrogatepass")
        status, read = target.ask("GET", f"{API}/{search}?{query}")
    assert status in {200, 400, 414, 431}, read[:500]


@pytest.mark.parametrize("value", ["1e400", "-1e400", '"Infinity"', '"NaN"', "NaN", '"1e400"'])
def test_a_value_beyond_all_floats_is_kept_as_mlflow_tells_it_or_refused(
    target: Target, value: str
) -> None:
    run = target.new_run()
    body = f'{{"run_id": "{run}", "key": "big", "value": {value}, "timestamp": 1}}'
    status, read = target.ask("POST", f"{API}/runs/log-metric", body)
    assert status in {200, 400}, read
    kept, answer = target.ask("GET", f"{API}/metrics/get-history?run_id={run}&metric_key=big")
    assert kept == 200
    points = json.loads(answer).get("metrics", [])
    assert len(points) == (status == 200)
    for point in points:
        assert point["value"] == "NaN" or abs(point["value"]) == pytest.approx(
            1.7976931348623157e308
        )


@pytest.mark.parametrize(
    "name", [LONG, "../" * 500, "/" + "x" * 251, "a\x00b", "a/../../b", "x" * 251, ""]
)
@pytest.mark.parametrize("what", ["log-metric", "log-parameter", "set-tag"])
def test_a_key_that_can_not_be_is_refused(target: Target, what: str, name: str) -> None:
    body = {"run_id": target.run, "key": name, "value": "1", "timestamp": 1}
    status, read = target.ask("POST", f"{API}/runs/{what}", json.dumps(body))
    assert status == 400, read
    assert json.loads(read)["error_code"] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    "path",
    [
        "../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "%252e%252e/%252e%252e/etc/passwd",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "a/b/../../../c",
        "C:/windows",
        "a%00b",
        "x" * 10_000,
        "a%23b",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_no_path_leads_out_of_the_artifacts(
    target: Target, method: str, path: str, tmp_path: Path
) -> None:
    places = [f"/api/2.0/mlflow-artifacts/artifacts/{path}"]
    if method == "GET":
        places.append(f"/get-artifact?path={path}&run_id={target.run}")
        places.append(f"/api/2.0/mlflow-artifacts/artifacts?path={path}")
        places.append(f"{API}/artifacts/list?run_id={target.run}&path={path}")
    for place in places:
        status, read = target.ask(method, place, "content" if method == "PUT" else None)
        assert status < 500, (place[:200], read[:500])
        assert b"root:" not in read
        if method == "PUT":
            assert status >= 400, place[:200]


def test_nothing_of_another_workspace_is_there(target: Target) -> None:
    def asked(method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        content = json.dumps(body) if body else None
        status, read = target.ask(method, f"{API}/{path}", content, workspace="next-door")
        return status, json.loads(read)

    model = target.made("logged-models", experiment_id=target.experiment)
    model_id = model["model"]["info"]["model_id"]
    run, key = target.new_run(), "loss"
    target.made("runs/log-metric", run_id=run, key=key, value=0.5, timestamp=1)
    for method, path, body in (
        ("GET", f"runs/get?run_id={run}", {}),
        ("POST", "runs/update", {"run_id": run, "status": "FAILED"}),
        ("POST", "runs/delete", {"run_id": run}),
        ("POST", "runs/log-metric", {"run_id": run, "key": key, "value": 9, "timestamp": 2}),
        ("POST", "runs/log-parameter", {"run_id": run, "key": "k", "value": "v"}),
        ("POST", "runs/log-batch", {"run_id": run, "tags": [{"key": "k", "value": "v"}]}),
        ("POST", "runs/set-tag", {"run_id": run, "key": "k", "value": "v"}),
        ("POST", "runs/create", {"experiment_id": target.experiment}),
        ("GET", f"metrics/get-history?run_id={run}&metric_key={key}", {}),
        ("GET", f"artifacts/list?run_id={run}", {}),
        ("GET", f"logged-models/{model_id}", {}),
        ("DELETE", f"logged-models/{model_id}", {}),
        ("GET", f"registered-models/get?name={target.model}", {}),
    ):
        status, told = asked(method, path, **body)
        assert (status, told["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST"), (path, told)
    for search in ("runs/search", "logged-models/search"):
        assert asked("POST", search, experiment_ids=[target.experiment]) == (200, {})
    asked("POST", "experiments/create", name="kept")
    status, told = asked("GET", "experiments/get-by-name?experiment_name=kept")
    assert told["experiment"]["experiment_id"] != target.experiment
    status, told = asked("POST", "registered-models/create", name=target.model)
    assert (status, told["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert "in another workspace" in told["message"]
    kept = json.loads(target.ask("GET", f"{API}/runs/get?run_id={run}")[1])["run"]
    assert kept["info"]["status"] == "RUNNING"
    assert [metric["value"] for metric in kept["data"]["metrics"]] == [0.5]
    assert target.ask("GET", f"{API}/logged-models/{model_id}")[0] == 200
