"""One command moves the book to another address."""

import chapter_checks
import equations
import notebooks
import pytest
import repository

OLD, NEW = "https://github.com/one/book", "https://github.com/two/other.book"
TEXT = f"""```{{code-cell}} ipython3
:tags: [remove-cell]

{chapter_checks.COLAB.format(repository=OLD)}
```

# A chapter

[Open]({OLD.replace("github.com", "colab.research.google.com/github")}/blob/main/book/small.ipynb)
"""


@pytest.fixture
def root(tmp_path):
    """A planted book at the old address, in step."""
    (tmp_path / "book" / "src").mkdir(parents=True)
    (tmp_path / "ddpm_core").mkdir()
    (tmp_path / "ddpm_core" / "results.py").write_text(f'HOME = "{OLD}/raw/main"\n')
    (tmp_path / "_config.yml").write_text(f"repository:\n  url: {OLD}\n")
    (tmp_path / "README.md").write_text(f"git clone {OLD}.git, not someone/book or one/bookshelf")
    (tmp_path / "book" / "src" / "small.md").write_text(TEXT)
    notebook = notebooks.from_text(TEXT)
    notebook.cells[0].execution_count = 1
    notebook.metadata["ddpm"] = notebooks.record(notebook, tmp_path)
    notebooks.write(notebook, tmp_path / "book" / "small.ipynb")
    return tmp_path


def test_moves_every_address(root):
    changed = repository.move(NEW + ".git", root)
    assert changed == [
        "README.md",
        "_config.yml",
        "book/small.ipynb",
        "book/src/small.md",
        "ddpm_core/results.py",
    ]
    assert equations.read_repository(root) == NEW
    assert (root / "README.md").read_text() == f"git clone {NEW}.git, not someone/book or one/bookshelf"
    assert "google.com/github/two/other.book/blob" in (root / "book" / "small.ipynb").read_text()


def test_notebooks_stay_in_step(root):
    assert not notebooks.out_of_step("small", root)
    repository.move(NEW, root)
    assert not notebooks.out_of_step("small", root)


@pytest.mark.parametrize("wrong", ["", "two/book", "https://example.org/two/book", "https://github.com/two"])
def test_refuses_what_is_no_address(root, wrong):
    with pytest.raises(ValueError, match="need an address like"):
        repository.move(wrong, root)


def test_moving_back_restores_every_byte(root):
    before = {path: path.read_bytes() for path in repository.files(root)}
    repository.move(NEW, root)
    repository.move(OLD, root)
    assert {path: path.read_bytes() for path in repository.files(root)} == before
