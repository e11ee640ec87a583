"""What a URL may compare with: a window of the store, and no file of the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from opened_studio import opened_studio, whole
from read_lines import line, write

from otel_modeldata_reader import ReaderError
from otel_modeldata_studio.screens.facets import facets
from otel_modeldata_studio.screens.feature import feature
from otel_modeldata_studio.screens.request import request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

DEPLOYMENT = "shop/blue"
ROWS = [{"plan": "basic"}, {"plan": "plus"}]


def compared(studio: Studio, baseline: str | None) -> dict[str, Any]:
    """The counts of each plan in the window and in the baseline."""
    (facet,) = whole(lambda: facets(studio, deployment=DEPLOYMENT, columns=("inputs.plan",), baseline=baseline)).facets
    return {one.value: (one.count, one.baseline) for one in facet.values}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    write(path, [line(ROWS)])
    return path


@pytest.fixture
def training(tmp_path: Path) -> Path:
    path = tmp_path / "training.csv"
    path.write_text("plan\nbasic\nbasic\nplus\n")
    return path


@pytest.fixture
def studio(store: Path, training: Path) -> Iterator[Studio]:
    with opened_studio(store, baseline=str(training)) as opened:
        yield opened


def test_the_file_that_studio_was_started_with_is_compared_with(studio: Studio, training: Path) -> None:
    assert compared(studio, None) == {"basic": (1, 2), "plus": (1, 1)}
    assert compared(studio, str(training)) == {"basic": (1, 2), "plus": (1, 1)}


def test_another_window_is_compared_with(studio: Studio, store: Path) -> None:
    assert compared(studio, "2026-11-22..2026-11-23") == {"basic": (1, 1), "plus": (1, 1)}


REFUSED = (
    "expected a window such as 2026-11-01..2026-11-08 or -14d..-7d as baseline, got a file: start Studio with "
    "--baseline FILE to compare with a file"
)


def refused(ask: Callable[[], object]) -> str:
    with pytest.raises(ReaderError) as caught:
        whole(ask)
    return str(caught.value)


@pytest.mark.parametrize("name", ["secret.csv", "none.csv", "secret.PARQUET", "pipe.csv"])
def test_no_other_file_is_looked_at(studio: Studio, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.csv").write_text("plan\nhunter2\n")
    os.mkfifo(tmp_path / "pipe.csv")  # whoever opens it waits for a writer
    of: dict[str, Any] = {"baseline": str(tmp_path / name)}
    assert refused(lambda: facets(studio, deployment=DEPLOYMENT, columns=("inputs.plan",), **of)) == REFUSED
    assert refused(lambda: facets(studio, deployment=DEPLOYMENT, **of)) == REFUSED
    assert refused(lambda: feature(studio, deployment=DEPLOYMENT, column="inputs.plan", **of)) == REFUSED
    with pytest.raises(ReaderError) as caught:
        request(studio, id="request-0", **of)
    assert str(caught.value) == REFUSED


def test_the_own_file_has_one_name(studio: Studio, training: Path) -> None:
    another = f"{training.parent}/./{training.name}"
    assert refused(lambda: facets(studio, deployment=DEPLOYMENT, baseline=another)) == REFUSED
