"""Final reports of producers, compared with the stored events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audited_lines import BLOB, line, only, quarantined, stored

from otel_modeldata.report import CollectionReport, DeliveryReport
from otel_modeldata_reader.auditing.ledger import Ledger
from otel_modeldata_reader.auditing.producer_report import Reported, ReportedCounts, ReportSource, combine, load
from otel_modeldata_reader.auditing.quarantine_line import QuarantinedEvent
from otel_modeldata_receiver.layout.blob_path import parse_blob_path

if TYPE_CHECKING:
    from pathlib import Path


def test_accepted_events_are_stored_lost_or_in_quarantine() -> None:
    ledger = stored(0, 1, 2, 4)
    ledger.add_quarantined("a", quarantined(3))
    result = only(ledger, ReportedCounts(accepted=7, delivered=4, lost={"refused": 2, "rejected": 1}))
    assert (result.gaps, result.missing, result.is_accounted_for) == ([(5, 6)], 0, True)


def test_events_after_the_last_stored_one_are_missing_with_a_report_and_unknown_without() -> None:
    assert only(stored(0, 1)).is_accounted_for
    result = only(stored(0, 1), ReportedCounts(accepted=5, delivered=5))
    assert (result.gaps, result.missing, result.is_accounted_for) == ([(2, 4)], 3, False)


def test_a_loss_that_is_in_quarantine_explains_no_gap() -> None:
    ledger = stored(0, 1)
    ledger.add_quarantined("a", quarantined(2))
    result = only(ledger, ReportedCounts(accepted=4, delivered=3, lost={"rejected": 1}))
    assert (result.missing, result.gaps) == (1, [(3, 3)])


def test_an_event_reported_lost_but_stored_is_not_a_fault() -> None:
    result = only(stored(0, 1, 2), ReportedCounts(accepted=3, delivered=1, lost={"shutdown": 2}))
    assert (result.missing, result.doubtful, result.is_accounted_for) == (0, 2, True)


def test_more_events_than_accepted_are_a_problem() -> None:
    result = only(stored(0, 1, 2), ReportedCounts(accepted=1, delivered=1))
    assert (result.beyond, result.is_accounted_for) == (2, False)


def test_all_events_of_a_producer_that_is_only_in_a_report_are_missing() -> None:
    (result,) = Ledger({}).reconcile(
        {Reported("p", "model_inputs", "credit/blue"): ReportedCounts(accepted=3, delivered=3)}, whole=True
    )
    assert (result.producer, result.missing, result.gaps) == ("p", 3, [(0, 2)])


def test_events_in_a_spool_are_missing_and_the_problem_names_the_spool() -> None:
    result = only(stored(0), ReportedCounts(accepted=3, delivered=1, pending=2))
    assert result.problems == [
        "2 events missing, of the numbers 1-2",
        "2 events left in the spool when the process ended",
    ]


def test_the_replayed_events_of_a_dead_process_are_added_to_its_counts() -> None:
    dead = DeliveryReport(
        producer="p", collections={"model_inputs": ReportedCounts(accepted=5, delivered=1, pending=4)}
    )
    heir = DeliveryReport(
        producer="q",
        collections={},
        replayed={"p": {"model_inputs": CollectionReport(accepted=4, delivered=3, lost={"refused": 1})}},
    )
    about = Reported("p", "model_inputs", "")  # reports of older versions
    assert only(stored(0, 1, 2, 4), combine([dead, heir])[about]).is_accounted_for
    assert only(stored(0, 1, 2, 4), combine([heir])[about]).is_accounted_for
    assert only(stored(0, 1, 4), combine([dead, heir])[about]).missing == 1


def test_losses_of_an_unknown_collection_explain_one_missing_event_each() -> None:
    heir = DeliveryReport(
        producer="q",
        collections={},
        replayed={"p": {"(unreadable)": CollectionReport(accepted=2, lost={"corrupt": 2})}},
    )
    outputs = "azureml.inference.model_outputs"
    ledger = stored(0, 2)
    ledger.add_lines(
        parse_blob_path(BLOB.replace("inputs", "outputs")), 0, [line(0, type=outputs), line(3, type=outputs)]
    )
    found = [(one.collection, one.missing) for one in ledger.reconcile(combine([heir]), whole=True)]
    assert found == [("model_inputs", 0), ("model_outputs", 1)]


# --- Whose a report is ---


FOREIGN = {"model_inputs": CollectionReport(accepted=10, delivered=7, lost={"refused": 3})}


def test_a_report_of_another_deployment_settles_no_account() -> None:
    """Neither its own counts nor what it says that it replayed."""
    for report in (
        DeliveryReport(producer="p", deployment="fraud/blue", collections=FOREIGN),
        DeliveryReport(producer="q", deployment="fraud/blue", collections={}, replayed={"p": FOREIGN}),
    ):
        own = DeliveryReport(
            producer="p",
            deployment="Credit/blue",  # Azure's names are the same in any case
            collections={"model_inputs": CollectionReport(accepted=10, delivered=10)},
        )
        results = stored(0, 1, 2, 6, 7, 8, 9).reconcile(combine([own, report]), whole=True)
        assert [(one.endpoint, one.missing, one.lost) for one in results if one.endpoint.lower() == "credit"] == [
            ("credit", 3, 0)
        ]


def test_lines_of_another_deployment_fill_no_gap_and_open_no_account() -> None:
    """Whatever producer, number and source they name: the folder shows who may have sent them."""
    ledger = stored(0, 2)
    blob = parse_blob_path(BLOB.replace("credit/", "fraud/"))
    ledger.add_lines(blob, 0, [line(1), line(9, id="x", producer="never seen")])
    assert [(one.endpoint, one.producer, one.gaps, one.stored) for one in ledger.reconcile({}, whole=True)] == [
        ("credit", "p", [(1, 1)], 2),
        ("fraud", "never seen", [(0, 8)], 1),
        ("fraud", "p", [(0, 0)], 1),
    ]


def test_a_report_without_a_deployment_counts_if_only_one_deployment_has_its_producer() -> None:
    old = DeliveryReport(producer="p", collections={"model_inputs": CollectionReport(accepted=2, delivered=2)})
    ledger = stored(0, 1)
    assert [one.accepted for one in ledger.reconcile(combine([old]), whole=True)] == [2]
    ledger.add_lines(parse_blob_path(BLOB.replace("credit/", "fraud/")), 0, [line(1)])
    assert [one.accepted for one in ledger.reconcile(combine([old]), whole=True)] == [None, None]


def test_a_quarantined_record_without_a_deployment_settles_no_account() -> None:
    ledger = stored(0, 2)
    ledger.add_quarantined("a", QuarantinedEvent(producer="p", collection="model_inputs", number=1))
    assert (only(ledger).gaps, ledger.unattributed) == ([(1, 1)], 1)


def test_a_folder_of_reports_can_be_held_to_one_deployment(tmp_path: Path) -> None:
    for name, deployment in (("a", "credit/blue"), ("b", "fraud/blue"), ("c", "")):
        report = DeliveryReport(producer=name, deployment=deployment, collections=FOREIGN)
        (tmp_path / f"{name}.json").write_text(report.to_json())
    held = load([ReportSource(path=tmp_path, deployment="credit/blue")])
    assert [report.producer for report in held] == ["a"]
    assert [report.producer for report in load([ReportSource(path=tmp_path)])] == ["a", "b", "c"]


def test_a_report_that_names_its_deployment_wins_over_one_that_names_none_or_another_case() -> None:
    """Otherwise a second report of the same producer, from whoever may write one, would change its counts."""
    own = DeliveryReport(
        producer="p",
        deployment="credit/blue",
        collections={"model_inputs": CollectionReport(accepted=10, delivered=10)},
    )
    for name in ("", "CREDIT/blue"):
        forged = DeliveryReport(producer="p", deployment=name, collections=FOREIGN)
        for reports in ([own, forged], [forged, own]):
            result = stored(0, 1, 2, 6, 7, 8, 9).reconcile(combine(reports), whole=True)
            assert [(one.missing, one.lost) for one in result] == [(3, 0)], name


def test_deployments_that_differ_in_case_have_accounts_of_their_own() -> None:
    ledger = stored(0, 2)
    ledger.add_lines(parse_blob_path(BLOB.replace("credit/", "Credit/")), 0, [line(1)])
    report = DeliveryReport(producer="p", deployment="CREDIT/BLUE", collections=FOREIGN)
    found = ledger.reconcile(combine([report]), whole=True)
    assert [(one.endpoint, one.gaps, one.accepted) for one in found] == [
        ("Credit", [(0, 0)], None),
        ("credit", [(1, 1)], None),
    ]
    assert ledger.ambiguous_reports == {"p"}
