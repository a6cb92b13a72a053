"""A model and CSV files for the batch benchmark. `python prepare_batch.py FOLDER ROWS FEW`."""

import sys
from pathlib import Path

import mlflow
from models import fitted, table

FOLDER, ROWS, FEW = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
PART = 1_000_000
frame, _ = table("pipeline")
mlflow.sklearn.save_model(
    fitted("pipeline"),
    str(FOLDER / "model"),
    signature=mlflow.models.infer_signature(frame),
    input_example=frame.head(50),
    serialization_format="cloudpickle",
)
for name, rows in (("few", FEW), ("rows", ROWS)):
    with (FOLDER / f"{name}.csv").open("w") as stream:
        for start in range(0, rows, PART):
            part, _ = table("pipeline", min(PART, rows - start), seed=11 + start)
            part.to_csv(stream, index=False, header=not start)
