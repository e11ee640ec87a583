"""The traffic of the demo is the real day, with its dates moved and one feature that changes its unit."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta

import pytest

from otel_modeldata_receiver.commands.demo.flights import HISTORY, flights_of_the_day

NOW = datetime(2026, 11, 29, 11, 3, 17, tzinfo=UTC)
FLIGHTS = 937


def bundled(name: str) -> list[dict[str, str]]:
    with gzip.open(HISTORY.with_name(f"{name}.csv.gz"), "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_flight_of_the_day_is_sent_in_the_order_of_departures_and_the_last_one_leaves_now() -> None:
    flights = flights_of_the_day(None, NOW)
    times = [flight.departed for flight in flights]
    assert len(flights) == FLIGHTS == len(bundled("day"))
    assert times == sorted(times)
    assert times[-1] == NOW.replace(second=0)
    assert times[0] > NOW - timedelta(days=1)
    assert [flight.row["departed"] for flight in flights] == [time.isoformat() for time in times]


def test_the_values_are_the_real_ones_but_for_the_feature_that_drifts_in_the_evening() -> None:
    real = sorted(bundled("day"), key=lambda row: row["departed"])
    for flight, row in zip(flights_of_the_day(None, NOW), real, strict=True):
        evening = row["departed"] >= "2013-07-11T22:00Z"
        assert flight.drifts is evening
        assert flight.row["departure_delay"] == int(row["departure_delay"]) * (60 if evening else 1)
        assert flight.row["flight"] == row["flight"]
        assert flight.row["seats"] == (int(row["seats"]) if row["seats"] else None)
        assert flight.row["temperature"] == (float(row["temperature"]) if row["temperature"] else None)


def test_a_label_is_known_when_the_flight_has_landed_and_never_for_a_diverted_one() -> None:
    real = sorted(bundled("day"), key=lambda row: row["departed"])
    for flight, row in zip(flights_of_the_day(None, NOW), real, strict=True):
        if row["arrival_delay"]:
            assert flight.late is (int(row["arrival_delay"]) >= 15)
            assert flight.landed == flight.departed + timedelta(minutes=int(row["air_minutes"]))
        else:
            assert (flight.late, flight.landed) == (None, None)


@pytest.mark.parametrize("count", [1, 3, 40, FLIGHTS, FLIGHTS + 5])
def test_fewer_flights_are_spread_over_the_day_and_more_are_repeated(count: int) -> None:
    flights = flights_of_the_day(count, NOW)
    assert len(flights) == count
    assert flights[-1].departed == NOW.replace(second=0)
    if count == 40:
        assert any(flight.drifts for flight in flights)
        assert flights[0].departed < NOW - timedelta(hours=18)


def test_the_bundled_data_have_strings_categories_missing_values_and_dates_and_are_small() -> None:
    history = bundled("history")
    assert len(history) == 3000
    assert max(row["departed"] for row in history) < min(row["departed"] for row in bundled("day"))
    for name in ("manufacturer", "seats", "temperature", "visibility", "arrival_delay"):
        assert any(not row[name] for row in history)
    assert len({row["carrier"] for row in history}) == 15
    assert sum(HISTORY.with_name(f"{name}.csv.gz").stat().st_size for name in ("history", "day")) < 100_000
