"""MLServer with its scikit-learn runtime's form. `python app_mlserver.py KIND PORT`."""

import asyncio
import sys

import pandas as pd
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from models import fitted


class Churn(MLModel):
    """Open Inference Protocol in and out."""

    async def load(self) -> bool:
        """Fit the model."""
        self.model = fitted(self.settings.parameters.extra["kind"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The labels."""
        frame: pd.DataFrame = PandasCodec.decode_request(payload)
        labels = self.model.predict(frame).tolist()
        datatype = "BYTES" if isinstance(labels[0], str) else "INT64"
        output = ResponseOutput(name="predict", shape=[len(labels)], datatype=datatype, data=labels)
        return InferenceResponse(model_name=self.name, outputs=[output])


async def main() -> None:
    """Serve."""
    port = int(sys.argv[2])
    settings = Settings(
        http_port=port, grpc_port=port + 1, metrics_port=port + 2, host="127.0.0.1",
        parallel_workers=0, debug=False,
    )  # fmt: skip
    server = MLServer(settings)
    model = ModelSettings(
        name="churn", implementation=Churn, parameters={"extra": {"kind": sys.argv[1]}}
    )
    await server.start([model])


asyncio.run(main())
