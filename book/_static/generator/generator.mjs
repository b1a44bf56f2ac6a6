// The generator on the page: a form, a canvas that shows every step, and a worker that draws. `open` is called when the
// reader asks for it, and nothing is loaded before.

import { asNumbers, checked, fromAddress, RULES, toAddress } from "./settings.mjs";

const HERE = new URL(".", import.meta.url);
const SHELF = await (await fetch(new URL("models.json", HERE))).json(); // name -> {title, file, bytes, sha256, settings}
const SAMPLERS = { dpm: "DPM-Solver++", ddim: "DDIM", ddpm: "ancestral (DDPM)" };
const FIRST = { label: "none", n: "4", steps: "20", sampler: "dpm", eta: "0", guidance: "0", seed: "0" };

const FORM = `
  <form>
    <label>Model <select name="model"></select></label>
    <label data-for="label">Class <select name="label"></select></label>
    <label>Pictures <select name="n"><option>1<option>4<option>16</select></label>
    <label>Steps <input name="steps" inputmode="numeric" autocomplete="off"></label>
    <label>Sampler <select name="sampler"></select></label>
    <label data-for="eta">eta <input name="eta" inputmode="decimal" autocomplete="off"></label>
    <label data-for="guidance">Guidance <input name="guidance" inputmode="decimal" autocomplete="off"></label>
    <label>Seed <input name="seed" inputmode="numeric" autocomplete="off"></label>
    <span class="buttons"><button class="go">Draw</button><button type="button" class="other">Another seed</button></span>
  </form>
  <p class="status" role="status" aria-live="polite"></p>
  <div class="stage">
    <canvas class="pictures" role="img" aria-label="No picture yet"></canvas>
    <label class="scrub">Step <input type="range" min="0" max="0" value="0" disabled><output></output></label>
    <fieldset class="shown"><legend>Shown</legend>
      <label><input type="radio" name="shown" value="x" checked> x<sub>t</sub>, the picture with its noise</label>
      <label><input type="radio" name="shown" value="x0Hat"> x̂<sub>0</sub>, the network's guess of the end</label>
    </fieldset>
    <span class="buttons"><button type="button" class="save" disabled>Save as PNG</button>
      <button type="button" class="link">Copy a link to this</button></span>
  </div>
  <details class="own"><summary>Begin with a drawing of your own</summary>
    <p>Draw with finger or mouse. Your drawing gets the noise of time t, and the model finishes it from there: a small t
      keeps your drawing, a large one keeps its outline at most.</p>
    <canvas class="pad" tabindex="0" role="img"
      aria-label="A drawing pad. With the keyboard: arrows move the brush, space paints."></canvas>
    <label>Brush <select class="brush"></select></label>
    <label>From t <input type="range" class="from" min="1"><output></output></label>
    <span class="buttons"><button type="button" class="clear">Clear</button>
      <button type="button" class="finish" disabled>Finish my drawing</button></span>
  </details>`;

export class Generator {
  constructor(root) {
    const style = document.createElement("link");
    [style.rel, style.href] = ["stylesheet", new URL("generator.css", HERE)];
    document.head.append(style);
    Object.assign(this, { root, steps: [], job: 0, busy: false, loaded: null, drawn: false });
    root.innerHTML = FORM;
    this.form = this.find("form");
    this.fill("model", Object.entries(SHELF).map(([name, { title }]) => [name, title]));
    this.fill("sampler", Object.entries(SAMPLERS));
    this.listen();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  fill(name, options) {
    const select = this.form.elements[name], before = select.value;
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    if (options.some(([value]) => value === before)) select.value = before;
  }

  say(...sentences) {
    this.find(".status").textContent = sentences.join(" ");
  }

  /** Settings from the address, or the model's own; then the first picture. */
  async begin(wanted = fromAddress(location.hash)) {
    const name = wanted.model in SHELF ? wanted.model : Object.keys(SHELF)[0];
    const sorry = wanted.model && wanted.model !== name ? [`There is no model “${wanted.model.slice(0, 40)}” here.`] : [];
    if (!(await this.load(name))) return;
    const found = checked({ ...wanted, model: name }, this.rules(), { ...this.first(), model: name });
    this.show(found.settings);
    await this.draw(null, [...sorry, ...found.sorry]);
  }

  rules() {
    return RULES(Object.keys(SHELF), this.loaded.names);
  }

  first() {
    return { ...FIRST, ...SHELF[this.loaded.name].settings };
  }

  show(settings) {
    for (const [name, value] of Object.entries(settings)) this.form.elements[name].value = value;
    this.dependents();
  }

  /** What makes no sense with this choice is not offered. */
  dependents() {
    const { label, sampler } = this.form.elements;
    this.find("[data-for=label]").hidden = !this.loaded?.names;
    this.find("[data-for=guidance]").hidden = !this.loaded?.names || label.value === "none";
    this.find("[data-for=eta]").hidden = sampler.value !== "ddim";
  }

  /** A worker with this model in it; true when it is ready. */
  load(name) {
    if (this.loaded?.name === name) return true;
    this.worker?.terminate();
    // A page of another site may not start this file as a worker, but may start one that imports it.
    const source = `import ${JSON.stringify(String(new URL("worker.mjs", HERE)))}; postMessage({ kind: "awake" });`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(address, { type: "module" });
    this.loaded = null;
    this.say("Fetching the model …");
    return new Promise((resolve) => {
      this.worker.onerror = () => resolve(this.fail("The drawing machine could not be started."));
      this.worker.onmessage = ({ data }) => {
        if (data.kind === "awake") this.worker.postMessage({ kind: "load", model: SHELF[name] });
        if (data.kind === "bytes") this.say(`Fetching the model: ${Math.round((100 * data.came) / data.total)} %`);
        if (data.kind === "step" && data.job === this.job) this.step(data);
        if (data.kind === "done" && data.job === this.job) this.done();
        if (data.kind === "sorry") resolve(this.fail(data.sentence));
        if (data.kind === "ready") resolve(this.ready(name, data));
      };
    });
  }

  ready(name, { channels, size, names, T }) {
    this.loaded = { name, channels, height: size[0], width: size[1], names, T };
    const classes = (names ?? []).map((text, k) => [String(k), text]);
    this.fill("label", [["none", "any"], ...(names ? [["each", "each in turn"]] : []), ...classes]);
    this.pad();
    return true;
  }

  /** Say what went wrong, and show what the model drew when it stood on the shelf. */
  fail(sentence) {
    this.busy = false;
    const { picture, title } = SHELF[this.form.elements.model.value];
    const image = new Image();
    [image.src, image.alt, image.className] = [new URL(picture, HERE), `${title}, drawn beforehand`, "beforehand"];
    this.say(sentence, "Here is what the model drew beforehand.");
    this.find(".beforehand")?.remove();
    this.find(".status").after(image);
    this.find(".go").textContent = "Draw";
    return false;
  }

  async draw(start = null, before = []) {
    if (!(await this.load(this.form.elements.model.value))) return;
    this.find(".beforehand")?.remove();
    const form = Object.fromEntries(new FormData(this.form));
    const { settings, sorry } = checked(form, this.rules(), { ...this.first(), model: this.loaded.name });
    this.show(settings);
    Object.assign(this, { settings, start, steps: [], busy: true, notes: [...before, ...sorry], began: performance.now() });
    this.find(".go").textContent = "Stop";
    this.say(...this.notes, "Drawing …");
    this.worker.postMessage({ kind: "draw", job: ++this.job, settings: asNumbers(settings), start });
  }

  step(step) {
    this.steps.push(step);
    const range = this.find(".scrub input");
    [range.max, range.value, range.disabled] = [step.of, step.k, false];
    this.paint();
  }

  done() {
    this.busy = false;
    this.find(".go").textContent = "Draw";
    this.find(".save").disabled = false;
    const seconds = ((performance.now() - this.began) / 1000).toFixed(1);
    this.say(...this.notes, `Drawn in ${seconds} s, in this page. Drag the slider to go back through the steps.`);
    this.root.dispatchEvent(new CustomEvent("drawn", { bubbles: true }));
  }

  stop() {
    this.worker?.postMessage({ kind: "stop" });
    this.job++;
    this.busy = false;
    this.find(".go").textContent = "Draw";
    this.say("Stopped.");
  }

  /** The step under the slider, as x_t or as the guess of x_0. */
  paint() {
    const step = this.steps[Number(this.find(".scrub input").value)];
    if (!step) return;
    const wanted = this.find("[name=shown]:checked").value;
    this.grid(this.find(".pictures"), step[wanted] ?? step.x);
    const guess = wanted === "x0Hat" && step.x0Hat;
    this.find(".scrub output").textContent = `${step.k} of ${step.of}, t = ${step.t}`;
    const what = guess ? "guesses of the finished picture" : step.t ? "pictures with their noise" : "finished pictures";
    this.find(".pictures").setAttribute("aria-label", `${this.settings.n} ${what} at t = ${step.t}`);
  }

  grid(canvas, shades) {
    const { channels: C, height: H, width: W } = this.loaded, n = shades.length / (C * H * W);
    const columns = Math.ceil(Math.sqrt(n)), rows = Math.ceil(n / columns);
    [canvas.width, canvas.height] = [columns * W, rows * H];
    const image = new ImageData(columns * W, rows * H);
    for (let b = 0; b < n; b++) {
      for (let i = 0; i < H; i++) {
        for (let j = 0; j < W; j++) {
          const to = 4 * (((Math.floor(b / columns) * H + i) * columns + (b % columns)) * W + j);
          for (let c = 0; c < 3; c++) image.data[to + c] = shades[((b * C + Math.min(c, C - 1)) * H + i) * W + j];
          image.data[to + 3] = 255;
        }
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /** The pad of the size of the model's pictures, with brushes of its colours. */
  pad() {
    const { channels, height, width, T } = this.loaded, pad = this.find(".pad"), from = this.find(".from");
    [pad.width, pad.height] = [width, height];
    const colours = channels === 1 ? ["white", "silver", "grey", "black"] : ["white", "silver", "red", "blue", "green", "black"];
    this.find(".brush").replaceChildren(...colours.map((colour) => new Option(colour)));
    [from.max, from.value] = [T, Math.round(0.6 * T)];
    this.clear();
  }

  clear() {
    const pad = this.find(".pad"), context = pad.getContext("2d");
    context.fillStyle = this.loaded.channels === 1 ? "black" : "skyblue";
    context.fillRect(0, 0, pad.width, pad.height);
    Object.assign(this, { drawn: false, brush: { x: pad.width / 2, y: pad.height / 2 } });
    this.find(".finish").disabled = true;
    this.told();
  }

  told() {
    this.find(".from + output").textContent = this.find(".from").value;
  }

  dot(x, y) {
    const pad = this.find(".pad"), context = pad.getContext("2d"), radius = Math.max(0.6, pad.width / 24);
    context.fillStyle = this.find(".brush").value;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    this.drawn = true;
    this.find(".finish").disabled = false;
  }

  finish() {
    const { channels: C, height: H, width: W } = this.loaded;
    if (!this.drawn) return this.say("The pad is empty: draw something first.");
    const { data } = this.find(".pad").getContext("2d").getImageData(0, 0, W, H), pixels = new Float32Array(C * H * W);
    for (let c = 0; c < C; c++) {
      for (let p = 0; p < H * W; p++) pixels[c * H * W + p] = data[4 * p + c] / 127.5 - 1;
    }
    this.draw({ pixels, t: Number(this.find(".from").value) });
  }

  listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.busy) this.stop();
      else this.draw();
    });
    this.form.elements.model.addEventListener("change", async () => {
      if (this.busy) this.stop();
      if (await this.load(this.form.elements.model.value)) {
        this.show({ ...this.first(), model: this.loaded.name });
        this.draw();
      }
    });
    this.form.addEventListener("change", () => this.dependents());
    this.find(".other").addEventListener("click", () => {
      this.form.elements.seed.value = String(Math.floor(Math.random() * 1e6));
      this.draw();
    });
    this.find(".scrub input").addEventListener("input", () => this.paint());
    this.find(".shown").addEventListener("change", () => this.paint());
    this.find(".save").addEventListener("click", () => this.save());
    this.find(".link").addEventListener("click", () => this.link());
    this.find(".clear").addEventListener("click", () => this.clear());
    this.find(".finish").addEventListener("click", () => this.finish());
    this.find(".from").addEventListener("input", () => this.told());
    addEventListener("pagehide", () => this.worker?.terminate());
    this.brushes();
  }

  brushes() {
    const pad = this.find(".pad");
    let last = null;
    const at = ({ clientX, clientY }) => {
      const box = pad.getBoundingClientRect();
      return [((clientX - box.left) / box.width) * pad.width, ((clientY - box.top) / box.height) * pad.height];
    };
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      this.dot(...(last = at(event)));
    });
    pad.addEventListener("pointermove", (event) => {
      if (!last) return;
      const [x, y] = at(event), [a, b] = last, far = Math.ceil(2 * Math.hypot(x - a, y - b));
      for (let k = 1; k <= far; k++) this.dot(a + ((x - a) * k) / far, b + ((y - b) * k) / far);
      last = [x, y];
    });
    for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => (last = null));
    pad.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!by && event.key !== " ") return;
      event.preventDefault();
      if (by) {
        this.brush.x = Math.min(pad.width, Math.max(0, this.brush.x + by[0]));
        this.brush.y = Math.min(pad.height, Math.max(0, this.brush.y + by[1]));
        if (!event.shiftKey) return;
      }
      this.dot(this.brush.x, this.brush.y);
    });
  }

  save() {
    const canvas = this.find(".pictures"), large = document.createElement("canvas"), by = Math.ceil(512 / canvas.width);
    [large.width, large.height] = [by * canvas.width, by * canvas.height];
    const context = large.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, large.width, large.height);
    const link = document.createElement("a");
    link.download = `${this.settings.model}-${this.settings.seed}.png`;
    link.href = large.toDataURL("image/png");
    link.click();
  }

  async link() {
    const form = Object.fromEntries(new FormData(this.form));
    const { settings } = checked(form, this.rules(), { ...this.first(), model: this.loaded.name });
    history.replaceState(null, "", toAddress(settings));
    try {
      await navigator.clipboard.writeText(location.href);
      this.say("The link is copied; it stands in the address line, too.");
    } catch {
      this.say("The link stands in the address line.");
    }
  }
}

/** Put the generator into an element of the page and let it draw. */
export function open(root, wanted) {
  const generator = new Generator(root);
  generator.begin(wanted);
  return generator;
}
