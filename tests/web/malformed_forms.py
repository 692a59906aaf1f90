"""Forms that no browser would send, or nobody in their right mind would fill in; none of them may change anything."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

MARK = "<x-mark'\">"
FORM = "application/x-www-form-urlencoded"

NAMES = ["", "   ", "\x00", "\u200b", "a\u202eb", "a\x07b", "line\u2028end", "\ufffd", "x" * 121, "🦊" * 500, "a\r\nb"]
QUANTITIES = [
    "",
    "-1",
    "+1",
    "1.5",
    "1e3",
    "0x10",
    "1 000",
    "1,0",
    "1000001",
    "9" * 400,
    "٣",
    "１",
    "NaN",
    "\x00",
    "ten",
]
PRICES = ["-1", "1e9", "2.999", "2,99", "€2", "10000000", "9" * 400, "NaN", "inf", ".5", "1.", "٣", "\x00", "0x1p3"]
CHANGES = ["", "0", "-1", "1", "1.0", "1e3", "99999999", "9" * 60, "x", "../1", "1 OR 1=1", "\x00"]
RAW = [b"\xff\xfe", b"%", b"%zz", b"csrf", b"=", b"&&&", b"csrf[]=1", b"a[b][c][d]=1", b"\x00" * 50, b'{"name": "x"}']
TYPES = [FORM, "text/plain", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "x", ""]


@dataclass(frozen=True)
class Request:
    """A request as it is put on the wire."""

    path: str
    body: bytes
    content_type: str = FORM


class Malformer:
    """Makes malformed forms; equal seeds make equal ones.

    Args:
        seed: of the choices.
        csrf: the token of the session, so that the forms get past the first check.
    """

    def __init__(self, seed: int, csrf: str) -> None:
        """Nothing is made yet."""
        self._random = random.Random(seed)  # noqa: S311  repeatable on purpose
        self._csrf = csrf

    def saving(self) -> Request:
        """A new item with something wrong in it."""
        return self._form("/admin/?q=none", self._bad_item())

    def editing(self, name: str) -> Request:
        """An item that exists is changed to something wrong."""
        old = {"old_quantity": "7", "old_price": "2.99"}
        return self._form(f"/admin/?q=none&edit={quote(name)}", {**self._bad_item(), **old})

    def deleting(self) -> Request:
        """An item that cannot exist is deleted."""
        name = self._random.choice([*NAMES, "../", "%2e%2e", "/", "?", MARK]) + self._random.choice(["", MARK, "/"])
        raw = self._random.choice(["", "%ff", "%00", "%ed%a0%80"])
        return self._form(f"/admin/delete?q=none&name={quote(name)}{raw}-", {"key": self._key()})

    def undoing(self) -> Request:
        """What was no deletion is undone."""
        change = self._random.choice([*CHANGES, MARK])
        return self._form("/admin/undo?q=none", {"change": change, "key": self._key()})

    def uploading(self) -> Request:
        """A file that cannot be imported."""
        head = self._random.choice(["name,quantity,price", "name,quantity", "\ufeffprice", MARK, "", '"'])
        line = ",".join(self._random.choice(values) for values in ([MARK, *NAMES], QUANTITIES, PRICES))
        noise = self._random.choice([b"", b"\xff", b'"', b"\x00", b"a,b,c,d\n" * 9, b"x" * 9000])
        content = f"{head}\n{line}\n".encode() + noise
        field = self._random.choice(["file", "file[]", "file[a]", "csrf", "key", ""])
        filename = self._random.choice(["items.csv", MARK.replace('"', ""), "../../etc/passwd", "", "a\x00b"])
        parts = [
            b'Content-Disposition: form-data; name="csrf"\r\n\r\n' + self._csrf.encode(),
            f'Content-Disposition: form-data; name="{field}"; filename="{filename}"\r\n\r\n'.encode() + content,
        ]
        self._random.shuffle(parts)
        end = self._random.choice([b"--\r\n", b"", b"\r\n--b"])
        body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b" + end
        return self._broken("/admin/import", Request("/admin/import", body, "multipart/form-data; boundary=b"))

    def applying(self, plan: int) -> Request:
        """A plan is applied that was never shown like this."""
        number = self._random.choice([*[str(plan)] * 6, "0", "-1", "999999", "9" * 40, "x", quote(MARK)])
        digest = self._random.choice(["", "0" * 64, "x" * 64, MARK, "\x00", "0" * 5000])
        return self._form(f"/admin/import?id={number}", {"digest": digest, "key": self._key()})

    def logging_in(self) -> Request:
        """Nobody logs in, from nowhere."""
        next_page = self._random.choice(["//example.org", "javascript:1", "/admin/\r\nX: y", MARK, "/admin/?" + MARK])
        values = {"username": self._random.choice([*NAMES, MARK]), "password": MARK, "next": next_page}
        return self._form("/admin/login", {**values, "typed_name": MARK, "typed_x": MARK})

    def _bad_item(self) -> dict[str, str]:
        values = {"name": f"Thing {MARK}", "quantity": "3", "price": "2.99", "mode": "add", "key": self._key()}
        field, bad = self._random.choice([("name", NAMES), ("quantity", QUANTITIES), ("price", PRICES)])
        value = self._random.choice(bad)
        if field != "name":
            value = self._random.choice([value or MARK, f"{MARK}{value}", f"{value}{MARK}"])
        return {**values, field: value}

    def _key(self) -> str:
        return self._random.choice(["", "0" * 32, MARK, "\x00", "f" * 4000])

    def _form(self, path: str, values: dict[str, str]) -> Request:
        return self._broken(path, Request(path, urlencode({"csrf": self._csrf, **values}).encode()))

    def _broken(self, path: str, request: Request) -> Request:
        """Break the envelope as well, now and then."""
        kind = self._random.randrange(10)
        if kind == 0:
            return Request(path, self._random.choice(RAW) + MARK.encode(), self._random.choice(TYPES))
        if kind == 1:
            return Request(path, request.body.replace(self._csrf.encode(), b"0" * 32), request.content_type)
        if kind == 2:
            return Request(path, request.body[: self._random.randrange(40)], request.content_type)
        if kind == 3:
            return Request(path, request.body, self._random.choice(TYPES[1:]))
        return request


Maker = Callable[[Malformer], Request]
