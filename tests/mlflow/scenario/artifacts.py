"""Files of runs: everything that logs one, listing, downloading, and paths that lead away."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
import requests
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from PIL import Image

from tests.mlflow.scenario.book import Book


def _tree(book: Book, name: str) -> Path:
    folder = book.folder / name
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.txt").write_text("a", encoding="utf-8")
    (folder / "deep" / "b ü.bin").write_bytes(bytes(range(256)))
    (folder / "deep" / "er" / "empty").write_bytes(b"")
    return folder


def _listing(book: Book, run_id: str, path: str | None = None) -> list[list[object]]:
    return [[f.path, f.is_dir, f.file_size] for f in book.client.list_artifacts(run_id, path)]


def files_and_folders(book: Book) -> None:
    folder = _tree(book, "tree")
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(folder / "a.txt"))
        mlflow.log_artifact(str(folder / "a.txt"), artifact_path="in/side")
        mlflow.log_artifacts(str(folder), artifact_path="tree")
        book.same(
            "its address",
            mlflow.get_artifact_uri("tree/a.txt"),
            f"{run.info.artifact_uri}/tree/a.txt",
        )
    run_id = run.info.run_id
    book.same(
        "listed",
        _listing(book, run_id),
        [["a.txt", False, 1], ["in", True, None], ["tree", True, None]],
    )
    book.same(
        "a folder",
        _listing(book, run_id, "tree"),
        [["tree/a.txt", False, 1], ["tree/deep", True, None]],
    )
    book.same(
        "deeper",
        _listing(book, run_id, "tree/deep"),
        [["tree/deep/b ü.bin", False, 256], ["tree/deep/er", True, None]],
    )
    book.same(
        "an empty file",
        [row[:2] for row in _listing(book, run_id, "tree/deep/er")],
        [["tree/deep/er/empty", False]],
    )
    book.same("a file is no folder", _listing(book, run_id, "a.txt"), [])
    book.same("nothing there", _listing(book, run_id, "nowhere"), [])
    got = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="tree"))
    book.same("bytes", (got / "deep" / "b ü.bin").read_bytes().hex(), bytes(range(256)).hex())
    book.same("all files", len([p for p in got.rglob("*") if p.is_file()]), 3)
    one = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/in/side/a.txt")
    book.same("one file", Path(one).read_text(encoding="utf-8"), "a")
    whole = mlflow.artifacts.download_artifacts(run.info.artifact_uri)
    book.same("everything", sorted(p.name for p in Path(whole).iterdir()), ["a.txt", "in", "tree"])
    listed = mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path="in")
    book.same("by the module", [f.path for f in listed], ["in/side"])
    (folder / "a.txt").write_text("other", encoding="utf-8")
    book.client.log_artifact(run_id, str(folder / "a.txt"))
    book.same("overwritten", mlflow.artifacts.load_text(f"runs:/{run_id}/a.txt"), "other")


def texts_dicts_figures_images(book: Book) -> None:
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        uri = f"runs:/{run.info.run_id}"
        mlflow.log_text("zwölf ✓", "notes/text.txt")
        mlflow.log_dict({"b": [1, 2.5, None]}, "d.json")
        mlflow.log_dict({"y": {"z": "ü"}}, "d.yaml")
        figure, axes = plt.subplots()
        axes.plot([0, 1], [1, 0])
        mlflow.log_figure(figure, "plots/figure.png")
        plt.close(figure)
        mlflow.log_image(np.full((8, 6, 3), 200, dtype=np.uint8), "image.png")
        mlflow.log_image(Image.new("RGB", (5, 4), (1, 2, 3)), "pil.png")
        for step in range(3):
            mlflow.log_image(np.full((4, 4), step / 3), key="seen", step=step, timestamp=step)
    book.same("text", mlflow.artifacts.load_text(f"{uri}/notes/text.txt"), "zwölf ✓")
    book.same("dict", mlflow.artifacts.load_dict(f"{uri}/d.json"), {"b": [1, 2.5, None]})
    book.same("yaml", mlflow.artifacts.load_text(f"{uri}/d.yaml"), 'y:\n  z: "\\xFC"\n')
    book.same("image", list(mlflow.artifacts.load_image(f"{uri}/image.png").size), [6, 8])
    pil = mlflow.artifacts.load_image(f"{uri}/pil.png")
    book.same("pixel", list(pil.getpixel((0, 0))), [1, 2, 3])
    figure_file = Path(mlflow.artifacts.download_artifacts(f"{uri}/plots/figure.png"))
    book.same("figure", figure_file.read_bytes()[:4].hex(), "89504e47")
    images = book.client.list_artifacts(run.info.run_id, "images")
    book.same("images by step", len(images), 6)
    tags = book.client.get_run(run.info.run_id).data.tags
    book.same("images are told by a tag", tags.get("mlflow.loggedImages"), "True")


def tables(book: Book) -> None:
    mlflow.set_experiment(experiment_id=book.experiment())
    ids = []
    for shift in (0, 10):
        with mlflow.start_run() as run:
            mlflow.log_table({"q": ["a", "b"], "n": [shift, shift + 1]}, "t.json")
            mlflow.log_table(pd.DataFrame({"q": ["c"], "n": [shift + 2]}), "t.json")
            ids.append(run.info.run_id)
    table = mlflow.load_table("t.json", run_ids=[ids[0]])
    book.same("appended", table.to_dict("list"), {"q": ["a", "b", "c"], "n": [0, 1, 2]})
    both = mlflow.load_table("t.json", run_ids=ids, extra_columns=["run_id"])
    book.same("of both runs", [len(both), both["run_id"].nunique()], [6, 2])
    told = json.loads(book.client.get_run(ids[0]).data.tags["mlflow.loggedArtifacts"])
    book.same("told by a tag", told, [{"path": "t.json", "type": "table"}])


def deleted(book: Book) -> None:
    run = book.client.create_run(book.experiment())
    run_id = run.info.run_id
    for name in ("keep.txt", "go.txt", "folder/x.txt", "folder/y.txt"):
        book.client.log_text(run_id, name, name)
    files = get_artifact_repository(run.info.artifact_uri)
    files.delete_artifacts("go.txt")
    book.same("a file", [r[0] for r in _listing(book, run_id)], ["folder", "keep.txt"])
    files.delete_artifacts("folder")
    book.same("a folder", [r[0] for r in _listing(book, run_id)], ["keep.txt"])
    book.same("the rest stays", mlflow.artifacts.load_text(f"runs:/{run_id}/keep.txt"), "keep.txt")


def over_plain_http(book: Book) -> None:
    run = book.client.create_run(book.experiment())
    inside = run.info.artifact_uri.split(":", 1)[1].lstrip("/")
    base = f"{book.url}/api/2.0/mlflow-artifacts/artifacts"
    book.same(
        "put", requests.put(f"{base}/{inside}/x.bin", data=b"abc", timeout=60).status_code, 200
    )
    got = requests.get(f"{base}/{inside}/x.bin", timeout=60)
    book.same("get", [got.status_code, got.content.decode()], [200, "abc"])
    listed = requests.get(base, params={"path": inside}, timeout=60).json()
    book.same("list", listed, {"files": [{"path": "x.bin", "is_dir": False, "file_size": 3}]})
    page = requests.get(
        f"{book.url}/get-artifact",
        params={"run_id": run.info.run_id, "path": "x.bin"},
        timeout=60,
    )
    book.same("get-artifact", [page.status_code, page.content.decode()], [200, "abc"])
    book.holds("as a download", "x.bin" in page.headers.get("content-disposition", ""))
    book.same("missing", requests.get(f"{base}/{inside}/no", timeout=60).status_code, 404)
    book.same("delete", requests.delete(f"{base}/{inside}/x.bin", timeout=60).status_code, 200)
    book.same("gone", requests.get(f"{base}/{inside}/x.bin", timeout=60).status_code, 404)


def paths_that_lead_away(book: Book) -> None:
    run = book.client.create_run(book.experiment())
    base = f"{book.url}/api/2.0/mlflow-artifacts/artifacts"
    for path in (
        "%2E%2E/secret",
        "a/%2E%2E/%2E%2E/secret",
        "%252E%252E/secret",
        "a%23b",
    ):
        for method in ("GET", "PUT", "DELETE"):
            answer = requests.request(method, f"{base}/{path}", data=b"x", timeout=60)
            book.same(f"{method} {path}", answer.status_code, 400)
    for path in ("../..", "/etc", "a/../../b", "%2e%2e/x"):
        answer = requests.get(
            f"{book.url}/api/2.0/mlflow/artifacts/list",
            params={"run_id": run.info.run_id, "path": path},
            timeout=60,
        )
        book.same(
            f"list {path}",
            [answer.status_code, answer.json()["error_code"], answer.json()["message"]],
            [400, "INVALID_PARAMETER_VALUE", "Invalid path"],
        )
    answer = requests.get(
        f"{book.url}/get-artifact",
        params={"run_id": run.info.run_id, "path": "../../x"},
        timeout=60,
    )
    book.same("get-artifact", answer.status_code, 400)


SCENES = (
    files_and_folders,
    texts_dicts_figures_images,
    tables,
    deleted,
    over_plain_http,
    paths_that_lead_away,
)
