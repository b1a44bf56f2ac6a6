"""Where a Firefox stands on this machine, and one that a test drives. As a command: prints the path, or exits with 1.

Playwright drives builds of its own alone, so a system's Firefox is spoken to by Marionette, which each has built in:
commands and answers in JSON, each after its length and a colon.   [firefox-source-docs.mozilla.org, testing/marionette]
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

NAMES = ("firefox-esr", "firefox")
MISSING = "There is no Firefox to test the pages in: install your system's, e.g. `apt-get install firefox-esr`."
UNTIL = "const [done] = arguments; (function look() {{ {} ? done(true) : setTimeout(look, 50); }})();"
ERRORS = """return Services.console.getMessageArray().filter((message) => message instanceof Ci.nsIScriptError
    && message.category === "content javascript" && !(message.flags & message.warningFlag)).map(String);"""


def find():
    """The path of a Firefox: the one FIREFOX names, else the system's, else None."""
    paths = (shutil.which(name) for name in (os.environ.get("FIREFOX", ""), *NAMES) if name)
    return next((path for path in paths if path), None)


class Firefox:
    """A page that tests look at and press in; `wire` is a file to write to and read from."""

    def __init__(self, wire):
        self.wire, self.number = wire, 0
        self._message()  # a greeting
        self.tell("WebDriver:NewSession")
        self.tell("WebDriver:SetTimeouts", script=60_000)

    def _message(self):
        length = b""
        while (digit := self.wire.read(1)) != b":":
            length += digit
        return json.loads(self.wire.read(int(length)))

    def tell(self, command, **parameters):
        """The answer to one command. Raises RuntimeError with what Firefox has against it."""
        self.number += 1
        words = json.dumps([0, self.number, command, parameters]).encode()
        self.wire.write(b"%d:%b" % (len(words), words))
        self.wire.flush()
        _, _, error, result = self._message()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def open(self, address):
        """Go to an address; by way of an empty page, so that one that differs in its # alone is loaded anew."""
        for stop in ("about:blank", address):
            self.tell("WebDriver:Navigate", url=stop)

    def ask(self, script):
        """What a script of the page returns."""
        return self.tell("WebDriver:ExecuteScript", script=script, args=[], sandbox=None)["value"]

    def until(self, condition):
        """Wait until an expression of the page is true, a minute at most."""
        self.tell("WebDriver:ExecuteAsyncScript", script=UNTIL.format(condition), args=[], sandbox=None)

    def press(self, selector):
        """Click as a reader would: it is scrolled to, and nothing may lie over it."""
        found = self.tell("WebDriver:FindElement", using="css selector", value=selector)["value"]
        self.tell("WebDriver:ElementClick", id=next(iter(found.values())))

    def errors(self):
        """What scripts of pages have thrown since the browser began."""
        self.tell("Marionette:SetContext", value="chrome")
        found = self.tell("WebDriver:ExecuteScript", script=ERRORS, args=[], sandbox="system")["value"]
        self.tell("Marionette:SetContext", value="content")
        return found


@contextmanager
def started(path, profile):
    """A headless Firefox with a new profile in this empty folder."""
    (profile / "user.js").write_text('user_pref("marionette.port", 0);\n')
    flags = ("--headless", "--marionette", "--remote-allow-system-access", "--profile", str(profile))
    with (profile / "log").open("w") as log, subprocess.Popen([path, *flags], stdout=log, stderr=log) as process:
        try:
            for _ in range(600):
                if (port := profile / "MarionetteActivePort").is_file() and port.read_text():
                    break
                assert process.poll() is None, (profile / "log").read_text()
                time.sleep(0.1)
            address = ("127.0.0.1", int(port.read_text()))
            with socket.create_connection(address, timeout=120) as connection, connection.makefile("rwb") as wire:
                yield Firefox(wire)
        finally:
            process.terminate()


if __name__ == "__main__":
    path = find()
    if path is None:
        sys.exit(MISSING)
    print(f"Browser: {path}")
