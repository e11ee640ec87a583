"""The two complete score.py of Azure's documentation, as published, except for the package name in their imports."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from types import ModuleType

import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_modeldata.testing import capture

TESTS = Path(__file__).parent.parent
DEPLOY = TESTS.parent / "deploy" / "managed-endpoint"
OTHERS_WORDS, OUR_WORDS = "from azureml.ai.monitoring", "from otel_modeldata"
ELLIPSIS = "  ...\n"
PREDICT = "  output_df = input_df.rename(columns=str.upper)\n"
DATA = {"col1": [1, 2, 3], "col2": [2, 3, 4]}
INPUT_ROWS = [{"col1": 1, "col2": 2}, {"col1": 2, "col2": 3}, {"col1": 3, "col2": 4}]
OUTPUT_ROWS = [{"COL1": 1, "COL2": 2}, {"COL1": 2, "COL2": 3}, {"COL1": 3, "COL2": 4}]

SCRIPTS = {"seed-score.py": "score.py", "seed-score-with-ids.py": "score_with_ids.py"}
"""As published, and as `deploy/managed-endpoint` shows it."""


def as_published(name: str) -> str:
    return (TESTS / "data" / name).read_text("utf-8")


def loaded(name: str) -> ModuleType:
    """The published script with this package's import, and with a model in place of `...`."""
    source = as_published(name).replace(OTHERS_WORDS, OUR_WORDS)
    assert source.count(ELLIPSIS) == 1
    module = ModuleType("entry_module")
    exec(compile(source.replace(ELLIPSIS, PREDICT), name, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", SCRIPTS)
# S4, S9, S10
def test_a_documented_script_collects_inputs_and_outputs_under_one_correlation_id(name: str) -> None:
    script = loaded(name)
    with capture() as captured:
        script.init()
        answer = script.run(json.dumps({"data": DATA}))
        inputs, outputs = captured.events
    assert answer == {"COL1": {0: 1, 1: 2, 2: 3}, "COL2": {0: 2, 1: 3, 2: 4}}
    assert (inputs.collection, inputs.rows) == ("model_inputs", INPUT_ROWS)
    assert (outputs.collection, outputs.rows) == ("model_outputs", OUTPUT_ROWS)
    assert inputs.correlation_id == outputs.correlation_id != ""


# S16, S18
def test_the_script_with_ids_collects_under_its_own_id() -> None:
    script = loaded("seed-score-with-ids.py")
    with capture() as captured:
        script.init()
        script.run(json.dumps({"data": DATA}))
        assert [event.correlation_id for event in captured.events] == ["test", "test"]


# S19
def test_the_script_without_ids_collects_each_request_under_its_own_id() -> None:
    script = loaded("seed-score.py")
    with capture() as captured:
        script.init()
        for _ in range(3):
            script.run(json.dumps({"data": DATA}))
        ids = [event.correlation_id for event in captured.events]
    assert ids[0::2] == ids[1::2]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_documented_script_collects_under_the_trace_of_its_request(name: str) -> None:
    script = loaded(name)
    tracer = TracerProvider().get_tracer("server")
    with capture() as captured:
        script.init()
        with tracer.start_as_current_span("POST /score") as span:
            script.run(json.dumps({"data": DATA}))
        own = span.get_span_context()
        ids = [(event.trace_id, event.span_id) for event in captured.events]
    assert ids == [(f"{own.trace_id:032x}", f"{own.span_id:016x}")] * 2


@pytest.mark.parametrize(("published", "deployed"), SCRIPTS.items())
# S1, S14, S15, S42
def test_the_deployed_script_differs_only_in_its_imports_and_in_predict(published: str, deployed: str) -> None:
    before = [line.rstrip() for line in as_published(published).splitlines()]
    after = [line.rstrip() for line in (DEPLOY / deployed).read_text("utf-8").splitlines()]
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    imports = [line for line in before if line.startswith(OTHERS_WORDS)]
    assert [line for line in changes if line[0] == "-"] == [f"- {line}" for line in [*imports, ELLIPSIS.rstrip()]]
    filled = '  output_df = pd.DataFrame({"prediction": input_df.sum(axis="columns")})  # your model here'
    ours = [line.replace(OTHERS_WORDS, OUR_WORDS) for line in imports]
    assert [line for line in changes if line[0] == "+"] == [f"+ {line}" for line in [*ours, filled]]
