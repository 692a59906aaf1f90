"""The description that is served: valid, and of exactly the routes that there are."""

import json
import re
from typing import Any, cast

import pytest
from flask import Flask
from keyed import SERVICE_KEY, keyed
from openapi_spec_validator import OpenAPIV31SpecValidator
from shop_api import openapi
from shop_api.app import create_app
from shop_api.cache import Cache
from shop_api.catalogue import Catalogue
from shop_api.db import Database
from shop_api.settings import Mode

METHODS = {"get", "put", "post", "patch", "delete"}


def make_app(mode: Mode) -> Flask:
    # Nothing of either is used to describe the routes.
    return create_app(mode, Catalogue(cast(Database, None), cast(Cache, None)), SERVICE_KEY)


def described(app: Flask) -> Any:  # noqa: ANN401
    reply = keyed(app).get("/openapi.json")
    assert (reply.status_code, reply.mimetype) == (200, "application/json")
    return json.loads(reply.data)


def operations(document: Any) -> set[tuple[str, str]]:  # noqa: ANN401
    return {(path, method) for path, item in document["paths"].items() for method in item if method in METHODS}


@pytest.mark.parametrize("mode", list(Mode))
def test_it_is_valid(mode: Mode) -> None:
    document = described(make_app(mode))
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.parametrize("mode", list(Mode))
def test_it_describes_each_route_and_no_other(mode: Mode) -> None:
    app = make_app(mode)
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert operations(described(app)) == routes


def test_each_api_describes_its_own() -> None:
    read, admin = (described(make_app(mode)) for mode in (Mode.READ, Mode.ADMIN))
    assert {method for _, method in operations(read)} == {"get"}
    assert operations(read) < operations(admin)
    assert set(openapi.OPERATIONS) == set(make_app(Mode.ADMIN).view_functions)
    assert read["info"]["title"] != admin["info"]["title"]


@pytest.mark.parametrize("mode", list(Mode))
def test_all_but_a_probe_needs_the_key(mode: Mode) -> None:
    document = described(make_app(mode))
    [name] = document["security"][0]
    assert document["components"]["securitySchemes"][name]["name"] == "X-Service-Key"
    without = {
        (path, method) for path, method in operations(document) if document["paths"][path][method].get("security") == []
    }
    refusing = {
        (path, method) for path, method in operations(document) if "401" in document["paths"][path][method]["responses"]
    }
    assert without == {("/healthz", "get")}
    assert refusing == operations(document) - without


def test_a_route_of_which_nothing_is_said_is_refused() -> None:
    app = make_app(Mode.READ)
    app.add_url_rule("/secret", "reads.secret", lambda: "")
    with pytest.raises(KeyError):
        openapi.document(app, Mode.READ)


@pytest.mark.parametrize("mode", list(Mode))
def test_each_operation_says_what_it_takes_and_answers(mode: Mode) -> None:
    document = described(make_app(mode))
    for path, method in operations(document):
        operation = document["paths"][path][method]
        assert operation["summary"].endswith(".")
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert set(re.findall(r"{(\w+)}", path)) <= names
        reads = operation["tags"] != ["operations"] and method == "get"
        assert (method != "get") == ({"Idempotency-Key", "X-Actor"} <= names)
        assert reads == ("If-None-Match" in names)
        assert ("requestBody" in operation) == (
            method in ("put", "patch") or path in ("/imports", "/imports/{import_id}/apply")
        )
        for status, response in operation["responses"].items():
            if status == "414":
                continue
            assert "X-Request-ID" in response["headers"]
            content = set(response.get("content", {}))
            if int(status) >= 400 and path != "/readyz":
                assert content == {"application/problem+json"}
            if reads and int(status) < 400:
                assert {"ETag", "X-Cache", "Cache-Control"} <= set(response["headers"])
    parameters = {parameter["name"]: parameter for parameter in document["paths"]["/items"]["get"]["parameters"]}
    assert set(parameters) == {"q", "sort", "dir", "page", "size", "cursor", "If-None-Match"}
    assert parameters["size"]["schema"]["maximum"] == 100
    assert parameters["sort"]["schema"]["enum"] == ["name", "price", "quantity"]


def test_a_name_is_given_in_the_path_only() -> None:
    schemas = described(make_app(Mode.ADMIN))["components"]["schemas"]
    assert set(schemas["PutItem"]["properties"]) == {"quantity", "price", "mode"}
    assert schemas["PutItem"]["required"] == ["quantity"]
    assert schemas["PatchItem"]["minProperties"] == 1


def test_money_is_text_everywhere() -> None:
    schemas = described(make_app(Mode.ADMIN))["components"]["schemas"]
    prices = {
        name: schema["properties"]["price"] for name, schema in schemas.items() if "price" in schema["properties"]
    }
    assert set(prices) == {"Item", "PatchItem", "PutItem", "ShownItem", "Values"}
    assert "number" not in json.dumps(prices)
