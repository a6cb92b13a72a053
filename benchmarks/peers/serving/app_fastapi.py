"""FastAPI by hand: what one writes in an afternoon. `python app_fastapi.py KIND PORT`."""

import sys
from typing import Any

import pandas as pd
import uvicorn
from fastapi import FastAPI
from models import fitted

model = fitted(sys.argv[1])
app = FastAPI()


@app.post("/predict")
def predict(body: dict[str, Any]) -> dict[str, Any]:
    """Records in, labels out."""
    return {"predictions": model.predict(pd.DataFrame(body["records"])).tolist()}


uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
