"""The command line: serve, migrate, healthcheck."""

# The health check runs every few seconds: what only the other commands need is imported by them.
import argparse
import http.client
import json
import os
import shutil
import ssl
import sys
import tempfile
from contextlib import closing
from pathlib import Path

PORT = 8080


def main() -> int:
    """Run the command that the arguments name; return the exit code."""
    parser = argparse.ArgumentParser(prog="shop-api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve HTTP on port 8080")
    migrate = commands.add_parser("migrate", help="bring the schema up to date")
    migrate.add_argument("--seed", type=Path, metavar="CSV", help="load these items if none were ever loaded")
    commands.add_parser("healthcheck", help="exit with 0 if the server in this container is alive")
    arguments = parser.parse_args()
    if arguments.command == "healthcheck":
        return _healthcheck()
    if arguments.command == "migrate":
        return _migrate(arguments.seed)
    return _serve()


def _healthcheck() -> int:
    try:
        with closing(_own_server()) as connection:
            connection.request("GET", "/healthz")
            return 0 if connection.getresponse().status == http.HTTPStatus.OK else 1
    except OSError as error:
        return _fail(f"Not alive: {error}.")


def _own_server() -> http.client.HTTPConnection:
    certificate = os.environ.get("SHOP_CERTIFICATE")
    if not certificate:
        return http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
    context = ssl.create_default_context(cafile=Path(certificate).with_name("ca.pem"))
    return http.client.HTTPSConnection("127.0.0.1", PORT, timeout=2, context=context)


def _migrate(seed: Path | None) -> int:
    from shop_api.migrate import MigrationError, migrate
    from shop_api.settings import SettingsError

    try:
        outcome = migrate(seed)
    except (SettingsError, MigrationError) as error:
        return _fail(str(error))
    print(json.dumps(outcome))
    return 0


def _serve() -> int:
    from shop_api.settings import ImportSettings, Mode, Settings, SettingsError

    try:
        if Settings.load().mode is Mode.ADMIN:
            ImportSettings.load()
    except SettingsError as error:
        return _fail(str(error))
    # The workers' counters are files; those of a run before this one must not be added to them.
    directory = Path(tempfile.gettempdir(), "shop-api-metrics")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    # Becomes the server, so that whatever is imported finds the directory in the environment.
    os.execv(sys.executable, [sys.executable, "-m", "shop_api.server"])  # noqa: S606


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
