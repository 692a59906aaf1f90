"""What customers and admins are promised, through the load balancer of the running lab."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable

import pytest
import requests
from lab import AdminPage, Lab

Wait = Callable[[Callable[[], bool], float], None]
_HOSTNAME = re.compile(r'id="hostname"[^>]*>([^<]+)<')


def test_the_shop_is_stocked(lab: Lab) -> None:
    page = requests.get(lab.url, timeout=10)
    assert page.status_code == 200
    assert '<table id="items"' in page.text
    total = re.search(r"(\d+) items", page.text)
    assert total
    assert int(total[1]) >= 200


def test_300_requests_reach_each_web_server_100_times(lab: Lab) -> None:
    with requests.Session() as session:
        names = Counter(_HOSTNAME.findall(session.get(lab.url, timeout=10).text)[0].strip() for _ in range(300))
    assert names == {entry["name"]: 100 for entry in lab.containers_of("web")}


def test_admin_goes_to_the_admin_web_server(lab: Lab) -> None:
    page = requests.get(f"{lab.url}/admin", timeout=10)
    assert _HOSTNAME.findall(page.text)[0].strip() == "admin"
    assert 'name="password"' in page.text


def test_a_wrong_password_lets_nobody_in(lab: Lab) -> None:
    page = AdminPage(lab.url)
    assert page.log_in(lab.credentials[0], "wrong").status_code == 401
    assert 'name="quantity"' not in page.get().text


def test_a_new_item_is_for_sale_and_a_known_one_is_updated(lab: Lab, eventually: Wait) -> None:
    admin = lab.admin()
    name = f"Zither {secrets.token_hex(4)}"

    def is_sold_as(quantity: int) -> bool:
        page = requests.get(lab.url, params={"q": name}, timeout=10).text
        table = page.partition('id="items"')[2].partition("</table>")[0]
        row = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", table))
        return f"{name} {quantity}" in row and "129.90" in row

    # What a customer sees is at most a second old.
    assert admin.save(name, "7", "129.90").ok
    eventually(lambda: is_sold_as(7), 2)
    assert admin.save(name, "9", "").ok
    eventually(lambda: is_sold_as(9), 2)
    assert admin.save(name, "20", "", mode="add").ok
    eventually(lambda: is_sold_as(29), 2)


@pytest.mark.parametrize(
    ("name", "quantity", "price", "field"),
    [
        ("", "1", "1.00", "name"),
        ("x" * 121, "1", "1.00", "name"),
        ("bell\x07", "1", "1.00", "name"),
        ("Lamp", "-1", "1.00", "quantity"),
        ("Lamp", "1.5", "1.00", "quantity"),
        ("Lamp", "1e9", "1.00", "quantity"),
        ("Lamp", "many", "1.00", "quantity"),
        ("Lamp", "1", "1.005", "price"),
        ("Lamp", "1", "1e9", "price"),
        ("Lamp", "1", "cheap", "price"),
    ],
)
def test_wrong_values_are_named_by_the_field_and_nothing_is_written(
    lab: Lab, name: str, quantity: str, price: str, field: str
) -> None:
    unique = f"{name}{secrets.token_hex(4)}" if name == "Lamp" else name
    page = lab.admin().save(unique, quantity, price)
    assert page.status_code == 422
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"|aria-invalid="true"[^>]*id="{field}"', page.text)
    assert quantity in page.text
    assert price in page.text
    assert f'<th scope="row">{unique}</th>' not in requests.get(lab.url, params={"q": unique}, timeout=10).text


def test_markup_and_emoji_in_a_name_are_data(lab: Lab) -> None:
    name = f"<b onclick=alert(1)>Tea</b> 🫖 {secrets.token_hex(4)}"
    assert lab.admin().save(name, "1", "1.00").ok
    page = requests.get(lab.url, params={"q": name}, timeout=10).text
    assert "<b onclick" not in page
    assert "&lt;b onclick=alert(1)&gt;Tea&lt;/b&gt; 🫖" in page


def test_what_services_say_of_themselves_is_not_for_the_outside(lab: Lab) -> None:
    for path in ("/metrics", "/readyz", "/healthz", "/server-status"):
        assert requests.get(f"{lab.url}{path}", timeout=10).status_code == 404


def in_the_shop(lab: Lab, name: str) -> bool:
    return f'<th scope="row">{name}' in requests.get(lab.url, params={"q": name}, timeout=10).text


def test_a_file_at_the_limit_is_planned_through_the_load_balancer_and_changes_nothing(lab: Lab) -> None:
    name = secrets.token_hex(4)
    rows = [f"{name} {number:04} {'x' * 80},1,2.50" for number in range(5000)]
    plan = lab.admin().upload("\n".join(["name,quantity,price", *rows]))
    assert plan.status_code == 200
    assert "5,000" in plan.text
    assert not in_the_shop(lab, name)


def test_an_applied_import_is_for_sale_and_in_the_export(lab: Lab, eventually: Wait) -> None:
    admin = lab.admin()
    name = f"Zither {secrets.token_hex(4)}"
    plan = admin.upload(f"name,quantity,price\n{name},12,24.90\n")
    assert not in_the_shop(lab, name)
    assert admin.apply(plan).ok
    assert f"{name},12,24.90" in admin.get("/admin/export").text.splitlines()
    eventually(lambda: in_the_shop(lab, name), 5)
