"""Every chapter: its notebook is its text, was run, is readable in Colab and says the same at every run.

The checks are functions in tools/chapter_checks.py. The second half of this file plants a mistake for each.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import chapter_checks as checks
import nbformat
import notebooks
import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
REPOSITORY = checks.address_in((ROOT / "_config.yml").read_text())

CHECKS = {
    "every code cell was run": checks.unrun_cells,
    "no cell failed": checks.failed_cells,
    "the first code cell is Colab's": lambda notebook: checks.colab_cell(notebook, REPOSITORY),
    "the last code cell is the stamp": checks.stamp,
    "no raw MyST": checks.raw_myst,
    "pictures have alt texts": checks.pictures_without_words,
    "relative links lead somewhere": lambda notebook: checks.dead_links(notebook, BOOK),
    "no widget state": checks.widget_state,
    "outputs are the same at every run": checks.passing_outputs,
}


def read(name):
    return nbformat.read(BOOK / f"{name}.ipynb", as_version=4)


# ---- The chapters as they stand ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", notebooks.chapters())
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_chapter(name, check):
    found = check(read(name))
    assert not found


@pytest.mark.parametrize("name", notebooks.chapters())
def test_notebook_is_its_text(name):
    text = notebooks.from_text((BOOK / "src" / f"{name}.md").read_text())
    found = notebooks.differences(text, read(name))
    assert not found, "run `make notebooks`"


@pytest.mark.parametrize("name", notebooks.chapters())
def test_outputs_belong_to_the_code(name):
    stored = read(name)
    assert stored.metadata["ddpm"]["code"] == notebooks.record(stored)["code"], "run `make notebooks`"


@pytest.mark.parametrize("name", notebooks.chapters())
def test_notebook_is_small(name):
    assert not checks.too_large(BOOK / f"{name}.ipynb")


def test_no_notebook_without_a_text():
    assert not notebooks.orphans()


def test_the_package_names_the_same_repository():
    assert re.findall(r'(?m)^Repository = "(.*)"$', (ROOT / "pyproject.toml").read_text()) == [REPOSITORY]


# ---- Each check catches its mistake ------------------------------------------------------------------------

GOOD = f"""```{{code-cell}} ipython3
:tags: [remove-cell]

{checks.COLAB.format(repository=REPOSITORY)}
```

# A chapter

Text with $x_{{t}}$, `code`, a [link](other.md#part) and ![a dot](dot.png).

```{{code-cell}} ipython3
---
mystnb:
  image:
    alt: A line
---
draw()
```

```{{code-cell}} ipython3
plot.ran_on()
```
"""


def chapter(text=GOOD):
    """A planted notebook whose cells count as run."""
    notebook = notebooks.from_text(text)
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
    return notebook


def showing(**data):
    """A planted chapter whose middle code cell shows this; keys are kinds of output."""
    notebook = chapter()
    kinds = {kind.replace("_", "/"): value for kind, value in data.items()}
    notebook.cells[2].outputs = [nbformat.v4.new_output("display_data", kinds)]
    return notebook


def test_a_good_chapter_passes(tmp_path):
    notebook = showing(image_png="", text_plain="Figure 700x320")
    failed = [name for name, check in CHECKS.items() if "links" not in name and check(notebook)]
    assert not failed
    (tmp_path / "other.md").touch()
    (tmp_path / "dot.png").touch()
    assert not checks.dead_links(notebook, tmp_path)


def test_finds_a_cell_that_was_not_run():
    notebook = chapter()
    notebook.cells[2].execution_count = None
    assert checks.unrun_cells(notebook) == ["cell 3 was never run"]


def test_finds_a_traceback():
    notebook = chapter()
    notebook.cells[2].outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])]
    assert checks.failed_cells(notebook) == ["cell 3 ends in ValueError: no"]


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace(REPOSITORY, "https://github.com/somebody/else"),
        GOOD.replace("-q --no-deps", "-q"),
        re.sub(r'release\.fits\("[\d.]+"\)', 'release.fits("0.0")', GOOD),
        GOOD.replace(":tags: [remove-cell]\n", ""),
        "# No code at all",
    ],
    ids=["another repository", "dependencies", "another release", "visible", "no code"],
)
def test_finds_a_wrong_colab_cell(text):
    assert checks.colab_cell(chapter(text), REPOSITORY)


@pytest.mark.parametrize("last", ["1 + 1", "# plot.ran_on()", "'plot.ran_on()'"])
def test_finds_a_missing_stamp(last):
    assert checks.stamp(chapter(GOOD.replace("plot.ran_on()", last)))


@pytest.mark.parametrize(
    "raw",
    [
        "see {ref}`label`",
        "{math}`x`",
        "::: {note}\nAside.\n:::",
        "````{admonition} Title\nAside.\n````",
        "(a-label)=",
        "> ```{tip}\n> Aside.\n> ```",
    ],
)
def test_finds_raw_myst(raw):
    assert checks.raw_myst(chapter(GOOD.replace("# A chapter", f"# A chapter\n\n{raw}\n")))


@pytest.mark.parametrize(
    "fine", ["$x_{t}`$", "```python\nx = {1}\n```", "a set {x} `code`", "f(x)=2", r"$$\frac{a}{b}$$"]
)
def test_leaves_ordinary_markdown_alone(fine):
    assert not checks.raw_myst(chapter(GOOD.replace("# A chapter", f"# A chapter\n\n{fine}\n")))


def test_finds_pictures_without_alt_texts():
    notebook = showing(image_png="")
    assert not checks.pictures_without_words(notebook)
    notebook.cells[2].metadata = nbformat.from_dict({"mystnb": {"image": {"alt": " "}}})
    assert checks.pictures_without_words(notebook)
    for bare in ("![](dot.png)", "<img src='dot.png'>", '<img src="dot.png" alt="">'):
        assert checks.pictures_without_words(chapter(GOOD.replace("# A chapter", bare)))
    assert checks.pictures_without_words(showing(text_html="<img src='data:image/png;base64,AAAA'>"))


def test_finds_dead_links(tmp_path):
    (tmp_path / "dot.png").touch()
    assert checks.dead_links(chapter(), tmp_path) == ["cell 2: other.md#part leads nowhere"]
    script = chapter(GOOD.replace("[link](other.md#part)", '<script src="../_static/start.mjs"></script>'))
    assert checks.dead_links(script, tmp_path) == ["cell 2: ../_static/start.mjs leads nowhere"]
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "start.mjs").touch()
    assert not checks.dead_links(script, tmp_path)
    html = chapter(GOOD.replace("[link](other.md#part)", '<a href="other.html#part">link</a>'))
    assert checks.dead_links(html, tmp_path) == ["cell 2: other.html#part leads nowhere"]
    (tmp_path / "other.ipynb").touch()
    assert not checks.dead_links(html, tmp_path)


def test_finds_widget_state():
    notebook = showing(text_plain="IntSlider(value=0)")
    assert not checks.widget_state(notebook)
    notebook.cells[2].outputs[0].data[checks.WIDGET_VIEW] = {"model_id": "1"}
    assert checks.widget_state(notebook)
    notebook = notebooks.without_widget_state(notebook)
    assert notebook.cells[2].outputs[0].data == {"text/plain": "IntSlider(value=0)"}
    notebook.metadata["widgets"] = {}
    assert checks.widget_state(notebook)


@pytest.mark.parametrize("text", ["<object at 0x7f3a5c2d1e50>", "id=3f2504e0-4f89-41d3-9a0c-0305e82c3301"])
def test_finds_outputs_that_change(text):
    assert checks.passing_outputs(showing(text_plain=text))
    assert checks.passing_outputs(showing(text_html=f"<p>{text}</p>"))
    assert not checks.passing_outputs(showing(text_html=f'<p data-payload="{text}">0xff</p>'))


def test_finds_a_large_notebook(tmp_path):
    path = tmp_path / "large.ipynb"
    path.write_text("x" * 1001)
    assert checks.too_large(path, limit=1000)
    assert not checks.too_large(path, limit=1001)


# ---- The command that makes the notebooks ------------------------------------------------------------------

SMALL = """# Small

```{code-cell} ipython3
print(1 + 1)
```

```{code-cell} ipython3
"end"
```
"""


@pytest.fixture
def root(tmp_path):
    """A planted book of one chapter, with a package of two modules and a result."""
    for folder in ("book/src", "book/results", "ddpm_core"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "book" / "src" / "small.md").write_text(SMALL)
    return tmp_path


def test_same_text_same_cells():
    assert notebooks.from_text(GOOD) == notebooks.from_text(GOOD)
    ids = [cell.id for cell in notebooks.from_text(GOOD + GOOD).cells]
    assert len(set(ids)) == len(ids)


def test_outputs_stay_where_the_source_is_unchanged():
    old = chapter()
    old.cells[2].outputs = [nbformat.v4.new_output("stream", text="kept\n")]
    new = notebooks.with_outputs_of(notebooks.from_text(GOOD.replace("# A chapter", "# Renamed\n\nMore.")), old)
    assert new.cells[2].outputs == old.cells[2].outputs
    assert new.cells[2].id == old.cells[2].id
    changed = notebooks.with_outputs_of(notebooks.from_text(GOOD.replace("draw()", "draw(2)")), old)
    assert changed.cells[2].outputs == []


def test_differences_are_named():
    twin = notebooks.from_text(GOOD)
    assert not notebooks.differences(twin, chapter())
    assert notebooks.differences(twin, notebooks.from_text(GOOD.replace("A line", "Another")))
    assert notebooks.differences(twin, notebooks.from_text(GOOD + "\n+++\n\nmore"))


def test_a_chapter_knows_what_it_uses(root):
    files = {
        "__init__.py": "",
        "room.py": "from ddpm_core.folder.below import f\n",
        "apart.py": "",
        "folder/__init__.py": "from ddpm_core.folder.offered import g\n",
        "folder/below.py": "f = 1\nSTYLE = 'drawn.css'\n",
        "folder/offered.py": "g = 2\n",
        "folder/apart.py": "",
        "folder/assets/drawn.css": "",
        "folder/assets/apart.css": "",
    }
    for name, text in files.items():
        path = root / "ddpm_core" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "book" / "results" / "speed.json").write_text("{}")

    def uses(line):
        notebook = notebooks.from_text(f"```{{code-cell}} ipython3\n%time\n{line}\nload('speed')\n```\n")
        found = [
            path.relative_to(root).as_posix().removeprefix("ddpm_core/") for path in notebooks.uses(notebook, root)
        ]
        assert found[0] == "book/results/speed.json"
        return set(found[1:])

    below = {"folder/below.py", "folder/assets/drawn.css"}
    assert uses("from ddpm_core import room") == {"__init__.py", "room.py"} | below
    assert uses("from ddpm_core.folder import below") == {"__init__.py"} | below
    assert uses("from ddpm_core import folder") == {"__init__.py", "folder/__init__.py", "folder/offered.py"}
    assert uses("from ddpm_core.folder.below import f") == {"__init__.py"} | below
    assert uses("import ddpm_core.apart") == {"__init__.py", "apart.py"}


def test_life_of_a_notebook(root):
    """Run; keep outputs when only text changes; survive a failing cell; notice that the package changed."""
    source, stored = root / "book" / "src" / "small.md", root / "book" / "small.ipynb"
    assert notebooks.out_of_step("small", root) == ["book/small.ipynb is missing"]
    assert notebooks.run(["small"], root=root) == 0
    assert notebooks.check(["small"], root) == 0
    assert '"2\\n"' in stored.read_text()
    assert notebooks.update("small", root=root) == "small: in step"

    source.write_text(SMALL.replace("# Small", "# Smaller"))
    assert notebooks.check(["small"], root) == 1
    assert notebooks.update("small", root=root) == "small: text updated, outputs kept"

    source.write_text(SMALL.replace("1 + 1", "1 / 0"))
    before = stored.read_bytes()
    assert notebooks.run(["small"], root=root) == 1
    assert stored.read_bytes() == before
    assert not list((root / "book").glob("*.tmp")) + list((root / "book").glob(".*.tmp"))

    source.write_text(SMALL)
    notebooks.update("small", root=root)
    (root / "ddpm_core" / "__init__.py").write_text("x = 1\n")
    assert notebooks.out_of_step("small", root) == ["book/small.ipynb: the package or a result it loads changed"]


# ---- Comparison by nbval -----------------------------------------------------------------------------------

PRINTED = """```{code-cell} ipython3
from IPython.display import HTML

print("loss 0.1234")
print("Ran on 2026-11-23 on 2 CPU cores in 41 s")
```

```{code-cell} ipython3
HTML('<div id="scrub-0000000a" data-payload="AAAA">t = 3</div>')
```

```{code-cell} ipython3
"a value that a semicolon keeps from being shown";
```
"""


def compared(folder, changed):
    """Run PRINTED, store its outputs changed as if another run had printed them, and let nbval compare."""
    notebook = notebooks.execute(notebooks.from_text(PRINTED), folder)
    path = folder / "planted.ipynb"
    path.write_text(changed(nbformat.writes(notebook)))
    for file in ("tests/sanitize.cfg", "book/conftest.py", "tools/printed.py"):
        shutil.copy(ROOT / file, folder)
    options = "-q --nbval --nbval-current-env --nbval-sanitize-with=sanitize.cfg -p no:cacheprovider -W default"
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), "--rootdir=.", "-c", "/dev/null", path.name],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def in_outputs(old, new):
    """Change a stored output but not the source that printed it."""
    return lambda text: re.sub(rf'(?m)^( +"(?!print|HTML).*){re.escape(old)}', rf"\g<1>{new}", text)


def test_nbval_allows_what_may_change(tmp_path):
    def changed(text):
        for old, new in [
            ("2026-11-23 on 2 CPU cores in 41 s", "2027-01-02 on a T4 in 3 s"),
            ("scrub-0000000a", "scrub-0000000b"),
            ("AAAA", "BBBB"),
        ]:
            text, before = in_outputs(old, new)(text), text
            assert text != before
        return text

    result = compared(tmp_path, changed)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("old", "new"), [("loss 0.1234", "loss 0.1243"), ("t = 3", "t = 4")], ids=["stream", "html"])
def test_nbval_fails_when_a_number_changes(tmp_path, old, new):
    result = compared(tmp_path, in_outputs(old, new))
    assert result.returncode == 1, result.stdout
    assert "1 failed" in result.stdout
