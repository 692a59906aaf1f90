"""Certificates: issued once, renewed when it is time, and believed by just those who should."""

from __future__ import annotations

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from plugin import ROOT, load

certificate = load("lookup/certificate.py")
derived = load("filter/certificates.py")
lookup_loader.add_directory(str(ROOT / "plugins" / "lookup"))

MYSQL = {"name": "db1-mysql", "names": ["mysql", "198.51.100.14", "2001:DB8::14"]}


def look_up(directory: Path, *terms: dict[str, Any], check: bool = False, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    plugin = lookup_loader.get("certificate")
    variables = {"ansible_check_mode": check}
    found: list[dict[str, Any]] = plugin.run(list(terms), variables, directory=str(directory), **options)
    return found


def mysql(directory: Path, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    return look_up(directory, MYSQL, **options)[0]


def keep(directory: Path, name: str, identity: Any) -> tuple[Path, Path]:  # noqa: ANN401
    """Write a certificate with its chain, and its key, and return their paths."""
    paths = directory / f"{name}.pem", directory / f"{name}.pem.key"
    paths[0].write_text(certificate.pem(identity.certificate, *identity.issuers))
    paths[1].write_text(identity.key_pem)
    return paths


def handshake(folder: Path, found: dict[str, Any], ca: str, name: str) -> str:
    """Let a server with a certificate and a client that knows a CA meet; return what the client says."""
    files = {part: folder / f"server-{part}" for part in ("certificate", "key")}
    for part, file in files.items():
        file.write_text(found[part])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files["certificate"], files["key"])
    client = ssl.create_default_context(cadata=ca)
    # As Python checks from 3.13 on.
    client.verify_flags |= ssl.VERIFY_X509_STRICT

    def serve(connection: socket.socket) -> None:
        try:
            server.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()

    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=(theirs,))
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        ours.close()
        thread.join()
    return "welcome"


def test_a_server_is_believed_at_its_names_and_by_who_knows_the_ca(tmp_path: Path) -> None:
    found = mysql(tmp_path / "one")
    other = mysql(tmp_path / "other")
    for name in MYSQL["names"]:
        assert handshake(tmp_path, found, found["ca"], name) == "welcome"
    assert "Hostname mismatch" in handshake(tmp_path, found, found["ca"], "redis")
    assert "IP address mismatch" in handshake(tmp_path, found, found["ca"], "198.51.100.15")
    assert "unable to get local issuer" in handshake(tmp_path, found, other["ca"], "mysql")


def test_keys_and_signatures_are_of_128_bits(tmp_path: Path) -> None:
    found = mysql(tmp_path)
    certificates = [x509.load_pem_x509_certificate(found[part].encode()) for part in ("certificate", "ca")]
    for issued in certificates:
        key = issued.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert (key.curve.name, key.key_size) == ("secp256r1", 256)
        assert isinstance(issued.signature_hash_algorithm, hashes.SHA256)


def test_a_second_look_finds_the_same(tmp_path: Path) -> None:
    first = mysql(tmp_path)
    kept = {file: (file.read_text(), file.stat().st_mtime_ns) for file in tmp_path.glob("*.pem*")}
    assert first["renewed"]
    assert mysql(tmp_path) == {**first, "renewed": False}
    assert {file: (file.read_text(), file.stat().st_mtime_ns) for file in tmp_path.glob("*.pem*")} == kept


def test_hosts_that_look_at_the_same_time_find_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: mysql(tmp_path), range(8)))
    assert len({each["certificate"] for each in found}) == 1
    assert [each["renewed"] for each in found].count(True) == 1


def test_only_the_owner_reads_keys(tmp_path: Path) -> None:
    mysql(tmp_path / "certificates")
    assert (tmp_path / "certificates").stat().st_mode & 0o777 == 0o700
    for key in (tmp_path / "certificates").glob("*.key"):
        assert key.stat().st_mode & 0o777 == 0o600


def test_the_cas_key_is_handed_to_nobody(tmp_path: Path) -> None:
    (ca,) = look_up(tmp_path, {"name": "ca"})
    assert (ca["key"], ca["certificate"]) == ("", ca["ca"])


def test_a_certificate_for_other_addresses_is_issued_anew(tmp_path: Path) -> None:
    before = mysql(tmp_path)
    (moved,) = look_up(tmp_path, {**MYSQL, "names": ["mysql", "198.51.100.24"]})
    assert moved["renewed"]
    assert (moved["names"], moved["ca"]) == (["mysql", "198.51.100.24"], before["ca"])


@pytest.mark.parametrize(("days", "renewed"), [(29, True), (31, False)])
def test_a_certificate_is_renewed_30_days_before_it_runs_out(tmp_path: Path, days: int, renewed: bool) -> None:
    mysql(tmp_path)
    authority = certificate.Store(tmp_path).authority()
    keep(tmp_path, "db1-mysql", certificate.issue(authority, MYSQL["names"], timedelta(days=days)))
    assert mysql(tmp_path)["renewed"] is renewed
    assert not mysql(tmp_path)["renewed"]


def test_all_can_be_renewed_at_once_and_the_ca_stays(tmp_path: Path) -> None:
    before = mysql(tmp_path)
    after = mysql(tmp_path, renew=True)
    assert after["renewed"]
    assert after["certificate"] != before["certificate"]
    assert after["ca"] == before["ca"]


def test_without_the_ca_everything_begins_anew(tmp_path: Path) -> None:
    before = mysql(tmp_path)
    (tmp_path / "ca.pem").unlink()
    after = mysql(tmp_path)
    assert after["renewed"]
    assert handshake(tmp_path, after, after["ca"], "mysql") == "welcome"
    assert handshake(tmp_path, after, before["ca"], "mysql") != "welcome"


@pytest.mark.parametrize("file", ["db1-mysql.pem", "db1-mysql.pem.key"])
@pytest.mark.parametrize("text", ["", "spoilt"])
def test_what_an_interrupted_run_left_is_issued_anew(tmp_path: Path, file: str, text: str) -> None:
    before = mysql(tmp_path)
    (tmp_path / file).write_text(text)
    after = mysql(tmp_path)
    assert after["renewed"]
    assert after["ca"] == before["ca"]
    assert handshake(tmp_path, after, after["ca"], "mysql") == "welcome"


def test_a_key_of_another_certificate_is_replaced(tmp_path: Path) -> None:
    mysql(tmp_path)
    (tmp_path / "db1-mysql.pem.key").write_text(certificate.make_authority().key_pem)
    assert mysql(tmp_path)["renewed"]


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert mysql(tmp_path / "certificates", check=True)["renewed"]
    assert not (tmp_path / "certificates").exists()


def own_ca(folder: Path) -> tuple[Path, Path]:
    """Make a root, and a CA below it; return the files of the latter, with the root in the first."""
    root = certificate.make_authority()
    below = certificate.make_authority()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A company's CA for machines")])
    made = below.certificate
    signed = (
        x509.CertificateBuilder(root.certificate.subject, name, below.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made.not_valid_before_utc)
        .not_valid_after(made.not_valid_after_utc)
    )
    # What makes a CA of it, and where it comes from.
    for extension in made.extensions:
        signed = signed.add_extension(extension.value, extension.critical)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    signed = signed.add_extension(issuer, critical=False)
    identity = certificate.Identity(signed.sign(root.key, hashes.SHA256()), (_longer(root),), below.key)
    return keep(folder, "own", identity)


def _longer(root: Any) -> x509.Certificate:  # noqa: ANN401
    """Return a root's certificate that allows a CA below it."""
    made = root.certificate
    builder = (
        x509.CertificateBuilder(made.subject, made.subject, root.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made.not_valid_before_utc)
        .not_valid_after(made.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    for kind in (x509.KeyUsage, x509.SubjectKeyIdentifier):
        extension = made.extensions.get_extension_for_class(kind)
        builder = builder.add_extension(extension.value, extension.critical)
    signed: x509.Certificate = builder.sign(root.key, hashes.SHA256())
    return signed


def test_the_users_own_ca_issues_and_its_chain_is_sent_without_the_root(tmp_path: Path) -> None:
    before = mysql(tmp_path / "kept")
    ca, key = own_ca(tmp_path)
    options = {"ca_certificate": str(ca), "ca_key": str(key)}
    found = mysql(tmp_path / "kept", **options)
    assert found["renewed"]
    assert found["ca"] == ca.read_text()
    assert len(x509.load_pem_x509_certificates(found["certificate"].encode())) == 2
    root = found["ca"][found["ca"].rindex("-----BEGIN") :]
    assert handshake(tmp_path, found, root, "mysql") == "welcome"
    assert handshake(tmp_path, found, before["ca"], "mysql") != "welcome"
    assert not mysql(tmp_path / "kept", **options)["renewed"]


def test_a_given_certificate_is_taken_as_it_is(tmp_path: Path) -> None:
    identity = certificate.issue(certificate.make_authority(), ["shop.example"])
    paths = keep(tmp_path, "given", identity)
    term = {"name": "edge", "names": ["localhost"], "certificate": str(paths[0]), "key": str(paths[1])}
    (found,) = look_up(tmp_path / "kept", term, renew=True)
    assert (found["names"], found["renewed"]) == (["shop.example"], False)
    assert x509.load_pem_x509_certificate(found["certificate"].encode()) == identity.certificate


def _locked(folder: Path) -> tuple[Path, Path]:
    identity = certificate.make_authority()
    paths = keep(folder, "locked", identity)
    encryption = serialization.BestAvailableEncryption(b"open sesame")
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    paths[1].write_bytes(identity.key.private_bytes(*form))
    return paths


def _out(folder: Path) -> tuple[Path, Path]:
    return keep(folder, "out", certificate.issue(certificate.make_authority(), ["x"], timedelta(minutes=-1)))


def _swapped(folder: Path) -> tuple[Path, Path]:
    paths = keep(folder, "one", certificate.make_authority())
    return paths[0], keep(folder, "two", certificate.make_authority())[1]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (lambda folder: (folder / "absent.pem", folder / "absent.key"), "absent.pem cannot be read"),
        (lambda _: (Path(__file__), Path(__file__)), "convert them with openssl"),
        (_locked, "in PEM without a passphrase"),
        (_swapped, "two.pem.key is not the key of"),
        (_out, "give a new one"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_remedy(tmp_path: Path, files: Any, sentence: str) -> None:  # noqa: ANN401
    paths = [str(path) for path in files(tmp_path)]
    with pytest.raises(AnsibleLookupError, match=sentence):
        look_up(tmp_path / "kept", {"name": "edge", "names": [], "certificate": paths[0], "key": paths[1]})
    with pytest.raises(AnsibleLookupError, match=sentence):
        mysql(tmp_path / "kept", ca_certificate=paths[0], ca_key=paths[1])


def test_half_of_what_is_needed_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(AnsibleLookupError, match=r"/my\.pem is given alone: name a certificate and its key"):
        mysql(tmp_path, ca_certificate="/my.pem")


def test_a_certificate_that_is_no_cas_is_no_ca(tmp_path: Path) -> None:
    paths = keep(tmp_path, "server", certificate.issue(certificate.make_authority(), ["x"]))
    with pytest.raises(AnsibleLookupError, match="must be a CA's certificate, followed by those up to the root"):
        mysql(tmp_path / "kept", ca_certificate=str(paths[0]), ca_key=str(paths[1]))


def test_a_ca_without_its_root_is_refused(tmp_path: Path) -> None:
    ca, key = own_ca(tmp_path)
    text = ca.read_text()
    ca.write_text(text[: text.rindex("-----BEGIN")])
    with pytest.raises(AnsibleLookupError, match="followed by those up to the root"):
        mysql(tmp_path / "kept", ca_certificate=str(ca), ca_key=str(key))


SERVICES: dict[str, dict[str, Any]] = {
    "mysql": {"certificate": True, "ports": {"mysql": {"clients": ["api"]}}},
    "api": {"ports": {"http": {"clients": ["haproxy"]}}},
    "web": {"certificate": False, "ports": {"http": {"clients": ["haproxy"]}}},
    "haproxy": {},
}


def test_a_container_of_a_service_with_a_certificate_has_one_for_its_addresses() -> None:
    ports = {name: {"address": address} for name, address in (("a", "198.51.100.1"), ("b", "203.0.113.1"))}
    placed = [
        {"name": name, "service": service, "host": host, "server": server, "ports": ports}
        for name, service, host, server in (
            ("mysql", "mysql", "db1", "mysql.db1"),
            ("mysql", "mysql", "db2", "mysql.db2"),
            ("web-1", "web", "web1", "web-1"),
        )
    ]
    addresses = ["127.0.0.1", "198.51.100.1", "203.0.113.1"]
    assert derived.certificates(placed, SERVICES) == [
        {"name": "db1-mysql", "names": ["mysql.db1", *addresses]},
        {"name": "db2-mysql", "names": ["mysql.db2", *addresses]},
    ]


def test_a_port_that_is_published_over_ipv6_too_is_named_by_both_addresses() -> None:
    both = {"address": "203.0.113.1", "address6": "2001:db8::11"}
    placed = [
        {
            "name": "mysql",
            "service": "mysql",
            "host": host,
            "server": f"mysql-{host}",
            "ports": {"mysql": {"address": address}, "http": both},
        }
        for host, address in (("db1", "198.51.100.1"), ("db2", "198.51.100.2"))
    ]
    names = [entry["names"] for entry in derived.certificates(placed, SERVICES)]
    assert names[0] == ["mysql-db1", "127.0.0.1", "198.51.100.1", "203.0.113.1", "2001:db8::11"]
    assert derived.published_addresses(placed, "mysql", "http") == ["203.0.113.1", "2001:db8::11"]


def test_who_has_a_certificate_or_dials_one_that_has_knows_the_ca() -> None:
    assert derived.trusting(SERVICES) == ["mysql", "api"]
