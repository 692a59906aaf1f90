"""The index for searching learns to sort: next to each word of an item stand the values that lists are sorted by.

So the items that have a common word are read in the order of the list, and no more of them than are shown.

MySQL commits each DDL statement on its own: every step can be run again after an interruption. The API from before
goes on meanwhile: the columns that it reads stay, and at each moment one trigger at least keeps them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_ci"
_EXACT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"


def upgrade() -> None:
    """Add the columns, what keeps them, and their first contents; sort by them."""
    _add_columns()
    op.execute(
        f"""
        CREATE PROCEDURE IF NOT EXISTS index_item(
          item BIGINT UNSIGNED, name VARCHAR(120) {_TEXT}, price DECIMAL(9, 2), quantity INT
        )
        BEGIN
          -- Loops, for an import runs this 5,000 times: each JSON_TABLE would cost ten times as much as all of it.
          DECLARE rest, next_word VARCHAR(120) {_EXACT};
          DECLARE place INT;
          SET rest = LOWER(UPPER(name));
          WHILE rest <> '' DO
            SET next_word = SUBSTRING_INDEX(rest, ' ', 1);
            SET rest = SUBSTR(rest, CHAR_LENGTH(next_word) + 2);
            -- A name may have a word twice.
            REPLACE INTO item_words (word, item_id, name, price, quantity)
            VALUES (next_word, item, name, price, quantity);
            IF NOT EXISTS (SELECT 1 FROM word_parts WHERE part = LEFT(next_word, 16) AND word = next_word) THEN
              SET place = CHAR_LENGTH(next_word);
              WHILE place > 0 DO
                INSERT IGNORE INTO word_parts (part, word) VALUES (SUBSTR(next_word, place, 16), next_word);
                SET place = place - 1;
              END WHILE;
            END IF;
          END WHILE;
        END
        """  # noqa: S608  made of constants only
    )
    op.execute(
        "CREATE TRIGGER IF NOT EXISTS item_added AFTER INSERT ON items FOR EACH ROW"
        " CALL index_item(NEW.id, NEW.name, NEW.price, NEW.quantity)"
    )
    op.execute(
        """
        CREATE TRIGGER IF NOT EXISTS item_changed AFTER UPDATE ON items FOR EACH ROW
        IF CAST(OLD.name AS BINARY) <> CAST(NEW.name AS BINARY) THEN
          DELETE FROM item_words WHERE item_id = NEW.id;
          CALL index_item(NEW.id, NEW.name, NEW.price, NEW.quantity);
        ELSEIF OLD.price <> NEW.price OR OLD.quantity <> NEW.quantity THEN
          UPDATE item_words SET price = NEW.price, quantity = NEW.quantity WHERE item_id = NEW.id;
        END IF
        """
    )
    op.execute("DROP TRIGGER IF EXISTS items_inserted")
    op.execute("DROP TRIGGER IF EXISTS items_renamed")
    op.execute("DROP PROCEDURE IF EXISTS index_name")
    op.execute(
        """
        UPDATE item_words JOIN items ON items.id = item_words.item_id
        SET item_words.name = items.name, item_words.price = items.price, item_words.quantity = items.quantity
        WHERE item_words.name IS NULL
        """
    )
    if not _sorted():
        # The name is in the primary key and so in every index: what else it must contain is looked for in the index.
        op.execute(
            f"""
            ALTER TABLE item_words
              MODIFY name VARCHAR(120) {_TEXT} NOT NULL,
              MODIFY price DECIMAL(9, 2) NOT NULL,
              MODIFY quantity INT NOT NULL,
              DROP PRIMARY KEY,
              ADD PRIMARY KEY (word, name),
              ADD KEY item_words_price (word, price, item_id),
              ADD KEY item_words_quantity (word, quantity, item_id)
            """
        )


def downgrade() -> None:
    """Refuse: nothing goes back to the index that could not sort."""
    raise NotImplementedError


def _add_columns() -> None:
    if "name" not in {known["name"] for known in sa.inspect(op.get_bind()).get_columns("item_words")}:
        op.execute(
            f"ALTER TABLE item_words ADD COLUMN name VARCHAR(120) {_TEXT} NULL,"
            " ADD COLUMN price DECIMAL(9, 2) NULL, ADD COLUMN quantity INT NULL"
        )


def _sorted() -> bool:
    return sa.inspect(op.get_bind()).get_pk_constraint("item_words")["constrained_columns"] == ["word", "name"]
