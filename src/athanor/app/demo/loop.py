"""The loop itself: public commands, one after the other, and what came of them."""

import csv
import importlib
import json
import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from athanor.app import cli
from athanor.app.demo.material import Material
from athanor.app.demo.stage import DemoFailed, NothingLearnt, Stage, called
from athanor.app.demo.traffic import Answered, send
from athanor.kernel import AthanorError

_REQUESTS = 1000
_PATIENCE_SECONDS = 240.0
_CANARY_PERCENT, _CANARY_PATIENCE = 20, 2
"""Of the challenger: its first share, and the seconds until logged rows are replayed to it too."""
_BATCH = 100
_WINDOWS = (1000, 500, 250, 200, 125, 100)
"""Sizes of the monitor's windows: what 1,000 requests can be parted into."""
_FEWEST = 100
_COOLDOWN_SECONDS = 3600
_LABELLED_SHARE = 0.9
"""Of a window's drifted rows, how many have their label when the window is full."""
_TOLERANCE = 1e-12
"""Between probabilities that are equal."""

Summary = dict[str, Any]


class Loop:
    """Plays the loop once."""

    def __init__(self, stage: Stage, material: Material, folder: Path) -> None:
        self.stage = stage
        self.material = material
        self.folder = folder
        self.name = material.name
        self.story: list[tuple[str, str]] = []
        self.url = ""
        self.endpoint_url = ""

    def play(self, port: int | None) -> Summary:
        """All steps.

        Raises: DemoFailed, NothingLearnt; what a command told.
        """
        stage = self.stage
        with stage.act("Start the server"):
            self._start(port)
        with stage.act("Take in the raw table: version, profile, checks"):
            dataset = self._take_in()
        with stage.act("Train, evaluate, gate, register: one pipeline"):
            champion = self._train()
        with stage.act("Deploy, and send real requests"):
            answered = self._deploy()
        with stage.act("The stream drifts; the alert starts the retraining"):
            alerts, retraining = self._drift()
        with stage.act("The challenger takes over by a canary, or is refused"):
            outcome = self._take_over(retraining)
        with stage.act("A challenger trained on shuffled labels loses"):
            refused = self._shuffled()
        with stage.act("Trace one prediction back to the raw file"):
            lineage = self._trace(answered[0].prediction["id"])
        in_office = self._in_office()
        return {
            "champion": in_office,
            "first_champion": champion,
            "dataset": dataset,
            "endpoint": self.name,
            "endpoint_url": self.endpoint_url,
            "alerts": alerts,
            "truth": self.material.truth.as_dict(),
            "retraining": outcome,
            "shuffled": refused,
            "predictions": {"sent": len(answered), "equal": self.equal, "logged": self.logged},
            "lineage": lineage,
            "timings": stage.timings,
            "story": self.story,
            "url": self.url,
            "workspace": self.workspace,
        }

    def stop(self) -> None:
        """End the server."""
        try:
            cli.call("down")
        except AthanorError as error:
            self.stage.tell(error.message)

    def _start(self, port: int | None) -> None:
        flags = [] if port is None else ["--port", port]
        called("up", "--detach", *(str(flag) for flag in flags))
        status = self.stage.quietly("status")
        self.workspace = status["workspace"]
        server = json.loads((Path(self.workspace) / "server.json").read_text("utf-8"))
        self.url, self.token = server["url"], server.get("token", "")
        taken = {item["name"] for item in self.stage.quietly("data", "list")}
        number = 1
        while self.name in taken:
            number += 1
            self.name = f"{self.material.name}-{number}"
        if number > 1:
            self.stage.tell(
                f"this workspace holds {self.material.name} from an earlier demo: this one is "
                f"called {self.name}; equal tables are kept once, so that its lineage may begin "
                f"at {self.material.name}@1"
            )
        self.story.append(("server", f"{self.url} on {self.workspace}"))

    def _take_in(self) -> Summary:
        stage, columns = self.stage, self.material.columns
        roles = ["--target", columns.target]
        for option in ("id", "time", "sensitive"):
            name = getattr(columns, option)
            roles += [f"--{option}", name] if name else []
        share = [] if self.material.first_share == 1 else ["--first", self.material.first_share]
        version = stage.athanor("data", "add", self.name, self.material.file, *roles, *share)
        if version["state"] != "ready":
            broken = "; ".join(c["message"] for c in version["checks"] if not c["passed"])
            raise DemoFailed(stage.step, f"the table does not pass its checks: {broken}")
        stage.tell(f"{version['rows']:,} rows, {len(version['columns'])} columns, digest "
                   f"{version['digest'][:19]}")  # fmt: skip
        for column, reason in version["left_out"].items():
            stage.tell(f"left out of training: {column}: {reason}")
        bad = self._corrupted()
        refused = stage.athanor("data", "add", self.name, bad, "--append", ok=(1,))
        failed = [check for check in refused["checks"] if not check["passed"]]
        for check in failed[:3]:
            rows = ", ".join(str(row) for row in check["rows"][:5])
            stage.tell(f"refused: {check['message']} (rows {rows} ...)" if rows else
                       f"refused: {check['message']}")  # fmt: skip
        self.story.append(("dataset", f"{self.name}@{version['number']}, {version['rows']:,} rows"))
        self.story.append(("bad rows", f"kept in quarantine: {failed[0]['message']}"))
        return {
            "name": self.name,
            "version": version["number"],
            "digest": version["digest"],
            "file_digest": version["source"]["digest"],
            "left_out": version["left_out"],
            "refused": {"state": refused["state"], "checks": failed},
        }

    def _corrupted(self) -> Path:
        """Rows that no check may let through: half of the labels are gone, the rest unknown."""
        path = self.folder / "corrupted_rows.csv"
        target = self.material.columns.target
        rows = [dict(row) for row in self.material.healthy[:40]]
        for number, row in enumerate(rows):
            row[target] = "" if number % 2 else "#corrupted#"
        _write(path, self.material.header, rows)
        return path

    def _train(self) -> Summary:
        stage = self.stage
        run = stage.athanor(
            "pipeline", "run", "classification",
            "--artifact", f"data=dataset:{self.name}@latest", *self._parameters(),
        )  # fmt: skip
        for task in run["tasks"]:
            stage.tell(f"{task['name']}: {task['state']}")
        told = self._told(run)
        if not told["registered"]:
            raise NothingLearnt(told["reason"])
        version = stage.athanor("model", "show", f"{self.name}@champion")["version"]
        auc = version["metrics"]["roc_auc"]
        stage.tell(f"{self.name}@{version['number']} is champion: holdout ROC AUC {auc:.4f}")
        self.story.append(("training", f"{self.name}@{version['number']}, ROC AUC {auc:.4f}"))
        return _model(version)

    def _parameters(self, **more: object) -> list[str]:
        columns = self.material.columns
        values: dict[str, object] = {"target": columns.target, "name": self.name} | more
        for option in ("id", "time", "sensitive"):
            if name := getattr(columns, option):
                values[option] = name
        return [part for key, value in values.items() for part in ("--param", _given(key, value))]

    def _deploy(self) -> list[Answered]:
        stage = self.stage
        key = ["--key", self.material.columns.id] if self.material.columns.id else []
        made = stage.athanor("deploy", f"{self.name}@champion", "--endpoint", self.name, *key)
        self.endpoint_url = made["url"]
        self.window = max(
            size
            for size in _WINDOWS
            if size
            <= max(_WINDOWS[-1], min(len(self.material.healthy), len(self.material.drifted)))
        )
        stage.athanor(
            "monitor", "set", self.name,
            "--window-rows", self.window, "--minimum-rows", min(self.window, _FEWEST),
        )  # fmt: skip
        rows = [self.material.healthy[n % len(self.material.healthy)] for n in range(_REQUESTS)]
        began = time.perf_counter()
        answered = send(self.endpoint_url, self._inputs(rows), token=self.token)
        rate = len(answered) / (time.perf_counter() - began)
        few = len(self.material.healthy)
        again = (
            "" if few >= _REQUESTS else f" (the {few:,} rows of healthy traffic, again and again)"
        )
        stage.tell(f"{len(answered):,} requests answered, {rate:,.0f} a second{again}")
        self.equal = self._equal(answered, f"{self.name}@champion")
        stage.tell(f"{self.equal:,} of {len(answered):,} equal the in-process prediction")
        self.logged = self._logged()
        stage.tell(f"{self.logged:,} rows are in the prediction log")
        self.story.append(
            (
                "endpoint",
                f"{len(answered):,} answers, {self.equal:,} equal, {self.logged:,} logged{again}",
            )
        )
        self._label(answered, rows)
        return answered

    def _inputs(self, rows: list[Summary]) -> list[Summary]:
        target = self.material.columns.target
        return [{name: value for name, value in row.items() if name != target} for row in rows]

    def _equal(self, answered: list[Answered], reference: str) -> int:
        """How many answers are those of the model, called here.

        Labels to the letter; probabilities to 1e-12, as a compiled model may add in another order.
        """
        packed = self.folder / "model.zip"
        self.stage.athanor("model", "export", reference, "--to", packed)
        unpacked = self.folder / "model"
        shutil.unpack_archive(packed, unpacked)
        packaging = importlib.import_module("athanor.registry.packaging")
        model = packaging.load_model(unpacked)
        expected = model.predict_records([answer.row for answer in answered])
        return sum(
            _is_equal(answer.prediction, here)
            for answer, here in zip(answered, expected, strict=True)
        )

    def _logged(self) -> int:
        question = f"select count(*) as n from predictions where endpoint = '{self.name}'"  # noqa: S608
        return int(self.stage.athanor("sql", question)["rows"][0]["n"])

    def _label(self, answered: list[Answered], rows: list[Summary]) -> None:
        """The truth arrives, late; of a row that was sent again, once."""
        path = self.folder / "labels.csv"
        target = self.material.columns.target
        truth = [
            {"id": answer.prediction["id"], "label": row[target]}
            for answer, row in zip(answered, rows[: len(self.material.healthy)], strict=False)
            if row[target] is not None
        ]
        _write(path, ["id", "label"], truth)
        kept = self.stage.athanor("endpoint", "label", self.name, path)
        self.stage.tell(f"{kept['count']:,} labels arrived")

    def _drift(self) -> tuple[list[Summary], Summary]:
        stage = self.stage
        stage.athanor(
            "pipeline", "trigger", "add", f"retrain-{self.name}", "classification",
            "--on", "monitoring.alert.raised",
            "--match", f"endpoint={self.name}", "--match", "kind=drift",
            "--cooldown", _COOLDOWN_SECONDS,
            "--artifact", f"data=dataset:{self.name}@latest",
            "--artifact", f"fresh=labelled:{self.name}",
            "--artifact", f"champion=model:{self.name}@champion",
            *self._parameters(
                endpoint=self.name, canary=_CANARY_PERCENT, patience=_CANARY_PATIENCE
            ),
        )  # fmt: skip
        stage.until("the look at healthy traffic", self._looked, _PATIENCE_SECONDS)
        self._judge_before_the_shift()
        rows = self.material.drifted
        cut = int(min(len(rows), self.window) * _LABELLED_SHARE)
        first = send(self.endpoint_url, self._inputs(rows[:cut]), token=self.token)
        stage.tell(f"{len(first):,} shifted rows were predicted")
        self._label(first, rows[:cut])
        more = [rows[(cut + n) % len(rows)] for n in range(self.window - cut)]
        send(self.endpoint_url, self._inputs(more), token=self.token)
        self.rest = rows[cut:] or rows
        alerts = stage.until("the drift alert", self._alerts, _PATIENCE_SECONDS)
        for alert in alerts:
            stage.tell(f"alert on {', '.join(alert['columns'])}")
            for sentence in alert["explanation"].splitlines():
                stage.tell(f"  {sentence}")
        stage.tell("(JS, the Jensen-Shannon distance: 0 where nothing moved, 0.833 where all did)")
        run = stage.until("the retraining", self._triggered, _PATIENCE_SECONDS)
        stage.tell(f"the event started run {run['id']} (trigger {run['trigger']})")
        self.story.append(("drift", f"alert on {', '.join(alerts[0]['columns'])}"))
        return alerts, run

    def _judge_before_the_shift(self) -> None:
        """On simulated traffic nothing may be found; on somebody's own table there may be drift."""
        early = self._alerts()
        if not early:
            self.stage.tell("traffic before the shift: looked at, no alert")
            return
        if self.material.truth.kind != "covariate":
            raise DemoFailed(self.stage.step, f"an alert on healthy traffic: {early[0]}")
        for alert in early:
            columns = ", ".join(alert["columns"])
            self.stage.tell(f"your own rows drift, before any shift of ours: {columns}")
            self.stage.athanor("alert", "close", alert["id"], "--reason", "seen in the demo")
        self.story.append(("own drift", f"the last rows differ from the first: {columns}"))

    def _looked(self) -> bool:
        found = self.stage.quietly("monitor", "show", self.name)
        return len(found["windows"]) >= _REQUESTS // self.window

    def _alerts(self) -> list[Summary]:
        found = self.stage.quietly("alert", "list")
        return [
            alert
            for alert in found
            if (alert["subject"], alert["kind"], alert["state"]) == (self.name, "drift", "open")
        ]

    def _triggered(self) -> Summary | None:
        found = self.stage.quietly("pipeline", "list", "--trigger", f"retrain-{self.name}")
        return found[0] if found else None

    def _take_over(self, run: Summary) -> Summary:
        """Traffic goes on while the challenger is trained, and while it is a canary."""
        stage = self.stage
        ended: Summary = {}
        sent = 0

        def settled() -> bool:
            nonlocal ended, sent
            batch = [self.rest[(sent + n) % len(self.rest)] for n in range(_BATCH)]
            send(self.endpoint_url, self._inputs(batch), token=self.token)
            sent += len(batch)
            ended = stage.quietly("pipeline", "show", run["id"])
            if ended["state"] in {"waiting", "running"}:
                return False
            return not _on_its_way(stage.quietly("endpoint", "show", self.name))

        stage.until("the end of the retraining", settled, _PATIENCE_SECONDS)
        if ended["state"] != "done":
            failed = next((t for t in ended["tasks"] if t["error"]), {"error": ended["error"]})
            raise DemoFailed(stage.step, f"the retraining failed: {failed['error']}")
        endpoint = stage.athanor("endpoint", "show", self.name)
        told = next(t for t in ended["tasks"] if "registered" in t["outputs"])["outputs"]
        deployed = [d for d in endpoint["deployments"] if d["version"] == told["version"]]
        steps = [
            f"{step['share']:.0%} {step['action']}: {step['reason']}"
            for deployment in deployed
            for step in (deployment["canary"] or {}).get("history", [])
        ]
        for step in steps:
            stage.tell(f"canary {step}")
        took_over = bool(told["registered"]) and _live(endpoint)["version"] == told["version"]
        what = "took over" if took_over else "was refused"
        reason = told["reason"] if took_over or not told["registered"] else deployed[0]["reason"]
        stage.tell(f"the challenger {what}: {reason}")
        self.story.append(("challenger", f"{what}: {reason}"))
        return {
            "run": run["id"],
            "trigger": run["trigger"],
            "version": told["version"],
            "took_over": took_over,
            "reason": reason,
            "canary": steps,
            "tasks": [{"name": task["name"], "state": task["state"]} for task in ended["tasks"]],
        }

    def _shuffled(self) -> Summary:
        stage = self.stage
        before = _live(stage.quietly("endpoint", "show", self.name))
        run = stage.athanor(
            "pipeline", "run", "classification",
            "--artifact", f"data=dataset:{self.name}@latest",
            "--artifact", f"fresh=labelled:{self.name}",
            "--artifact", f"champion=model:{self.name}@champion",
            *self._parameters(endpoint=self.name, shuffle_labels=True),
        )  # fmt: skip
        told = self._told(run)
        after = _live(stage.quietly("endpoint", "show", self.name))
        unchanged = not told["registered"] and before["version"] == after["version"]
        if not unchanged:
            raise DemoFailed(stage.step, f"the shuffled challenger was not refused: {told}")
        stage.tell(f"refused: {told['reason']}")
        self.story.append(("shuffled labels", f"refused: {told['reason']}"))
        return {"run": run["run"], "registered": told["registered"], "reason": told["reason"]}

    def _told(self, run: Summary) -> Summary:
        """What the gate said of a training's model: `registered`, and the `reason`."""
        ended = self.stage.quietly("pipeline", "show", run["run"])
        told: Summary = next(t for t in ended["tasks"] if "registered" in t["outputs"])["outputs"]
        return told

    def _trace(self, prediction: str) -> list[Summary]:
        graph = self.stage.athanor("lineage", "trace", f"prediction:{prediction}")
        nodes: list[Summary] = graph["nodes"]
        self.stage.tell(f"{len(nodes)} runs and artifacts lie behind prediction {prediction[:12]}")
        return nodes

    def _in_office(self) -> Summary:
        live = _live(self.stage.quietly("endpoint", "show", self.name))
        shown = self.stage.quietly("model", "show", f"{self.name}@{live['version']}")
        return _model(shown["version"])


def _live(endpoint: Summary) -> Summary:
    """The deployment that has the traffic."""
    found: Summary = next(item for item in endpoint["deployments"] if item["state"] == "live")
    return found


def _on_its_way(endpoint: Summary) -> bool:
    return any(item["state"] in {"starting", "canary"} for item in endpoint["deployments"])


def _model(version: Summary) -> Summary:
    return {
        "model": version["model"],
        "version": version["number"],
        "metrics": version["metrics"],
        "digest": version["digest"],
    }


def _given(key: str, value: object) -> str:
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def _is_equal(answer: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    one, other = answer["probabilities"], here["probabilities"]
    return (
        answer["label"] == here["label"]
        and one.keys() == other.keys()
        and all(math.isclose(one[name], other[name], abs_tol=_TOLERANCE) for name in one)
    )


def _write(path: Path, header: list[str], rows: list[Summary]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
