"""A link to a Studio with a token, in a page of another site such as a chat: a browser decides what it sends along."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chromium import OpenPage
    from shop_store import Shop
    from studio_process import StartStudio

TOKEN = "0123456789abcdef0123"
ROWS = "table.rows"


@contextmanager
def chat(*links: str) -> Iterator[str]:
    """The address of a page of another site, as `localhost` is for `127.0.0.1`, that has links."""
    content = "".join(f'<a href="{one}">link {at}</a>' for at, one in enumerate(links)).encode()

    class Chat(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(content if self.path == "/" else b"")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_links_of_another_site_open_the_page(
    start_studio: StartStudio, shop_store: Shop, tmp_path: Path, open_page: OpenPage
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    studio = start_studio(shop_store.root, "--token-file", str(file))
    place = "#/explore/shop/blue?since=-7d"
    with chat(f"{studio.origin}/?token={TOKEN}{place}", f"{studio.origin}/{place}") as address:
        watched = open_page(address)
        page = watched.page
        for link in ("link 0", "link 1", "link 0"):  # with the token, with the cookie, and with both
            page.goto(address)
            page.get_by_role("link", name=link).click()
            watched.settle(ROWS)
            expect(page).to_have_title("Explore shop/blue · Studio")
            assert page.url == f"{studio.origin}/{place}"
