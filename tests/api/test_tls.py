"""What the API says to MySQL and Redis is said to them alone, and in secret."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis
from shop_stack import CERTIFICATE, Stack, docker, write_files

PLAIN_PORT = 6380
# Says how each of the two took the API's own client.
ASK = """
from sqlalchemy import text
from shop_api.cache import make_client
from shop_api.db import make_engine
from shop_api.settings import MysqlSettings, RedisSettings

def mysql():
    with make_engine(MysqlSettings.load(), 1).connect() as connection:
        connection.execute(text("SELECT 1"))

def redis():
    make_client(RedisSettings.load()).ping()

for ask in (mysql, redis):
    try:
        ask()
    except Exception as error:
        print(str(error).splitlines()[0])
    else:
        print("welcome")
"""
MYSQL = ["mysql", "--host=127.0.0.1", "--skip-column-names", "--batch"]


def ask(stack: Stack, **settings: str) -> tuple[str, str]:
    """Dial MySQL and Redis as the API does, and return what came of it."""
    options = ["--network", stack.prefix, *stack.environment("api", SHOP_REDIS_TIMEOUT_MS="3000", **settings)]
    mysql, redis = docker("run", "--rm", *options, stack.images["api"], "python", "-c", ASK).splitlines()
    return mysql, redis


def query(stack: Stack, *options: str) -> str:
    """Ask MySQL over TCP, and return the cipher."""
    show = "SHOW STATUS LIKE 'Ssl_cipher'"
    return docker("exec", stack.container("mysql"), *MYSQL, *options, f"--execute={show}").removeprefix("Ssl_cipher")


@contextmanager
def plaintext(stack: Stack) -> Iterator[None]:
    """Let MySQL know no TLS, and let Redis listen without it too."""
    stack.sql(
        "SET GLOBAL require_secure_transport = OFF; SET GLOBAL tls_version = '';"
        "ALTER INSTANCE RELOAD TLS NO ROLLBACK ON ERROR"
    )
    with stack.redis() as client:
        client.config_set("port", PLAIN_PORT)
    try:
        yield
    finally:
        with stack.redis() as client:
            client.config_set("port", 0)
        stack.sql(
            "SET GLOBAL tls_version = 'TLSv1.2,TLSv1.3'; ALTER INSTANCE RELOAD TLS;"
            "SET GLOBAL require_secure_transport = ON"
        )


@pytest.fixture
def visitor(stack: Stack) -> Iterator[str]:
    """The option that names an account which may do without TLS, as far as the account goes."""
    stack.sql("CREATE USER visitor@'127.0.0.1'")
    yield "--user=visitor"
    stack.sql("DROP USER visitor@'127.0.0.1'")


def test_the_servers_of_the_deployment_are_believed(stack: Stack) -> None:
    assert ask(stack) == ("welcome", "welcome")


def test_a_server_of_another_ca_is_refused(stack: Stack) -> None:
    write_files(stack.secrets, {"other.pem": CERTIFICATE.pem(CERTIFICATE.make_authority().certificate)})
    other = "/etc/shopfleet/other.pem"
    mysql, redis = ask(stack, SHOP_MYSQL_CA=other, SHOP_REDIS_CA=other)
    assert "2026" in mysql
    assert "certificate verify failed" in redis


def test_a_server_that_has_another_name_is_refused(stack: Stack) -> None:
    # Names that Docker resolves, and that no certificate holds.
    names = {f"SHOP_{name.upper()}_HOST": stack.container(name) for name in ("mysql", "redis")}
    mysql, redis = ask(stack, **names)
    assert "2026" in mysql
    assert "Hostname mismatch" in redis


def test_a_server_without_tls_is_refused(stack: Stack, visitor: str) -> None:
    with plaintext(stack):
        cipher = query(stack, visitor, "--ssl-mode=DISABLED")
        assert cipher == "", "MySQL would take a client that asks for no TLS"
        with redis.Redis(stack.address("redis"), PLAIN_PORT, password=stack.password) as client:
            assert client.ping(), "Redis would take a client that asks for no TLS"
        mysql, answer = ask(stack, SHOP_REDIS_PORT=str(PLAIN_PORT))
    assert "2026" in mysql
    # Redis waits for the end of a line that it takes for a command.
    assert answer != "welcome"
    assert ask(stack) == ("welcome", "welcome")


def test_a_server_whose_certificate_has_run_out_is_refused(stack: Stack) -> None:
    issued = CERTIFICATE.issue(stack.ca, ["127.0.0.1", stack.address("redis")], timedelta(seconds=-60))
    assert issued.certificate.not_valid_before_utc < issued.expires
    with stack.redis() as client:
        folder = stack.secrets / "redis"
        kept = {file.name: file.read_text() for file in folder.iterdir()}
        for file in folder.iterdir():
            file.chmod(0o644)
        write_files(folder, {"certificate.pem": issued.chain, "certificate.pem.key": issued.key_pem})
        client.config_set("tls-cert-file", "/tls/certificate.pem", "tls-key-file", "/tls/certificate.pem.key")
        try:
            assert "certificate has expired" in ask(stack)[1]
        finally:
            for file in folder.iterdir():
                file.chmod(0o644)
            write_files(folder, kept)
            client.config_set("tls-cert-file", "/tls/certificate.pem", "tls-key-file", "/tls/certificate.pem.key")


def test_mysql_takes_no_client_without_tls(stack: Stack, visitor: str) -> None:
    assert query(stack, visitor, "--ssl-mode=REQUIRED") != ""
    with pytest.raises(RuntimeError, match="insecure transport are prohibited"):
        query(stack, visitor, "--ssl-mode=DISABLED")


@pytest.mark.parametrize("account", ["api", "admin_api", "migrator"])
def test_an_account_is_for_tls_only_whatever_the_server_allows(stack: Stack, account: str) -> None:
    stack.sql("SET GLOBAL require_secure_transport = OFF")
    login = [f"--user={account}", f"--password={stack.password}", "--get-server-public-key"]
    try:
        assert query(stack, *login, "--ssl-mode=REQUIRED") != ""
        with pytest.raises(RuntimeError, match="Access denied"):
            query(stack, *login, "--ssl-mode=DISABLED")
    finally:
        stack.sql("SET GLOBAL require_secure_transport = ON")


def test_redis_takes_no_client_without_tls(stack: Stack) -> None:
    with redis.Redis(stack.address("redis"), password=stack.password) as client, pytest.raises(redis.ConnectionError):
        client.ping()
