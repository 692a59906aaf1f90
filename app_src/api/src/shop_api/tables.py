"""The tables as SQLAlchemy Core sees them; the migrations define them."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()

items = Table(
    "items",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("quantity", Integer, nullable=False),
    Column("price", Numeric(9, 2), nullable=False),
    Column("revision", Integer, nullable=False),
)

catalogue_version = Table(
    "catalogue_version",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("version", BigInteger, nullable=False),
    # A collection of columns has a method `items`.
    Column("items", Integer, key="item_count", nullable=False),
    Column("seeded_at", DateTime),
)

# Which item has which word in its name, with what lists are sorted by, and the parts of these words: kept by MySQL,
# see migrations 0003 and 0004.
item_words = Table(
    "item_words",
    metadata,
    Column("word", String(120), primary_key=True),
    Column("name", String(120), primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", Numeric(9, 2), nullable=False),
)

word_parts = Table(
    "word_parts",
    metadata,
    Column("part", String(16), primary_key=True),
    Column("word", String(120), primary_key=True),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("idempotency_key", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("change_id", BigInteger),
    Column("created_at", DateTime),
)

imports = Table(
    "imports",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", DateTime),
    Column("actor", String(32), nullable=False),
    Column("csv", LargeBinary, nullable=False),
    Column("applied_at", DateTime),
    Column("digest", String(64)),
    Column("created", Integer),
    Column("updated", Integer),
    Column("unchanged", Integer),
)

changes = Table(
    "changes",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", DateTime),
    Column("actor", String(32), nullable=False),
    Column("action", String(8), nullable=False),
    Column("item_id", BigInteger, nullable=False),
    Column("old_name", String(120)),
    Column("old_quantity", Integer),
    Column("old_price", Numeric(9, 2)),
    Column("new_name", String(120)),
    Column("new_quantity", Integer),
    Column("new_price", Numeric(9, 2)),
    Column("import_id", BigInteger, ForeignKey("imports.id")),
    Column("restores", BigInteger, ForeignKey("changes.id"), unique=True),
)
