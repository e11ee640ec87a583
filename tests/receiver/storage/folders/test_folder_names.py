"""The tenant of each kind of folder."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.storage.folders.folder_names import tenant_of_folder


@pytest.mark.parametrize(
    ("folder", "tenant"),
    [
        ("credit/blue/model_inputs/2026/11/22/13", "credit/blue"),
        ("_at/data/credit/blue/model_inputs/2026", "credit/blue"),
        ("_parked/credit/blue/model_inputs/2026", "credit/blue"),
        ("_parked/_at/data/credit/blue/model_inputs/2026", "credit/blue"),
        ("_quarantine/2026/11/22/13", "_quarantine"),
        ("_at/data/_quarantine/2026", "_quarantine"),
        ("folder", "folder"),
        ("_parked", ""),
        ("_at/data", ""),
    ],
)
def test_a_folder_belongs_to_the_tenant_whose_lines_it_has(folder: str, tenant: str) -> None:
    assert tenant_of_folder(folder) == tenant
