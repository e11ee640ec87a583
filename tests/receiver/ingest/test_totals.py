"""The totals that a receiver logs when it stops."""

from __future__ import annotations

from otel_modeldata_receiver.ingest.totals import Totals


def test_the_totals_are_one_sentence() -> None:
    totals = Totals(stored=1200, duplicates=1, quarantined=2, refused=3, size=45_000)
    totals.add_folders(["a", "b"])
    totals.add_folders(["b"])
    assert totals.sentence == (
        "1,200 events in 2 folders, from 45,000 bytes of requests; 1 duplicate, 2 in quarantine, 3 requests refused"
    )


def test_the_number_of_folders_takes_bounded_memory() -> None:
    totals = Totals()
    for number in range(20_000):
        totals.add_folders([f"folder-{number}"])
    assert totals.sentence.startswith("0 events in 10,000 or more folders, ")
