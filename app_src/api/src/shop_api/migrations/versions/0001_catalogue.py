"""The items, the version of the catalogue, and the answers to repeated requests.

MySQL commits each DDL statement on its own: every step can be run again after an interruption.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS items (
          id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
          name VARCHAR(120) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_ci NOT NULL,
          quantity INT NOT NULL,
          price DECIMAL(9, 2) NOT NULL,
          revision INT UNSIGNED NOT NULL DEFAULT 1,
          created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
          updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
          UNIQUE KEY items_name (name),
          KEY items_price (price),
          KEY items_quantity (quantity),
          CONSTRAINT items_quantity_range CHECK (quantity BETWEEN 0 AND 1000000),
          CONSTRAINT items_price_range CHECK (price >= 0)
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
        """
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS catalogue_version (
          id TINYINT UNSIGNED NOT NULL DEFAULT 1 PRIMARY KEY,
          version BIGINT UNSIGNED NOT NULL,
          seeded_at DATETIME(6) NULL,
          CONSTRAINT catalogue_version_one_row CHECK (id = 1)
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
        """
    )
    op.execute("INSERT IGNORE INTO catalogue_version (version) VALUES (1)")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS idempotency_keys (
          idempotency_key VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
          fingerprint CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          status SMALLINT UNSIGNED NOT NULL,
          body TEXT NOT NULL,
          created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
          KEY idempotency_keys_created_at (created_at)
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
        """
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("idempotency_keys", "catalogue_version", "items"):
        op.execute(f"DROP TABLE IF EXISTS {table}")
