"""Lines that wait for a datastore, of a receiver whose datastore fails: they are of the deployment of their source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audited_lines import BLOB, line
from audited_store import audited, run
from datastore_outage import DATASTORE_OUTAGE, parked_for_datastore

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow
PARKED = {"datastore 'lake'": 3}


def accounts(facts: dict[str, object]) -> list[tuple[object, ...]]:
    names = ("endpoint", "deployment", "collection", "stored", "missing", "gaps")
    return [tuple(one[name] for name in names) for one in facts["reconciliations"]]  # type: ignore[attr-defined]


def test_the_audit_of_a_deployment_has_what_waits_for_its_datastore(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers before the parked ones are those of events that are in the datastore already."""
    store = parked_for_datastore(tmp_path, start_receiver)
    waits = ("credit", "blue", "model_inputs", 3, 0, [])
    own = ("credit", "green", "model_inputs", 2, 0, [])
    code, facts = audited(capsys, store, "--running")
    assert (code, accounts(facts), facts["parked"]) == (1, [waits, own], PARKED)
    assert facts["findings"] == [DATASTORE_OUTAGE]
    names = ("--endpoint", "Credit", "--deployment", "blue", "--collection", "model_inputs")
    for count in range(2, 7, 2):
        code, facts = audited(capsys, store, "--running", *names[:count])
        assert (code, waits in accounts(facts), facts["parked"], facts["findings"]) == (
            (1, True, PARKED, [DATASTORE_OUTAGE])
        )
    assert "credit/blue model_inputs, producer p\n    stored 3, " in run(capsys, store, "--running")[1]
    code, facts = audited(capsys, store, "--running", "--deployment", "green")
    assert (code, accounts(facts), facts["parked"], facts["findings"]) == (0, [own], {}, [])
    assert audited(capsys, store, "--running", "--endpoint", "_at") == (3, {})


def test_a_gap_of_a_collection_that_has_lines_in_the_store_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It moved into a datastore; the events between may be there, and nothing here says so."""
    for folder, numbers in (("", (0, 3)), ("_parked/_at/lake/in", (3, 6))):
        name = BLOB if not folder else f"{folder}/{'/'.join(BLOB.split('/')[3:])}"
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(line(number) + b"\n" for number in numbers))
    code, facts = audited(capsys, tmp_path, "--running", "--endpoint", "credit")
    assert (code, facts["parked"]) == (1, {"datastore 'lake'": 1})
    assert accounts(facts) == [("credit", "blue", "model_inputs", 3, 4, [[1, 2], [4, 5]])]
