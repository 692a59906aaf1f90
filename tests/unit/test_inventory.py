"""Faults in what people set are found before anything is changed, all of them, each with its remedy."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from plugin import ROOT, load

inventory = load("filter/inventory.py")

ROLES = str(ROOT / "roles")
OPERATORS = ["192.0.2.1"]
SUBNETS = {
    "internal_subnet": "192.0.2.0/24",
    "edge_subnet": "203.0.113.0/24",
    "internal_subnet6": "2001:db8:1::/64",
    "edge_subnet6": "2001:db8:2::/64",
}
LB = SUBNETS | {
    "internal_address": "192.0.2.11",
    "edge_address": "203.0.113.11",
    "internal_address6": "2001:db8:1::11",
    "edge_address6": "2001:db8:2::11",
}
DB = SUBNETS | {"internal_address": "192.0.2.14"}


def setting_faults(**settings: object) -> list[str]:
    found: list[str] = inventory.setting_faults({"lb1": LB, "db1": DB | settings}, ROLES)
    return found


def address_faults(settings: dict[str, str], operators: list[str] = OPERATORS) -> list[str]:
    found: list[str] = inventory.address_faults({"lb1": LB, "db1": DB | settings}, operators, ROLES)
    return found


def test_a_sound_inventory_has_no_faults() -> None:
    assert setting_faults(catalogue_web_instances=3, my_own_variable=1, ansible_host="192.0.2.14") == []
    assert address_faults({}) == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("catalogue_low_stok", "catalogue_low_stock"),
        ("operator_adresses", "operator_addresses"),
        ("internal_adress", "internal_address"),
        ("harden_ssh_enable", "harden_ssh_enabled"),
    ],
)
def test_a_misspelt_setting_is_named_with_what_is_meant(written: str, meant: str) -> None:
    assert setting_faults(**{written: "x"}) == [f"{written} is no setting: write {meant}, if that is what is meant"]


def test_a_setting_of_the_catalogue_that_nothing_reads_is_refused() -> None:
    (fault,) = setting_faults(catalogue_xyz=1)
    assert "catalogue_xyz is no setting: take it out" in fault


@pytest.mark.parametrize("name", ["catalogue_admin_user", "catalogue_admin_password"])
def test_a_setting_of_before_is_refused_with_the_name_of_the_new_one(name: str) -> None:
    (fault,) = setting_faults(**{name: "open sesame"})
    assert fault.startswith(f"{name} is no longer read: give the admin in catalogue_admins instead")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("catalogue_web_instances", "three", "catalogue_web_instances has to be a whole number: write it as one"),
        ("catalogue_web_instances", True, "catalogue_web_instances has to be a whole number: write it as one"),
        ("catalogue_hsts", "maybe", "catalogue_hsts has to be either true or false: write it as one"),
        ("catalogue_server_names", "shop.example", "catalogue_server_names has to be a list: write it as one"),
        ("catalogue_server_names", [["a"]], "entry 1 of catalogue_server_names has to be a text: write it as one"),
        ("catalogue_admins", ["admin"], "catalogue_admins has to be a mapping of names to values: write it as one"),
        ("catalogue_locale", False, "catalogue_locale has to be a text: write it as one"),
        ("base_images", "online", "base_images is none of offline, official: write one of these"),
        ("catalogue_web_instances", 0, "catalogue_web_instances is less than 1: give 1 or more"),
        ("catalogue_freshness_ms", "-1", "catalogue_freshness_ms is less than 0: give 0 or more"),
        (
            "database_accounts",
            [{"name": "api", "right": {}, "password": "p"}],
            "entry 1 of database_accounts has a key 'right' that nothing reads: known are name, password, rights; "
            "entry 1 of database_accounts lacks the key 'rights': add it",
        ),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object, sentence: str) -> None:
    assert "; ".join(setting_faults(**{name: value})) == sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("catalogue_hsts", "false"),
        ("catalogue_hsts", True),
        ("catalogue_web_instances", "2"),
        ("catalogue_redis_password", 12345678),
        ("catalogue_admins", {"alice": "open sesame"}),
    ],
)
def test_a_value_as_a_command_line_gives_it_is_accepted(name: str, value: object) -> None:
    assert setting_faults(**{name: value}) == []


def test_no_value_is_shown() -> None:
    assert "sesame" not in "".join(setting_faults(catalogue_redis_password=["sesame"], catalogue_hsts="sesame"))


class _Templated(dict[str, object]):
    """Variables that are worked out when they are read, as Ansible's are."""

    def __init__(self, error: AnsibleError) -> None:
        super().__init__(catalogue_redis_password="")
        self._error = error

    def __getitem__(self, name: str) -> object:
        raise self._error


def test_a_value_that_cannot_be_worked_out_is_named() -> None:
    hostvars = {"db1": _Templated(AnsibleError("Decryption failed."))}
    assert inventory.setting_faults(hostvars, ROLES) == [
        "catalogue_redis_password cannot be worked out: Decryption failed; correct it in the inventory"
    ]


def test_a_value_made_of_a_default_is_left_to_its_role() -> None:
    hostvars = {"db1": _Templated(AnsibleUndefinedVariable("'catalogue_source_dir' is undefined"))}
    assert inventory.setting_faults(hostvars, ROLES) == []


def test_one_fault_of_all_hosts_is_named_once() -> None:
    hostvars = {host: {"catalogue_low_stock": "few"} for host in ("lb1", "db1")}
    assert len(inventory.setting_faults(hostvars, ROLES)) == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"internal_address": "192.0.3.14"},
            "internal_address of 'db1' is 192.0.3.14, which lies outside internal_subnet 192.0.2.0/24: "
            "correct one of them",
        ),
        (
            {"internal_address6": "2001:db8:2::14"},
            "internal_address6 of 'db1' is 2001:db8:2::14, which lies outside internal_subnet6 2001:db8:1::/64: "
            "correct one of them",
        ),
        (
            {"internal_address": "192.0.2.255"},
            "internal_address of 'db1' is 192.0.2.255, which stands for the whole of internal_subnet 192.0.2.0/24: "
            "write another address",
        ),
        (
            {"internal_address": "192.0.2.11"},
            "internal_address of 'db1' and internal_address of 'lb1' are both 192.0.2.11: "
            "give one of them another address",
        ),
        (
            {"edge_address6": "203.0.113.14"},
            "edge_address6 of 'db1' is '203.0.113.14', which is no IPv6 address: "
            "write the address alone, without a prefix",
        ),
        (
            {"internal_address": "192.0.2.14/24"},
            "internal_address of 'db1' is '192.0.2.14/24', which is no IPv4 address: "
            "write the address alone, without a prefix",
        ),
        (
            {"internal_address": "127.0.0.1"},
            "internal_address of 'db1' is 127.0.0.1, by which no other host reaches it: "
            "write the address of its network interface",
        ),
        (
            {"edge_subnet": "192.0.2.128/25"},
            "internal_subnet 192.0.2.0/24 and edge_subnet 192.0.2.128/25 overlap: give one of them another subnet",
        ),
        (
            {"internal_subnet": "192.0.2.14"},
            "internal_subnet is '192.0.2.14', which has no room for two hosts: "
            "write its first address and its length, as 192.0.2.0/24",
        ),
        (
            {"edge_subnet": "203.0.113.9/24"},
            "edge_subnet is '203.0.113.9/24', which is no subnet: "
            "write its first address and its length, as 192.0.2.0/24",
        ),
        (
            {"docker_host_bridge_address": "203.0.113.1/24"},
            "edge_subnet 203.0.113.0/24 and docker_host_bridge_address 203.0.113.0/24 overlap: "
            "give one of them another subnet",
        ),
    ],
)
def test_addresses_and_subnets_that_contradict_each_other_are_refused(settings: dict[str, str], sentence: str) -> None:
    assert address_faults(settings) == [sentence]


def test_a_host_in_dockers_default_pool_is_refused_though_no_subnet_is_given() -> None:
    hostvars = {"db1": {"internal_address": "172.31.4.4"}}
    assert inventory.address_faults(hostvars, OPERATORS, ROLES) == [
        "internal_address of 'db1' is 172.31.4.4, which Docker would take for its containers: "
        "set docker_host_address_pool to a subnet that is free"
    ]


@pytest.mark.parametrize(
    ("operators", "sentence"),
    [
        ([], "operator_addresses is empty: name the address you deploy from"),
        (["my.laptop"], "holds 'my.laptop', which is no address and no subnet: write it as 192.0.2.10"),
        (["172.31.0.9"], "operator_addresses holds 172.31.0.9, which Docker would take for its containers"),
    ],
)
def test_operators_who_would_be_locked_out_are_named(operators: list[str], sentence: str) -> None:
    (fault,) = address_faults({}, operators)
    assert sentence in fault
