"""When a request happened, by the rows that have its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compacted_store import typed_line
from opened_studio import opened_studio
from read_lines import COLLECTION, NOON_NS, write

from otel_modeldata_reader.window import Window
from otel_modeldata_studio.queries.lookups import moments_of_id

if TYPE_CHECKING:
    from pathlib import Path

OUTPUTS = "shop/blue/model_outputs"
HOUR_NS = 3_600_000_000_000


def test_the_time_of_a_request_is_that_of_its_inputs_where_its_outputs_came_later(tmp_path: Path) -> None:
    write(tmp_path, [typed_line(1, timens=str(NOON_NS))], hour="2026/11/22/12")
    write(tmp_path, [typed_line(1, timens=str(NOON_NS + HOUR_NS))], collection=OUTPUTS, hour="2026/11/22/13")
    with opened_studio(tmp_path) as studio:
        inputs, outputs = (
            studio.tables.pieces(root, Window(), end=float("inf")).pieces for root in (COLLECTION, OUTPUTS)
        )

        def first(*sides: object, wanted: str) -> int:
            texts = moments_of_id(sides, wanted)  # type: ignore[arg-type]
            found = (studio.tables.database.rows(one.text, one.parameters) for one in texts)
            return next(int(rows[0][0]) for rows in found if rows)

        for wanted in ("request-1", "request-1_0", "event-1"):
            assert first(inputs, outputs, wanted=wanted) == NOON_NS
            assert first((), outputs, wanted=wanted) == NOON_NS + HOUR_NS
        assert list(moments_of_id([(), ()], "request-1")) == []
