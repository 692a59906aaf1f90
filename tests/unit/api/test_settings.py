"""A wrong setting ends with a sentence that names it."""

from pathlib import Path

import pytest
from shop_api.settings import Mode, Settings, SettingsError

GOOD = {
    "SHOP_MODE": "admin",
    "SHOP_MYSQL_HOST": "10.0.0.1",
    "SHOP_MYSQL_USER": "admin_api",
    "SHOP_REDIS_HOST": "10.0.0.2",
    "SHOP_REDIS_USER": "cache",
}


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "shop_mysql_password").write_text("mysql secret\n")
    (tmp_path / "shop_redis_password").write_text("redis secret\n")
    (tmp_path / "shop_service_key").write_text("service key secret\n")
    return tmp_path


def test_settings_come_from_the_environment_and_files(secrets: Path) -> None:
    settings = Settings.load(_secrets_dir=secrets)
    assert (settings.mode, settings.mysql_host, settings.mysql_port, settings.redis_port) == (
        Mode.ADMIN,
        "10.0.0.1",
        3306,
        6379,
    )
    assert settings.mysql_password.get_secret_value() == "mysql secret"
    assert "secret" not in repr(settings).replace("SecretStr", "")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SHOP_MODE", "both", "Setting SHOP_MODE is wrong: input should be 'read' or 'admin'."),
        ("SHOP_MYSQL_PORT", "x", "Setting SHOP_MYSQL_PORT is wrong: "),
        ("SHOP_REDIS_HOST", "", "Setting SHOP_REDIS_HOST is wrong: "),
        ("SHOP_MYSQL_HOST", None, "Setting SHOP_MYSQL_HOST is missing."),
    ],
)
def test_a_wrong_setting_is_named(
    secrets: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, sentence: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.load(_secrets_dir=secrets)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_an_empty_key_opens_nothing(secrets: Path) -> None:
    (secrets / "shop_service_key").write_text("\n")
    with pytest.raises(SettingsError, match=r"SHOP_SERVICE_KEY .* is wrong"):
        Settings.load(_secrets_dir=secrets)


@pytest.mark.parametrize("name", ["shop_redis_password", "shop_service_key"])
def test_a_missing_secret_is_named_with_its_file(secrets: Path, name: str) -> None:
    (secrets / name).unlink()
    with pytest.raises(SettingsError, match=f"/etc/shopfleet/{name}") as caught:
        Settings.load(_secrets_dir=secrets)
    assert "mysql secret" not in str(caught.value)
