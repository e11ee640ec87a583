"""What the screen performance says: the same measures as a report, and the rows with the largest errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from looked_store import NOW, hour
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import UnknownNameError
from otel_modeldata_studio.screens.performance import PerformanceAnswer, performance
from otel_modeldata_studio.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shop_store import Shop


@pytest.fixture(scope="module")
def studio(shop_store: Shop) -> Iterator[Studio]:
    with reader.open(shop_store.root) as store:
        opened = Studio(store)
        yield opened
        opened.close()


def asked(studio: Studio, **more: Any) -> PerformanceAnswer:
    """The answer when all lines are read."""
    for _ in range(100):
        found = performance(studio, deployment="shop/blue", **more)
        if not found.pending:
            return found
    raise AssertionError


def test_the_measures_are_those_of_a_report(studio: Studio) -> None:
    found = asked(studio, by="inputs.country").figures
    figures = studio.store.report("shop/blue", by="country", prediction="decision", score="score").figures
    assert figures.performance is not None
    assert found.performance == msgspec.structs.replace(figures.performance, by="inputs.country")
    assert found.labels == figures.labels


def test_the_steps_of_time_add_up(studio: Studio) -> None:
    found = asked(studio)
    over_time, figures = found.over_time, found.figures.performance
    assert over_time is not None
    assert figures is not None
    assert (sum(over_time.labeled), sum(over_time.rows)) == found.figures.labels
    assert len(over_time.times) == len(over_time.rows) <= 20
    accuracy = over_time.measures["accuracy"].value
    right = sum(value * count for value, count in zip(accuracy, over_time.labeled, strict=True) if value is not None)
    whole = figures.every.measures["accuracy"].value
    assert whole is not None
    assert right == pytest.approx(whole * sum(over_time.labeled))
    assert over_time.measures.keys() == figures.every.measures.keys()


def test_the_worst_rows_have_scores_far_from_their_label(studio: Studio) -> None:
    found = asked(studio)
    rows = studio.store.join("shop/blue", labels=True).to_pandas().dropna(subset=["label"])
    target = (rows["label"] == "yes").astype(float)
    errors = dict(zip(rows["row_id"], rows["score"] - target, strict=True))
    worst = sorted(errors.values(), key=abs, reverse=True)[:20]
    assert [one.error for one in found.worst] == pytest.approx(worst)
    assert all(errors[one.row_id] == pytest.approx(one.error) for one in found.worst)


def test_the_columns_that_can_slice_are_those_of_inputs_and_outputs(studio: Studio) -> None:
    assert list(asked(studio).by) == [
        *(f"inputs.{name}" for name in ("age", "income", "country", "plan", "member", "opened", "visits")),
        "outputs.score",
        "outputs.decision",
    ]
    with pytest.raises(UnknownNameError, match="expected a column of inputs or outputs for the slices, got 'country'"):
        asked(studio, by="country")
    with pytest.raises(UnknownNameError, match="expected a column of the outputs, got 'x'"):
        asked(studio, prediction="x")


def scored(store: Path, labels: bool) -> None:
    """A regression of ten rows."""
    for number in range(10):
        moment = {"time": f"{NOW:%Y-%m-%dT%H}:00:{number:02d}Z", "timens": None, "number": number}
        types: dict[str, dict[str, float]] = {"model_inputs": {"x": number}, "model_outputs": {"y": float(number)}}
        if labels and number % 2 == 0:
            types["ground_truth"] = {"label": number + (5.0 if number == 4 else 0.5)}
        for collection, row in types.items():
            path = store / f"shop/blue/{collection}/{hour(0)}"
            path.mkdir(parents=True, exist_ok=True)
            with (path / f"{0:032x}000000.jsonl").open("ab") as blob:
                keys = moment | {"id": f"{collection}-{number}", "type": f"azureml.inference.{collection}"}
                blob.write(line([row], **keys))


def test_numbers_have_errors_with_their_sign(tmp_path: Path) -> None:
    scored(tmp_path, labels=True)
    with reader.open(tmp_path) as store:
        studio = Studio(store)
        found = asked(studio)
        studio.close()
    figures = found.figures.performance
    assert figures is not None
    errors = np.array([-0.5, -0.5, -5.0, -0.5, -0.5])
    assert (figures.kind, found.figures.labels) == ("numbers", (5, 10))
    assert figures.every.measures["mae"].value == pytest.approx(np.abs(errors).mean())
    assert figures.every.measures["rmse"].value == pytest.approx(np.sqrt((errors**2).mean()))
    worst = found.worst[0]
    assert (worst.row_id, worst.prediction, worst.label, worst.error) == ("request-4_0", 4.0, 9.0, -5.0)
    assert worst.time == f"{NOW:%Y-%m-%dT%H}:00:04Z"
    assert len(found.worst) == 5


def test_without_labels_the_answer_says_so(tmp_path: Path) -> None:
    scored(tmp_path, labels=False)
    with reader.open(tmp_path) as store:
        studio = Studio(store)
        found = asked(studio)
        studio.close()
    assert found.figures.performance is None
    assert found.figures.performance_note == "not known: there are no labels for these rows"
    assert (found.over_time, found.worst, found.by) == (None, (), ["inputs.x", "outputs.y"])


def test_without_outputs_the_answer_says_so(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=hour(0))
    with reader.open(tmp_path) as store:
        studio = Studio(store)
        found = asked(studio)
        studio.close()
    assert found.figures.performance_note == "not known: the deployment has no model_outputs"


def classified(store: Path) -> None:
    """Rows of a truth value: two wrong ones with the same score, and others that are less wrong, or right."""
    rows = [(True, 1.0, False), (True, 1.0, False), (True, 0.51, False), (False, 0.01, True), (True, 0.9, True)]
    for number, (prediction, score, label) in enumerate(rows):
        moment = {"time": f"{NOW:%Y-%m-%dT%H}:00:{number:02d}Z", "timens": None, "number": number}
        for collection, row in {
            "model_inputs": {"member": number % 2 == 0},
            "model_outputs": {"late": prediction, "probability": score},
            "ground_truth": {"label": label},
        }.items():
            keys = moment | {"id": f"{collection}-{number}", "type": f"azureml.inference.{collection}"}
            path = store / f"shop/blue/{collection}/{hour(0)}"
            path.mkdir(parents=True, exist_ok=True)
            with (path / f"{0:032x}000000.jsonl").open("ab") as blob:
                blob.write(line([row], **keys))


def test_truth_values_are_said_in_their_own_words(tmp_path: Path) -> None:
    classified(tmp_path)
    with reader.open(tmp_path) as store:
        studio = Studio(store)
        found = asked(studio, by="inputs.member", prediction="late", score="probability")
        studio.close()
    figures = found.figures.performance
    assert figures is not None
    assert (figures.positive, sorted(one.name for one in figures.slices)) == ("true", ["false", "true"])
    worst = [(one.row_id, one.prediction, one.label, one.score, pytest.approx(one.error)) for one in found.worst]
    assert worst == [
        ("request-1_0", True, False, 1.0, 1.0),
        ("request-0_0", True, False, 1.0, 1.0),
        ("request-3_0", False, True, 0.01, -0.99),
        ("request-2_0", True, False, 0.51, 0.51),
        ("request-4_0", True, True, 0.9, -0.1),
    ]


def test_slices_by_a_time_are_times(studio: Studio) -> None:
    figures = asked(studio, by="inputs.opened").figures.performance
    assert figures is not None
    names = [one.name for one in figures.slices]
    assert len(set(names)) == len(names) == 4
    assert names[0].startswith("before 20")
    assert names[-1].endswith(" and later")
