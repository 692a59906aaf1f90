"""A browser window, and what people do in it."""

from collections.abc import Callable
from typing import Protocol, TypedDict

from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, Request, Response
from shop_stack import wait_until
from web_stack import PASSWORD, USER

PATIENCE_MS = 30_000


class Row(TypedDict):
    """A row of the table of items, as it is read."""

    name: str
    quantity: str
    price: str


class Window:
    """A page of a context, which remembers what it asked for and the answer that its document came with.

    Args:
        context: where it opens.
        url: of the server.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        """Open it, empty."""
        self.context = context
        self.url = url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.requests: list[Request] = []
        self._document: Response | None = None
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("response", self._remember)

    def _remember(self, response: Response) -> None:
        if response.request.is_navigation_request() and not 300 <= response.status < 400:
            self._document = response

    @property
    def document(self) -> Response:
        """The answer that the document came with."""
        assert self._document, "nothing has been opened"
        return self._document

    @property
    def path(self) -> str:
        """The address, without the server."""
        url: str = self.page.url
        return url.removeprefix(self.url)

    def open(self, path: str) -> None:
        """Go to an address of the server."""
        self.page.goto(self.url + path)

    def log_in(self, password: str = PASSWORD, user: str = USER) -> None:
        """Log in on the admin page."""
        self.open("/admin/login")
        self.give_password(password, user)

    def give_password(self, password: str = PASSWORD, user: str = USER) -> None:
        """Fill in the login form that is shown, and send it."""
        self.page.get_by_label("User name").fill(user)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def search(self, text: str) -> None:
        """Search the list that is shown."""
        self.page.get_by_role("searchbox").fill(text)
        self.page.get_by_role("button", name="Search").click()

    def save(self, **values: str) -> None:
        """Fill in the admin form and send it."""
        self.fill(**values)
        self.page.get_by_role("button", name="Save").click()

    def fill(self, **values: str) -> None:
        """Type into the admin form; `mode` is chosen by its value."""
        for field, value in values.items():
            if field == "mode":
                self.page.locator(f"input[name=mode][value={value}]").check()
            else:
                self.page.locator(f"#{field}").fill(value)

    def check_file(self, content: str) -> None:
        """Let the import page check a file."""
        self.open("/admin/import")
        file: FilePayload = {"name": "items.csv", "mimeType": "text/csv", "buffer": content.encode()}
        self.page.get_by_label("CSV file").set_input_files(file)
        self.page.get_by_role("button", name="Check the file").click()

    def typed(self) -> dict[str, str]:
        """Return what stands in the admin form."""
        typed = {field: self.page.locator(f"#{field}").input_value() for field in ("name", "quantity", "price")}
        mode = self.page.locator("input[name=mode]:checked")
        return typed | ({"mode": mode.input_value()} if mode.count() else {})

    def rows(self) -> list[Row]:
        """Return the rows of the table of items; in the admin's, the name without the actions beside it."""
        cells: list[list[str]] = self.page.locator("#items tbody tr").evaluate_all(
            """rows => rows.map(row => [...row.cells].slice(0, 3).map(cell => {
                const copy = cell.cloneNode(true);
                copy.querySelectorAll('.actions').forEach(actions => actions.remove());
                return copy.textContent.replace(/\\s+/g, ' ').trim();
            }))"""
        )
        return [Row(name=name, quantity=quantity, price=price) for name, quantity, price in cells]

    def row(self, name: str) -> Locator:
        """Return the row of an item."""
        return self.page.locator("#items tbody tr").filter(has=self.page.get_by_role("rowheader", name=name))

    def reload_until(self, true: Callable[[], object], what: str, seconds: float = 15) -> None:
        """Reload until something is true: a customer's page may be a little behind."""

        def reloaded() -> object:
            self.page.reload()
            return true()

        if not true():
            wait_until(reloaded, what, seconds)


class OpenWindow(Protocol):
    """Opens a window; JavaScript is off in it unless it is asked for."""

    def __call__(self, *, url: str = ..., javascript: bool = False, width: int = 1280) -> Window:
        """Open it before a server, the shop unless another is named."""
