"""MLflow's scoring server. `python app_mlflow.py KIND PORT`: saves the model, then serves it."""

import os
import sys
import tempfile
from pathlib import Path

import mlflow
from models import fitted, table

KIND, PORT = sys.argv[1], sys.argv[2]
folder = tempfile.mkdtemp()
frame, _ = table(KIND)
mlflow.sklearn.save_model(
    fitted(KIND),
    f"{folder}/model",
    signature=mlflow.models.infer_signature(frame),
    serialization_format="cloudpickle",
)
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"{folder}/model"]
os.execv(sys.executable, [*command, "--env-manager", "local", "-p", PORT, "--workers", "1"])  # noqa: S606
