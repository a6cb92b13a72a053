"""BentoML: `bentoml serve app_bentoml:Churn --port PORT`, with BENCHMARK_KIND."""

import os
from typing import Any

import bentoml
import pandas as pd
from models import fitted


@bentoml.service(workers=1, traffic={"timeout": 60})
class Churn:
    """Records in, labels out."""

    def __init__(self) -> None:
        self.model = fitted(os.environ["BENCHMARK_KIND"])

    @bentoml.api
    def predict(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        """The labels."""
        return {"predictions": self.model.predict(pd.DataFrame(records)).tolist()}
