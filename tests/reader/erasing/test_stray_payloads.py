"""Payloads that no line names are found, whatever text the lines have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.erasing.stray_payloads import names_in
from otel_modeldata_receiver.mapping.cloudevent import rows_object_name

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    rows_object_name("a", b"1"),
    rows_object_name("b-a", b"1"),
    rows_object_name("-", b"1"),
    rows_object_name("a" * 64, b"1"),
    rows_object_name("another event", b"2"),
]
PARTS = [*NAMES, "a", "-", "/files/", '"', "0123456789abcdef", ".json", *(name[1:] for name in NAMES)]
LONG = 4 << 20


@given(st.lists(st.sampled_from(PARTS)), st.sets(st.sampled_from(NAMES)))
def test_names_are_found_wherever_they_are(parts: list[str], names: set[str]) -> None:
    content = "".join(parts).encode()
    assert names_in(content, names) == {name for name in names if name.encode() in content}


def test_long_texts_of_any_character_do_not_hold_up_an_erasure(tmp_path: Path) -> None:
    """That it ends is the test: with a pattern that begins again at each character it takes a day."""
    named, left = rows_object_name("event-1", b"named"), rows_object_name("event-9", b"left")
    texts = [one * (LONG // len(one)) for one in ("a", "0", "-", "-0123456789abcdef.json")]
    lines = [
        line(number=0),
        line(None, number=1, dataref=f"file:///{COLLECTION}/{HOUR}/files/{named}"),
        *(line([{"t": text}], number=number) for number, text in enumerate(texts, 2)),
    ]
    folder = write(tmp_path, lines).parent / "files"
    folder.mkdir()
    for name in (named, left):
        (folder / name).write_text(json.dumps([{"age": 1}]))
    reader.open(tmp_path).erase(COLLECTION, ids=["event-0", "event-9"], dry_run=False)
    assert [path.name for path in folder.iterdir()] == [named]
