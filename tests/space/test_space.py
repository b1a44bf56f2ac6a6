"""The Space, started as it is published: asked by one, by many at once, and speaking to nobody outside."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from ddpm_core import sampler
from ddpm_core.storage import checkpoint

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "space"))
import drawing  # noqa: E402

# Runs app.py and writes down every address that the process connects or looks up.
WATCHED = """
import runpy, sys
def watch(event, arguments):
    if event == "socket.connect" or event == "socket.getaddrinfo":
        print("asked for", arguments[1] if event == "socket.connect" else arguments[0], file=sys.stderr, flush=True)
sys.addaudithook(watch)
sys.argv = ["app.py", "--port", sys.argv[1]]
sys.path.insert(0, "space")
runpy.run_path("space/app.py", run_name="__main__")
"""
FINE = dict(title="Handwritten digits, 8x8", label="any", caption="", n=1, steps=5, sampler="DDIM", guidance=0, seed=0)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """(address, the file in which the app's words stand)."""
    words = tmp_path_factory.mktemp("space") / "words"
    settings = dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PYTHONUNBUFFERED="1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with words.open("w") as said:
        app = subprocess.Popen(
            [sys.executable, "-c", WATCHED, str(port)],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            for _ in range(1200):
                if found := re.search(r"http://127\.0\.0\.1:\d+", words.read_text()):
                    break
                assert app.poll() is None, words.read_text()
                time.sleep(0.1)
            yield found[0], words
        finally:
            app.terminate()
            app.wait(10)


@pytest.fixture(scope="module")
def client(space):
    return Client(space[0], verbose=False)


def draw(client, **changes):
    return client.predict(*(FINE | changes).values(), api_name="/draw")


@pytest.mark.parametrize("title, stem", [("Handwritten digits, 8x8", "digits"), ("Cars, 32x32", "cars32-gpu")])
def test_it_draws_what_the_package_draws(client, title, stem):
    pictures, said = draw(client, title=title, n=2, steps=4, seed=7)
    assert said == "Finished: 4 steps, seed 7."
    wanted = sampler.draw(checkpoint.load(f"book/results/{stem}.safetensors"), 2, steps=4, sampler="ddim", seed=7)
    for picture, image in zip(pictures, wanted, strict=True):
        found = Image.open(picture["image"]).convert("RGB").resize(image.shape[:0:-1], Image.Resampling.BOX)
        expected = np.broadcast_to(image.permute(1, 2, 0).numpy(), (*image.shape[1:], 3)).astype(int)
        assert np.abs(np.asarray(found) - expected).mean() < 12  # enlarged, compressed and made small again


def test_the_pictures_stream_while_they_are_drawn(client):
    job = client.submit(*(FINE | dict(steps=20, label="each in turn", guidance=1)).values(), api_name="/draw")
    job.result()
    times = [int(found[1]) for _, said in job.outputs() if (found := re.match(r"t = (\d+)", said))]
    assert len(times) >= 5 and times == sorted(times, reverse=True) and times[0] == 1000


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (dict(steps=0), "The number of steps must be a number from 1 to 250, but it is 0."),
        (dict(steps=10.7), "The number of steps must be a whole number from 1 to 250, but it is 10.7."),
        (dict(steps="x"), "The number of steps must be a number from 1 to 250, but it is 'x'."),
        (dict(steps=None), "The number of steps must be a number from 1 to 250, but it is None."),
        (dict(n=1e9), "The number of pictures must be a number from 1 to 16"),
        (dict(guidance=-1), "The guidance must be a number from 0 to 10, but it is -1."),
        (dict(seed=2**63), "The seed must be a number from 0 to 9007199254740991, but it is 9223372036854775808."),
        (dict(seed=1.5), "The seed must be a whole number"),
        (dict(caption="a" * 100_000), "A caption is a text of at most 200 letters."),
        (dict(caption="a red car"), "Handwritten digits, 8x8 takes no caption: choose a class."),
        (dict(label="<img src=x onerror=alert(1)>"), "<img"),
        (dict(title="Trains"), "Trains"),
        (dict(sampler="Euler"), "Euler"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(client, space, changes, sentence):
    with pytest.raises(Exception, match=re.escape(sentence)):
        draw(client, **changes)
    assert "Traceback" not in space[1].read_text()
    assert draw(client)[1].startswith("Finished")  # and it goes on


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, [1], {}])
def test_no_value_is_drawn_that_is_no_number(value):
    with pytest.raises(drawing.Refused, match="must be a number from 1 to 250"):
        drawing.asked(*(FINE | dict(steps=value)).values())


@pytest.mark.parametrize("caption", ["🚗" * 10, "<b>", "\0", "one two"])
def test_a_caption_that_no_model_takes_is_refused(caption):
    with pytest.raises(drawing.Refused, match="takes no caption"):
        drawing.asked(*(FINE | dict(caption=caption)).values())


def test_a_hundred_callers_at_once_get_a_picture_or_a_sentence(client, space):
    answers = []

    def call():
        try:
            answers.append(draw(client, steps=2)[1])
        except Exception as error:
            answers.append(str(error))

    callers = [threading.Thread(target=call) for _ in range(100)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(300)
    drawn = [said for said in answers if said.startswith("Finished")]
    refused = {said for said in answers if not said.startswith("Finished")}
    assert len(answers) == 100 and len(drawn) >= 10
    assert all("queue is full" in said.lower() for said in refused), refused
    assert draw(client)[1].startswith("Finished")
    assert "Traceback" not in space[1].read_text()


def test_it_speaks_to_nobody_but_this_machine(client, space):
    draw(client)
    asked = set(re.findall(r"^asked for (.*)$", space[1].read_text(), flags=re.M))
    assert asked  # the watch works: the app looks itself up when it starts
    assert [a for a in asked if not re.search(r"127\.0\.0\.1|localhost|'0\.0\.0\.0'|::1|^None$|/", a)] == []


def test_what_is_published_stands_alone(tmp_path):
    import push

    folder = push.assembled(tmp_path)
    front = (folder / "README.md").read_text("utf-8").split("---")[1]
    assert "sdk: gradio" in front and f"sdk_version: {__import__('gradio').__version__}" in front
    assert {path.name for path in (folder / "models").iterdir()} == {
        f"{s}.safetensors" for s in drawing.MODELS.values()
    }
    code = "import drawing as d; r = d.asked('Cars, 32x32', 'any', '', 1, 1, 'DDIM', 0, 0); print([*d.drawn(r)][-1][1])"
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=bare, capture_output=True, text=True)
    assert done.stdout.strip() == "Finished: 1 steps, seed 0.", done.stderr


def test_it_allows_what_the_page_of_the_generator_allows(tmp_path):
    """Both read one file, and what is published has it."""
    import push

    page = ROOT / "book" / "_static" / "generator" / "bounds.json"
    assert json.loads(page.read_text("utf-8")) == drawing.MOST
    assert (push.assembled(tmp_path) / "bounds.json").read_bytes() == page.read_bytes()


def test_the_pins_are_those_of_the_book():
    ours = dict(
        line.split(";")[0].split("==")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line and "<" not in line
    )
    for line in (ROOT / "space" / "requirements.txt").read_text().split():
        name, version = line.split("==")
        assert ours[name].strip() == version


def test_no_name_on_the_hub_is_refused_in_a_sentence(capsys):
    import push

    assert push.main(["nonsense"]) == 2
    assert "need a Hub name owner/name to push to, but got 'nonsense'" in capsys.readouterr().err
