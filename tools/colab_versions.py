"""Compare the versions that the book is run with as Colab's, tools/colab.txt, with a newer list from Colab.

    python tools/colab_versions.py NEW.txt     as `pip freeze` prints it; exits with 1 if a version that matters moved
    python tools/colab_versions.py --take      take the versions of the list that Colab publishes into tools/colab.txt

A version matters if `make colab` installs it, or if the package would no longer accept it.
"""

import datetime
import re
import sys
import urllib.request
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = "https://raw.githubusercontent.com/googlecolab/backend-info/main/pip-freeze.txt"
# In the environment of `make colab`; torch as well, where it can be had for a processor. The rest is the book's own.
INSTALLED = ("ipywidgets", "ipython", "ipykernel", "numpy", "matplotlib", "scikit-learn")


def load(text: str) -> dict[str, str]:
    """Package -> version, out of lines such as torch==2.11.0+cu128; other lines are passed over."""
    found = re.findall(r"(?m)^([\w.-]+)==(\S+)", text)
    return {canonicalize_name(name): version for name, version in found}


def known(root: Path = ROOT) -> dict[str, str]:
    return load((root / "tools" / "colab.txt").read_text("utf-8"))


def pins(root: Path = ROOT) -> list[str]:
    """What `make colab` installs."""
    versions = known(root)
    return [f"{name}=={versions[name]}" for name in INSTALLED]


def needs(root: Path = ROOT) -> list[Requirement]:
    """What the package asks for."""
    text = (root / "pyproject.toml").read_text("utf-8")
    block = re.search(r"(?ms)^dependencies = \[(.*?)^\]", text)[1]
    return [Requirement(line) for line in re.findall(r'"([^"]+)"', block)]


def differences(ours: dict, theirs: dict) -> list[str]:
    """What moved or went away, a sentence each."""
    return [
        f"{name}: {version}, there {theirs[name]}" if name in theirs else f"{name}: {version}, there none"
        for name, version in ours.items()
        if theirs.get(name) != version and name != "python"
    ]


def trouble(ours: dict, theirs: dict, asked: list[Requirement]) -> list[str]:
    """What of it matters."""
    found = [
        f"`make colab` runs with {name} {ours[name]}, Colab has {theirs[name]}: change tools/colab.txt and run it"
        for name in INSTALLED
        if name in theirs and theirs[name] != ours[name]
    ]
    for need in asked:
        version = theirs.get(canonicalize_name(need.name))
        if version and not need.specifier.contains(Version(version).base_version):
            found.append(f"ddpm_core needs {need}, Colab has {version}")
    return found


def taken(text: str, theirs: dict[str, str], day: datetime.date) -> str:
    """The list with their versions and a day's month; what they lack stays as it was."""
    text = re.sub(r"(?m)^([\w.-]+)==(\S+)", lambda line: f"{line[1]}=={theirs.get(line[1], line[2])}", text)
    return re.sub(r"list of \w+ \d+\.", f"list of {day:%B %Y}.", text, count=1)


def take(root: Path = ROOT, source: str = PUBLISHED) -> int:
    """Bring tools/colab.txt up to date with a published list."""
    try:
        with urllib.request.urlopen(source, timeout=60) as answer:
            theirs = load(answer.read().decode())
    except OSError as error:
        print(f"{source} could not be read: {error}", file=sys.stderr)
        return 2
    listed = root / "tools" / "colab.txt"
    before = known(root)
    listed.write_text(taken(listed.read_text("utf-8"), theirs, datetime.date.today()), "utf-8")
    refused = trouble(known(root), theirs, needs(root))
    print(*(differences(before, theirs) or ["nothing moved"]), *refused, sep="\n")
    return int(bool(refused))


def main(arguments: list[str]) -> int:
    if arguments == ["--take"]:
        return take()
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("Name a file with Colab's versions, made there by `!pip freeze > new.txt`.", file=sys.stderr)
        return 2
    theirs = load(Path(arguments[0]).read_text("utf-8"))
    if not theirs:
        print(f"{arguments[0]} has no line like torch==2.11.0.", file=sys.stderr)
        return 2
    matters = trouble(known(), theirs, needs())
    print(*(differences(known(), theirs) or ["nothing moved"]), *matters, sep="\n")
    return int(bool(matters))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
