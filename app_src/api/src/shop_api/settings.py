"""Settings: non-secret ones from the environment, secrets from files."""

import warnings
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, FilePath, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_DIR = "/etc/shopfleet"
PREFIX = "SHOP_"


class SettingsError(Exception):
    """A setting is missing or wrong; the message says which, in one sentence."""


class Mode(StrEnum):
    """What this process is for."""

    READ = "read"
    ADMIN = "admin"


class _Base(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, secrets_dir=SECRETS_DIR, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @classmethod
    def load(cls, **values: object) -> Self:
        """Read the settings.

        Args:
            **values: settings given by the caller; they win over the environment.

        Raises:
            SettingsError: a setting is missing or wrong.
        """
        try:
            with warnings.catch_warnings():
                # Without the directory of secrets, the missing secrets are what to complain of.
                warnings.simplefilter("ignore", UserWarning)
                return cls(**values)
        except OSError as error:
            raise SettingsError(f"{error.filename} cannot be read: {error.strerror}.") from None
        except ValidationError as error:
            raise SettingsError(" ".join(_sentence(dict(detail)) for detail in error.errors())) from None


class MysqlSettings(_Base):
    """How to reach MySQL; all that a migration needs."""

    mysql_host: str = Field(min_length=1)
    mysql_port: int = Field(default=3306, ge=1, le=65535)
    mysql_database: str = Field(default="shop", min_length=1)
    mysql_user: str = Field(min_length=1)
    mysql_password: SecretStr = Field(min_length=1)
    mysql_ca: FilePath
    """Whose certificate the server must show."""
    mysql_timeout: int = Field(default=1, ge=1, le=60)
    """Seconds that a connect, and each wait for the server, may take."""


class RedisSettings(_Base):
    """How to reach Redis."""

    redis_user: str = Field(min_length=1)
    redis_host: str = Field(min_length=1)
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_password: SecretStr = Field(min_length=1)
    redis_ca: FilePath
    """Whose certificate the server must show."""
    redis_timeout_ms: int = Field(default=200, ge=10, le=5000)


class ServerSettings(_Base):
    """How many requests are served at once."""

    workers: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=4, ge=1, le=64)
    certificate: FilePath | None = None
    """What is shown to clients, which are then spoken to by TLS only. Its key is the file beside it, `….key`."""


class ImportSettings(_Base):
    """How large a file may be that is imported."""

    import_max_kib: int = Field(ge=1, le=8192)
    import_max_rows: int = Field(ge=1, le=100_000)


class Settings(MysqlSettings, RedisSettings, ServerSettings):
    """All that the API and the admin API need."""

    mode: Mode
    service_key: SecretStr = Field(min_length=16)
    """What every request has to carry."""


def _sentence(detail: dict[str, Any]) -> str:
    name = "_".join(str(part) for part in detail["loc"])
    where = f"{PREFIX}{name.upper()}"
    if name.endswith(("_password", "_key")):
        where += f" (file {SECRETS_DIR}/{PREFIX.lower()}{name})"
    if detail["type"] == "missing":
        return f"Setting {where} is missing."
    return f"Setting {where} is wrong: {detail['msg'][0].lower()}{detail['msg'][1:]}."
