"""What the screen feature says of a column: counted here again from the lines."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError, UnknownNameError
from otel_modeldata_reader.reporting.measures.bins import bin_counts, fixed_edges
from otel_modeldata_reader.reporting.measures.distances import population_stability
from otel_modeldata_studio.profiles.last_day import LEAST_ROWS
from otel_modeldata_studio.screens.feature import FeatureAnswer, feature
from otel_modeldata_studio.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shop_store import Shop

HOUR = 3_600


@pytest.fixture(scope="module")
def studio(shop_store: Shop) -> Iterator[Studio]:
    with reader.open(shop_store.root) as store:
        opened = Studio(store, baseline=shop_store.baseline)
        yield opened
        opened.close()


def asked(studio: Studio, shop: Shop, column: str, **more: Any) -> FeatureAnswer:
    """The answer for the second day, when all of its lines are read."""
    since, until = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (shop.until - timedelta(hours=24), shop.until))
    for _ in range(100):
        found = feature(studio, deployment="shop/blue", column=column, since=since, until=until, **more)
        if not found.pending:
            return found
    raise AssertionError


def values_of(shop: Shop, column: str, *, day: int, deployment: str = "blue") -> dict[int, list[Any]]:
    """The values of a column of inputs by the hour of a day."""
    start = int((shop.since + timedelta(days=day)).timestamp())
    found: dict[int, list[Any]] = defaultdict(list)
    for blob in (shop.root / f"shop/{deployment}/model_inputs").rglob("*.jsonl"):
        for one in map(json.loads, blob.read_text().splitlines()):
            at = int(datetime.strptime(one["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
            if start <= at < start + 24 * HOUR:
                found[(at - start) // HOUR].append(one["data"][0][column])
    return found


def known(values: list[Any]) -> Any:
    return np.array([one for one in values if one is not None], dtype=float)


def every(by_hour: dict[int, list[Any]]) -> list[Any]:
    return [one for values in by_hour.values() for one in values]


def test_numbers_are_counted_beside_the_baseline_and_over_time(studio: Studio, shop_store: Shop) -> None:
    found = asked(studio, shop_store, "inputs.age")
    window, baseline = (values_of(shop_store, "age", day=day) for day in (1, 0))
    of_window, of_baseline = known(every(window)), known(every(baseline))
    facet = found.facet
    assert (facet.rows, facet.nulls, facet.sample) == (len(every(window)), every(window).count(None), 1.0)
    edges = np.array([float(one.high) for one in facet.bins[:-1]])
    assert [one.count for one in facet.bins] == bin_counts(edges, of_window).tolist()
    assert [one.baseline for one in facet.bins] == bin_counts(edges, of_baseline).tolist()
    fixed = fixed_edges(of_baseline)
    counts = bin_counts(fixed, of_baseline)
    assert facet.psi == pytest.approx(population_stability(counts, bin_counts(fixed, of_window)))
    assert (found.step_seconds, len(found.times)) == (3600.0, 24)
    for at in range(24):
        hour = known(window[at])
        levels = [getattr(found.quantiles, level)[at] for level in ("p05", "p25", "p50", "p75", "p95")]
        assert levels == pytest.approx(np.quantile(hour, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist())
        assert found.null_rate[at] == pytest.approx(window[at].count(None) / len(window[at]))
        expected = population_stability(counts, bin_counts(fixed, hour)) if len(hour) >= LEAST_ROWS else None
        assert found.psi[at] == (None if expected is None else pytest.approx(expected))
    assert 0 < list(found.psi).count(None) < 24  # by chance few rows differ much


def test_categories_have_shares_over_time(studio: Studio, shop_store: Shop) -> None:
    found = asked(studio, shop_store, "inputs.country")
    window, baseline = (values_of(shop_store, "country", day=day) for day in (1, 0))
    of_window, of_baseline = Counter(every(window)), Counter(every(baseline))
    assert {one.value: (one.count, one.baseline) for one in found.facet.values} == {
        name: (of_window[name], of_baseline[name]) for name in of_window | of_baseline
    }
    assert set(found.shares) == set(of_window)
    for name, shares in found.shares.items():
        assert list(shares) == pytest.approx([window[at].count(name) / len(window[at]) for at in range(24)])
    names = sorted(of_window | of_baseline)
    expected = population_stability([of_baseline[name] for name in names], [of_window[name] for name in names])
    assert found.facet.psi == pytest.approx(expected)
    assert len(found.psi) == 24


def test_times_and_truth_values_are_counted(studio: Studio, shop_store: Shop) -> None:
    member = asked(studio, shop_store, "inputs.member")
    counts = Counter(every(values_of(shop_store, "member", day=1)))
    assert {one.value: one.count for one in member.facet.values} == {"true": counts[True], "false": counts[False]}
    opened = asked(studio, shop_store, "inputs.opened")
    seconds = [
        datetime.fromisoformat(one).replace(tzinfo=UTC).timestamp()
        for one in every(values_of(shop_store, "opened", day=1))
    ]
    assert sum(one.count for one in opened.facet.bins) == len(seconds)
    hour = values_of(shop_store, "opened", day=1)[0]
    first = [datetime.fromisoformat(one).replace(tzinfo=UTC).timestamp() for one in hour]
    assert opened.quantiles.p50[0] == pytest.approx(np.quantile(first, 0.5))


def test_another_deployment_is_in_the_same_bins_and_steps(studio: Studio, shop_store: Shop) -> None:
    found = asked(studio, shop_store, "inputs.age", others=("shop/green",))
    (green,) = found.deployments
    window = values_of(shop_store, "age", day=1, deployment="green")
    assert green.facet is not None
    assert green.facet.rows == len(every(window))
    assert [one.low for one in green.facet.bins[1:]] == [one.low for one in found.facet.bins[1:]]
    assert [green.quantiles.p50[at] for at in range(24)] == pytest.approx(
        [np.quantile(known(window[at]), 0.5) for at in range(24)]
    )


def test_filters_choose_the_rows(studio: Studio, shop_store: Shop) -> None:
    chosen = json.dumps([{"column": "inputs.country", "op": "in", "values": ["PT"]}])
    found = asked(studio, shop_store, "inputs.age", f=chosen)
    countries = every(values_of(shop_store, "country", day=1))
    assert found.facet.rows == countries.count("PT")


def test_without_a_baseline_nothing_is_compared(shop_store: Shop) -> None:
    with reader.open(shop_store.root) as store:
        studio = Studio(store)
        found = asked(studio, shop_store, "inputs.age")
        studio.close()
    assert (found.baseline, found.facet.psi, list(found.psi)) == (None, None, [])
    assert {one.baseline for one in found.facet.bins} == {None}


def test_what_there_is_not_is_an_error_or_a_note(studio: Studio, shop_store: Shop) -> None:
    with pytest.raises(UnknownNameError, match=r"expected a column of the rows, got 'inputs\.agee': did you mean"):
        asked(studio, shop_store, "inputs.agee")
    with pytest.raises(UnknownNameError, match="expected a deployment of"):
        asked(studio, shop_store, "inputs.age", others=("shop/red",))
    with pytest.raises(ReaderError, match="expected at most 4 deployments beside one, got 5"):
        asked(studio, shop_store, "inputs.age", others=("shop/green",) * 5)
