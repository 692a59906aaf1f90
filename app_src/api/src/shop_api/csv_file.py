"""The catalogue as a CSV file (RFC 4180, UTF-8): name, quantity, price."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from shop_api.documents import Fault
from shop_api.validation import CsvRow, Item, field_errors, normalise

COLUMNS = ["name", "quantity", "price"]


class CsvError(Exception):
    """The file is not the CSV of a catalogue at all; the message says why, for people."""


@dataclass
class CsvFile:
    """What is in a file; rows are known by the line they begin in.

    Attributes:
        count: how many rows there are, good or bad; empty lines are none.
        rows: the good ones.
        names: the names, also of rows in which something else is wrong.
        faults: what is wrong with the others.
    """

    count: int = 0
    rows: dict[int, CsvRow] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, line: int, values: list[str]) -> None:
        """Judge a row and take it in.

        Args:
            line: the line that it begins in.
            values: its columns.
        """
        self.count += 1
        if len(values) != len(COLUMNS):
            message = f"{len(COLUMNS)} columns are needed, {len(values)} found."
            self.faults.append(Fault(line=line, message=message))
            return
        try:
            row = CsvRow.model_validate(dict(zip(COLUMNS, values, strict=True)))
        except ValidationError as error:
            errors = field_errors(error)
            self.faults += [Fault(line=line, message=fault["message"]) for fault in errors]
            if "name" not in {fault["field"] for fault in errors}:
                self.names[line] = normalise(values[0])
        else:
            self.rows[line], self.names[line] = row, row.name


def parse(content: bytes, most: int | None = None) -> CsvFile:
    """Read a file, with or without a byte order mark, whatever ends its lines.

    Args:
        content: the bytes of the file.
        most: how many rows it may have.

    Returns:
        Its rows and what is wrong with them, apart from names that are equal: only MySQL can tell.

    Raises:
        CsvError: it is not UTF-8, is no CSV, has other columns or too many rows.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CsvError(f"Line {line} is not UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    file, line = CsvFile(), 1
    try:
        if next(reader, None) != COLUMNS:
            raise CsvError(f"The first line must be {','.join(COLUMNS)}.")
        line = reader.line_num + 1
        for values in reader:
            if values:
                file.add(line, values)
            if most is not None and file.count > most:
                raise CsvError(f"A file must have at most {most:,} rows.")
            line = reader.line_num + 1
    except csv.Error as error:
        raise CsvError(f"The row that begins in line {line} is not CSV: {error}.") from None
    return file


def render(items: Iterable[Item]) -> bytes:
    """Write a file that `parse` reads.

    Args:
        items: what to write.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(item.model_dump().values() for item in items)
    return text.getvalue().encode()
