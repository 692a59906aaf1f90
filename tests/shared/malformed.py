"""What nobody should be able to write: names, amounts, headers, documents and files that are not valid.

Everything is drawn from the `Random` that is given, so that a seed names the same inputs every time.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple
from urllib.parse import quote_from_bytes

MARKUP = "<script>alert(1)</script>"
CONTROLS = [
    chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), 0x2066, 0x2069)
]
LETTERS = "abcXYZ éß日本👩 0123456789.,-+%_/\\'\"<>&;"

JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}


class Malformed(NamedTuple):
    """A request that is not valid."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


def junk(random: Random, longest: int = 12) -> str:
    """Return some text."""
    return "".join(random.choices(LETTERS, k=random.randint(1, longest)))


def bad_name(random: Random) -> str:
    """Return a text that is no name of an item."""
    kind = random.randrange(4)
    if kind == 0:
        return random.choice([" ", "\u00a0", "\u200d", "\ufe0f", "\u3000"]) * random.randint(1, 5)
    if kind == 1:
        return random.choice("aé日") * random.randint(121, 200)
    place = random.choice(CONTROLS) if kind == 2 else "\ufffd"
    return f"{random.choice([MARKUP, junk(random)])}{place}{junk(random)}"


def bad_quantity(random: Random) -> str:
    """Return a text that is no quantity."""
    number = random.randint(0, 10**6)
    made = [
        f"-{number + 1}",
        f"{number}.5",
        f"{number}e3",
        f"0x{number:x}",
        f"{number + 10**6 + 1}",
        f"{number}{MARKUP}",
    ]
    fixed = ["NaN", "Infinity", "null", "true", "٣", "9" * 400, MARKUP, "1,000", "1_000", "' OR 1=1 --"]
    return random.choice([*made, *fixed])


def bad_price(random: Random) -> str:
    """Return a text that is no price."""
    amount = random.randint(0, 10**6)
    made = [
        f"-{amount}.50",
        f"{amount}.123",
        f"{amount}e2",
        f"{amount}.",
        f".{amount}",
        f"{amount},50",
        f"{amount + 10**7}",
    ]
    return random.choice([*made, "NaN", "-0", "٣", "1.2.3", MARKUP, "9" * 300, "1 000.00", "$5"])


def bad_value(random: Random) -> object:
    """Return a JSON value that is neither a quantity nor a price nor a mode."""
    values = [None, True, [], {}, 1.5, -1, 10**30, float("nan"), [1], {"a": 1}, "\ud800", "", bad_quantity(random)]
    return random.choice([value for value in values if value is not None])


def bad_headers(random: Random) -> dict[str, str]:
    """Return headers of a write that are not valid."""
    if random.random() < 0.5:
        return {"Idempotency-Key": random.choice(["", "a b", "x" * random.randint(201, 300), "\xfc", "\xa0"])}
    return {"X-Actor": random.choice(["", "Admin", "-a", "a b", "a" * random.randint(33, 60), MARKUP, "\xe9", "a;b"])}


def bad_document(random: Random) -> bytes:
    """Return bytes that are no JSON object."""
    kind = random.randrange(5)
    if kind == 0:
        return random.randbytes(random.randint(0, 40)) + b"\xff"
    if kind == 1:
        whole = json.dumps({"quantity": random.randint(0, 100), "price": "1.00", junk(random): junk(random)}).encode()
        return whole[: random.randrange(len(whole))]
    if kind == 2:
        return json.dumps(random.choice([[], [1], 1, "text", None, True, [{}]])).encode()
    if kind == 3:
        return b'{"quantity": 1, "price": "1"}' + random.choice([b"}", b"{", b",", b" x", b"\x00"])
    return random.choice([b"[", b'{"a":']) * random.randint(1, 3000)


def bad_item(random: Random) -> dict[str, object]:
    """Return the fields of an item, at least one of which is not valid."""
    fields: dict[str, object] = {"quantity": random.randint(0, 100), "price": f"{random.randint(0, 100)}.50"}
    kind = random.randrange(4)
    if kind == 0:
        fields["quantity"] = random.choice([bad_quantity(random), bad_value(random), str(random.randint(0, 100))])
    elif kind == 1:
        fields["price"] = random.choice([bad_price(random), random.randint(0, 100), random.random(), [], {}])
    elif kind == 2:
        fields[random.choice(["colour", "id", "__proto__", MARKUP, "Quantity", "revision", ""])] = junk(random)
    else:
        fields["quantity"] = -random.randint(1, 10**9)
        fields["price"] = bad_price(random)
    return fields


def bad_csv(random: Random) -> bytes:
    """Return bytes that are no catalogue file at all."""
    kind = random.randrange(5)
    header, row = b"name,quantity,price\n", f"{junk(random)},1,1.00\n".encode()
    if kind == 0:
        return random.choice([b"name,price,quantity\n", b"name;quantity;price\n", b"", b"\n", b"Name\n"]) + row
    if kind == 1:
        return header + row + random.randbytes(random.randint(1, 30)) + b"\xff\n"
    if kind == 2:
        return header + b'"never closed,1,1.00\n'
    if kind == 3:
        return random.randbytes(random.randint(1, 200)) + b"\xfe"
    return b"\xff\xfe" + (header + row).decode().encode("utf-16-le")


def bad_rows(random: Random) -> bytes:
    """Return a catalogue file, at least one row of which is not valid."""
    good = f"{random.randrange(10**9)} thing,1,1.00"
    row = [f"x{random.randrange(10**9)}", "1", "1.00"]
    place = random.randrange(3)
    row[place] = (random.choice(["", " ", "x" * 121, "a\x07"]), bad_quantity(random), bad_price(random))[place]
    if random.random() < 0.3:
        row = row[: random.randint(1, 2)] if random.random() < 0.5 else [*row, "more"]
    text = ",".join('"{}"'.format(cell.replace('"', '""')) for cell in row)
    return f"name,quantity,price\n{good}\n{text}\n".encode()


def segment(text: str) -> str:
    """Return a text as a segment of a path, bad characters and all."""
    return quote_from_bytes(text.encode(errors="surrogatepass"), safe="")


def bad_put(random: Random) -> Malformed:
    """Return a PUT of an item that is not valid."""
    good = json.dumps({"quantity": 1, "price": "1.00"}).encode()
    name = f"Fine {random.randrange(10**9)}"
    kind = random.randrange(6)
    if kind == 0:
        return Malformed("PUT", f"/items/{segment(bad_name(random))}", JSON, good)
    if kind == 1:
        return Malformed("PUT", f"/items/{segment(name)}", JSON, bad_document(random))
    if kind == 2:
        return Malformed("PUT", f"/items/{segment(name)}", {**JSON, **bad_headers(random)}, good)
    if kind == 3:
        return Malformed(
            "PUT", f"/items/{segment(name)}", {"Content-Type": random.choice(["", "text/plain", "x"])}, good
        )
    if kind == 4:
        return Malformed("PUT", f"/items/a%{random.choice(['FF', 'C3', 'ED%A0%80'])}b", JSON, good)
    return Malformed("PUT", f"/items/{segment(name)}", JSON, json.dumps(bad_item(random)).encode())


def bad_patch(random: Random, name: str) -> Malformed:
    """Return a PATCH that is not valid, of an item that there is."""
    path = f"/items/{segment(name)}"
    kind = random.randrange(5)
    if kind == 0:
        return Malformed("PATCH", path, JSON, json.dumps({"name": bad_name(random), "quantity": 1}).encode())
    if kind == 1:
        return Malformed("PATCH", path, JSON, bad_document(random))
    if kind == 2:
        return Malformed("PATCH", path, {**JSON, **bad_headers(random)}, b'{"quantity": 77}')
    if kind == 3:
        field = random.choice(["quantity", "price", "name"])
        return Malformed("PATCH", path, JSON, json.dumps({field: random.choice([None, [], {}, True, 1.5])}).encode())
    return Malformed("PATCH", path, JSON, json.dumps(bad_item(random)).encode())


def bad_delete(random: Random, name: str) -> Malformed:
    """Return a DELETE that is not valid, or of nothing."""
    if random.random() < 0.5:
        return Malformed("DELETE", f"/items/{segment(name)}", bad_headers(random), None)
    return Malformed("DELETE", f"/items/{segment(bad_name(random))}", {}, None)


def _bad_id(random: Random) -> str:
    made = [str(random.randint(10**6, 10**18 - 1)), str(random.randint(10**18, 10**40)), f"-{random.randint(0, 99)}"]
    return random.choice([*made, "0", "01", "1.0", "1e3", "x", segment(MARKUP), segment(bad_name(random)), "%00", "٣"])


def bad_undo(random: Random, change: int) -> Malformed:
    """Return an undo that is not valid, or of nothing."""
    if random.random() < 0.5:
        return Malformed("POST", f"/changes/{change}/undo", bad_headers(random), None)
    return Malformed("POST", f"/changes/{segment(_bad_id(random))}/undo", {}, None)


def bad_import(random: Random) -> Malformed:
    """Return an import that is not valid, or that is of bad rows."""
    kind = random.randrange(4)
    if kind == 0:
        wrong = random.choice(["", "text/plain", "application/json", "text/csv; charset=utf-16"])
        return Malformed("POST", "/imports", {"Content-Type": wrong}, b"name,quantity,price\nFine,1,1\n")
    if kind == 1:
        return Malformed("POST", "/imports", {**CSV, **bad_headers(random)}, b"name,quantity,price\nFine,1,1\n")
    return Malformed("POST", "/imports", CSV, bad_csv(random) if kind == 2 else bad_rows(random))


def bad_apply(random: Random, import_id: int, digest: str) -> Malformed:
    """Return the application of an import that is not valid, or not of the plan with this digest."""
    path, good = f"/imports/{import_id}/apply", json.dumps({"digest": digest}).encode()
    kind = random.randrange(5)
    if kind == 0:
        return Malformed("POST", f"/imports/{segment(_bad_id(random))}/apply", JSON, good)
    if kind == 1:
        return Malformed("POST", path, JSON, bad_document(random))
    if kind == 2:
        return Malformed("POST", path, {**JSON, **bad_headers(random)}, good)
    if kind == 3:
        other = f"{random.getrandbits(255):064x}"
        wrong = random.choice([other, digest.upper() + "g", digest[:-1], digest + "\n", "", None, 1, [digest], MARKUP])
        return Malformed("POST", path, JSON, json.dumps({"digest": wrong}).encode())
    return Malformed("POST", path, JSON, json.dumps({"digest": digest, junk(random): 1}).encode())


def many(make: Callable[[Random], Malformed], number: int, seed: int) -> Iterator[Malformed]:
    """Yield that many requests."""
    random = Random(seed)  # noqa: S311  no secrets are made of it
    for _ in range(number):
        yield make(random)
