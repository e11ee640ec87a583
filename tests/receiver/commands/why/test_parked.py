"""A datastore takes no lines: `why` of its deployment says so, and `why` of another one only in a word."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from audited_store import run as run_audit
from datastore_outage import DATASTORE_OUTAGE, running_with_outage
from why_command import clean_environment, facts_of, found, sentence

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow
OURS = "credit/blue/model_inputs"


def test_parked_lines_are_those_of_the_deployment_of_their_source(
    tmp_path: Path,
    start_receiver: StartReceiver,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The audit that is printed runs and finds them."""
    clean_environment(monkeypatch)
    store, receiver = running_with_outage(tmp_path, start_receiver)
    asked = ("--receiver", f"http://{receiver.startup['admin_listen']}")
    code, facts = facts_of(capsys, OURS, store, *asked)
    assert (code, found(facts)) == (1, [("parked", "stopped"), ("parking", "suspect"), ("nothing_stored", "missing")])
    assert sentence(facts, "parked").startswith(
        "3 line(s) are parked in _parked/, because the place of datastore 'lake'"
    )
    audits = [run for one in facts["findings"] for run in one["run"] if shlex.split(run)[1] == "audit"]
    assert audits
    for run in audits:
        code, out, _ = run_audit(capsys, *shlex.split(run)[2:])
        assert (code, DATASTORE_OUTAGE in out) == (1, True)
    code, facts = facts_of(capsys, "credit/green", store, *asked)
    assert (code, found(facts)) == (0, [])
    assert sentence(facts, "nothing_parked") == "no line of credit/green waits for its place; others do, of credit/blue"
    assert [one["sentence"] for one in facts["findings"] if "credit/blue" in one["sentence"] or "lake" in str(one)] == [
        sentence(facts, "nothing_parked")
    ]
    assert {"parked", "parking"} <= {cause for cause, _ in found(facts_of(capsys, store, *asked)[1])}
