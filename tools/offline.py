"""One archive of the book that works without a network.

    python tools/offline.py             write _build/diffusion-book-offline.zip, of the pages that `make book` built
    python tools/offline.py --wheels    and download the packages of the notebooks first, for this system and Python

It holds the pages, the notebooks with their results and checkpoints, the package, a list of wheels and one of hashes.
The same files make the same archive, byte for byte.
"""

import hashlib
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
TOP = "diffusion-book-offline"
ALONE = ("pyproject.toml", "LICENSE", "CITATION.cff", "requirements.txt", "book/requirements.txt")
FOLDERS = ("book/results", "ddpm_core")
PACKED = {".png", ".webp", ".woff2", ".whl"}  # deflating these once more saves nothing
WITH_IT = ("jupyterlab", "setuptools>=77")  # to open notebooks; to install ddpm_core
README = """# The book without a network

1. **Read:** `python -m http.server --directory pages 8000`, then open http://localhost:8000. A double click on `pages/index.html` shows all but what computes in the page, the generator and the playground; there it says what to do.
2. **Install:** `python -m pip install --no-index --find-links wheels -r wheels.txt .` If there is no folder `wheels`, first run, where there is a network and the same system and Python, `python -m pip download --dest wheels -r wheels.txt`.
3. **Run:** `jupyter lab book`. The notebooks find their checkpoints and results in `book/results`.
4. **Data:** the digits come with scikit-learn, the captioned shapes are drawn by formula. Fashion-MNIST is not part of this: lay its parquet files (`zalando-datasets/fashion_mnist` on the Hugging Face Hub) into a folder, and say `data.load("that/folder")`.
5. **Check:** `sha256sum --check --quiet MANIFEST.sha256` says nothing when every file is as it was packed.
"""  # noqa: E501

# ---- What the pages need -----------------------------------------------------------------------------------

LOADED = {"src", "srcset", "poster", "data"}
LINKS = {"stylesheet", "preload", "icon", "modulepreload"}
IN_STYLE = re.compile(r"""(?:@import\s+|url\()\s*["']?((?:https?:)?//[^"')\s]+)""")


class Addresses(HTMLParser):
    """What a page loads, and where it leads."""

    def __init__(self, html: str):
        super().__init__()
        self.loads, self.leads = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        at = {name: value or "" for name, value in attrs}
        loads = [at[name] for name in LOADED & at.keys()]
        if (tag == "link" and LINKS & set(at.get("rel", "").split())) or tag in ("image", "use"):
            loads += [at.get("href") or at.get("xlink:href", "")]
        self.loads += [part.split()[0] for load in loads for part in load.split(", ") if part.strip()]
        self.loads += IN_STYLE.findall(at.get("style", ""))
        if tag == "a" and "href" in at:
            self.leads.append(at["href"])


def elsewhere(address: str) -> bool:
    return re.match(r"(https?:)?//", address) is not None


def lost(page: Path, address: str) -> bool:
    """Does an address within the book lead to no file?"""
    place = unquote(re.split(r"[?#]", address)[0])
    return bool(place) and not re.match(r"[a-z]+:|//", address) and not (page.parent / place).exists()


def faults(pages: Path) -> list[str]:
    """What a reader without a network would miss, as sentences: an empty list for good pages."""
    found = []
    for path in sorted(pages.rglob("*.html")):
        name, html = path.relative_to(pages), path.read_text("utf-8")
        if "_static" in name.parts:  # the theme's own templates
            continue
        seen = Addresses(html)
        styles = IN_STYLE.findall(" ".join(re.findall(r"<style[^>]*>(.*?)</style>", html, re.S)))
        found += [f"{name} loads {address}" for address in seen.loads + styles if elsewhere(address)]
        found += [f"{name}: there is no {at}" for at in dict.fromkeys(seen.loads + seen.leads) if lost(path, at)]
    for path in sorted(pages.rglob("*.css")):
        found += [f"{path.relative_to(pages)} loads {at}" for at in IN_STYLE.findall(path.read_text("utf-8"))]
    return found


# ---- The archive -------------------------------------------------------------------------------------------


def below(folder: Path) -> list[Path]:
    """The files of a folder, but no caches and nothing hidden."""
    inner = ((path, path.relative_to(folder).parts) for path in folder.rglob("*") if path.is_file())
    return [path for path, parts in inner if not any(part.startswith((".", "__pycache__")) for part in parts)]


def wheels(root: Path = ROOT) -> str:
    """The pins of requirements.txt for what pyproject.toml says that the package needs, and a notebook's server."""
    needed = re.search(r"^dependencies = \[(.*?)^\]", (root / "pyproject.toml").read_text("utf-8"), re.M | re.S)[1]
    names = {re.match(r"[\w-]+", line)[0].replace("_", "-") for line in re.findall(r'"([^"]+)"', needed)}
    pins = [re.sub(r"\s+#.*", "", line) for line in (root / "requirements.txt").read_text("utf-8").splitlines()]
    kept = [pin for pin in pins if re.split("==", pin)[0].replace("_", "-") in names]
    if missing := sorted(names - {pin.split("==")[0].replace("_", "-") for pin in kept}):
        raise ValueError(f"requirements.txt pins no version of {', '.join(missing)}, which pyproject.toml asks for.")
    return "\n".join([*kept, *WITH_IT]) + "\n"


def contents(pages: Path, root: Path = ROOT, downloaded: Path | None = None) -> dict[str, bytes]:
    """Name in the archive -> what stands there, in order of the names; last the list of their hashes."""
    files = {f"pages/{path.relative_to(pages).as_posix()}": path for path in below(pages)}
    own = [*(root / name for name in ALONE), *(root / "book").glob("*.ipynb")]
    own += [path for folder in FOLDERS for path in below(root / folder)]
    files |= {path.relative_to(root).as_posix(): path for path in own}
    if downloaded:
        files |= {f"wheels/{path.name}": path for path in below(downloaded)}
    held = {name: path.read_bytes() for name, path in files.items()}
    held |= {"README.md": README.encode(), "wheels.txt": wheels(root).encode()}
    held = dict(sorted(held.items()))
    lines = [f"{hashlib.sha256(raw).hexdigest()}  {name}\n" for name, raw in held.items()]
    return held | {"MANIFEST.sha256": "".join(lines).encode()}


def pack(held: dict[str, bytes], out: Path) -> None:
    """Write the archive; each file in it has one date and the same rights, so that only what they say matters."""
    with zipfile.ZipFile(out, "w") as archive:
        for name, raw in held.items():
            entry = zipfile.ZipInfo(f"{TOP}/{name}")
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            packed = Path(name).suffix in PACKED
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(entry, raw)


def main(arguments: list[str], root: Path = ROOT) -> int:
    pages, out, downloaded = root / "_build" / "html", root / "_build" / f"{TOP}.zip", root / "_build" / "wheels"
    if not (pages / "index.html").is_file():
        print(f"There are no pages in {pages}: run `make book` first.", file=sys.stderr)
        return 1
    if found := faults(pages):
        print("Without a network these pages would lack something:", *found[:20], sep="\n  ", file=sys.stderr)
        return 1
    if "--wheels" in arguments:
        listed = root / "_build" / "wheels.txt"
        listed.write_text(wheels(root), "utf-8")
        fetch = [sys.executable, "-m", "pip", "download", "--dest", str(downloaded), "-r", str(listed)]
        if code := subprocess.run(fetch).returncode:
            return code
    held = contents(pages, root, downloaded if "--wheels" in arguments else None)
    pack(held, out)
    print(f"{len(held)} files, {out.stat().st_size / 1e6:.0f} MB: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
