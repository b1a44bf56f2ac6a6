"""Nothing that opens a door is in the repository: no key, no token, no password in an address."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {  # what it opens -> what it looks like, as its maker documents it
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY",
    "Hugging Face": r"\bhf_[A-Za-z0-9]{30,}",
    "GitHub": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,})",
    "AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "Google": r"\bAIza[\w-]{35}\b",
    "Slack": r"\bxox[abprs]-[\w-]{10,}",
    "PyPI": r"\bpypi-AgE[\w-]{20,}",
    "a service with keys like sk-": r"\bsk-(?:[a-z]+-)*[A-Za-z0-9_]{32,}",
    "an address with a password": r"\bhttps?://[^\s/:@\"'<>{}$]+:[^\s/@\"'<>{}$]+@",
}


def found(text):
    return [what for what, pattern in SECRETS.items() if re.search(pattern, text)]


def made_up():
    """A secret of each kind, put together here so that this file holds none."""
    many = "aB3" * 14
    return {
        "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
        "Hugging Face": "hf_" + many,
        "GitHub": "ghp_" + many,
        "AWS": "AKIA" + "A1B2" * 4,
        "Google": "AIza" + many[:35],
        "Slack": "xoxb-" + "123456789012",
        "PyPI": "pypi-AgE" + many,
        "a service with keys like sk-": "sk-" + many,
        "an address with a password": "https://me:" + "word@example.org",
    }


@pytest.mark.parametrize("what", SECRETS)
def test_each_kind_is_known_when_it_is_seen(what):
    assert what in found(f"key = '{made_up()[what]}'")


def tracked():
    """Every tracked file's text, by its path."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]
    return {str(file): file.read_bytes().decode("latin-1") for file in files}


def test_no_tracked_file_holds_one():
    texts = tracked()
    assert len(texts) > 500 and {name: kinds for name, text in texts.items() if (kinds := found(text))} == {}
