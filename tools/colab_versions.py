"""Compare the versions that the book is run with as Colab's, tools/colab.txt, with a newer list from Colab.

    python tools/colab_versions.py NEW.txt     as `pip freeze` prints it; exits with 1 if a version that matters moved

A version matters if `make colab` installs it, or if the package would no longer accept it.
"""

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = ("ipywidgets", "ipython", "ipykernel")  # in the environment of `make colab`; the rest is the book's own


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


def main(arguments: list[str]) -> int:
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
