"""The generator as a Hugging Face Space: a form, and pictures that appear while they are drawn.

python space/app.py [--port 7860]
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is there: else it phones out

import drawing
import gradio as gr
from limits import Limits
from starlette.middleware import Middleware

KEPT = 3600  # seconds that a request's pictures are kept
WAITING = 20  # requests that may wait; one more is told that the queue is full
FIRST = next(iter(drawing.MODELS))
GUIDANCE = "Guidance, where a class or a caption is given"


def own_folder() -> Path:
    """A new folder for the pictures of one request, where Gradio serves them as they are: callers who ask for the same
    pictures at once must not write the same files. Those of an hour ago are removed."""
    shelf = Path(os.environ.get("GRADIO_TEMP_DIR", Path(tempfile.gettempdir()) / "gradio"))
    shelf.mkdir(parents=True, exist_ok=True)
    for old in shelf.glob("request-*"):
        if time.time() - old.stat().st_mtime > KEPT:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="request-", dir=shelf))


def draw(title, label, caption, n, steps, sampler, guidance, seed):
    """Pictures on their way from noise, and what is happening, again and again until they are finished."""
    try:
        request = drawing.asked(title, label, caption, n, steps, sampler, guidance, seed)
        folder = own_folder()
        for k, (pictures, state) in enumerate(drawing.drawn(request)):
            files = [folder / f"{k}-{number}.png" for number in range(len(pictures))]
            for picture, file in zip(pictures, files, strict=True):
                picture.save(file)
            yield [str(file) for file in files], state
    except drawing.Refused as refusal:
        raise said(refusal) from refusal


def said(refusal: drawing.Refused) -> gr.Error:
    """The sentence, on the page until it is closed, and not in the log."""
    return gr.Error(str(refusal), print_exception=False, duration=None)


def another(title):
    """What can be asked of another model."""
    try:
        drawing.known("model", title, drawing.MODELS)
        names, words = drawing.choices(title), drawing.words(title)
    except drawing.Refused as refusal:
        raise said(refusal) from refusal
    first = drawing.EACH if drawing.EACH in names else drawing.ANY
    told = f"Words that it knows: {', '.join(words)}." if words else None
    return (
        gr.Dropdown(choices=names, value=first, visible=len(names) > 1),
        gr.Textbox(value=drawing.EXAMPLES.get(title, ""), info=told, visible=words is not None),
    )


# What a caller sent is handed on, whatever it is: `drawing.asked` says what is wrong with it. By the names of these
# classes the page in the browser knows what to show, so they are those of Gradio.
class Slider(gr.Slider):
    def preprocess(self, payload):
        return payload


class Dropdown(gr.Dropdown):
    def preprocess(self, payload):
        return payload


def page() -> gr.Blocks:
    """The form, the gallery and the queue behind them."""
    with gr.Blocks(title="Cogito Diffusion Model", analytics_enabled=False) as demo:
        gr.Markdown("# Noise becomes pictures\nSmall diffusion models, drawing step by step.")
        with gr.Row():
            with gr.Column():
                title = Dropdown(list(drawing.MODELS), value=FIRST, label="Model")
                label = Dropdown(drawing.choices(FIRST), value=drawing.EACH, label="Class")
                caption = gr.Textbox("", label="Caption", max_length=drawing.MOST["letters"], visible=False)
                n = Slider(1, drawing.MOST["pictures"], 4, step=1, label="Pictures")
                steps = Slider(1, drawing.MOST["steps"], 20, step=1, label="Steps")
                sampler = Dropdown(list(drawing.SAMPLERS), value="DPM-Solver++", label="Sampler")
                guidance = Slider(0, drawing.MOST["guidance"], 1, step=0.5, label=GUIDANCE)
                seed = gr.Number(0, label="Seed", precision=None)
                button = gr.Button("Draw", variant="primary")
            with gr.Column():
                gallery = gr.Gallery(label="Pictures", columns=4, object_fit="contain")
                state = gr.Textbox(label="State", interactive=False)
        title.change(another, title, [label, caption], api_name="another")
        inputs = [title, label, caption, n, steps, sampler, guidance, seed]
        button.click(draw, inputs, [gallery, state], api_name="draw", concurrency_limit=1)
    return demo.queue(max_size=WAITING, default_concurrency_limit=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", 7860)))
    options = parser.parse_args()
    host = "0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1"
    before = {"middleware": [Middleware(Limits)]}
    page().launch(server_name=host, server_port=options.port, share=False, show_error=True, app_kwargs=before)


if __name__ == "__main__":
    main()
