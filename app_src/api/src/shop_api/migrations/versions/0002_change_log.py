"""The number of items, the log of changes, and imports.

MySQL commits each DDL statement on its own: every step can be run again after an interruption.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and create the tables."""
    _add_column("catalogue_version", "items", "INT UNSIGNED NOT NULL DEFAULT 0")
    _add_column("idempotency_keys", "change_id", "BIGINT UNSIGNED NULL")
    # The plan of an import may be longer than a TEXT.
    op.execute("ALTER TABLE idempotency_keys MODIFY body MEDIUMTEXT NOT NULL")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS imports (
          id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
          at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
          actor VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          csv MEDIUMBLOB NOT NULL,
          applied_at DATETIME(6) NULL,
          digest CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
          created INT UNSIGNED NULL,
          updated INT UNSIGNED NULL,
          unchanged INT UNSIGNED NULL,
          KEY imports_applied_at (applied_at, at)
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
        """
    )
    # `restores` is unique: what was deleted can be restored once, whoever asks at the same time.
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS changes (
          id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
          at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
          actor VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          action ENUM('created', 'updated', 'deleted', 'restored') NOT NULL,
          item_id BIGINT UNSIGNED NOT NULL,
          old_name VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_ci NULL,
          old_quantity INT NULL,
          old_price DECIMAL(9, 2) NULL,
          new_name VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_ci NULL,
          new_quantity INT NULL,
          new_price DECIMAL(9, 2) NULL,
          import_id BIGINT UNSIGNED NULL,
          restores BIGINT UNSIGNED NULL,
          UNIQUE KEY changes_restores (restores),
          CONSTRAINT changes_import FOREIGN KEY (import_id) REFERENCES imports (id),
          CONSTRAINT changes_restored FOREIGN KEY (restores) REFERENCES changes (id),
          CONSTRAINT changes_old CHECK ((old_name IS NULL) = (action IN ('created', 'restored'))),
          CONSTRAINT changes_new CHECK ((new_name IS NULL) = (action = 'deleted')),
          CONSTRAINT changes_restores_what CHECK ((restores IS NULL) = (action <> 'restored'))
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
        """
    )


def downgrade() -> None:
    """Drop the tables and the columns."""
    for table in ("changes", "imports"):
        op.execute(f"DROP TABLE IF EXISTS {table}")
    op.execute("ALTER TABLE idempotency_keys DROP COLUMN change_id")
    op.execute("ALTER TABLE catalogue_version DROP COLUMN items")


def _add_column(table: str, column: str, definition: str) -> None:
    if column not in {known["name"] for known in sa.inspect(op.get_bind()).get_columns(table)}:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {definition}")
