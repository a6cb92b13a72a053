"""LitServe. `python app_litserve.py KIND PORT`."""

import sys
from typing import Any

import litserve
import pandas as pd
from models import fitted


class Api(litserve.LitAPI):
    """Records in, labels out."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's form
        """Fit the model."""
        self.model = fitted(sys.argv[1])

    def decode_request(self, request: dict[str, Any]) -> Any:
        """The rows."""
        return pd.DataFrame(request["records"])

    def predict(self, frame: Any) -> Any:
        """The labels."""
        return self.model.predict(frame)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """As JSON."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1)
    server.run(
        port=int(sys.argv[2]), host="127.0.0.1", generate_client_file=False, log_level="error"
    )
