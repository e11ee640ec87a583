"""What an audit of a small store says beside its findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from looked_store import INPUTS, catalog_of, hour, wait_until_listed, written_at
from read_lines import line, write

if TYPE_CHECKING:
    from pathlib import Path


def test_after_an_audit_events_are_estimated_by_all_lines_and_not_by_the_newest(tmp_path: Path) -> None:
    for ago, size, count in ((5, 10, 40), (1, 4_000, 3)):  # the newest ones are long
        lines = [line({"x": "a" * size}, number=ago * 100 + number) for number in range(count)]
        written_at(write(tmp_path, lines, collection=INPUTS, hour=hour(ago)), ago)
    with catalog_of(tmp_path) as catalog:
        wait_until_listed(catalog)
        catalog.ledgers.audited(catalog.listing())
        found = catalog.hours(catalog.listing())[INPUTS]
    assert (found.events, found.is_estimated) == (43, True)
