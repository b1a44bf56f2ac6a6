"""Serve a folder on a loopback port, and pages that note what goes wrong: what the fixtures are made of."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line of log for each."""

    def log_message(self, *arguments):
        pass


@contextmanager
def served(folder, handler=Quiet):
    """Serve a folder on a free loopback port while the block runs; gives the address without a last /."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Log:
    """What a page did that a reader should never meet."""

    page_errors: list = field(default_factory=list)
    console_errors: list = field(default_factory=list)
    bad_responses: list = field(default_factory=list)  # "404 address"
    outside: list = field(default_factory=list)  # addresses of other machines that the page asked for

    def complaints(self):
        """All of it as sentences; an empty list for a good page."""
        return (
            [f"page error: {text}" for text in self.page_errors]
            + [f"console error: {text}" for text in self.console_errors]
            + [f"bad response: {text}" for text in self.bad_responses]
            + [f"request to elsewhere: {text}" for text in self.outside]
        )


def listen(page, base):
    """Attach a Log to a page as ``page.log``. Requests that leave ``base`` are noted and never sent."""
    page.log = log = Log()

    def guard(route):
        address = route.request.url
        if address.startswith((base + "/", "data:", "blob:", "about:")):
            route.continue_()
        else:
            log.outside.append(address)
            route.abort()

    page.route("**/*", guard)
    page.on("pageerror", lambda error: log.page_errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and log.console_errors.append(message.text))
    page.on(
        "response",
        lambda answer: answer.status >= 400 and log.bad_responses.append(f"{answer.status} {answer.url}"),
    )
    return page


def settle(page):
    """Wait until the page's fonts and images are there."""
    page.wait_for_load_state("networkidle")
    page.evaluate(
        """async () => {
            await document.fonts.ready;
            document.querySelectorAll("img[loading]").forEach(image => { image.loading = "eager"; });
            const images = [...document.images].filter(image => image.src);
            await Promise.all(images.map(image => image.decode().catch(() => null)));
        }"""
    )
