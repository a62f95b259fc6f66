"""A real browser on a console that is served on this machine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from starlette.types import ASGIApp

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]
PICTURES = "https://pictures.example/**"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an app on a free port of this machine; yields its origin."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class Visitor:
    """A page of a browser that notes what must not happen: errors, and requests elsewhere."""

    def __init__(self, browser: Browser, origin: str, **options: object) -> None:
        self.context: BrowserContext = browser.new_context(base_url=origin, **options)  # type: ignore[arg-type]
        self.context.route(PICTURES, _pixel)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda said: self._note(said.type, said.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._follow(request.url, origin))

    def open(self, path: str) -> Page:
        """Open a page, and wait until nothing on it is being worked out any more."""
        self.page.goto(path)
        expect(self.page.locator("#pending")).to_have_count(0)
        return self.page

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return wider

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.errors.append(text)

    def _follow(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "https://pictures.example/", "data:")):
            self.elsewhere.append(url)


def _pixel(route: Route) -> None:
    route.fulfill(body=PIXEL, content_type="image/png")
