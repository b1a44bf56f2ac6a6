"""Ask for every address elsewhere that the built book leads to.

    python tools/links.py       after `make book`; exits with 1 where one is gone, and names the pages that lead there

What lies in the book's own repository is looked up in this folder. Each host is asked one address after the other. One
that lets no script in, as by 403, is passed over: people may still get in.
"""

import re
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import offline
import yaml

ROOT = Path(__file__).resolve().parent.parent
SHY = {401, 403, 405, 406, 429}
PAUSE = 0.5  # seconds between two questions to one host


def leads(pages: Path) -> dict[str, list[str]]:
    """Address elsewhere, without its # -> the pages that lead there."""
    found = {}
    for path in sorted(pages.rglob("*.html")):
        name = path.relative_to(pages)
        if "_static" not in name.parts:  # the theme's own templates
            for address in dict.fromkeys(offline.Addresses(path.read_text("utf-8")).leads):
                if offline.elsewhere(address):
                    found.setdefault(address.partition("#")[0], []).append(str(name))
    return found


def asked(address: str) -> str:
    """What is wrong with an address: '' when it answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0"}), timeout=30):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in SHY else f"answered {error.code}"
    except (OSError, ValueError) as error:
        return f"did not answer: {error}"


def in_turn(addresses: list[str]) -> dict[str, str]:
    """What is wrong with the addresses of one host."""
    found = {}
    for address in addresses:
        found[address] = asked(address)
        time.sleep(PAUSE)
    return found


def own(address: str, repository: str, root: Path) -> str | None:
    """As `asked`, for what lies in the repository; None for an address elsewhere."""
    place = address.replace("https://colab.research.google.com/github/", "https://github.com/")
    if not (place + "/").startswith(repository + "/"):
        return None
    file = re.match(r"/(?:blob|raw|tree)/main/([^?]+)", place.removeprefix(repository))
    return "" if file is None or (root / unquote(file[1])).exists() else f"there is no {unquote(file[1])}"


def complaints(found: dict[str, list[str]], repository: str, root: Path = ROOT) -> list[str]:
    """A sentence for each address that leads nowhere."""
    wrong, hosts = {}, {}
    for address in found:
        if (said := own(address, repository, root)) is None:
            hosts.setdefault(urlsplit(address).netloc, []).append(address)
        else:
            wrong[address] = said
    with ThreadPoolExecutor() as pool:
        for answers in pool.map(in_turn, hosts.values()):
            wrong |= answers
    return [f"{address} {said} ({', '.join(found[address])})" for address, said in wrong.items() if said]


def main(root: Path = ROOT) -> int:
    pages = root / "_build" / "html"
    if not (pages / "index.html").is_file():
        print(f"There are no pages in {pages}: run `make book` first.", file=sys.stderr)
        return 2
    found = leads(pages)
    config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    wrong = complaints(found, config["repository"]["url"], root)
    print(*wrong, f"{len(found)} addresses, {len(wrong)} lead nowhere", sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
