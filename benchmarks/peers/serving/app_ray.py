"""Ray Serve. `python app_ray.py KIND PORT`."""

import sys
import time
from typing import Any

import pandas as pd
import ray
from models import fitted
from ray import serve
from starlette.requests import Request

KIND, PORT = sys.argv[1], int(sys.argv[2])


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Churn:
    """Records in, labels out."""

    def __init__(self) -> None:
        self.model = fitted(KIND)

    async def __call__(self, request: Request) -> dict[str, Any]:
        """The labels."""
        body = await request.json()
        return {"predictions": self.model.predict(pd.DataFrame(body["records"])).tolist()}


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": PORT, "access_log": False})
serve.run(Churn.bind(), route_prefix="/predict")
while True:
    time.sleep(3600)
