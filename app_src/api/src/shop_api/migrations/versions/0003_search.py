"""The index for searching parts of names, which MySQL itself keeps in each write's transaction.

A name is split at its spaces into words, in lower case; `item_words` says which item has which word, `word_parts`
has each word from each of its characters on. So a part of a name is found as the beginning of such a part. These are
ordinary tables, whose rows a snapshot sees as they were: MySQL's own full text sees the newest state whatever the
snapshot is, so that its answers may be true of no version of the catalogue.

MySQL commits each DDL statement on its own: every step can be run again after an interruption.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

# This collation says which letter is the upper or lower case of which (by way of upper case, so that the two small
# sigmas are one); the other one compares characters one by one.
_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_ci"
_EXACT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"


# The derived table is made first, so that nothing is looked up for words that are known.
_ADD_PARTS = """
    INSERT IGNORE INTO word_parts (part, word)
    SELECT SUBSTR(new.word, places.place, 16), new.word
    FROM (SELECT DISTINCT words.word FROM item_words AS words
      WHERE NOT EXISTS (SELECT 1 FROM word_parts AS known
        WHERE known.part = LEFT(words.word, 16) AND known.word = words.word)) AS new
    STRAIGHT_JOIN JSON_TABLE(CONCAT('[0', REPEAT(',0', 119), ']'), '$[*]' COLUMNS (place FOR ORDINALITY)) AS places
    WHERE places.place <= CHAR_LENGTH(new.word)
    """


def upgrade() -> None:
    """Create the tables, what keeps them, and their first contents."""
    op.execute(
        f"""
        CREATE TABLE IF NOT EXISTS item_words (
          word VARCHAR(120) {_EXACT} NOT NULL,
          item_id BIGINT UNSIGNED NOT NULL,
          PRIMARY KEY (word, item_id),
          CONSTRAINT item_words_item FOREIGN KEY (item_id) REFERENCES items (id) ON DELETE CASCADE
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
        """
    )
    op.execute(
        f"""
        CREATE TABLE IF NOT EXISTS word_parts (
          part VARCHAR(16) {_EXACT} NOT NULL,
          word VARCHAR(120) {_EXACT} NOT NULL,
          PRIMARY KEY (part, word)
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
        """
    )
    op.execute(
        f"""
        CREATE PROCEDURE IF NOT EXISTS index_name(item BIGINT UNSIGNED, name VARCHAR(120) {_TEXT})
        BEGIN
          -- Loops, for an import runs this 5,000 times: each JSON_TABLE would cost ten times as much as all of it.
          DECLARE rest, next_word VARCHAR(120) {_EXACT};
          DECLARE place INT;
          SET rest = LOWER(UPPER(name));
          WHILE rest <> '' DO
            SET next_word = SUBSTRING_INDEX(rest, ' ', 1);
            SET rest = SUBSTR(rest, CHAR_LENGTH(next_word) + 2);
            INSERT IGNORE INTO item_words (word, item_id) VALUES (next_word, item);
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
        "CREATE TRIGGER IF NOT EXISTS items_inserted AFTER INSERT ON items FOR EACH ROW"
        " CALL index_name(NEW.id, NEW.name)"
    )
    op.execute(
        """
        CREATE TRIGGER IF NOT EXISTS items_renamed AFTER UPDATE ON items FOR EACH ROW
        IF CAST(OLD.name AS BINARY) <> CAST(NEW.name AS BINARY) THEN
          DELETE FROM item_words WHERE item_id = NEW.id;
          CALL index_name(NEW.id, NEW.name);
        END IF
        """
    )
    op.execute(
        f"""
        INSERT IGNORE INTO item_words (word, item_id)
        SELECT words.word, items.id FROM items, JSON_TABLE(
          CONCAT('[', REPLACE(JSON_QUOTE(LOWER(UPPER(items.name))), ' ', '","'), ']'),
          '$[*]' COLUMNS (word VARCHAR(120) {_EXACT} PATH '$')
        ) AS words
        """  # noqa: S608  made of constants only
    )
    op.execute(_ADD_PARTS)


def downgrade() -> None:
    """Drop all of it."""
    op.execute("DROP TRIGGER IF EXISTS items_renamed")
    op.execute("DROP TRIGGER IF EXISTS items_inserted")
    op.execute("DROP PROCEDURE IF EXISTS index_name")
    op.execute("DROP TABLE IF EXISTS word_parts")
    op.execute("DROP TABLE IF EXISTS item_words")
