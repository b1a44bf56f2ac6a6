"""As much of the Hub as an upload and a download ask for, on the loopback: nothing leaves this machine."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_token"  # who has it may write


class Hub:
    """Repositories in memory: "owner/name" or "spaces/owner/name" -> commits, the newest last, each {path: bytes}."""

    def __init__(self):
        self.repositories, self.asked, self.endpoint = {}, [], None

    def create(self, asked):
        self.asked.append(asked)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        name = f"{asked['type']}s/{name}" if asked.get("type", "model") != "model" else name
        self.repositories.setdefault(name, [])
        return name

    def commit(self, name, changes):
        commits = self.repositories[name]
        commits.append(dict(commits[-1] if commits else {}) | changes)
        return self.sha(name, len(commits))

    def sha(self, name, number):
        return hashlib.sha1(f"{name} {number}".encode()).hexdigest()

    def at(self, name, revision):
        """(commit id, files) of a revision: main or a commit's id; None if there is none."""
        commits = self.repositories[name]
        for number in range(len(commits), 0, -1):
            if revision in ("main", self.sha(name, number)):
                return self.sha(name, number), commits[number - 1]
        return None


def _handler(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if found := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", self.path):
                return self.file(*found.groups())
            return self.answer({"name": "club", "type": "user", "sha": "0" * 40, "id": "club/small", "siblings": []})

        do_HEAD = do_GET

        def file(self, name, revision, path):
            if name not in hub.repositories:
                return self.reply(404, b"", {"X-Error-Code": "RepoNotFound"})
            if (found := hub.at(name, revision)) is None:
                return self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"})
            commit, files = found
            if path not in files:
                return self.reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            etag = hashlib.sha256(files[path]).hexdigest()
            return self.reply(200, files[path], {"ETag": f'"{etag}"', "X-Repo-Commit": commit})

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.reply(401, b"", {})
            if self.path == "/api/repos/create":
                return self.answer({"url": f"http://{self.headers['Host']}/{hub.create(json.loads(body))}"})
            kind, *parts = self.path.removeprefix("/api/").split("/")
            name = "/".join(([] if kind == "models" else [kind]) + parts[:2])
            if "/preupload/" in self.path:
                files = json.loads(body)["files"]
                kept = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
                return self.answer({"files": kept})
            if "/commit/" in self.path:
                sent = [line["value"] for line in map(json.loads, body.splitlines()) if line["key"] == "file"]
                commit = hub.commit(name, {f["path"]: base64.b64decode(f["content"]) for f in sent})
                address = f"http://{self.headers['Host']}/{name}/commit/{commit}"
                return self.answer({"commitUrl": address, "commitOid": commit, "success": True})
            return self.answer({})

        def answer(self, what):
            self.reply(200, json.dumps(what).encode(), {"Content-Type": "application/json"})

        def reply(self, status, body, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler


@contextmanager
def running():
    """A `Hub` that answers at its `endpoint`."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def asking(hub, home, *command, token=TOKEN, **how):
    """The command in another process, since huggingface_hub reads the Hub's address when it is imported."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    ours = dict(HF_ENDPOINT=hub.endpoint, HF_HOME=str(home), HF_HUB_DISABLE_XET="1", OMP_NUM_THREADS="1")
    ours |= dict(HF_TOKEN=token, HF_HUB_DISABLE_PROGRESS_BARS="1")
    words = [sys.executable, "-W", "ignore", *map(str, command)]
    return subprocess.run(words, env=kept | ours, capture_output=True, text=True, timeout=300, **how)
