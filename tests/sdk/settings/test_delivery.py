from __future__ import annotations

from pathlib import Path

import pytest

from otel_modeldata import Collector
from otel_modeldata._settings.delivery import DeliveryLimits, DeliverySettings, SpoolSettings, load_settings
from otel_modeldata.environment import read_environment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.validation.problems import Problem

VARIABLES = [
    f"OTEL_MODELDATA_{name}" for name in ("QUEUE_BYTES", "OVERFLOW", "SPOOL", "SPOOL_BYTES", "BATCH_MS", "REPORT")
]


def test_without_variables_records_wait_in_memory_and_a_full_queue_refuses_at_once() -> None:
    under_way = 31_500_000
    limits = DeliveryLimits(queue_bytes=134_217_728 - under_way, block_seconds=0.0)
    assert load_settings({}) == DeliverySettings(limits=limits)


def test_a_quarter_of_a_small_queue_is_for_records_that_are_being_sent() -> None:
    assert load_settings({"OTEL_MODELDATA_QUEUE_BYTES": "8000"}).limits.queue_bytes == 6000


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        (
            {"OTEL_MODELDATA_QUEUE_BYTES": "1000", "OTEL_MODELDATA_OVERFLOW": "block:250"},
            DeliverySettings(limits=DeliveryLimits(queue_bytes=750, block_seconds=0.25)),
        ),
        ({"OTEL_MODELDATA_OVERFLOW": "report"}, DeliverySettings()),
        (
            {"OTEL_MODELDATA_SPOOL": "/var/spool/modeldata"},
            DeliverySettings(spool=SpoolSettings(Path("/var/spool/modeldata"), 2**30, only_overflow=False)),
        ),
        (
            {"OTEL_MODELDATA_SPOOL": "spool", "OTEL_MODELDATA_SPOOL_BYTES": "9", "OTEL_MODELDATA_OVERFLOW": "spill"},
            DeliverySettings(spool=SpoolSettings(Path.cwd() / "spool", 9, only_overflow=True)),
        ),
        ({"OTEL_MODELDATA_BATCH_MS": "0"}, DeliverySettings(limits=DeliveryLimits(merge_seconds=0.0))),
        ({"OTEL_MODELDATA_BATCH_MS": "250"}, DeliverySettings(limits=DeliveryLimits(merge_seconds=0.25))),
        ({"OTEL_MODELDATA_REPORT": "/reports"}, DeliverySettings(report=Path("/reports"))),
        (dict.fromkeys(VARIABLES, ""), DeliverySettings()),
    ],
)
def test_each_variable_is_read_as_documented(environ: dict[str, str], settings: DeliverySettings) -> None:
    assert load_settings(environ) == settings


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("QUEUE_BYTES", "128MiB", "expected bytes above 0, got '128MiB'"),
        ("QUEUE_BYTES", "0", "expected bytes above 0, got '0'"),
        ("SPOOL_BYTES", "-1", "expected bytes above 0, got '-1'"),
        ("OVERFLOW", "drop", "expected report, spill or block:MILLISECONDS, got 'drop'"),
        ("OVERFLOW", "block", "expected report, spill or block:MILLISECONDS, got 'block'"),
        ("OVERFLOW", "block:", "expected report, spill or block:MILLISECONDS, got 'block:'"),
        ("OVERFLOW", "block:1s", "expected report, spill or block:MILLISECONDS, got 'block:1s'"),
        ("OVERFLOW", "report:5", "expected report, spill or block:MILLISECONDS, got 'report:5'"),
        ("QUEUE_BYTES", "1" * 5000, f"expected bytes above 0, got '{'1' * 79}"),
        ("BATCH_MS", "1" * 5000, f"expected 0 to 10000 milliseconds, got '{'1' * 79}"),
        ("PAYLOAD_BYTES", "1" * 5000, f"expected bytes from 0 to 62914560, got '{'1' * 79}"),
        ("SPOOL", __file__, f"expected a folder, or a path where one can be made, got {__file__!r}"),
        ("REPORT", __file__, f"expected a folder, or a path where one can be made, got {__file__!r}"),
    ],
)
def test_a_wrong_value_gives_one_clear_error_in_init(
    name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"OTEL_MODELDATA_{name}", value)
    with pytest.raises(ConfigError) as raised:
        Collector(name="model_inputs")
    assert raised.value.problems == (Problem(f"OTEL_MODELDATA_{name}", problem),)


@pytest.mark.parametrize("name", ["SPOOL", "REPORT"])
def test_a_folder_with_a_name_that_is_too_long_is_reported_in_init(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Path.exists` raises for it, as for a folder in one that cannot be read."""
    monkeypatch.setenv(f"OTEL_MODELDATA_{name}", "/tmp/" + "x" * 300)
    with pytest.raises(ConfigError, match="File name too long"):
        Collector(name="model_inputs")


@pytest.mark.parametrize("name", ["SPOOL", "REPORT"])
def test_a_folder_that_cannot_be_made_is_reported_in_init(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "folder"
    monkeypatch.setenv(f"OTEL_MODELDATA_{name}", str(folder))
    with pytest.raises(ConfigError) as raised:
        Collector(name="model_inputs")
    (problem,) = raised.value.problems
    assert str(problem) == (
        f"OTEL_MODELDATA_{name}: expected a folder to write to in {str(folder)!r}, "
        f"got [Errno 20] Not a directory: {str(folder)!r}: correct it or choose another"
    )


def test_one_error_lists_every_problem() -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings({"OTEL_MODELDATA_QUEUE_BYTES": "x", "OTEL_MODELDATA_OVERFLOW": "spill"})
    assert str(raised.value) == (
        "OTEL_MODELDATA_QUEUE_BYTES: expected bytes above 0, got 'x'; "
        "OTEL_MODELDATA_OVERFLOW: expected a folder in OTEL_MODELDATA_SPOOL to spill to, got none"
    )


@pytest.mark.parametrize("name", ["SPOOL", "REPORT"])
def test_a_folder_is_taken_as_it_was_meant_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings({f"OTEL_MODELDATA_{name}": "'~/x'\n"})
    assert (settings.report if settings.spool is None else settings.spool.folder) == tmp_path / "x"
    with pytest.raises(ConfigError) as raised:
        load_settings({f"OTEL_MODELDATA_{name}": "${HOME}/x"})
    assert str(raised.value) == (
        f"OTEL_MODELDATA_{name}: expected a folder, or a path where one can be made, got '${{HOME}}/x', a variable "
        "that no shell has replaced: write the whole path"
    )


@pytest.mark.parametrize("name", ["SPOOL", "REPORT", "CONFIG"])
def test_a_url_in_place_of_a_path_is_refused_without_its_signature(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"OTEL_MODELDATA_{name}", "https://account/container?sv=1&sig=s3cret")
    with pytest.raises(ConfigError, match=r"got 'https://account/container.*', a URL: write a path of") as raised:
        Collector(name="model_inputs")
    assert "s3cret" not in f"{raised.value!r} {read_environment()!r}"


@pytest.mark.parametrize("name", ["SPOOL", "REPORT"])
@pytest.mark.parametrize("kind", ["too long", "too long below a new folder", "below a file", "a broken link", "right"])
def test_diagnosis_finds_what_init_finds_and_makes_nothing(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    folder = {
        "a broken link": tmp_path / "link" / "folder",
        "too long": tmp_path / ("x" * 300),
        "too long below a new folder": tmp_path / "new" / ("x" * 300),
        "below a file": tmp_path / "file" / "folder",
        "right": tmp_path / "a" / "b",
    }[kind]
    monkeypatch.setenv(f"OTEL_MODELDATA_{name}", str(folder))
    problems = read_environment().problems
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
    if kind == "right":
        Collector(name="model_inputs")
        assert (problems, folder.is_dir()) == ((), True)
    else:
        with pytest.raises(ConfigError) as raised:
            Collector(name="model_inputs")
        assert (len(problems), raised.value.problems) == (1, problems)
