"""Addresses elsewhere are asked for, and those of the repository looked up: what is gone is named with its pages."""

from http.server import BaseHTTPRequestHandler

import links
import pytest
from serving import served

REPOSITORY = "https://github.com/one/book"


class Answers(BaseHTTPRequestHandler):
    """Answers /404 with 404, and so on; /moved leads to /200."""

    def __init__(self, *arguments, directory):
        super().__init__(*arguments)

    def do_GET(self):
        if self.path == "/moved":
            self.send_response(301)
            self.send_header("Location", "/200")
        else:
            self.send_response(int(self.path[1:]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setattr(links, "PAUSE", 0)
    with served(tmp_path, Answers) as base:
        yield base


def test_what_answers_or_is_shy_is_well_and_what_is_gone_is_named(server):
    found = {f"{server}/{path}": ["a.html", "b.html"] for path in ("200", "moved", "403", "429", "404", "500")}
    assert sorted(links.complaints(found, REPOSITORY)) == [
        f"{server}/404 answered 404 (a.html, b.html)",
        f"{server}/500 answered 500 (a.html, b.html)",
    ]


def test_a_host_that_does_not_answer_is_named():
    (said,) = links.complaints({"http://127.0.0.1:9/x": ["a.html"]}, REPOSITORY)
    assert said.startswith("http://127.0.0.1:9/x did not answer: ") and said.endswith("(a.html)")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", ""),
        ("/blob/main/there.md", ""),
        ("/issues/new?title=x", ""),
        ("/raw/main/gone.md", "there is no gone.md"),
        ("/tree/main/folder", "there is no folder"),
    ],
)
def test_what_lies_in_the_repository_is_looked_up(tmp_path, path, said):
    (tmp_path / "there.md").touch()
    assert links.own(REPOSITORY + path, REPOSITORY, tmp_path) == said
    in_colab = REPOSITORY.replace("github.com", "colab.research.google.com/github")
    assert links.own(in_colab + path, REPOSITORY, tmp_path) == said
    assert links.own("https://github.com/one/bookshelf", REPOSITORY, tmp_path) is None


def test_addresses_are_gathered_from_all_pages(tmp_path, capsys):
    pages = tmp_path / "_build" / "html"
    (pages / "_static").mkdir(parents=True)
    (pages / "_static" / "theme.html").write_text('<a href="https://theme.invalid">x</a>')
    (pages / "b.html").write_text('<a href="https://elsewhere.invalid/x#one">x</a> <a href="a.html">a</a>')
    (pages / "a.html").write_text('<a href="https://elsewhere.invalid/x#two">x</a> <img src="https://y.invalid">')
    assert links.leads(pages) == {"https://elsewhere.invalid/x": ["a.html", "b.html"]}
    assert links.main(tmp_path) == 2 and "run `make book` first" in capsys.readouterr().err
