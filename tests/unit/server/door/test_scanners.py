"""Which paths only scanners ask for, and that none of them is ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kits.world import open_world

from watchword.server.door.scanners import is_scanner_path

PROBES = (
    "/.env",
    "/.ENV",
    "/%2eenv",
    "/%252eenv",
    "/.env.production",
    "/app/.env",
    "/.git/config",
    "/.git/",
    "//.git/HEAD",
    "/%2egit%2fconfig",
    "\\.git\\config",
    "/.gitignore",
    "/wp-login.php",
    "/WP-Login.PHP",
    "/blog/wp-admin/",
    "/wp-config.php.bak",
    "/index.php",
    "/index.php;x=1",
    "/index.php%00.html",
    "/api/x.php",
    "/xmlrpc.php",
    "/actuator",
    "/actuator/health",
    "/cgi-bin/luci/;stok=/locale",
    "/phpMyAdmin-5.2/",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/server-status",
    "/../../etc/passwd",
    "/assets/..%2f..%2fetc/passwd",
    "/backup.zip",
    "/dump.sql",
    "/owa/auth/logon.aspx",
    "/boaform/admin/formLogin",
    "/HNAP1/",
    "/" + "a" * 5000 + "/.env",
    "/.env/" + "a" * 5000,
)
INNOCENT = (
    "/",
    "/login",
    "/api/logins",
    "/api/sessions/ses_0",
    "/favicon.ico",
    "/robots.txt",
    "/sitemap.xml",
    "/.well-known/security.txt",
    "/.well-known/change-password",
    "/apple-touch-icon.png",
    "/assets/old.css",
    "/environment",
    "/gitea",
    "/documents/report.pdf",
    "/api/.environment",
    "/%",
    "/%zz",
)


@pytest.mark.parametrize("path", PROBES)
def test_what_only_scanners_ask_for_is_known_in_every_spelling(path: str):
    assert is_scanner_path(path.encode())


@pytest.mark.parametrize("path", INNOCENT)
def test_what_people_and_browsers_ask_for_is_not(path: str):
    assert not is_scanner_path(path.encode())


@pytest.mark.anyio
async def test_no_path_of_ours_is_a_scanners(tmp_path):
    async with open_world(tmp_path / "data", pages__styleguide="true", pages__password_form="true") as world:
        paths = [route.path for route in (*world.services.routes, *world.services.page_routes)]
    found = [*paths, "/health/live", "/health/ready"]
    assert len(found) > 20
    assert not [path for path in found if is_scanner_path(path.encode())]


@given(st.binary(max_size=2000))
def test_any_bytes_are_judged(path: bytes):
    assert is_scanner_path(path) in {True, False}
