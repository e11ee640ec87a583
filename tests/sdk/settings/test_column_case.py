from __future__ import annotations

import pytest

from otel_modeldata._settings.column_case import load_column_case
from otel_modeldata._settings.settings import Settings
from otel_modeldata.exceptions import ConfigError

NAME = "OTEL_MODELDATA_COLUMN_CASE"


@pytest.mark.parametrize(
    ("text", "renames"), [(None, False), ("", False), ("warn", False), ("rename", True), (" Rename ", True)]
)
def test_columns_are_renamed_on_request_only(text: str | None, renames: bool) -> None:
    environ = {} if text is None else {NAME: text}
    assert load_column_case(environ) is renames
    assert Settings.from_env(environ).rename_columns is renames


def test_any_other_value_is_an_error_of_the_collector() -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.from_env({NAME: "lower"})
    assert str(raised.value) == f"{NAME}: expected warn or rename, got 'lower'"
