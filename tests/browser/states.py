"""Every state that a page can be in, and how to get there."""

from collections.abc import Callable
from dataclasses import dataclass

from full_stack import FullStack
from window import Window

Reach = Callable[[Window, FullStack], None]

WRONG = {"name": "Lamp", "quantity": "-3", "price": "2.999", "mode": "add"}
FAULTY = "name,quantity,price\nBread tin,-1,2.50\nLamp,1,2.999\nLamp,2,3.00\n,1,1.00\n"
READY = "name,quantity,price\nBread tin,77,12.50\nBread crock,4,31.00\n"
ATTEMPTS = 40


@dataclass(frozen=True)
class State:
    """A state of a page.

    Args:
        name: what pictures of it are called.
        says: what can be read there.
        reach: brings a window there.
        outage: what is down meanwhile, by the keys of OUTAGES.
        status: of the answer.
        lost: it is a web server's that has never reached an API.
    """

    name: str
    says: str
    reach: Reach
    outage: str = ""
    status: int = 200
    lost: bool = False


STATES: list[State] = []


def state(name: str, says: str, outage: str = "", status: int = 200, lost: bool = False) -> Callable[[Reach], Reach]:
    """Register what reaches a state."""

    def register(reach: Reach) -> Reach:
        STATES.append(State(name, says, reach, outage, status, lost))
        return reach

    return register


def address(name: str, path: str, says: str, outage: str = "", status: int = 200, lost: bool = False) -> None:
    """Register a state that an address leads to."""
    state(name, says, outage, status, lost)(lambda window, _: window.open(path))


def admin_address(name: str, path: str, says: str, outage: str = "", status: int = 200) -> None:
    """Register a state that an address of the admin page leads to."""

    def reach(window: Window, _: FullStack) -> None:
        window.log_in()
        window.open(path)

    state(name, says, outage, status)(reach)


address("shop-items", "/", "1–50 of 2")
address("shop-sorted-page-2-of-25", "/?sort=price&dir=desc&page=2&size=25", "26–50 of 2")
address("shop-out-of-stock-first", "/?sort=quantity&size=25", "Out of stock")
address("shop-search", "/?q=knife", "matching “knife”")
address("shop-search-without-hits", "/?q=no+such+thing", "No item matches “no such thing”")
address("shop-page-beyond", "/?page=99", "There is no page 99")
address("shop-no-such-page", "/nowhere", "Page not found", status=404)
address("shop-nothing-known", "/", "We’ll be right back", status=503, lost=True)
address("shop-database-down", "/", "may be out of date", outage="mysql")
address("shop-apis-down", "/", "may be out of date", outage="apis")
address("shop-empty", "/", "Nothing for sale yet", outage="empty")


@state("shop-extreme-values", "1–2 of 2")
def _(window: Window, stack: FullStack) -> None:
    stack.admin.put("W" * 120, quantity=1_000_000, price="9999999.99")
    stack.admin.put("WWW " * 28 + "مصباح 🫖", quantity=0, price="0.00")
    window.open("/?q=WWW")


address("admin-login", "/admin/login", "Log in")
admin_address("admin-items", "/admin/?size=25", "1–25 of 2")
admin_address("admin-search", "/admin/?q=knife", "matching “knife”")
admin_address("admin-search-without-hits", "/admin/?q=no+such+thing", "No item matches “no such thing”")
admin_address("admin-empty", "/admin/", "Nothing for sale yet", outage="empty")
admin_address("admin-edit", "/admin/?q=knife&edit=Bread+knife%2C+serrated", "Edit “Bread knife, serrated”")
admin_address("admin-edit-what-is-gone", "/admin/?edit=no+such+thing", "There is no item “no such thing”", status=404)
admin_address("admin-delete", "/admin/delete?name=Bread+knife%2C+serrated", "Delete “Bread knife, serrated”?")
admin_address("admin-no-such-page", "/admin/nowhere", "Page not found", status=404)
admin_address("admin-import", "/admin/import", "Import a file")
admin_address("admin-changes-end", "/admin/changes?before=1", "There is nothing older")
admin_address("admin-database-down", "/admin/", "Nothing can be saved right now", outage="mysql", status=503)
admin_address("admin-apis-down", "/admin/", "The items cannot be shown", outage="apis", status=503)
admin_address("admin-changes-apis-down", "/admin/changes", "The log cannot be shown", outage="apis", status=503)


@state("admin-login-wrong-password", "User name or password is wrong", status=401)
def _(window: Window, _: FullStack) -> None:
    window.log_in("wrong")


@state("admin-login-throttled", "Too many log-ins have failed", status=429)
def _(window: Window, stack: FullStack) -> None:
    window.open("/admin/login")
    for _ in range(ATTEMPTS):
        window.give_password("wrong")
        if window.document.status != 401:
            break
    stack.webs["admin"].execute("sh", "-c", "rm /tmp/login-throttle")


@state("admin-saved", "“Saved lamp” was")
def _(window: Window, _: FullStack) -> None:
    window.log_in()
    window.save(name="Saved lamp", quantity="3", price="24.50")


@state("admin-wrong-values", "Nothing was saved", status=422)
def _(window: Window, _: FullStack) -> None:
    window.log_in()
    window.save(**WRONG)


@state("admin-session-run-out", "what you typed is kept", status=401)
def _(window: Window, _: FullStack) -> None:
    window.log_in()
    window.context.clear_cookies()
    window.save(**WRONG)


@state("admin-logged-in-again", "Check what you typed")
def _(window: Window, _: FullStack) -> None:
    window.log_in()
    window.context.clear_cookies()
    window.save(**WRONG)
    window.give_password()


@state("admin-save-while-the-database-is-down", "What you typed is still in the form", outage="mysql", status=503)
def _(window: Window, _: FullStack) -> None:
    window.log_in()
    window.save(name="Lamp", quantity="3", price="24.50")
    assert window.typed()["name"] == "Lamp"


def _deleted(window: Window, stack: FullStack) -> None:
    stack.admin.put("Deleted lamp", quantity=3, price="24.50")
    window.log_in()
    window.open("/admin/delete?name=Deleted+lamp")
    window.page.get_by_role("button", name="Delete").click()


@state("admin-deleted", "“Deleted lamp” was deleted")
def _(window: Window, stack: FullStack) -> None:
    _deleted(window, stack)


@state("admin-undone", "“Deleted lamp” is back")
def _(window: Window, stack: FullStack) -> None:
    _deleted(window, stack)
    window.page.get_by_role("button", name="Undo").click()


@state("admin-changes", "was deleted")
def _(window: Window, stack: FullStack) -> None:
    _deleted(window, stack)
    window.open("/admin/changes")


@state("admin-import-not-a-catalogue", "Nothing was changed", status=422)
def _(window: Window, _: FullStack) -> None:
    window.log_in()
    window.check_file("no,such,columns\n1,2,3\n")


@state("admin-import-faulty", "Nothing is imported as long as the file has faults")
def _(window: Window, _: FullStack) -> None:
    window.log_in()
    window.check_file(FAULTY)


@state("admin-import-ready", "To be changed")
def _(window: Window, stack: FullStack) -> None:
    stack.admin.put("Bread tin", quantity=3, price="12.50")
    window.log_in()
    window.check_file(READY)


@state("admin-import-applied", "log of changes")
def _(window: Window, stack: FullStack) -> None:
    stack.admin.put("Bread tin", quantity=3, price="12.50")
    window.log_in()
    window.check_file(READY)
    window.page.get_by_role("button", name="Apply").click()
