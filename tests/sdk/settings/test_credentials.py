"""Certificate and token files that gRPC cannot use are errors of `Collector(...)`: gRPC ends the process for some."""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from otel_modeldata import Collector
from otel_modeldata._settings.credentials import CredentialFiles, Credentials
from otel_modeldata._settings.otlp_endpoint import Endpoint, load_endpoint
from otel_modeldata.environment import read_environment
from otel_modeldata.exceptions import ConfigError

pytest.importorskip("cryptography")

from certificate_files import make_certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PREFIX = "OTEL_EXPORTER_OTLP_"
NO_PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, and files that are wrong in every way that people make them."""
    folder = make_certificates(tmp_path_factory.mktemp("certificates"))
    key = serialization.load_pem_private_key((folder / "client.key").read_bytes(), password=None)
    assert not isinstance(key, (rsa.RSAPrivateKey, bytes))
    pkcs8 = serialization.PrivateFormat.PKCS8
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    password = serialization.BestAvailableEncryption(b"secret")
    certificate = (folder / "client.crt").read_bytes()
    files = {
        "empty": b"",
        "junk": b"this is no certificate\n",
        "half.crt": certificate[:200],
        "oneline.crt": certificate.replace(b"\n", b"\\n"),
        "utf16.crt": certificate.decode().encode("utf-16"),
        "der.crt": x509.load_pem_x509_certificate(certificate).public_bytes(der),
        "no.crt": NO_PEM,
        "bom.crt": b"\xef\xbb\xbf" + certificate,
        "crlf.crt": certificate.replace(b"\n", b"\r\n"),
        "both.pem": certificate + (folder / "client.key").read_bytes(),
        "half.key": (folder / "client.key").read_bytes()[:100],
        "der.key": key.private_bytes(der, pkcs8, serialization.NoEncryption()),  # type: ignore[union-attr]
        "password.key": key.private_bytes(pem, pkcs8, password),  # type: ignore[union-attr]
        "pkcs8.key": key.private_bytes(pem, pkcs8, serialization.NoEncryption()),  # type: ignore[union-attr]
        "public.key": key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),  # type: ignore[union-attr]
    }
    other = rsa.generate_private_key(65_537, 2048)  # the others are of elliptic curves
    files["other.key"] = other.private_bytes(pem, pkcs8, serialization.NoEncryption())
    now = dt.datetime.now(dt.timezone.utc)
    revoked = x509.CertificateRevocationListBuilder().issuer_name(x509.Name([])).last_update(now)
    files["revoked.crl"] = revoked.next_update(now + dt.timedelta(1)).sign(other, hashes.SHA256()).public_bytes(pem)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    return folder


def _environ(folder: Path, **files: str) -> dict[str, str]:
    paths = {f"{PREFIX}{name}": str(folder / file) for name, file in files.items()}
    return {f"{PREFIX}ENDPOINT": "https://127.0.0.1:9", **paths}


def _refusal(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The error of a Collector, which diagnosis finds too."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        Collector(name="model_inputs")
    assert read_environment().problems == raised.value.problems
    return str(raised.value)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("empty", "a file without certificates that can be read (no certificate or crl found)"),
        ("junk", "a file without certificates that can be read (no certificate or crl found)"),
        ("der.crt", "a file without certificates that can be read"),
        ("client.key", "a file without certificates that can be read (no certificate or crl found)"),
        ("no.crt", "a file without certificates that can be read"),
        ("folder", "a folder"),
        ("revoked.crl", "a file without certificates that can be read (only lists of revoked certificates)"),
        ("pipe", "something other than a file"),
        ("missing", "[Errno 2] No such file or directory"),
    ],
)
def test_a_file_of_authorities_that_cannot_be_used_is_refused_in_init(
    file: str, reason: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = f"{PREFIX}CERTIFICATE: expected a PEM file in {str(made / file)!r}, got {reason}"
    assert _refusal(_environ(made, CERTIFICATE=file), monkeypatch).startswith(expected)


@pytest.mark.parametrize(
    ("key", "certificate", "names", "reason"),
    [
        ("empty", "client.crt", "KEY", "a file without a private key that can be read"),
        ("junk", "client.crt", "KEY", "a file without a private key that can be read"),
        ("half.key", "client.crt", "KEY", "a file without a private key that can be read"),
        ("der.key", "client.crt", "KEY", "a file without a private key that can be read"),
        ("public.key", "client.crt", "KEY", "a file without a private key that can be read"),
        ("password.key", "client.crt", "KEY", "a key with a password: remove the password (openssl pkey)"),
        ("server.key", "client.crt", "KEY", "a key that does not belong to the certificate in"),
        ("other.key", "client.crt", "KEY", "a key that does not belong to the certificate in"),
        ("client.key", "empty", "CERTIFICATE", "a file without a certificate that can be read"),
        ("client.key", "junk", "CERTIFICATE", "a file without a certificate that can be read"),
        ("client.key", "half.crt", "CERTIFICATE", "a file without a certificate that can be read"),
        ("client.key", "der.crt", "CERTIFICATE", "a file without a certificate that can be read"),
        ("client.key", "oneline.crt", "CERTIFICATE", "a file without a certificate that can be read"),
        ("client.key", "utf16.crt", "CERTIFICATE", "a file without a certificate that can be read"),
        ("client.key", "no.crt", "CERTIFICATE", "a file without a certificate that can be read"),
        ("client.key", "missing", "CERTIFICATE", "[Errno 2] No such file or directory"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_refused_in_init(  # noqa: PLR0917 - columns of the table
    key: str, certificate: str, names: str, reason: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made / (key if names == "KEY" else certificate)
    expected = f"{PREFIX}LOGS_CLIENT_{names}: expected a PEM file in {str(file)!r}, got {reason}"
    environ = _environ(made, LOGS_CLIENT_KEY=key, LOGS_CLIENT_CERTIFICATE=certificate)
    assert _refusal(environ, monkeypatch).startswith(expected)


@pytest.mark.parametrize(("here", "missing"), [("KEY", "CERTIFICATE"), ("CERTIFICATE", "KEY")])
def test_half_of_a_client_certificate_is_refused_in_init(
    here: str, missing: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = {"KEY": "client.key", "CERTIFICATE": "client.crt"}[here]
    assert _refusal(_environ(made, **{f"CLIENT_{here}": file}), monkeypatch) == (
        f"{PREFIX}CLIENT_{here}: expected {PREFIX}CLIENT_{missing} beside it, got none: mTLS needs both, so set it, or "
        "remove this one"
    )


@pytest.mark.parametrize(
    ("key", "certificate"),
    [
        ("client.key", "client.crt"),
        ("pkcs8.key", "client.crt"),
        ("client.key", "bom.crt"),
        ("client.key", "crlf.crt"),
        ("both.pem", "both.pem"),
    ],
)
def test_what_grpc_can_use_is_read(key: str, certificate: str, made: Path) -> None:
    files = CredentialFiles(client_key=str(made / key), client_certificate=str(made / certificate))
    content = (made / certificate).read_bytes().removeprefix(b"\xef\xbb\xbf")
    assert files.read() == Credentials(client_key=(made / key).read_bytes(), client_certificate=content)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("abc.def\n", "Bearer abc.def"),
        ("  abc.def", "Bearer abc.def"),
        ("\ufeffabc.def", "Bearer abc.def"),
        ("Basic abc==\n", "Basic abc=="),
        ("Bearer abc", "Bearer abc"),
    ],
)
def test_a_token_file_becomes_the_header_authorization(content: str, header: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(content, "utf-8")
    environ = {"OTEL_MODELDATA_TOKEN_FILE": str(path), f"{PREFIX}HEADERS": "x-team=a"}
    endpoint = load_endpoint(environ).checked()
    assert endpoint.metadata() == (("x-team", "a"), ("authorization", header))
    assert header.partition(" ")[2] not in repr(endpoint)


@pytest.mark.parametrize("content", ["", "\n", "s3cr3t\nsecond", "s3cr3té", "s3cr3t\0"])
def test_a_file_without_a_token_is_refused_without_its_content(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "token"
    path.write_text(content, "utf-8")
    assert _refusal({"OTEL_MODELDATA_TOKEN_FILE": str(path)}, monkeypatch) == (
        f"OTEL_MODELDATA_TOKEN_FILE: expected a file with a token in {str(path)!r}, got a file without a token of "
        "printable ASCII characters in one line: correct it"
    )
    assert "s3cr3t" not in caplog.text


def test_files_of_another_machine_are_not_opened() -> None:
    environ = {f"{PREFIX}ENDPOINT": "https://x:1", f"{PREFIX}CERTIFICATE": "/no/ca.pem"}
    read = read_environment(environ, is_local=False)
    assert (read.problems, read.endpoint) == ((), Endpoint(target="x:1", secure=True, certificate="/no/ca.pem"))


def test_files_that_change_while_they_are_read_are_read_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.crt"
    shutil.copy(made / "ca.crt", path)
    files = CredentialFiles(authority=str(path))
    check: Callable[..., object] = CredentialFiles._problems

    def changes(self: CredentialFiles, contents: object) -> object:
        found = check(self, contents)
        if path.read_bytes() == (made / "ca.crt").read_bytes():
            shutil.copy(made / "both.pem", path)
        return found

    monkeypatch.setattr(CredentialFiles, "_problems", changes)
    assert files.read() == Credentials(authority=(made / "both.pem").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "certificate", "authority"),
    [("empty", "client.crt", "ca.crt"), ("client.key", "empty", "ca.crt"), ("password.key", "client.crt", "ca.crt")],
)
def test_no_file_ends_the_process_or_asks_for_a_password(
    key: str, certificate: str, authority: str, made: Path
) -> None:
    environ = _environ(made, CLIENT_KEY=key, CLIENT_CERTIFICATE=certificate, CERTIFICATE=authority)
    code = """
        from otel_modeldata import Collector
        from otel_modeldata.exceptions import ConfigError
        try:
            Collector(name="model_inputs")
        except ConfigError:
            print("refused")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "refused\n", "")
