"""Certificates for servers on this machine, made for one test run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def make_certificates(
    folder: Path,
    *,
    authority: Path | None = None,
    client_days: int = 1,
    client_name: str = "client",
    client_uris: Sequence[str] = (),
) -> Path:
    """An authority of its own, or certificates of another one; `client_days` below 0 is an expired one."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    if authority is None:
        authority_key = ec.generate_private_key(ec.SECP256R1())
    else:
        loaded = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        authority_key = loaded
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    uris = [x509.UniformResourceIdentifier(uri) for uri in client_uris]
    for subject in ("ca", "server", "client"):
        key = authority_key if subject == "ca" else ec.generate_private_key(ec.SECP256R1())
        days = client_days if subject == "client" else 1
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name(client_name if subject == "client" else subject))
            .issuer_name(name("ca"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=2))
            .not_valid_after(datetime.now(UTC) + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=subject == "ca", path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([*names, *(uris if subject == "client" else [])]),
                critical=False,
            )
            .sign(authority_key, hashes.SHA256())
        )
        (folder / f"{subject}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{subject}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
    return folder
