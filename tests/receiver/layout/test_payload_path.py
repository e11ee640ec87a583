"""Where the payload of a line is looked for, wherever the store has been before."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.layout.payload_path import payload_path

HOUR = "credit/blue/model_inputs/2026/11/22/12"
ROWS = f"{HOUR}/files/e1-0f.json"


@pytest.mark.parametrize(
    "reference",
    [
        f"/var/lib/modeldata/{ROWS}",
        f"/var/lib/a store, é#%20?/{ROWS}",
        f"C:\\data\\{ROWS}".replace("/", "\\"),
        f"file:///srv/{ROWS}",
        f"https://account.blob.core.windows.net/modeldata/my prod/{ROWS}",
        f"http://127.0.0.1:10000/devstoreaccount1/c/{ROWS}",
        ROWS,
    ],
)
def test_a_payload_is_beside_its_line_wherever_the_store_was(reference: str) -> None:
    found = payload_path(HOUR, reference)
    assert (found.names[0], found.is_certain, found.found({ROWS, "other"})) == (ROWS, True, ROWS)


@pytest.mark.parametrize("folder", ["2026/11/22/12", "", "renamed/blue/model_inputs/2026/11/22/12"])
def test_a_part_of_a_store_that_was_copied_alone_has_its_payloads(folder: str) -> None:
    name = f"{folder}/files/e1-0f.json".removeprefix("/")
    found = payload_path(folder, f"/srv/{ROWS}")
    assert (found.found({name}), found.is_certain) == (name, not folder.startswith("renamed"))


def test_azures_own_collector_has_payloads_beside_the_blob_itself() -> None:
    found = payload_path(HOUR, f"https://account.blob.core.windows.net/c/{HOUR}/event-1")
    assert (found.found({f"{HOUR}/event-1"}), found.is_certain) == (f"{HOUR}/event-1", True)


@pytest.mark.parametrize("reference", ["", "/", "/a/files/", f"/srv/{HOUR}/files/..", "https://a/c/exports/e1-0f.json"])
@pytest.mark.parametrize("folder", [HOUR, ""])
def test_what_is_elsewhere_is_not_looked_for(folder: str, reference: str) -> None:
    found = payload_path(folder, reference)
    assert (found.found({"", "e1-0f.json", f"{HOUR}/e1-0f.json", HOUR}), found.is_certain) == (None, False)
