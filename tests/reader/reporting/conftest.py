"""A store with two weeks of a deployment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from deployment_requests import FIRST, Deployment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """An empty deployment."""
    return Deployment(tmp_path / "store")


@pytest.fixture
def shop(deployment: Deployment) -> Deployment:
    """Two weeks of requests; in the second one ages are higher, and a country is new."""
    random = np.random.default_rng(1)
    for number in range(400):
        is_new = number >= 200
        moment = FIRST + dt.timedelta(days=7 * is_new, minutes=int(random.integers(0, 7 * 1440)), microseconds=7)
        age = int(random.normal(55 if is_new else 40, 8))
        country = str(random.choice(["ES", "FR", "PT"] if is_new else ["ES", "FR"]))
        score = round(float(1 / (1 + np.exp((45 - age) / 5))), 4)
        label = int(random.random() < score)
        deployment.request(
            moment,
            model_inputs=[{"age": None if number % 20 == 7 else age, "country": country, "note": None}],
            model_outputs=[{"score": score}],
            **({"ground_truth": [{"label": label}]} if number % 2 else {}),
            response=[{"score": score}],
            status="500" if number % 25 == 0 else "200",
        )
    return deployment
