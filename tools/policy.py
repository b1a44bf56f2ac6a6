"""A Sphinx extension: each page says which scripts are its own, and a browser runs no others.

The content-security policy stands in the page itself, so that it holds wherever the book is published. It allows files
of the book's own site, and of the scripts that stand in the page exactly those that the build put there, by their
hash. What somebody might smuggle into a page, say by a caption or a file's name, does not run. Styles that stand in
the page are allowed: figures and formulas bring theirs along.
"""

import hashlib
import re
from base64 import b64encode
from html import unescape

SCRIPTS = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*json)[^>]*>(.*?)</script>", re.S)
HANDLERS = re.compile(r"<[a-zA-Z][^<>]*?\son[a-z]+=(?:\"([^\"]*)\"|'([^']*)')")
RULES = {
    "default-src": "'self'",
    "img-src": "'self' data: blob:",
    "style-src": "'self' 'unsafe-inline'",
    "worker-src": "'self' blob:",  # the generator starts its own file so, which a Space may embed
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}
COMPILES = 'generator"'  # the page whose kernels are WebAssembly names itself so in its markup


def fingerprint(script: str) -> str:
    """How a policy names a script that stands in the page."""
    text = script.replace("\r\n", "\n").encode()
    return f"'sha256-{b64encode(hashlib.sha256(text).digest()).decode()}'"


def policy(html: str) -> str:
    """The content-security policy of a page: its own files, and the scripts that it holds now."""
    handlers = [unescape(one or other) for one, other in HANDLERS.findall(SCRIPTS.sub("", html))]
    own = dict.fromkeys(fingerprint(script) for script in [*SCRIPTS.findall(html), *handlers])
    allowed = ["'self'", *own, *["'unsafe-hashes'"] * bool(handlers), *["'wasm-unsafe-eval'"] * (COMPILES in html)]
    return "; ".join(f"{name} {value}" for name, value in {**RULES, "script-src": " ".join(allowed)}.items())


def guarded(html: str) -> str:
    """A page's HTML with its policy, before anything that could run."""
    tag = f'<meta http-equiv="Content-Security-Policy" content="{policy(html)}" />'
    return re.sub(r"(<meta charset=[^>]*>)", rf"\1\n    {tag}", html, count=1)


def guard(app, failed):
    if failed or app.builder.format != "html":
        return
    for path in app.outdir.rglob("*.html"):
        if "_static" not in path.relative_to(app.outdir).parts and "<meta charset" in (html := path.read_text("utf-8")):
            path.write_text(guarded(html), "utf-8")


def setup(app):
    app.connect("build-finished", guard, priority=950)  # after tools/heads.py has put the scripts where they stay
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
