"""What the README promises runs as it stands."""

import re
from pathlib import Path

from PIL import Image

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_nine_lines_train_and_draw_as_they_stand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 9
    exec(code, {})
    assert capsys.readouterr().out.startswith("10 ")
    with Image.open("digits.png") as drawn:
        assert drawn.size == (8 * (4 * 8 + 2) - 2,) * 2


def test_every_path_it_names_is_there():
    root = Path(__file__).parents[2]
    named = re.findall(r"\]\(((?!http)[^)#]+)\)", README) + re.findall(r"`((?:book|tests|ddpm_core)[\w/.-]*)`", README)
    assert len(named) > 5
    for path in named:
        assert (root / path).exists(), path
