"""The tables as SQLAlchemy Core sees them; the migrations define them."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
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
    Column("seeded_at", DateTime),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("idempotency_key", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", DateTime),
)
