"""Paths in the receiver's settings and arguments are taken as they were meant, as in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.config.paths import with_meant_paths
from otel_modeldata_receiver.config.receiver import load
from otel_modeldata_receiver.config.store_access import AccessConfig, DatastoreConfig
from otel_modeldata_receiver.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_every_path_of_the_settings_is_as_it_was_meant(home: Path) -> None:
    path = home / "receiver.yaml"
    path.write_text(
        "store: ~/modeldata\n"
        "store_access: {sas_file: '~/sas'}\n"
        "tls: {cert_file: ~/cert, key_file: ' /key '}\n"
        "deployments: [~/one.yml]\n"
        "datastores: {a: ~/a, b: {url: '\"az://b\"', account_key_file: ~/key}}\n"
    )
    config = load(path, {})
    assert config.tls is not None
    assert (config.store, config.store_access) == (f"{home}/modeldata", AccessConfig(sas_file=f"{home}/sas"))
    assert (config.tls.cert_file, config.tls.key_file) == (f"{home}/cert", "/key")
    assert config.deployments == (f"{home}/one.yml",)
    assert config.known_datastores == {
        "a": DatastoreConfig(url=f"{home}/a"),
        "b": DatastoreConfig(url="az://b", account_key_file=f"{home}/key"),
    }
    assert load(None, {"deployments": ["~/two.yml"]}).deployments == (f"{home}/two.yml",)


@pytest.mark.parametrize(
    "settings", [{"store": 5}, {"deployments": [5]}, {"tls": "x"}, {"datastores": {"a": [1]}}, {5: "x"}, {"spans": {}}]
)
def test_values_of_another_type_are_left_to_the_decoder(settings: Mapping[object, object]) -> None:
    assert with_meant_paths(settings) == (settings, ())


def test_all_paths_that_mean_nothing_are_listed() -> None:
    settings = {"tls": {"cert_file": "$CERT", "key_file": "'/key"}, "deployments": ["x.yml", "<file>"]}
    with pytest.raises(ConfigError) as caught:
        load(None, settings)
    assert [problem.path for problem in caught.value.problems] == ["tls.cert_file", "tls.key_file", "deployments[1]"]
    assert str(caught.value).splitlines()[0] == (
        "tls.cert_file: expected a path, got '$CERT', a variable that no shell has replaced: write the whole path"
    )


def test_a_path_in_the_command_line_may_begin_with_a_tilde(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "receiver.yaml").write_text(f"store: {home}\n")
    assert main.main(["check", "~/receiver.yaml"]) == 0
    assert capsys.readouterr().out == f"{home}/receiver.yaml: no problem in this receiver file\n"
    with pytest.raises(SystemExit):
        main.main(["receive", "--config=$HOME/receiver.yaml"])
    assert "expected a path, got '$HOME/receiver.yaml', a variable that no shell" in capsys.readouterr().err
