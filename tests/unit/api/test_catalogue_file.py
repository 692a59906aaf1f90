"""The file of a first catalogue."""

from pathlib import Path

import pytest
from shop_api.migrate import MigrationError, read_csv


def write(directory: Path, content: str | bytes) -> Path:
    path = directory / "catalogue.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_good_file(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufeffname,quantity,price\r\n"A, ""b""",0,1\r\nTea,12,2.5\r\n')
    assert [tuple(row.model_dump().values()) for row in read_csv(path)] == [('A, "b"', 0, "1.00"), ("Tea", 12, "2.50")]


def test_a_file_without_rows(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path, "name,quantity,price\n")) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "first line must be name,quantity,price"),
        ("name;quantity;price\n", "first line must be name,quantity,price"),
        (b"name,quantity,price\n\xff,1,1\n", "cannot be read"),
        ('name,quantity,price\n"open,1,1\n', "cannot be read"),
        ("name,quantity,price\nx,1.5,1\n", "line 2: Quantity must be a whole number"),
        ("name,quantity,price\nx,1,1\n\ny,1\n", "line 3: 3 columns are needed, 0 found\nline 4: 3 columns"),
        ("name,quantity,price\nStraße,1,1\nSTRASSE,1,1\n", "line 3: Name is the same as in line 2."),
    ],
)
def test_a_bad_file(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(MigrationError) as caught:
        read_csv(write(tmp_path, content))
    assert says in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="cannot be read"):
        read_csv(tmp_path / "none.csv")
