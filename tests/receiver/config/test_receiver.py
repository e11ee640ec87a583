"""Settings: defaults, file, flags; one error lists all wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from otel_modeldata.environment import read_environment
from otel_modeldata_receiver.config import receiver
from otel_modeldata_receiver.config.receiver import MIB, SETTINGS, ReceiverConfig, TlsConfig
from otel_modeldata_receiver.exceptions import ConfigError
from otel_modeldata_receiver.layout.partition import RollingRate

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_receiver.config.setting import Setting


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "receiver.yaml"
    path.write_text(
        "listen: 0.0.0.0:4327\n"
        "store: az://modeldata/prod\n"
        "rolling_rate: day\n"
        "linger_ms: '50'\n"
        "create_container: 'True'\n"
        "max_in_flight_bytes: 100000000\n"
        "tls: {cert_file: s.crt, key_file: s.key}\n"
    )
    return path


def test_without_a_file_everything_has_a_default() -> None:
    assert receiver.load(None, {}) == ReceiverConfig(
        listen="127.0.0.1:4317",
        store="./modeldata",
        rolling_rate=None,
        instance_id=None,
        linger_ms=None,
        max_in_flight_bytes=256 * MIB,
        max_message_bytes=72 * MIB,
        deadline_seconds=25.0,
        grace_seconds=20.0,
        create_container=False,
        tls=None,
    )


def test_a_collector_without_settings_sends_to_a_receiver_without_settings() -> None:
    endpoint = read_environment({}).endpoint
    assert endpoint is not None
    assert endpoint.is_loopback()
    assert endpoint.target.rpartition(":")[2] == ReceiverConfig().listen.rpartition(":")[2]
    assert ReceiverConfig().host == "127.0.0.1"


def test_a_file_is_read_and_flags_win(written: Path) -> None:
    assert receiver.load(written, {"listen": "127.0.0.1:1", "rolling_rate": "Hour"}) == ReceiverConfig(
        listen="127.0.0.1:1",
        store="az://modeldata/prod",
        rolling_rate=RollingRate.HOUR,
        linger_ms=50.0,
        create_container=True,
        max_in_flight_bytes=100_000_000,
        tls=TlsConfig(cert_file="s.crt", key_file="s.key"),
    )


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    assert receiver.load(path, {}) == ReceiverConfig()


def test_every_problem_is_named_in_one_error(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "listen: ':4327'\n"
        "stroe: x\n"
        "unlike: x\n"
        "store: ''\n"
        "rolling_rate: fortnight\n"
        "instance_id: ABC\n"
        "linger_ms: -1\n"
        "max_message_bytes: 1000000000\n"
        "deadline_seconds: 0\n"
        "grace_seconds: .inf\n"
        "create_container: maybe\n"
        "tls: {cert: x}\n"
        "http_listen: 4318\n"
        "store_access: {sas_file: [x]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        receiver.load(path, {})
    assert str(caught.value).splitlines() == [
        "stroe: unknown key, did you mean 'store'?",
        f"unlike: unknown key, expected one of {', '.join(ReceiverConfig.__struct_fields__)}",
        (
            "listen: expected HOST:PORT, got ':4327'; name the interface too: 127.0.0.1:4317 for this machine only, "
            "0.0.0.0:4317 for every network"
        ),
        "store: expected a folder or a URL, got ''; name where to store the blobs",
        "rolling_rate: expected one of Minute, Hour, Day, Month, Year, got 'fortnight'",
        "instance_id: expected 32 lower-case hex digits, got 'ABC'; use a uuid without hyphens",
        "linger_ms: expected 0 to 60000, got -1",
        "deadline_seconds: expected a number above 0, got 0",
        "grace_seconds: expected a number above 0, got inf",
        "create_container: expected true or false, got 'maybe'",
        "tls.cert: unknown key, did you mean 'cert_file'?",
        "tls.cert_file: expected text, got nothing",
        "tls.key_file: expected text, got nothing",
        (
            "http_listen: expected HOST:PORT, got 4318; name the interface too: 127.0.0.1:4317 for this machine only, "
            "0.0.0.0:4317 for every network"
        ),
        "store_access.sas_file: expected text, got a list",
        (
            "max_in_flight_bytes: expected at least max_message_bytes (1000000000), got 268435456; "
            "the largest request would always be refused"
        ),
    ]


@pytest.mark.parametrize("setting", [one for one in SETTINGS if "." not in one.key], ids=lambda one: one.key)
def test_a_wrong_value_of_any_setting_is_named_by_its_key(setting: Setting) -> None:
    with pytest.raises(ConfigError) as caught:
        receiver.load(None, {setting.key: [["wrong"]]})
    assert {problem.path.partition("[")[0] for problem in caught.value.problems} == {setting.key}


def test_the_table_of_settings_has_every_key_with_unit_default_and_meaning() -> None:
    keys = [setting.key for setting in SETTINGS]
    assert len(set(keys)) == len(keys)
    assert {key for key in keys if "." not in key} == set(ReceiverConfig.__struct_fields__)
    assert {"tls.clients", "store_access.identity.client_id", "datastores.NAME.url", "workspace.name"} <= set(keys)
    assert all(setting.unit and setting.default and setting.meaning for setting in SETTINGS)
    shown = {setting.key: (setting.unit, setting.default) for setting in SETTINGS}
    assert shown["listen"] == ("HOST:PORT", "127.0.0.1:4317")
    assert shown["max_message_bytes"] == ("bytes", "75497472 (72 MiB)")
    assert shown["deadline_seconds"] == ("seconds", "25")
    assert shown["spans"] == ("all or content", "all")
    assert shown["tls.cert_file"] == ("file", "required")


def test_http_addresses_and_names_of_the_old_protocol_are_checked() -> None:
    settings = {"http_listen": "4318", "old_protocol_listen": "x:70000", "old_protocol": {"endpoint": "../x"}}
    with pytest.raises(ConfigError) as caught:
        receiver.load(None, settings)
    assert [line.partition(",")[0] for line in str(caught.value).splitlines()] == [
        "http_listen: expected HOST:PORT",
        "old_protocol_listen: expected a port from 0 to 65535",
        "old_protocol.endpoint: expected 1 to 128 characters of A-Z a-z 0-9 . _ -",
    ]
    with pytest.raises(ConfigError, match=r"^old_protocol\.deploiment: unknown key, did you mean 'deployment'\?"):
        receiver.load(None, {"old_protocol": {"deploiment": "blue"}})


@pytest.mark.parametrize("listen", ["4327", "localhost", "localhost:", "a b:1", "::1:4327", "host:port", ""])
def test_an_address_needs_host_and_port(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"^listen: expected HOST:PORT, got "):
        receiver.load(None, {"listen": listen})


def test_a_port_has_16_bits() -> None:
    with pytest.raises(ConfigError, match=r"^listen: expected a port from 0 to 65535, got 'localhost:65536'"):
        receiver.load(None, {"listen": "localhost:65536"})


@pytest.mark.parametrize(("listen", "host"), [("[::1]:4327", "[::1]"), ("localhost:0", "localhost")])
def test_the_host_is_the_part_before_the_port(listen: str, host: str) -> None:
    assert receiver.load(None, {"listen": listen}).host == host


@pytest.mark.parametrize("content", ["- a\n- b\n", "text"])
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match="expected settings as 'key: value', got a "):
        receiver.load(path, {})


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"a: 1\n\tb: 2"])
def test_a_file_that_is_not_yaml_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="expected a YAML file, got ") as caught:
        receiver.load(path, {})
    assert len(str(caught.value).splitlines()) == 1


def test_a_key_that_is_there_twice_is_refused_with_every_other_problem(tmp_path: Path) -> None:
    path = tmp_path / "receiver.yaml"
    path.write_text("store: ./a\nstore: ./b\nspans: some\n")
    with pytest.raises(ConfigError) as caught:
        receiver.load(path, {})
    assert [str(problem) for problem in caught.value.problems] == [
        "store: expected each key once, got it in line 1 and in line 2: remove one of them",
        "spans: expected one of all, content, got 'some'",
    ]


@pytest.mark.parametrize("content", ["deployments: &a\n  x: *a\n", "store: &a {b: *a}\n", "tls: &a {clients: *a}\n"])
def test_an_alias_that_contains_itself_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "receiver.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError):
        receiver.load(path, {})


def test_an_error_in_yaml_shows_no_secret_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "receiver.yaml"
    path.write_text("store: https://a.blob.core.windows.net/c\ndatastores: {a: x-api-key: hunter2}\n")
    with pytest.raises(ConfigError) as caught:
        receiver.load(path, {})
    assert str(caught.value) == (
        f"{path}: expected a YAML file, got while parsing a flow mapping, expected ',' or '}}', but got ':' "
        "in line 2, column 26"
    )


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: expected a YAML file, got No such file or directory"):
        receiver.load(tmp_path / "nowhere.yaml", {})


@pytest.mark.parametrize(
    ("store", "seconds"),
    [("./x", 0.0), ("file:///x", 0.0), ("az://c/p", 0.2), ("https://a.blob.core.windows.net/c", 0.2)],
)
def test_lines_linger_by_default_for_stores_with_slow_appends(store: str, seconds: float) -> None:
    assert ReceiverConfig(store=store).linger_seconds == seconds
    assert ReceiverConfig(store=store, linger_ms=5).linger_seconds == 0.005


def test_the_instance_id_is_stable_and_belongs_to_host_address_and_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def instance(host: str, **settings: Any) -> str:
        monkeypatch.setenv("HOSTNAME", host)
        return ReceiverConfig(**settings).instance

    assert instance("pod-0") == instance("pod-0")
    others = [
        instance("pod-0"),
        instance("pod-1"),
        instance("pod-0", store="./other"),
        instance("pod-0", listen="127.0.0.1:1"),
    ]
    assert len(set(others)) == 4
    assert all(len(one) == 32 for one in others)
    assert instance("pod-0", instance_id="f" * 32) == "f" * 32


def test_the_instance_id_exists_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOSTNAME", raising=False)
    assert len(ReceiverConfig().instance) == 32


def test_a_rotated_secret_in_the_stores_url_does_not_change_the_instance_id() -> None:
    urls = [f"https://a.blob.core.windows.net/c?sig={secret}" for secret in ("one", "two")]
    assert len({ReceiverConfig(store=url).instance for url in urls}) == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("./modeldata", "./modeldata"),
        ("file:///var/x", "file:///var/x"),
        ("az://c/p", "az://c/p"),
        ("https://user:pw@a.blob.core.windows.net/c/p?sv=1&sig=S3CRET", "https://a.blob.core.windows.net/c/p"),
        ("https://a.blob.core.windows.net/c?sig=a%3F://@b", "https://a.blob.core.windows.net/c"),
    ],
)
def test_the_shown_url_of_a_store_contains_no_secret(url: str, shown: str) -> None:
    assert receiver.shown_store(url) == shown


@pytest.mark.parametrize("key", ["store_access", "tls", "workspace", "datastores", "old_protocol", "deployments"])
def test_a_secret_in_place_of_a_mapping_or_list_is_not_in_the_error(key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key}: expected a [a-z]+, got text$") as caught:
        receiver.load(None, {key: "sv=2022&sig=S3CRET"})
    assert "S3CRET" not in str(caught.value)


def test_the_repr_of_settings_contains_no_secret() -> None:
    shown = repr(ReceiverConfig(store="https://a.blob.core.windows.net/c?sig=S3CRET"))
    assert "S3CRET" not in shown
    assert shown.startswith("ReceiverConfig(listen='127.0.0.1:4317', store='https://a.blob.core.windows.net/c', ")


def test_a_store_whose_url_cannot_be_read_is_named_by_its_key() -> None:
    """Half of the brackets of an address: `urlsplit` raises for it."""
    datastores = {"a": "https://[::1", "b": {"url": "https://me:s3cret@[::1"}}
    with pytest.raises(ConfigError) as raised:
        receiver.load(None, {"datastores": datastores})
    assert "s3cret" not in str(raised.value)
    assert [problem.path for problem in raised.value.problems] == ["datastores.b.url", "datastores.a"]
    with pytest.raises(ConfigError, match=r"store: expected a folder or a URL, got 'http://\[::1'"):
        receiver.load(None, {"store": "http://[::1"})


OPEN = "expected an address of this machine only, because there is no TLS, got '0.0.0.0:{}'"
CURE = "or set allow_insecure where a network policy admits only known senders"


@pytest.mark.parametrize("tls", [None, {"cert_file": "c", "key_file": "k"}])
def test_a_door_to_the_network_without_tls_is_refused(tls: dict[str, str] | None) -> None:
    names = ("listen", "http_listen", "old_protocol_listen", "admin_listen")
    doors = {name: f"0.0.0.0:{port}" for port, name in enumerate(names, 1)}
    with pytest.raises(ConfigError) as caught:
        receiver.load(None, {**doors, "tls": tls})
    every = [f"{names[at]}: {OPEN.format(at + 1)}; set tls, or listen on 127.0.0.1, {CURE}" for at in (0, 1)]
    old = f"old_protocol_listen: {OPEN.format(3)}; listen on 127.0.0.1, {CURE}"  # this protocol has no TLS
    assert str(caught.value).splitlines() == [*([] if tls else every), old]
    assert receiver.load(None, {**doors, "tls": tls, "allow_insecure": True}).listen == "0.0.0.0:1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert receiver.load(None, {"listen": f"{host}:1"}).listen == f"{host}:1"


@pytest.mark.parametrize(
    "content",
    ["listen: 2026-99-99", "listen: !!int x", "listen: !!timestamp x", f"max_in_flight_bytes: {'9' * 5000}"],
)
def test_a_file_that_python_cannot_read_is_refused_like_any_other(tmp_path: Path, content: str) -> None:
    path = tmp_path / "receiver.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError):
        receiver.load(path, {})


@pytest.mark.parametrize(
    ("settings", "second"),
    [
        ({"listen": "127.0.0.1:4317", "admin_listen": "127.0.0.1:4317"}, "admin_listen"),
        ({"listen": "127.0.0.1:4317", "http_listen": "0.0.0.0:4317"}, "http_listen"),
        ({"listen": "[::]:4317", "old_protocol_listen": "127.0.0.1:4317"}, "old_protocol_listen"),
    ],
)
def test_two_listeners_need_two_addresses(settings: dict[str, str], second: str) -> None:
    with pytest.raises(ConfigError) as caught:
        receiver.load(None, {**settings, "allow_insecure": True})
    assert str(caught.value) == (
        f"{second}: expected an address that is free, got {settings[second]!r}, the port of listen; choose another port"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"listen": "127.0.0.1:4317", "admin_listen": "127.0.0.2:4317"},
        {"listen": "127.0.0.1:0", "http_listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0"},
    ],
)
def test_listeners_may_share_a_port_of_two_addresses_and_take_free_ones(settings: dict[str, str]) -> None:
    config = receiver.load(None, settings)
    assert {name: getattr(config, name) for name in settings} == settings
