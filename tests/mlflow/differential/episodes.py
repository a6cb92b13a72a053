"""Episodes: a small world is made, then random requests are asked of it, each with odd values."""

import random
from collections.abc import Iterator
from typing import Any

from tests.mlflow.differential.asks import Ask, symbol
from tests.mlflow.differential.filters import TEXTS, WORDS, a_filter, orders
from tests.mlflow.differential.odds import (
    ALIASES,
    MODEL_STATUSES,
    NOON,
    ODD_NAMES,
    ODD_NUMBERS,
    ODD_PATHS,
    PLACES,
    SOURCES,
    STAGES,
    STATUSES,
    TAGS,
    TOKENS,
    VIEWS,
)

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


class Episode:
    """Makes the requests of one episode; the same seed makes the same."""

    def __init__(self, seed: str, length: int, *, odd: float = 0.18) -> None:
        self._dice = random.Random(seed)
        self._length = length
        self._odd = odd
        self._moment = NOON
        self._counts = {"exp": 0, "run": 0, "model": 0}
        self.prefix = f"e{seed}-"
        self._verbs = [
            *(self._experiment_verb, self._run_verb, self._log_verb, self._log_verb),
            *(self._metrics_verb, self._search_verb, self._search_verb, self._search_verb),
            *(self._model_verb, self._version_verb, self._alias_verb, self._logged_verb),
            *(self._inputs_verb, self._artifact_verb),
        ]

    def __iter__(self) -> Iterator[Ask]:
        yield from self._world()
        for _ in range(self._length):
            yield self._dice.choice(self._verbs)()

    # --- the world ----------------------------------------------------------------------------

    def _world(self) -> Iterator[Ask]:
        for number in range(2):
            yield self._create_experiment(f"{self.prefix}{number}")
        for number in range(4):
            yield self._create_run(self._one("exp", sane=True), f"run {number}")
            run = symbol("run", number)
            metrics = [
                {
                    "key": self._dice.choice(["loss", "acc", "a b", "a.b"]),
                    "value": self._dice.choice([0.5, 1, -1, "NaN", 1e308, 0.25]),
                    "timestamp": NOON + at,
                    "step": at,
                }
                for at in range(5)
            ]
            params = [
                {"key": key, "value": self._dice.choice(TEXTS)}
                for key in ("lr", "opt", "x y")
                if self._dice.random() < 0.7
            ]
            tags = [{"key": key, "value": self._dice.choice(TEXTS)} for key in TAGS[:2]]
            body = {"run_id": run, "metrics": metrics, "params": params, "tags": tags}
            yield Ask("POST", f"{API}/runs/log-batch", body=body)
        for number in range(2):
            yield self._create_model(f"{self.prefix}{number}")
            for _ in range(2):
                yield self._create_version(f"{self.prefix}{number}", "s3://bucket/model")
        yield self._create_logged(symbol("exp", 0), "logged")
        yield self._create_logged(symbol("exp", 0), "other")

    def _create_experiment(self, name: Any, **more: Any) -> Ask:
        known = symbol("exp", self._counts["exp"])
        self._counts["exp"] += 1
        body = {"name": name} | more
        return Ask("POST", f"{API}/experiments/create", body=body, learns={"experiment_id": known})

    def _create_run(self, experiment: Any, name: Any, **more: Any) -> Ask:
        known = symbol("run", self._counts["run"])
        self._counts["run"] += 1
        self._moment += 1000
        body = {"experiment_id": experiment, "run_name": name, "user_id": "ann"}
        body |= {"start_time": self._moment} | more
        return Ask("POST", f"{API}/runs/create", body=body, learns={"run.info.run_id": known})

    def _create_model(self, name: Any, **more: Any) -> Ask:
        return Ask("POST", f"{API}/registered-models/create", body={"name": name} | more)

    def _create_version(self, name: Any, source: Any, **more: Any) -> Ask:
        body = {"name": name, "source": source} | more
        return Ask("POST", f"{API}/model-versions/create", body=body)

    def _create_logged(self, experiment: Any, name: Any, **more: Any) -> Ask:
        known = symbol("model", self._counts["model"])
        self._counts["model"] += 1
        body = {"experiment_id": experiment, "name": name} | more
        return Ask("POST", f"{API}/logged-models", body=body, learns={"model.info.model_id": known})

    # --- values -------------------------------------------------------------------------------

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share

    def _one(self, kind: str, *, sane: bool = False) -> Any:
        """An id: mostly of something that is there."""
        if not sane and self._chance(self._odd / 2):
            return self._dice.choice(
                ["888888888", "abc", "", None, 777777777, "a" * 33, "../x", " ", "-1"]
            )
        return symbol(kind, self._dice.randrange(max(1, self._counts[kind])))

    def _name(self, *sane: str) -> Any:
        """A name: mostly one of a few, so that they meet."""
        if self._chance(self._odd):
            found = self._dice.choice(ODD_NAMES)
            return found if not isinstance(found, str) or not found else self.prefix + found
        return self._dice.choice(sane)

    def _word(self, *sane: Any) -> Any:
        return self._dice.choice(ODD_NAMES) if self._chance(self._odd) else self._dice.choice(sane)

    def _number(self, *sane: Any) -> Any:
        return self._dice.choice(ODD_NUMBERS if self._chance(self._odd) else list(sane))

    def _text(self) -> Any:
        if self._chance(self._odd / 2):
            return self._dice.choice([*ODD_NAMES, "v" * 6001, "v" * 8001, "v" * 100_001])
        return self._dice.choice(TEXTS)

    def _pairs(self) -> Any:
        if self._chance(0.04):
            return self._dice.choice([None, {}, "a", [1], [{}], [{"key": "a"}], [{"value": "a"}]])
        count = self._dice.choice([0, 1, 2])
        return [{"key": self._word(*TAGS), "value": self._text()} for _ in range(count)]

    def _some(self, **fields: Any) -> dict[str, Any]:
        """A body: sometimes with a field less."""
        if self._chance(self._odd / 4):
            fields.pop(self._dice.choice(sorted(fields)))
        return fields

    def _post(self, path: str, /, **fields: Any) -> Ask:
        return Ask("POST", f"{API}/{path}", body=self._some(**fields))

    def _get(self, path: str, /, *, whole: bool = False, **fields: Any) -> Ask:
        query: list[tuple[str, Any]] = []
        for name, value in (fields if whole else self._some(**fields)).items():
            if isinstance(value, list):
                query += [(name, one) for one in value if isinstance(one, str)]
            elif value is not None and _sendable(value):
                query.append((name, value))
        return Ask("GET", f"{API}/{path}", query=query)

    # --- verbs --------------------------------------------------------------------------------

    def _experiment_verb(self) -> Ask:
        dice, names = self._dice, [f"{self.prefix}{number}" for number in range(4)]
        verb = dice.choice(
            ["create", "get", "by-name", "delete", "restore", "update", "tag", "untag"]
        )
        if verb == "create":
            more = {"artifact_location": dice.choice(PLACES)} if self._chance(0.2) else {}
            if self._chance(0.3):
                more["tags"] = self._pairs()
            return self._create_experiment(self._name(*names), **more)
        if verb == "get":
            return self._get("experiments/get", experiment_id=self._one("exp"))
        if verb == "by-name":
            return self._get("experiments/get-by-name", experiment_name=self._name(*names))
        if verb in {"delete", "restore"}:
            return self._post(f"experiments/{verb}", experiment_id=self._one("exp"))
        if verb == "update":
            return self._post(
                "experiments/update", experiment_id=self._one("exp"), new_name=self._name(*names)
            )
        path = "experiments/set-experiment-tag"
        if verb == "tag":
            return self._post(
                path, experiment_id=self._one("exp"), key=self._word(*TAGS), value=self._text()
            )
        path = "experiments/delete-experiment-tag"
        return self._post(path, experiment_id=self._one("exp"), key=self._word(*TAGS))

    def _run_verb(self) -> Ask:
        dice = self._dice
        verb = dice.choice(["create", "get", "update", "update", "delete", "restore"])
        if verb == "create":
            more: dict[str, Any] = {}
            if self._chance(0.3):
                more["tags"] = self._pairs()
            if self._chance(self._odd):
                more["start_time"] = dice.choice(ODD_NUMBERS)
            return self._create_run(self._one("exp"), self._word("run", "run 1", ""), **more)
        if verb == "get":
            return self._get("runs/get", run_id=self._one("run"))
        if verb == "update":
            fields: dict[str, Any] = {"run_id": self._one("run")}
            if self._chance(0.6):
                fields["status"] = dice.choice(STATUSES)
            if self._chance(0.5):
                fields["end_time"] = self._number(NOON + 5, NOON + 99_000)
            if self._chance(0.4):
                fields["run_name"] = self._word("renamed", "run 2", "")
            return self._post("runs/update", **fields)
        return self._post(f"runs/{verb}", run_id=self._one("run"))

    def _log_verb(self) -> Ask:
        dice, run = self._dice, self._one("run")
        verb = dice.choice(["metric", "param", "tag", "untag", "batch", "batch"])
        if verb == "metric":
            return self._post("runs/log-metric", run_id=run, **self._point())
        if verb == "param":
            key = self._word("lr", "opt", "x y", "new")
            return self._post("runs/log-parameter", run_id=run, key=key, value=self._text())
        if verb == "tag":
            key = self._word(*TAGS, "mlflow.runName", "mlflow.user", "mlflow.source.type")
            return self._post("runs/set-tag", run_id=run, key=key, value=self._text())
        if verb == "untag":
            return self._post("runs/delete-tag", run_id=run, key=self._word(*TAGS))
        fields: dict[str, Any] = {
            "metrics": [self._point() for _ in range(dice.choice([0, 1, 3]))],
            "params": [
                {"key": self._word("lr", "p1", "p2"), "value": self._text()}
                for _ in range(dice.choice([0, 1, 2]))
            ],
            "tags": self._pairs(),
        }
        if self._chance(0.04):
            sort = dice.choice(sorted(fields))
            count = dice.choice([101, 1001])
            point = {"value": 1, "timestamp": 1} if sort == "metrics" else {"value": "v"}
            fields[sort] = [{"key": f"k{number}"} | point for number in range(count)]
        return self._post("runs/log-batch", run_id=run, **fields)

    def _point(self) -> dict[str, Any]:
        return self._some(
            key=self._word("loss", "acc", "a b", "new/m"),
            value=self._number(0.5, 1, -3.25, "NaN", "Infinity", 7),
            timestamp=self._number(NOON, NOON + 1, 1, 0),
            step=self._number(0, 1, 2, -5, "3"),
        )

    def _metrics_verb(self) -> Ask:
        dice = self._dice
        verb = dice.choice(["one", "one", "interval", "bulk"])
        key = self._word("loss", "acc", "a b", "none")
        if verb == "one":
            fields = {"run_id": self._one("run"), "metric_key": key}
            if self._chance(0.4):
                fields["max_results"] = self._number(1, 2, 100)
            if self._chance(0.15):
                fields["page_token"] = dice.choice(TOKENS)
            return self._get("metrics/get-history", **fields)
        runs = [self._one("run") for _ in range(dice.choice([0, 1, 2, 3]))]
        if verb == "interval":
            fields = {"run_ids": runs, "metric_key": key}
            if self._chance(0.4):
                fields |= {"start_step": self._number(0, 1), "end_step": self._number(3, 9)}
            if self._chance(0.4):
                fields["max_results"] = self._number(2, 3, 2500, 2501)
            return self._get("metrics/get-history-bulk-interval", **fields)
        ask = self._get("metrics/get-history-bulk", run_id=runs, metric_key=key)
        return Ask("GET", ask.path.replace("/api/", "/ajax-api/"), query=ask.query)

    def _search_verb(self) -> Ask:
        dice = self._dice
        kind = dice.choice(sorted(WORDS))
        if kind == "logged-models":
            return self._search_logged()
        text = a_filter(dice, kind)
        fields: dict[str, Any] = {"order_by": orders(dice, kind)}
        if kind == "runs":
            fields["experiment_ids"] = [self._one("exp") for _ in range(dice.choice([1, 2, 2, 0]))]
            fields["filter"] = text
            if self._chance(0.4):
                fields["run_view_type"] = dice.choice(VIEWS)
        else:
            # Only what this episode made: others made more.
            fields["filter"] = f"name LIKE '{self.prefix}%'" + (f" AND {text}" if text else "")
        if kind == "experiments" or self._chance(0.4):
            fields["max_results"] = self._number(1, 2, 10, 1000)
        if self._chance(0.1):
            fields["page_token"] = dice.choice(TOKENS)
        if kind == "experiments" and self._chance(0.4):
            fields["view_type"] = dice.choice(VIEWS)
        if kind in {"registered-models", "model-versions"}:
            return self._get(f"{kind}/search", whole=True, **fields)
        return Ask("POST", f"{API}/{kind}/search", body=fields)

    def _search_logged(self) -> Ask:
        dice = self._dice
        fields: dict[str, Any] = {
            "experiment_ids": [self._one("exp") for _ in range(dice.choice([1, 2, 2, 0]))],
            "filter": a_filter(dice, "logged-models"),
        }
        if self._chance(0.4):
            key = dice.choice(
                ["name", "creation_timestamp", "metrics.loss", "status", "x", "params.lr"]
            )
            order: dict[str, Any] = {"field_name": key, "ascending": self._chance(0.5)}
            if self._chance(0.3):
                order["dataset_name"] = "d"
            if self._chance(0.2):
                order["dataset_digest"] = "1"
            fields["order_by"] = [order]
        if self._chance(0.2):
            fields["datasets"] = [{"dataset_name": dice.choice(["d", "e", ""])}]
        if self._chance(0.3):
            fields["max_results"] = self._number(1, 2, 50)
        if self._chance(0.1):
            fields["page_token"] = dice.choice(TOKENS)
        return self._post("logged-models/search", **fields)

    def _model_verb(self) -> Ask:
        name = self._name(*(f"{self.prefix}{number}" for number in range(4)))
        verb = self._dice.choice(
            ["create", "get", "update", "rename", "delete", "tag", "untag", "latest"]
        )
        if verb == "create":
            more: dict[str, Any] = {"tags": self._pairs()} if self._chance(0.3) else {}
            if self._chance(0.3):
                more["description"] = self._text()
            return self._create_model(name, **more)
        if verb == "get":
            return self._get("registered-models/get", name=name)
        if verb == "update":
            body = self._some(name=name, description=self._text())
            return Ask("PATCH", f"{API}/registered-models/update", body=body)
        if verb == "rename":
            new = self._name(*(f"{self.prefix}{number}" for number in range(5)))
            return self._post("registered-models/rename", name=name, new_name=new)
        if verb == "delete":
            return Ask("DELETE", f"{API}/registered-models/delete", body=self._some(name=name))
        if verb == "latest":
            stages = [self._dice.choice(STAGES) for _ in range(self._dice.choice([0, 1, 2]))]
            return self._post("registered-models/get-latest-versions", name=name, stages=stages)
        key = self._word(*TAGS)
        if verb == "tag":
            return self._post("registered-models/set-tag", name=name, key=key, value=self._text())
        body = self._some(name=name, key=key)
        return Ask("DELETE", f"{API}/registered-models/delete-tag", body=body)

    def _version_verb(self) -> Ask:
        name = self._name(*(f"{self.prefix}{number}" for number in range(3)))
        version = self._number("1", "2", "3", 1)
        verb = self._dice.choice(
            ["create", "get", "update", "delete", "tag", "untag", "stage", "uri", "get"]
        )
        if verb == "create":
            return self._new_version(name)
        if verb == "get":
            return self._get("model-versions/get", name=name, version=version)
        if verb == "uri":
            return self._get("model-versions/get-download-uri", name=name, version=version)
        if verb == "update":
            body = self._some(name=name, version=version, description=self._text())
            return Ask("PATCH", f"{API}/model-versions/update", body=body)
        if verb == "delete":
            body = self._some(name=name, version=version)
            return Ask("DELETE", f"{API}/model-versions/delete", body=body)
        if verb == "stage":
            return self._post(
                "model-versions/transition-stage",
                name=name,
                version=version,
                stage=self._dice.choice(STAGES),
                archive_existing_versions=self._dice.choice([True, False, "true", 1]),
            )
        fields = {"name": name, "version": version, "key": self._word(*TAGS)}
        if verb == "tag":
            return self._post("model-versions/set-tag", **fields, value=self._text())
        return Ask("DELETE", f"{API}/model-versions/delete-tag", body=self._some(**fields))

    def _new_version(self, name: Any) -> Ask:
        run, model = self._one("run", sane=True), self._one("model", sane=True)
        other = self._one("run", sane=True)
        source = self._dice.choice(SOURCES).format(run=run, model=model, other=other, name=name)
        more: dict[str, Any] = {}
        if self._chance(0.5):
            more["run_id"] = run
        if self._chance(0.2):
            more["model_id"] = model
        if self._chance(0.2):
            more["tags"] = self._pairs()
        if self._chance(0.2):
            more["description"] = self._text()
        return self._create_version(name, source, **more)

    def _alias_verb(self) -> Ask:
        name = self._name(*(f"{self.prefix}{number}" for number in range(2)))
        alias = self._word(*ALIASES[:2], *ALIASES)
        verb = self._dice.choice(["set", "set", "get", "delete"])
        path = "registered-models/alias"
        if verb == "set":
            return self._post(path, name=name, alias=alias, version=self._number("1", "2", "3"))
        if verb == "get":
            return self._get(path, name=name, alias=alias)
        return Ask("DELETE", f"{API}/{path}", body=self._some(name=name, alias=alias))

    def _logged_verb(self) -> Ask:
        dice = self._dice
        verb = dice.choice(
            ["create", "get", "status", "delete", "params", "tags", "untag", "metric"]
        )
        if verb == "create":
            return self._new_logged()
        model = self._one("model")
        named = model if isinstance(model, str) and model.strip() else "none"
        path = f"{API}/logged-models/{named}"
        if verb == "get":
            return Ask("GET", path, query=[("allow_deleted", "true")] if self._chance(0.3) else [])
        if verb == "status":
            status = dice.choice(MODEL_STATUSES)
            return Ask("PATCH", path, body=self._some(status=status) | {"model_id": named})
        if verb == "delete":
            return Ask("DELETE", path)
        if verb == "params":
            return Ask("POST", f"{path}/params", body={"model_id": named, "params": self._pairs()})
        if verb == "tags":
            return Ask("PATCH", f"{path}/tags", body={"model_id": named, "tags": self._pairs()})
        if verb == "untag":
            return Ask("DELETE", f"{path}/tags/{dice.choice(['team', 'a.b', 'none', 'x%20y'])}")
        point = self._point() | {"model_id": model, "value": dice.choice([0.5, 1, -2.25])}
        if self._chance(0.5):
            point |= {"dataset_name": dice.choice(["d", "e"]), "dataset_digest": "1"}
        return self._post("runs/log-metric", run_id=self._one("run"), **point)

    def _new_logged(self) -> Ask:
        more: dict[str, Any] = {}
        if self._chance(0.4):
            more["source_run_id"] = self._one("run")
        if self._chance(0.3):
            more["params"] = self._pairs()
        if self._chance(0.3):
            more["tags"] = self._pairs()
        if self._chance(0.3):
            more["model_type"] = self._word("agent", "", "x")
        return self._create_logged(self._one("exp"), self._word("logged", "m 2", ""), **more)

    def _inputs_verb(self) -> Ask:
        dice = self._dice
        verb = dice.choice(["inputs", "outputs", "datasets"])
        if verb == "datasets":
            ids = [self._one("exp") for _ in range(dice.choice([0, 1, 2, 21]))]
            ask = self._post("experiments/search-datasets", experiment_ids=ids)
            return Ask("POST", ask.path.replace("/api/", "/ajax-api/"), body=ask.body)
        if verb == "outputs":
            models = [{"model_id": self._one("model"), "step": self._number(0, 1)}]
            return self._post("runs/outputs", run_id=self._one("run"), models=models)
        dataset = self._some(
            name=self._word("d", "e", "a" * 500),
            digest=self._word("1", "2", "d" * 36, "d" * 37),
            source_type=self._word("local", "s3"),
            source=self._word("{}", "x"),
            schema=self._word("{}", ""),
        )
        tags = [{"key": "mlflow.data.context", "value": dice.choice(["train", "eval", ""])}]
        sent = {"dataset": dataset, "tags": tags if self._chance(0.6) else self._pairs()}
        fields: dict[str, Any] = {"datasets": [sent] * dice.choice([1, 1, 2])}
        if self._chance(0.3):
            fields["models"] = [{"model_id": self._one("model")}]
        return self._post("runs/log-inputs", run_id=self._one("run"), **fields)

    def _artifact_verb(self) -> Ask:
        dice = self._dice
        run = self._one("run", sane=True)
        place = f"{self.prefix}{dice.choice(['f.txt', 'a/g.txt', 'a', 'none.txt'])}"
        if self._chance(0.4):
            odd = dice.choice(ODD_PATHS)
            raw = odd.startswith(("/", "..", "%", "C:", "file:", "~"))
            place = odd if raw else f"{self.prefix}{odd}"
        verb = dice.choice(["put", "put", "get", "list", "delete", "run-list", "run-get"])
        if verb == "run-list":
            fields = {"run_id": run}
            if self._chance(0.6):
                fields["path"] = place
            return self._get("artifacts/list", **fields)
        if verb == "run-get":
            return Ask("GET", "/get-artifact", query=[("run_uuid", run), ("path", place)])
        if verb == "list":
            return Ask("GET", PROXY, query=[("path", place)])
        sent = "".join(one if 32 < ord(one) < 127 and one not in "#?" else "_" for one in place)
        path = f"{PROXY}/{sent}"
        if verb == "put":
            return Ask("PUT", path, body=b"some bytes")
        if verb == "delete":
            return Ask("DELETE", path)
        return Ask("GET", path)


def _sendable(value: Any) -> bool:
    """Whether a value can stand in a query: it is UTF-8, and no longer than a request line."""
    if isinstance(value, dict):
        return False
    return not isinstance(value, str) or (len(value) < 3000 and "\ud800" not in value)
