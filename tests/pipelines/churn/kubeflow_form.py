"""The pipeline as it is written with Kubeflow's SDK.

`kubeflow_form.yaml` is what its compiler makes of this file: python kubeflow_form.py
"""

# Kubeflow's SDK lives in an environment of its own, and a component brings its imports along.
# ruff: noqa: PLC0415, UP014
# mypy: ignore-errors

from pathlib import Path
from typing import NamedTuple

from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def load(path: str, table: Output[Dataset]) -> None:
    import pandas as pd

    columns = ["Customer_Age", "Credit_Limit", "Total_Trans_Amt", "Total_Trans_Ct"]
    frame = pd.read_csv(path)
    kept = frame[columns].astype(float)
    kept["left"] = frame["Attrition_Flag"] == "Attrited Customer"
    kept.to_parquet(table.path)


@dsl.component
def split(
    table: Input[Dataset], train: Output[Dataset], test: Output[Dataset], every: int = 4
) -> None:
    import pandas as pd

    rows = pd.read_parquet(table.path)
    judged = rows.index % every == 0
    rows[~judged].reset_index(drop=True).to_parquet(train.path)
    rows[judged].reset_index(drop=True).to_parquet(test.path)


@dsl.component
def fit(train: Input[Dataset], model: Output[Model]) -> None:
    import pathlib

    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from athanor.registry.packaging import save_model

    rows = pd.read_parquet(train.path)
    columns = [name for name in rows.columns if name != "left"]
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[columns], rows["left"])
    save_model(fitted, pathlib.Path(model.path))


@dsl.component
def judge(model: Input[Model], test: Input[Dataset]) -> float:
    import pathlib

    import pandas as pd

    from athanor.registry.packaging import load_model

    rows = pd.read_parquet(test.path)
    columns = [name for name in rows.columns if name != "left"]
    told = load_model(pathlib.Path(model.path)).estimator.predict(rows[columns])
    return round(float((told == rows["left"]).mean()), 6)


@dsl.pipeline(name="churn")
def churn(
    path: str,
) -> NamedTuple("Given", accuracy=float, model=Model, test=Dataset, train=Dataset):
    given = NamedTuple("Given", accuracy=float, model=Model, test=Dataset, train=Dataset)
    halves = split(table=load(path=path).outputs["table"])
    model = fit(train=halves.outputs["train"]).outputs["model"]
    test = halves.outputs["test"]
    return given(judge(model=model, test=test).output, model, test, halves.outputs["train"])


if __name__ == "__main__":
    compiler.Compiler().compile(churn, str(Path(__file__).with_suffix(".yaml")))
