"""Lighthouse gives full marks. What costs marks for plain http alone is named, audit by audit."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from full_stack import FullStack
from inspection import CHROMIUM, FLAGS, TOOLS
from window import Window

ALL = ("performance", "accessibility", "best-practices", "seo")
# Behind the load balancer's plain http, whoever puts TLS in front gets these too.
HTTP_ONLY = {"is-on-https"}
# The admin page says itself that it is not to be found.
HIDDEN = {"is-crawlable"}
SHOP, LOGIN, STOCK = "/", "/admin/login", "/admin/?q=knife"
# What it says when the browser's trace of a page has nothing in it to judge the page by.
NOT_MEASURED = "Please run Lighthouse again."
ATTEMPTS = 3


def lighthouse(url: str, artefact: Path, cookies: str) -> dict[str, Any]:
    """Run it, keep what it says for people beside what it says for programs, and return the latter."""
    artefact.parent.mkdir(parents=True, exist_ok=True)
    flags = " ".join(["--headless=new", *FLAGS])
    command = [
        *("node", str(TOOLS / "lighthouse" / "cli" / "index.js"), url, "--quiet", "--no-enable-error-reporting"),
        *(f"--chrome-flags={flags}", "--output=json", "--output=html", f"--output-path={artefact}"),
        *(f"--only-categories={','.join(ALL)}", f"--extra-headers={json.dumps({'Cookie': cookies})}"),
    ]
    for _ in range(ATTEMPTS):
        run = subprocess.run(
            command,
            env=os.environ | {"CHROME_PATH": CHROMIUM},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if NOT_MEASURED not in run.stderr:
            break
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(artefact.with_suffix(".report.json").read_text())
    return result


@pytest.mark.parametrize(("name", "path"), [("shop", SHOP), ("admin-login", LOGIN), ("admin-stock", STOCK)])
def test_lighthouse_finds_nothing(name: str, path: str, stack: FullStack, admin: Window, artefacts: Path) -> None:
    cookies = "" if path == LOGIN else "; ".join(f"{c['name']}={c['value']}" for c in admin.context.cookies())
    result = lighthouse(stack.url + path, artefacts / "lighthouse" / name, cookies)
    audits = result["audits"]
    assert result["finalDisplayedUrl"] == stack.url + path
    # Marks for speed go up and down with the machine; what they are made of does not.
    scored = [category for category in ALL if category != "performance"]
    failed = {
        reference["id"]
        for category in scored
        for reference in result["categories"][category]["auditRefs"]
        if reference["weight"] and audits[reference["id"]]["score"] not in {1, None}
    }
    assert failed - HTTP_ONLY == (set() if path == SHOP else HIDDEN)
    for category in scored:
        if failed.isdisjoint(reference["id"] for reference in result["categories"][category]["auditRefs"]):
            assert result["categories"][category]["score"] == 1, category
    assert audits["cumulative-layout-shift"]["numericValue"] == 0
    resources = audits["network-requests"]["details"]["items"]
    assert sorted(item["resourceType"] for item in resources if item["url"].startswith("http")) == [
        "Document",
        "Stylesheet",
    ]
