"""A certificate that expires is reported before and after, by the log and by `check`."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from certificate_files import make_certificates

from otel_modeldata_receiver.commands.check.run import check_files
from otel_modeldata_receiver.config.certificate_expiry import expiring
from otel_modeldata_receiver.config.receiver import TlsConfig
from otel_modeldata_receiver.listeners.certificate_expiry import ExpiryWatch

if TYPE_CHECKING:
    from pathlib import Path

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
EXPIRED = (
    "tls.cert_file: the certificate expired at TIME, and senders refuse it: renew it; a new file is used without a "
    "restart"
)
SOON = "tls.cert_file: the certificate expires at TIME: renew it; a new file is used without a restart"


def tls(folder: Path, *, mutual: bool = False) -> TlsConfig:
    authority = str(folder / "ca.crt") if mutual else None
    return TlsConfig(
        cert_file=str(folder / "server.crt"), key_file=str(folder / "server.key"), client_ca_file=authority
    )


def sentences(config: TlsConfig) -> list[str]:
    return [TIME.sub("TIME", str(problem)) for problem in expiring(config)]


async def until_logged(caplog: pytest.LogCaptureFixture, lines: int) -> None:
    async with asyncio.timeout(60):
        while len(caplog.messages) < lines:  # noqa: ASYNC110 (a log has no event)
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("days", "expected"), [(-1, [EXPIRED]), (1, [SOON]), (30, [])])
def test_a_certificate_that_has_expired_or_will_soon_is_reported_with_its_setting(
    tmp_path: Path, days: int, expected: list[str]
) -> None:
    make_certificates(tmp_path, days=days)
    assert sentences(tls(tmp_path)) == expected
    file = tmp_path / "receiver.yml"
    file.write_text(f"store: {tmp_path}\ntls:\n  cert_file: {tmp_path}/server.crt\n  key_file: {tmp_path}/server.key\n")
    (checked,) = check_files([file])
    assert [(one.severity, one.line, TIME.sub("TIME", one.sentence)) for one in checked.findings] == [
        ("warning", 3, sentence) for sentence in expected
    ]


def test_the_authority_of_clients_is_reported_if_no_later_one_stands_beside_it(tmp_path: Path) -> None:
    for name, days in (("now", 1), ("later", 30)):
        (tmp_path / name).mkdir()
        make_certificates(tmp_path / name, days=days)
    config = tls(tmp_path / "later", mutual=True)
    assert sentences(config) == []
    authority = tmp_path / "later" / "ca.crt"
    later = authority.read_text()
    authority.write_text((tmp_path / "now" / "ca.crt").read_text())
    assert sentences(config) == [
        "tls.client_ca_file: the authority expires at TIME: renew it; a new file is used without a restart"
    ]
    authority.write_text(authority.read_text() + later)
    assert sentences(config) == []


def test_files_that_cannot_be_read_are_not_reported_here(tmp_path: Path) -> None:
    assert sentences(tls(tmp_path, mutual=True)) == []


@pytest.mark.anyio
async def test_a_running_receiver_logs_each_state_of_a_certificate_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_certificates(tmp_path, days=1)
    watch = ExpiryWatch(tls(tmp_path), look_seconds=0.001)
    watch.start()
    await until_logged(caplog, 1)
    make_certificates(tmp_path, days=-1)
    await until_logged(caplog, 2)
    make_certificates(tmp_path, days=30)
    await watch.stop()
    await watch.stop()
    assert [TIME.sub("TIME", message) for message in caplog.messages] == [SOON, EXPIRED]


@pytest.mark.anyio
async def test_without_tls_nothing_is_watched() -> None:
    watch = ExpiryWatch(None)
    watch.start()
    await watch.stop()
