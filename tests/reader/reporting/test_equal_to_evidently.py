"""Measures of drift are those of Evidently 0.7.23, where it has the same bins."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from otel_modeldata_reader.reporting.measures.chi_square import chi_square
from otel_modeldata_reader.reporting.measures.distances import (
    jensen_shannon,
    normalized_wasserstein,
    psi_of_shares,
)
from otel_modeldata_reader.reporting.measures.kolmogorov_smirnov import kolmogorov_smirnov

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidently_environment import Evidently

pytestmark = pytest.mark.long
CLOSE = 1e-12


def pairs() -> Iterator[dict[str, Any]]:
    """Columns with gaps and infinities of many kinds."""
    random = np.random.default_rng(11)

    def gaps(values: Any, share: float = 0.1) -> list[Any]:
        return [None if one < share else value for one, value in zip(random.random(len(values)), values, strict=True)]

    for sizes in ((40, 60), (1000, 700), (12_000, 9_000)):
        first, second = (random.normal(size=size) for size in sizes)
        yield {"kind": "number", "baseline": gaps(first.tolist()), "window": gaps((second * 1.2 + 0.3).tolist())}
        counts = [random.poisson(rate, size=size).tolist() for rate, size in zip((30, 33), sizes, strict=True)]
        yield {"kind": "number", "baseline": counts[0], "window": gaps(counts[1])}  # integers, and nullable ones
        few = [random.integers(0, 5, size=size).tolist() for size in sizes]
        yield {"kind": "number", "baseline": few[0], "window": few[1]}
        texts = [
            random.choice(list(names), size=size).tolist() for names, size in zip(("abc", "abcde"), sizes, strict=True)
        ]
        yield {"kind": "category", "baseline": gaps(texts[1]), "window": gaps(texts[0])}
        yield {"kind": "category", "baseline": gaps(texts[0]), "window": gaps(texts[1])}  # categories that are new
        truths = [(random.random(size) < rate).tolist() for rate, size in zip((0.2, 0.3), sizes, strict=True)]
        yield {"kind": "category", "baseline": truths[0], "window": truths[1]}
        times = [(random.integers(0, 10**7, size=size) + 1_790_000_000.0).tolist() for size in sizes]
        yield {"kind": "number", "baseline": times[0], "window": times[1]}
    yield {"kind": "number", "baseline": [*range(50), math.inf, -math.inf], "window": [*range(20, 90), math.inf]}
    yield {"kind": "number", "baseline": [4.0] * 30, "window": [4.0] * 20}
    yield {"kind": "number", "baseline": [1.0], "window": [2.0]}


def known(values: list[Any]) -> list[Any]:
    return [one for one in values if one is not None and not (isinstance(one, float) and not math.isfinite(one))]


def scores(pair: dict[str, Any]) -> dict[str, float]:
    """The same by the measures of this project, in the bins that Evidently chooses."""
    baseline, window = known(pair["baseline"]), known(pair["window"])
    if pair["kind"] == "number" and len(set(baseline)) > 20:
        edges = np.histogram_bin_edges(np.array([*baseline, *window]), bins="sturges")
        counts = [np.histogram(side, edges)[0] for side in (baseline, window)]
    else:
        of_both = Counter(baseline), Counter(window)
        names = sorted(of_both[0].keys() | of_both[1].keys(), key=repr)
        counts = [np.array([side[name] for name in names]) for side in of_both]
    shares = [np.where(side == 0, 0.0, side / side.sum()) for side in counts]
    for side in shares:  # its replacement of zeros
        least = side[side != 0].min()
        side[side == 0] = least / 10**6 if least <= 0.0001 else 0.0001
    found = {"psi": psi_of_shares(*shares), "jensen_shannon": jensen_shannon(*counts, base=math.e)}
    if pair["kind"] != "number":
        return found | {"chi_square": chi_square(*counts).p_value}
    x, y = np.array(baseline, dtype=float), np.array(window, dtype=float)
    found["ks"] = kolmogorov_smirnov(x, y).p_value
    return found | {"wasserstein": normalized_wasserstein(x, y, ddof=0)}


def test_measures_are_those_of_evidently(evidently: Evidently) -> None:
    asked = list(pairs())
    for pair, expected in zip(asked, evidently.scores(asked), strict=True):
        assert scores(pair) == pytest.approx(expected, rel=CLOSE, abs=CLOSE), pair["kind"]
