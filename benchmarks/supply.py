"""What comes with the package: secrets in its files, and the packages that it pins.

make sbom && python -m benchmarks.supply

Holes known in these packages are for `make audit`, which asks the Internet.
"""

import importlib.util
import json

from benchmarks.rig import trust
from experiments.common.results_file import ROOT, Stopwatch

SBOM = ROOT / "_build" / "sbom.json"


def main() -> None:
    clock = Stopwatch()
    spec = importlib.util.spec_from_file_location("test_secrets", ROOT / "tests" / "project" / "test_secrets.py")
    spec.loader.exec_module(secrets := importlib.util.module_from_spec(spec))
    if not SBOM.is_file():
        raise SystemExit(f"need {SBOM.relative_to(ROOT)}, but it is not there: call make sbom before.")
    hits = sum(len(secrets.found(text)) for text in secrets.tracked().values())
    components = len(json.loads(SBOM.read_text())["components"])
    found = {"kinds_of_secrets": len(secrets.SECRETS), "secrets": hits, "components": components}
    trust.note("audit", found | {"known_holes": "not measured"}, clock)


if __name__ == "__main__":
    main()
