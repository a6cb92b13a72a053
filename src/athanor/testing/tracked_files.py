"""What every store of files, of logged models and of inputs must do."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from athanor.tracking.errors import PathTaken
from athanor.tracking.files import FileEntry
from athanor.tracking.inputs import CONTEXT, DatasetInfo, DatasetInput, ModelOutput
from athanor.tracking.logged_models import (
    LoggedModel,
    LoggedModelQuery,
    MeasuredOn,
    ModelMetric,
)
from athanor.tracking.logic.search import logged_model_filter, logged_model_orders
from athanor.tracking.store.files import FileStore
from athanor.tracking.store.inputs import InputStore
from athanor.tracking.store.logged_models import LoggedModelStore

_AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def a_file(path: str, content: str = "aa") -> FileEntry:
    """A file of the tree."""
    return FileEntry(path=path, digest=f"sha256:{content}", size=3_000_000_000, at=_AT)


class FileStoreContract:
    """Subclass it with a fixture `store`, an empty store."""

    def test_a_file_comes_back_and_its_folders_are_there(self, store: FileStore) -> None:
        kept = a_file("1/run/artifacts/deep/a.txt")
        store.put(kept)
        assert store.find(kept.path) == kept
        assert store.find("1/run/nothing") is None
        folder = store.find("1/run/artifacts")
        assert folder is not None
        assert folder.is_folder
        assert [entry.path for entry in store.children("")] == ["1"]
        assert [entry.path for entry in store.children("1/run/artifacts")] == [
            "1/run/artifacts/deep"
        ]

    def test_the_last_content_stands(self, store: FileStore) -> None:
        store.put(a_file("a/b", "old"))
        store.put(a_file("a/b", "new"))
        assert [entry.digest for entry in store.children("a")] == ["sha256:new"]

    def test_a_listing_is_one_folder_by_name(self, store: FileStore) -> None:
        for path in ("r/b", "r/a/x/y", "r/a/z", "r/c_", "r%/b", "ra/b"):
            store.put(a_file(path))
        assert [(entry.path, entry.is_folder) for entry in store.children("r")] == [
            ("r/a", True),
            ("r/b", False),
            ("r/c_", False),
        ]
        assert [entry.path for entry in store.files("r")] == ["r/a/x/y", "r/a/z", "r/b", "r/c_"]
        assert [entry.path for entry in store.files("r/b")] == ["r/b"]
        assert len(store.files("")) == 6

    def test_a_folder_goes_with_all_below_and_leaves_no_empty_one(self, store: FileStore) -> None:
        for path in ("r/a/x/y", "r/a/z", "r/b", "other"):
            store.put(a_file(path))
        assert store.remove("r/a") == 2
        assert [entry.path for entry in store.children("r")] == ["r/b"]
        assert store.remove("r/b") == 1
        assert [entry.path for entry in store.children("")] == ["other"]
        assert store.remove("nothing/here") == 0

    def test_a_file_and_a_folder_never_share_a_path(self, store: FileStore) -> None:
        store.put(a_file("a/b/c"))
        with pytest.raises(PathTaken):
            store.put(a_file("a/b"))
        with pytest.raises(PathTaken):
            store.put(a_file("a/b/c/d"))
        assert [entry.path for entry in store.files("")] == ["a/b/c"]

    def test_digests_are_told_once(self, store: FileStore) -> None:
        for number in range(3):
            store.put(a_file(f"f/{number}", "same"))
        store.put(a_file("f/other", "other"))
        assert sorted(store.digests()) == ["sha256:other", "sha256:same"]


def a_model(number: int, **fields: Any) -> LoggedModel:
    """A logged model of experiment 1."""
    values: dict[str, Any] = {
        "id": f"m-{number:032x}",
        "experiment": "1",
        "project": "default",
        "name": f"model{number}",
        "location": f"mlflow-artifacts:/1/models/m-{number:032x}/artifacts",
        "created_at": _AT + timedelta(seconds=number),
        "updated_at": _AT + timedelta(seconds=number),
    }
    return LoggedModel(**(values | fields))


def _number(model: LoggedModel) -> int:
    return int(model.id.partition("-")[2], base=16)


def a_point(model: LoggedModel, key: str, value: float, **fields: Any) -> ModelMetric:
    """A measured point."""
    given: dict[str, Any] = {"at": _AT, "run": "r"} | fields
    return ModelMetric(model=model.id, key=key, value=value, **given)


class LoggedModelStoreContract:
    """Subclass it with a fixture `store`, an empty store."""

    def test_a_model_comes_back_whole(self, store: LoggedModelStore) -> None:
        model = a_model(1, type="Agent", run="a" * 32, params={"p": "1"}, tags={"t": "ä"})
        store.add(model)
        assert store.find(model.id) == model
        assert store.find("m-none") is None
        store.change(model.id, {"status": "ready", "deleted": True})
        changed = store.find(model.id)
        assert changed is not None
        assert (changed.status, changed.deleted) == ("ready", True)
        assert store.known([model.id, "m-none"]) == {model.id}

    def test_params_stay_and_tags_change(self, store: LoggedModelStore) -> None:
        model = a_model(1, params={"p": "1"}, tags={"t": "1"})
        store.add(model)
        store.add_params(model.id, {"p": "2", "q": "3"})
        store.set_tags(model.id, {"t": "2", "u": "3"})
        assert store.delete_tag(model.id, "u")
        assert not store.delete_tag(model.id, "u")
        found = store.find(model.id)
        assert found is not None
        assert (found.params, found.tags) == ({"p": "1", "q": "3"}, {"t": "2"})

    def test_points_are_kept_exactly_and_once(self, store: LoggedModelStore) -> None:
        model = a_model(1)
        store.add(model)
        points = [
            a_point(model, "loss", value, step=step, dataset_name=name)
            for value in (0.1, math.inf, -math.inf)
            for step in (-1, 0)
            for name in ("", "x" * 500)
        ]
        for _ in range(2):
            store.add_metrics(points)
        found = store.find(model.id)
        assert found is not None
        assert len(found.metrics) == len(points)
        assert set(found.metrics) == set(points)
        store.add_metrics([a_point(model, "nan", math.nan)] * 2)
        found = store.find(model.id)
        assert found is not None
        assert [math.isnan(point.value) for point in found.metrics if point.key == "nan"] == [True]

    def test_models_are_found_by_what_they_are(self, store: LoggedModelStore) -> None:
        for number in range(4):
            store.add(
                a_model(
                    number,
                    status="ready" if number % 2 else "pending",
                    type="Agent" if number else "",
                    params={"lr": str(number)},
                    tags={"team": "ä%" if number < 2 else "B"},
                )
            )
        store.add(a_model(7, deleted=True))
        store.add(a_model(8, experiment="2"))

        def found(text: str, *experiments: str) -> list[int]:
            query = LoggedModelQuery(
                experiments=experiments or ("1",),
                comparisons=logged_model_filter(text),
                order=logged_model_orders([]),
            )
            return [_number(model) for model in store.search(query)]

        assert found("") == [3, 2, 1, 0]
        assert found("", "1", "2") == [8, 3, 2, 1, 0]
        assert found("name = 'model1'") == [1]
        assert found("name LIKE 'model%' AND name != 'model1'") == [3, 2, 0]
        assert found("name ILIKE 'MODEL2'") == [2]
        assert found("name LIKE 'MODEL2'") == []
        assert found("name IN ('model1', 'model3')") == [3, 1]
        assert found("params.lr = '2'") == [2]
        assert found("tags.team = 'B' AND params.lr != '2'") == [3]
        assert found("status = 'READY'") == [3, 1]
        assert found("model_type = 'Agent' AND tags.team LIKE 'ä%'") == [1]
        stamp = int((_AT + timedelta(seconds=2)).timestamp() * 1000)
        assert found(f"creation_timestamp >= {stamp}") == [3, 2]
        assert found(f"creation_timestamp = {stamp}") == [2]
        assert found("creation_timestamp < 1e300") == [3, 2, 1, 0]
        assert found("model_id = 'm-" + f"{3:032x}'") == [3]

    def test_models_are_found_by_how_they_measure(self, store: LoggedModelStore) -> None:
        one, two, three = (a_model(number) for number in (1, 2, 3))
        for model in (one, two, three):
            store.add(model)
        store.add_metrics(
            [
                a_point(one, "acc", 0.9, dataset_name="train", dataset_digest="t1"),
                a_point(one, "acc", 0.6, dataset_name="test", dataset_digest="s1"),
                a_point(two, "acc", 0.8, dataset_name="test", dataset_digest="s2"),
                a_point(three, "acc", math.nan),
                a_point(three, "loss", 1.0),
            ]
        )

        def found(text: str, *datasets: MeasuredOn) -> list[int]:
            query = LoggedModelQuery(
                experiments=("1",),
                comparisons=logged_model_filter(text),
                datasets=datasets,
                order=logged_model_orders([]),
            )
            return [_number(model) for model in store.search(query)]

        assert found("metrics.acc > 0.7") == [2, 1]
        assert found("metrics.acc > 0.7", MeasuredOn(name="test")) == [2]
        assert found("metrics.acc > 0.5", MeasuredOn(name="test", digest="s1")) == [1]
        assert found("", MeasuredOn(name="test"), MeasuredOn(name="train")) == [2, 1]
        assert found("", MeasuredOn(name="nothing")) == []
        assert found("metrics.acc > -1e308") == [2, 1]

    def test_models_are_sorted_what_is_missing_last(self, store: LoggedModelStore) -> None:
        models = [a_model(number) for number in range(4)]
        for model in models:
            store.add(model)
        store.add_metrics(
            [
                a_point(models[0], "acc", 0.1, dataset_name="d", dataset_digest="1"),
                a_point(models[0], "acc", 0.9, at=_AT + timedelta(seconds=1)),
                a_point(models[1], "acc", 0.5, dataset_name="d", dataset_digest="1"),
                a_point(models[2], "acc", math.nan),
            ]
        )

        def found(**order: Any) -> list[int]:
            query = LoggedModelQuery(experiments=("1",), order=logged_model_orders([order]))
            return [_number(model) for model in store.search(query)]

        assert found(field_name="metrics.acc") == [1, 0, 2, 3]
        assert found(field_name="metrics.acc", ascending=False) == [0, 1, 2, 3]
        assert found(field_name="metrics.acc", dataset_name="d", dataset_digest="1") == [0, 1, 3, 2]
        assert found(field_name="name", ascending=False) == [3, 2, 1, 0]
        assert found(field_name="creation_timestamp") == [0, 1, 2, 3]

    def test_pages_follow_each_other(self, store: LoggedModelStore) -> None:
        for number in range(5):
            store.add(a_model(number))
        order = logged_model_orders([])
        pages = [
            store.search(LoggedModelQuery(experiments=("1",), order=order, limit=2, offset=offset))
            for offset in (0, 2, 4)
        ]
        assert [len(page) for page in pages] == [2, 2, 1]
        assert len({model.id for page in pages for model in page}) == 5


def a_dataset(name: str = "churn", digest: str = "d1", **tags: str) -> DatasetInput:
    """A dataset that a run used."""
    info = DatasetInfo(name=name, digest=digest, source_type="local", source="x.csv", schema="{}")
    return DatasetInput(dataset=info, tags=tags)


class InputStoreContract:
    """Subclass it with fixtures `store`, an empty store, and `runs`, ids of two runs."""

    def test_what_a_run_used_comes_back_in_order(
        self, store: InputStore, runs: tuple[str, str]
    ) -> None:
        one, two = runs
        given = [a_dataset("b", **{CONTEXT: "train"}), a_dataset("a", "d2")]
        store.add_datasets(one, "1", given)
        store.add_datasets(one, "1", [a_dataset("b", **{CONTEXT: "late"})])
        store.add_datasets(two, "1", [a_dataset("a", "d2", k="v")])
        store.add_models(one, ["m-1", "m-2"])
        store.add_models(one, ["m-1"])
        store.add_outputs(one, [ModelOutput(model_id="m-3", step=2), ModelOutput(model_id="m-3")])
        found = store.of_runs([one, two, "0" * 32])
        assert found[one].datasets == given
        assert found[one].models == ["m-1", "m-2"]
        assert found[one].outputs == [
            ModelOutput(model_id="m-3", step=2),
            ModelOutput(model_id="m-3", step=0),
        ]
        assert found[two].datasets == [a_dataset("a", "d2", k="v")]
        assert len(found) == 2

    def test_a_models_runs_are_known(self, store: InputStore, runs: tuple[str, str]) -> None:
        one, two = sorted(runs)
        store.add_models(one, ["m-1"])
        store.add_outputs(two, [ModelOutput(model_id="m-1", step=step) for step in range(3)])
        assert store.runs_of("m-1") == [(one, "model_input"), (two, "model_output")]

    def test_summaries_tell_each_use_once(self, store: InputStore, runs: tuple[str, str]) -> None:
        for run in runs:
            store.add_datasets(run, "1", [a_dataset(**{CONTEXT: "train"})])
        store.add_datasets(runs[0], "2", [a_dataset("other")])
        found = store.summaries(["1", "2"])
        assert [(each.experiment, each.name, each.context) for each in found] == [
            ("1", "churn", "train"),
            ("2", "other", None),
        ]
        assert store.summaries(["3"]) == []
