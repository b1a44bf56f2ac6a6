"""The archive for a room without a network: all of it arrives, the same each time, and no page asks for more."""

import hashlib
import json
import zipfile

import offline
import pytest

PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8">
<link rel="stylesheet" href="../_static/book.css"><link rel="next" href="https://elsewhere.invalid/next">
<script defer src="../_static/book.js?v=1"></script></head><body style="background: url(data:image/png;base64,AA==)">
<img src="../_static/a%20b.png" srcset="../_static/a%20b.png 2x"><svg><use href="#x"/></svg>
<a href="two.html#there">two</a> <a href="https://arxiv.org/abs/2006.11239">the paper</a> <a href="#here">here</a>
</body></html>"""


@pytest.fixture
def root(tmp_path):
    """A tiny book, built."""
    files = {
        "_build/html/index.html": '<a href="book/one.html">in</a>',
        "_build/html/book/one.html": PAGE,
        "_build/html/book/two.html": '<a href="one.html">back</a>',
        "_build/html/_static/book.css": "p { background: url(a%20b.png) }",
        "_build/html/_static/book.js": "1",
        "_build/html/_static/a b.png": "not really",
        "_build/html/.buildinfo": "where it was built",
        "book/one.ipynb": "{}",
        "book/results/digits.safetensors": "weights",
        "book/src/one.md": "# one",
        "book/requirements.txt": "jupyter-book==1.0.4\n",
        "ddpm_core/__init__.py": "",
        "ddpm_core/book/hashes.json": "{}",
        "ddpm_core/__pycache__/x.pyc": "old",
        "pyproject.toml": 'dependencies = [\n    "torch>=2.6",\n    "huggingface_hub>=0.26",\n]\n',
        "requirements.txt": "-r book/requirements.txt\ntorch==2.13.0  # large\nhuggingface_hub==2.4.0\npytest==9.2.0\n",
        "LICENSE": "MIT",
        "CITATION.cff": "title: x",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


ARCHIVE = f"_build/{offline.TOP}.zip"


def test_every_file_arrives_as_it_was(root, tmp_path_factory):
    assert offline.main([], root) == 0
    out = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(root / ARCHIVE).extractall(out)
    top = out / offline.TOP
    names = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
    made = {"README.md", "wheels.txt", "MANIFEST.sha256"}
    assert names - made == {
        "pages/index.html",
        "pages/book/one.html",
        "pages/book/two.html",
        "pages/_static/book.css",
        "pages/_static/book.js",
        "pages/_static/a b.png",
        "book/one.ipynb",
        "book/results/digits.safetensors",
        "book/requirements.txt",
        "ddpm_core/__init__.py",
        "ddpm_core/book/hashes.json",
        "pyproject.toml",
        "requirements.txt",
        "LICENSE",
        "CITATION.cff",
    }
    for name in names - made:
        assert (top / name).read_bytes() == (root / name.replace("pages/", "_build/html/")).read_bytes(), name
    listed = dict(reversed(line.split("  ")) for line in (top / "MANIFEST.sha256").read_text().splitlines())
    assert listed == {
        name: hashlib.sha256((top / name).read_bytes()).hexdigest() for name in names - {"MANIFEST.sha256"}
    }
    assert offline.faults(top / "pages") == []


def test_the_same_files_make_the_same_bytes(root, monkeypatch):
    offline.main([], root)
    first = (root / ARCHIVE).read_bytes()
    for path in root.rglob("*"):
        path.touch()
        path.chmod(0o755)
    offline.main([], root)
    assert (root / ARCHIVE).read_bytes() == first
    (root / "book" / "one.ipynb").write_text("{ }")
    offline.main([], root)
    assert (root / ARCHIVE).read_bytes() != first


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ('<script src="https://elsewhere.invalid/x.js"></script>', "loads https://elsewhere.invalid/x.js"),
        ('<link href="//elsewhere.invalid/x.css" rel="stylesheet">', "loads //elsewhere.invalid/x.css"),
        ('<img src="http://elsewhere.invalid/x.png">', "loads http://elsewhere.invalid/x.png"),
        ('<img srcset="a.png 1x, https://elsewhere.invalid/y.png 2x">', "loads https://elsewhere.invalid/y.png"),
        ("<style>@import 'https://elsewhere.invalid/z.css';</style>", "loads https://elsewhere.invalid/z.css"),
        ('<p style="background: url(https://elsewhere.invalid/p.png)">', "loads https://elsewhere.invalid/p.png"),
        ('<a href="three.html#x">three</a>', "there is no three.html#x"),
    ],
)
def test_a_page_that_needs_more_stops_it(root, capsys, planted, said):
    with (root / "_build" / "html" / "book" / "two.html").open("a") as page:
        page.write(planted)
    assert offline.main([], root) == 1
    assert said in capsys.readouterr().err
    assert not (root / ARCHIVE).exists()


def test_a_style_sheet_that_needs_more_is_named(root):
    (root / "_build" / "html" / "_static" / "book.css").write_text(
        "p { src: url('https://elsewhere.invalid/f.woff2') }"
    )
    assert offline.faults(root / "_build" / "html") == ["_static/book.css loads https://elsewhere.invalid/f.woff2"]


def test_without_pages_it_says_what_to_do(root, capsys):
    (root / "_build" / "html" / "index.html").unlink()
    assert offline.main([], root) == 1
    assert "run `make book` first" in capsys.readouterr().err


def test_the_wheels_are_those_that_the_package_needs(root):
    assert offline.wheels(root).splitlines() == ["torch==2.13.0", "huggingface_hub==2.4.0", *offline.WITH_IT]
    (root / "requirements.txt").write_text("torch==2.13.0\n")
    with pytest.raises(ValueError, match="pins no version of huggingface-hub"):
        offline.wheels(root)


def test_downloaded_wheels_come_along(root):
    (root / "down").mkdir()
    (root / "down" / "x-1-py3-none-any.whl").write_text("x")
    held = offline.contents(root / "_build" / "html", root, root / "down")
    assert held["wheels/x-1-py3-none-any.whl"] == b"x"


def test_the_books_own_list_is_complete_and_opens_in_five_lines():
    assert {"torch", "scikit-learn"} <= {line.split("==")[0] for line in offline.wheels().splitlines()}
    assert [line[:2] for line in offline.README.splitlines() if line][1:] == ["1.", "2.", "3.", "4.", "5."]


def test_every_result_and_checkpoint_that_the_notebooks_load_is_in_it(tmp_path):
    held = offline.contents(tmp_path)
    wanted = json.loads((offline.ROOT / "ddpm_core" / "book" / "hashes.json").read_text())
    found = {name: hashlib.sha256(held[f"book/results/{name}"]).hexdigest() for name in wanted}
    assert found == wanted and "digits.safetensors" in wanted
    assert {f"book/{path.name}" for path in (offline.ROOT / "book").glob("*.ipynb")} <= {*held}
