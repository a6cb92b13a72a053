"""Batches by column: the answers of the model itself, whatever the rows are."""

import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from athanor.data.types import ReadOptions
from athanor.data.work.tablefile import open_pieces, pieces_in
from athanor.registry import Signature as Trained
from athanor.registry import TrainedModel
from athanor.registry.packaging import load_model
from athanor.registry.packaging.materializer import ModelMaterializer
from athanor.serving.batches.work import gather as gathering
from athanor.serving.batches.work import models, score
from athanor.serving.batches.work import plan as plans
from athanor.serving.batches.work.files import _plain_csv, as_parquet
from athanor.serving.batches.work.folded import Folded, agree, proved
from athanor.serving.batches.work.models import ColumnScorer, FrameScorer
from athanor.serving.logic.outputs import made_columns
from athanor.serving.runtimes.folding.nodes import Unfoldable
from athanor.serving.types import InputColumn, Signature
from tests.serving.conftest import bank
from tests.serving.pipelines_at_random import drawn


def scorers(
    folder: Path, estimator: Any, rows: pd.DataFrame
) -> tuple[Folded, FrameScorer, Signature]:
    trained = TrainedModel(
        estimator=estimator, example=rows, signature=Trained(target="t", task="")
    )
    ModelMaterializer().save(trained, folder / "model")
    model = load_model(folder / "model")
    columns = tuple(
        InputColumn(name=item.name, type=item.type, required=item.required)
        for item in model.signature
    )
    signature = Signature(columns=columns, classes=tuple(model.classes), target="t")
    return Folded(model, signature), FrameScorer(model, signature), signature


def kept(scorer: ColumnScorer) -> bool:
    """Whether it still computes by column."""
    return scorer._folded is not None


def is_the_same_by_column(seed: int, folder: Path) -> bool:
    """Whether the pipeline of this seed is computed by column; where it is, it answers the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short training, and what numbers overflow
        estimator, rows = drawn(seed)
        try:
            folded, frames, _ = scorers(folder, estimator, rows)
        except Unfoldable:
            return False
        scorer = ColumnScorer(folded, frames)
        assert kept(scorer)
        batch = pa.RecordBatch.from_pandas(rows, preserve_index=False)
        mine, own = scorer.score(batch), frames.score(batch)
        if not kept(scorer):  # its matrix differs in a last bit, which its final step reads
            return False
        assert [field.name for field in scorer.schema] == [field.name for field in frames.schema]
        for one, other in zip(mine, own, strict=True):
            if pa.types.is_floating(one.type):
                assert agree(
                    one.to_numpy(zero_copy_only=False), other.to_numpy(zero_copy_only=False)
                )
            else:
                assert one.equals(other)
    return True


@pytest.mark.parametrize("seed", [1, 4, 5])
def test_a_random_pipeline_is_the_same_by_column(seed: int, tmp_path: Path) -> None:
    assert is_the_same_by_column(seed, tmp_path)


@pytest.mark.soak
def test_random_pipelines_are_the_same_by_column(tmp_path: Path) -> None:
    done = [is_the_same_by_column(seed, tmp_path / str(seed)) for seed in range(200)]
    assert sum(done) > 170


def test_a_forest_reads_the_matrix_that_its_pipeline_makes(tmp_path: Path) -> None:
    rows, labels = bank(400, 3)
    texts = [name for name in rows if rows[name].dtype == object or str(rows[name].dtype) == "str"]
    encoder = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), texts),
        remainder=SimpleImputer(),
    )
    forest = make_pipeline(encoder, RandomForestClassifier(5, random_state=0)).fit(rows, labels)
    folded, frames, _ = scorers(tmp_path, forest, rows)
    batch = pa.RecordBatch.from_pandas(rows, preserve_index=False)
    assert folded.encodes_as(frames.frame(batch), batch)
    assert (folded.score(batch)[0] == frames.numbers(batch)).all()


def test_rows_that_are_refused_and_rows_that_are_level_are_the_models_own(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "c": ["x", "y", "x", "y"]})
    encoder = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["c"]))
    model = make_pipeline(encoder, LogisticRegression()).fit(rows, [0, 1, 0, 1])
    model[-1].coef_[:], model[-1].intercept_[:] = 0.0, 0.0  # every row is level
    folded, frames, _ = scorers(tmp_path, model, rows)
    scorer = ColumnScorer(folded, frames)
    batch = pa.RecordBatch.from_pandas(rows, preserve_index=False)
    assert folded.score(batch)[1].all()
    assert scorer.score(batch)[0].to_pylist() == frames.score(batch)[0].to_pylist()
    unseen = pa.RecordBatch.from_pandas(rows.assign(c="z"), preserve_index=False)
    with pytest.raises(ValueError, match="unknown categories"):
        scorer.score(unseen)


def test_a_model_that_differs_is_left_to_itself(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, [0, 1, 0, 1])
    folded, frames, _ = scorers(tmp_path, model, rows)
    assert proved(folded, frames.numbers)
    assert not proved(folded, lambda batch: frames.numbers(batch) + 1e-6)
    assert not proved(folded, lambda _: None)


@pytest.mark.parametrize(
    ("text", "quick"),
    [
        ("a,c,rest\n1,x,5\n,,6\n2.5,NA,7\n", True),
        ("a;c\n1;x\n2;y\n", True),
        ('a,c\n1,"x\ny"\n2,"p,q"\n', True),
        ("\ufeffa,c\n1,x\n", True),
        ("a,c\n1,x\nold,y\n", False),
        ("a,c\n1,x,2\n", False),
        ("a,c,a\n1,x,2\n", False),
        ("# a comment\na,c\n1,x\n", False),
    ],
)
def test_an_ordinary_csv_is_read_as_duckdb_reads_it(tmp_path: Path, text: str, quick: bool) -> None:
    path, made, other = tmp_path / "a.csv", tmp_path / "made.parquet", tmp_path / "other.parquet"
    path.write_text(text)
    columns = (
        InputColumn(name="a", type="double", required=True),
        InputColumn(name="c", type="string", required=False),
    )
    signature = Signature(columns=columns, classes=(), target="t")
    assert _plain_csv(path, made, signature, 1_000) == quick
    if not quick:
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("athanor.serving.batches.work.files._plain_csv", lambda *_: False)
        as_parquet(path, "a.csv", other, signature, 1_000)
    one, two = pq.read_table(made), pq.read_table(other)
    assert one.to_pylist() == two.to_pylist()
    assert np.array_equal(one.schema.names, two.schema.names)


def test_large_chunks_are_the_versions_files_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, labels = bank(600, 5)
    texts = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    numbers = [name for name in rows if name not in texts]
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), texts),
    )
    model = make_pipeline(encoder, LogisticRegression()).fit(rows, labels)
    _, frames, signature = scorers(tmp_path, model, rows)
    rows.to_parquet(tmp_path / "rows.parquet", row_group_size=200)
    home, plain = tmp_path / "batch", msgspec.to_builtins(signature)
    home.mkdir()
    made = made_columns(signature.classes, reasons=False)
    settings = {"keep": None, "chunk_rows": 200}
    plans.make(str(home), {"parquet": [str(tmp_path / "rows.parquet")]}, plain, made, settings)
    monkeypatch.setattr(models, "_FEW_ROWS", 0)
    monkeypatch.setattr(gathering, "_PIECE_ROWS", 100)
    score.work(
        str(home), {"folder": str(tmp_path / "model"), "signature": plain}, {"max_errors": 0}
    )
    told = gathering.gather(str(home), str(tmp_path / "pieces"))
    assert (told["rows"], told["errors"]) == (600, 0)
    pieces = pieces_in(tmp_path / "pieces")
    assert [path.stat().st_nlink for path in pieces] == [2, 2, 2]
    found = open_pieces(tmp_path / "pieces", "batch", {}, ReadOptions())
    assert found.given == found.stored
    table = pa.Table.from_batches(found.batches())
    batch = pa.RecordBatch.from_pandas(rows, preserve_index=False)
    chances = table["probability_left"].to_numpy()
    assert agree(chances, frames.numbers(batch)[:, 0])
    assert table["prediction"].to_pylist() == frames.score(batch)[0].to_pylist()
    assert table.select(rows.columns.tolist()).to_pandas().astype(object).equals(
        rows.astype(object)
    )  # fmt: skip
