"""A service that predicts late arrivals, as yours may look. Start it with `uvicorn app:app`."""
import os
from datetime import datetime

import pandas as pd
from fastapi import FastAPI
from model import FEATURES, train
from otel_modeldata import Collector
from pydantic import BaseModel


class Flight(BaseModel):
    flight: str
    carrier: str
    tail: str
    origin: str
    destination: str
    departed: datetime
    departure_delay: int  # minutes
    distance: int
    manufacturer: str | None
    seats: int | None
    temperature: float | None
    visibility: float | None


class Landing(BaseModel):
    row_id: str
    label: bool  # whether it was late
    label_time: datetime


TYPES = {"carrier": "category", "origin": "category", "seats": "Int64", "temperature": float, "visibility": float}

inputs = Collector(name="model_inputs")
outputs = Collector(name="model_outputs")
ground_truth = Collector(name="ground_truth")
model, auc = train(os.environ["HISTORY"])
app = FastAPI()


@app.post("/score")
def score(flight: Flight):
    frame = pd.DataFrame([flight.model_dump()]).astype(TYPES)
    context = inputs.collect(frame)  # with the id of the request, which joins inputs, outputs and label

    features = frame[FEATURES].to_numpy(dtype=float, na_value=float("nan"))
    probability = model.predict_proba(features)[:, 1]
    result = pd.DataFrame({"late": probability >= 0.5, "probability": probability})
    outputs.collect(result, context)
    return result.to_dict("records")[0]


@app.post("/landed")
def landed(landings: list[Landing]):
    ground_truth.collect(pd.DataFrame([landing.model_dump() for landing in landings]))
