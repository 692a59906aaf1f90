"""Certificates of the internal CA, issued on the controller when they are asked for."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DOCUMENTATION = r"""
name: certificate
short_description: Certificates of the internal CA, issued when they are asked for
description:
  - A certificate is kept on the controller, with its key beside it, and issued anew when its names have changed, when
    another CA stands in, or when it runs out within 30 days.
  - The CA is made when none is given.
  - In check mode nothing is written.
options:
  _terms:
    description: >-
      Each a dict. C(name) is what its file is called, C(names) what it is valid for (addresses and host names). With
      C(certificate) and C(key), paths on the controller, these are read, and nothing is issued. The name C(ca) alone is
      the CA itself, whose key stays where it is.
    type: list
    elements: dict
    required: true
  directory:
    description: Where certificates are kept.
    type: path
    required: true
  ca_certificate:
    description: The user's own CA. Path of its certificate, followed by those up to the root.
    type: str
    default: ""
  ca_key:
    description: Path of the key of the user's own CA, without a passphrase.
    type: str
    default: ""
  renew:
    description: Issue every certificate anew, however long it is valid. The CA stays.
    type: bool
    default: false
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ lookup('certificate', {'name': 'db1-mysql', 'names': ['198.51.100.14']}, directory='/root/ca').expires }}"
"""

RETURN = r"""
_raw:
  description: >-
    For each term its C(name) and C(names), C(certificate) (with its chain), C(key) and C(ca) in PEM, the day it
    C(expires), and whether it was C(renewed) just now.
  type: list
  elements: dict
"""

CA = "ca"
_LIFETIME = timedelta(days=365)
_CA_LIFETIME = timedelta(days=3650)
_RENEWED_BEFORE = timedelta(days=30)
# The hosts' clocks may be behind the controller's.
_BACKDATED = timedelta(hours=1)


class CertificateError(Exception):
    """A certificate cannot be had; the message names the remedy in one sentence."""


@dataclass(frozen=True)
class Identity:
    """A certificate, those that vouch for it up to the root, and its key."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    key: CertificateIssuerPrivateKeyTypes

    @property
    def chain(self) -> str:
        """What a server presents: all but the root, which a client must know already."""
        sent = [issuer for issuer in self.issuers if issuer.subject != issuer.issuer]
        return pem(self.certificate, *sent)

    @property
    def names(self) -> list[x509.GeneralName]:
        """What it is valid for."""
        try:
            return list(self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except x509.ExtensionNotFound:
            return []

    @property
    def expires(self) -> datetime:
        """When it runs out."""
        return self.certificate.not_valid_after_utc

    @property
    def key_pem(self) -> str:
        """Its key."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


def pem(*certificates: x509.Certificate) -> str:
    """Return certificates as text.

    Args:
        *certificates: In the order in which they stand.

    Returns:
        Them in PEM.
    """
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def read(certificate: Path, key: Path) -> Identity:
    """Read a certificate and its key.

    Args:
        certificate: Its file, in PEM; those that vouch for it may follow.
        key: The file of its key, in PEM, without a passphrase.

    Returns:
        The two.

    Raises:
        CertificateError: A file is absent or no such thing, or the key is another one's.
    """
    try:
        first, *issuers = x509.load_pem_x509_certificates(certificate.read_bytes())
        secret = serialization.load_pem_private_key(key.read_bytes(), None)
    except OSError as error:
        raise CertificateError(f"{error.filename} cannot be read ({error.strerror}): name a file that can") from None
    except (ValueError, TypeError):
        raise CertificateError(
            f"{certificate} and {key} are not a certificate and its key in PEM without a passphrase: convert them with "
            "openssl"
        ) from None
    if first.public_key() != secret.public_key():
        raise CertificateError(f"{key} is not the key of {certificate}: name the one that belongs to it")
    return Identity(first, tuple(issuers), secret)  # type: ignore[arg-type]


def given(certificate: Path, key: Path) -> Identity:
    """Read a certificate that the user gives.

    Args:
        certificate: As in `read`.
        key: As in `read`.

    Returns:
        The two.

    Raises:
        CertificateError: As in `read`, or it has run out.
    """
    identity = read(certificate, key)
    if identity.expires < datetime.now(UTC):
        raise CertificateError(f"{certificate} ran out on {identity.expires:%Y-%m-%d}: give a new one")
    return identity


def make_authority() -> Identity:
    """Make a CA.

    Returns:
        Its certificate and key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject("Shopfleet internal CA")
    certificate = (
        _builder(subject, subject, key.public_key(), datetime.now(UTC) + _CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(for_ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, (), key)


def issue(authority: Identity, names: Sequence[str], lifetime: timedelta = _LIFETIME) -> Identity:
    """Issue a server's certificate.

    Args:
        authority: The CA.
        names: Addresses and host names that the server is dialled at.
        lifetime: How long it is valid; never longer than the CA's own.

    Returns:
        The certificate and its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    expires = min(datetime.now(UTC) + lifetime, authority.expires)
    certificate = (
        _builder(_subject(names[0]), issuer.subject, key.public_key(), expires)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(for_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    return Identity(certificate, (issuer, *authority.issuers), key)


def _subject(name: str) -> x509.Name:
    # An X.509 common name holds 64 characters at most.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    expires: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - _BACKDATED)
        .not_valid_after(expires)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, for_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not for_ca,
        key_cert_sign=for_ca,
        crl_sign=for_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Store:
    """The certificates in a directory.

    Args:
        directory: Where they are kept.
        ca: Certificate and key of the user's own CA; absent, one is made in the directory.
        writes: False leaves the directory as it is.
    """

    def __init__(self, directory: Path, ca: tuple[Path, Path] | None = None, *, writes: bool = True) -> None:
        """Look at nothing yet."""
        self._directory = directory
        self._writes = writes
        self._ca = ca

    def authority(self) -> Identity:
        """Read the CA; make it where it is absent or runs out.

        Returns:
            The CA.

        Raises:
            CertificateError: The user's own cannot be used.
        """
        if self._ca is None:
            return self._kept(CA) or self._keep(CA, make_authority())
        identity = given(*self._ca)
        try:
            constraints = identity.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except x509.ExtensionNotFound:
            constraints = None
        root = (identity.certificate, *identity.issuers)[-1]
        if not constraints or not constraints.ca or root.subject != root.issuer:
            raise CertificateError(
                f"{self._ca[0]} must be a CA's certificate, followed by those up to the root: put them into one file"
            )
        return identity

    def certificate(
        self, authority: Identity, name: str, names: Sequence[str], *, renew: bool = False
    ) -> tuple[Identity, bool]:
        """Read a certificate; issue it where it is absent, for others, of another CA, or runs out.

        Args:
            authority: The CA.
            name: What its file is called.
            names: As in `issue`.
            renew: Issue it anyway.

        Returns:
            The certificate, and whether it was issued just now.
        """
        kept = None if renew else self._kept(name)
        if kept and set(kept.names) == set(map(_general_name, names)) and _vouches(authority, kept):
            return kept, False
        return self._keep(name, issue(authority, names)), True

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other processes of a run, one for each host, from issuing the same certificate."""
        if not self._writes:
            yield
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._directory / f"{name}.pem", self._directory / f"{name}.pem.key"

    def _kept(self, name: str) -> Identity | None:
        try:
            identity = read(*self._paths(name))
        except CertificateError:
            return None
        return identity if identity.expires > datetime.now(UTC) + _RENEWED_BEFORE else None

    def _keep(self, name: str, identity: Identity) -> Identity:
        if self._writes:
            certificate, key = self._paths(name)
            # Cut short between the two, the certificate is of another key, and is issued anew.
            _write(key, identity.key_pem)
            _write(certificate, pem(identity.certificate, *identity.issuers))
        return identity


def _vouches(authority: Identity, identity: Identity) -> bool:
    try:
        identity.certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return identity.issuers == (authority.certificate, *authority.issuers)


def _write(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(text)
    new.rename(path)


def _pair(certificate: str | None, key: str | None) -> tuple[Path, Path] | None:
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise CertificateError(f"{certificate or key} is given alone: name a certificate and its key")
    return Path(certificate).expanduser(), Path(key).expanduser()


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point to the certificates."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return a certificate for each term.

        Args:
            terms: As documented above.
            variables: Tell whether this is check mode.
            **kwargs: The options.

        Returns:
            As documented above.

        Raises:
            AnsibleLookupError: A certificate cannot be had; the message names the remedy.
        """
        self.set_options(var_options=variables, direct=kwargs)
        writes = not (variables or {}).get("ansible_check_mode", False)
        try:
            ca = _pair(self.get_option("ca_certificate"), self.get_option("ca_key"))
            store = Store(Path(self.get_option("directory")), ca, writes=writes)
            with store.alone():
                authority = store.authority()
                return [self._found(store, authority, term) for term in terms]
        except CertificateError as error:
            raise AnsibleLookupError(str(error)) from None

    def _found(self, store: Store, authority: Identity, term: dict[str, Any]) -> dict[str, Any]:
        own = _pair(term.get("certificate"), term.get("key"))
        if term["name"] == CA:
            identity, renewed = authority, False
        elif own:
            identity, renewed = given(*own), False
        else:
            identity, renewed = store.certificate(
                authority, term["name"], term["names"], renew=self.get_option("renew")
            )
        return {
            "name": term["name"],
            "names": [str(name.value) for name in identity.names],
            "expires": f"{identity.expires:%Y-%m-%d}",
            "renewed": renewed,
            "certificate": identity.chain,
            "key": "" if term["name"] == CA else identity.key_pem,
            "ca": pem(authority.certificate, *authority.issuers),
        }
