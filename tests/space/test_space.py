"""The Space, started as it is published: asked by one, by many at once, and speaking to nobody outside."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import loopback
import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from ddpm_core import sampler
from ddpm_core.networks.conditioning import encode
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


SHAPES = "Shapes from a caption, 32x32"


@pytest.mark.parametrize(
    "title, caption",
    [("Handwritten digits, 8x8", ""), ("Cars, 32x32", ""), (SHAPES, ""), (SHAPES, " A small BLUE ring, on black! ")],
)
def test_it_draws_what_the_package_draws(client, title, caption):
    pictures, said = draw(client, title=title, caption=caption, guidance=2, n=2, steps=6, seed=7)
    assert said == "Finished: 6 steps, seed 7."
    model = checkpoint.load(f"book/results/{drawing.MODELS[title]}.safetensors")
    told = {}
    if caption:
        told = dict(labels=encode(["a small blue ring on black"] * 2, model.network.vocabulary), guidance=2.0)
    wanted = sampler.draw(model, 2, steps=6, sampler="ddim", seed=7, **told)
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
        (dict(title=SHAPES, caption="a red dog"), "The model has never read “dog”: it knows 52 words."),
        (
            dict(title=SHAPES, caption="a cat, a dog, a mouse, a horse"),
            "read “cat”, “dog”, “mouse” and 1 more: it knows",
        ),
        (
            dict(title=SHAPES, caption="<img src=x onerror=alert(1)>"),
            "The model has never read “img”, “src”, “x” and 3",
        ),
        (dict(title=SHAPES, caption="red " * 17), "A caption has at most 16 words, but this one has 17."),
        (dict(title=SHAPES, caption="a" * 100_000), "A caption is a text of at most 200 letters."),
        (dict(title=SHAPES, caption="🚗🚗"), "There is no word in this caption."),
        (dict(title=SHAPES, label="each in turn"), f"{SHAPES} knows no class 'each in turn': choose one of any."),
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


@pytest.mark.parametrize("caption", ["\0", "' -- '", "\ud800", "\u200b", "a" * 200, "🚗 " * 100, "<b>red</b>", None, 7])
def test_a_caption_that_cannot_be_read_is_a_sentence(caption):
    with pytest.raises(drawing.Refused, match=r"^(There is no word|The model has never read|A caption is) .*\.$"):
        drawing.asked(*(FINE | dict(title=SHAPES, caption=caption)).values())


def test_another_model_brings_its_own_fields(client):
    """The classes, and the caption with words that the model knows."""
    classes, caption = client.predict(SHAPES, api_name="/another")
    assert classes["choices"] == [["any", "any"]] and not classes["visible"]
    assert caption["visible"] and caption["value"] == drawing.EXAMPLES[SHAPES]
    assert drawing.asked(*(FINE | dict(title=SHAPES, caption=caption["value"])).values()).caption == caption["value"]
    assert caption["info"].startswith("Words that it knows: a, an, and, ") and caption["info"].endswith(", yellow.")
    classes, caption = client.predict("Garments, 32x32", api_name="/another")
    assert classes["visible"] and classes["value"] == "each in turn" and len(classes["choices"]) == 12
    assert not caption["visible"] and caption["value"] == ""


@pytest.mark.parametrize("harm", ["cut short", "one byte changed", "missing"])
def test_a_harmed_model_is_a_sentence_and_the_others_draw(tmp_path, harm):
    """In a Space of its own; where the file lies is for the log alone."""
    import push

    file = push.assembled(tmp_path) / "models" / "digits.safetensors"
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body[:-500] if harm == "cut short" else body)
    if harm == "missing":
        file.unlink()
    code = f"""
import app, gradio
for ask in (lambda: app.another("Handwritten digits, 8x8"), lambda: [*app.draw(*{[*FINE.values()]})]):
    try:
        ask()
    except gradio.Error as error:
        print(error.message)
print([*app.draw("Cars, 32x32", "any", "", 1, 1, "DDIM", 0, 0)][-1][1])
"""
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"GRADIO_TEMP_DIR": str(tmp_path / "drawn")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=bare, capture_output=True, text=True)
    sentence = "The file of Handwritten digits, 8x8 is missing here, cut short or changed: choose another model."
    assert done.stdout.splitlines() == [sentence, sentence, "Finished: 1 steps, seed 0."], done.stderr
    assert str(file) in done.stderr and "Traceback" not in done.stderr


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


def asked_raw(space, body, path="/gradio_api/call/draw", **headers):
    """(status, answer) of a request as anybody may send it, and the end of the drawing, if one began."""
    host = space[0].removeprefix("http://")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=120)) as connection:
        connection.request("POST", path, body, {"Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        status, text = answer.status, answer.read().decode()
    if status != 200 or "event_id" not in text:
        return status, text
    with contextlib.closing(http.client.HTTPConnection(host, timeout=120)) as connection:
        connection.request("GET", f"{path}/{json.loads(text)['event_id']}")
        return status, connection.getresponse().read().decode()


def anything(random, depth=0):
    """A JSON value of any kind."""
    kind = random.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return [anything(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 7:
        return {random.choice("ab"): anything(random, depth + 1) for _ in range(random.randrange(3))}
    text = "".join(random.choices("aé<🚗\0'\"&{", k=random.randrange(300)))
    return [None, True, random.randrange(-(2**70), 2**70), random.uniform(-1e9, 1e9), text, ""][kind]


def test_a_call_of_any_kind_is_a_sentence_and_never_an_error_of_ours(space):
    """One value of eight, or all of them, is anything at all."""
    random, before = Random(0), space[1].read_text().count("Traceback")
    for k in range(40):
        values = list((FINE | dict(steps=1)).values())
        for place in range(8) if k % 4 == 0 else [random.randrange(8)]:
            values[place] = anything(random)
        status, said = asked_raw(space, json.dumps({"data": values}))
        assert status == 200 and ("event: complete" in said or '"error": "' in said), (values, said)
        for word in ("unhashable", "Traceback", "object", "must be str", "not supported between"):
            assert word not in said, (values, said)
    assert space[1].read_text().count("Traceback") == before


@pytest.mark.parametrize("body", ["no json", "[" * 50_000, b"\xff\xfe", '{"data": "x"}', '{"data": null}', "{}", "[]"])
def test_what_is_no_call_is_refused(body, space, client):
    assert asked_raw(space, body)[0] in (400, 422)
    assert draw(client)[1].startswith("Finished")


def test_more_than_a_form_holds_is_refused_before_it_is_read(space, client):
    """A length that is announced, and one that is not: answered before the body has come to its end."""
    host, port = space[0].removeprefix("http://").split(":")
    one_too_many = b"f4241\r\n" + b" " * 0xF4241  # 1,000,001 bytes of a chunk that goes on
    for head, body in ((b"Content-Length: 99999999999", b""), (b"Transfer-Encoding: chunked", one_too_many)):
        with socket.create_connection((host, int(port)), timeout=60) as endless:
            endless.sendall(b"POST /gradio_api/call/draw HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n" + body)
            said = b"".join(iter(lambda sent=endless: sent.recv(1000), b"")).decode()
            assert said.startswith("HTTP/1.1 413"), said
            assert said.endswith('{"error": "A request has at most 1,000,000 bytes."}')
    upload = asked_raw(space, b"x" * 1000, "/gradio_api/upload")
    assert upload == (403, '{"error": "This Space takes no files."}')
    assert draw(client)[1].startswith("Finished")


def test_slow_readers_keep_nobody_waiting(space, client):
    """Thirty that send half a request, and five that ask for a drawing and never read it."""
    host, port = space[0].removeprefix("http://").split(":")
    with contextlib.ExitStack() as open_ones:
        for k in range(35):
            slow = open_ones.enter_context(socket.create_connection((host, int(port)), timeout=60))
            if k < 30:
                slow.sendall(b"POST /gradio_api/call/draw HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
                continue
            body = json.dumps({"data": list((FINE | dict(n=16, steps=20)).values())})
            with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)) as asking:
                asking.request("POST", "/gradio_api/call/draw", body, {"Content-Type": "application/json"})
                number = json.loads(asking.getresponse().read())["event_id"]
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(f"GET /gradio_api/call/draw/{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert draw(client)[1].startswith("Finished")


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


def test_it_is_published_as_a_whole_and_draws_where_it_arrives(tmp_path):
    """make push-space, to a Hub on the loopback; then a picture from the files that came there, and from no others."""
    python = Path(sys.executable)
    make = ["make", "--no-print-directory", "-o", ".venv/.ready", f"BIN={python.parent}", "push-space"]
    code = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    with loopback.running() as hub:
        done = loopback.asking(hub, tmp_path / "home", "-c", code, *make, "SPACE=club/generator", cwd=ROOT)
        assert done.returncode == 0, done.stderr
        unknown = loopback.asking(hub, tmp_path / "home", "-c", code, *make, "SPACE=club/x", token="no", cwd=ROOT)
    assert done.stdout.strip() == f"{hub.endpoint}/spaces/club/generator"
    assert unknown.returncode == 2 and unknown.stderr.startswith("the Hub did not take 'club/x'")
    (asked,) = hub.asked
    assert (asked["type"], asked["sdk"]) == ("space", "gradio")
    (files,) = hub.repositories["spaces/club/generator"]
    assert not any("__pycache__" in name or name.startswith("tests") for name in files)
    for name, content in files.items():
        (tmp_path / "space" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "space" / name).write_bytes(content)
    ask = "import app; *_, end = app.draw('Garments, 32x32', 'Bag', '', 1, 2, 'DDIM', 1, 0); print(end[1], len(end[0]))"
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"GRADIO_TEMP_DIR": str(tmp_path / "drawn")}
    done = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path / "space", env=bare, capture_output=True, text=True)
    assert done.stdout.strip() == "Finished: 2 steps, seed 0. 1", done.stderr


def test_without_a_name_nothing_is_published():
    done = subprocess.run(["make", "-o", ".venv/.ready", "push-space"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "say where to: make push-space SPACE=user/name" in done.stdout


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
