// The generator on the page: a form, a canvas that shows every step, and a worker that draws. `open` is called when the
// reader asks for it, and nothing is loaded before.

import { Pad } from "./pad.mjs";
import { asNumbers, AT_ONCE, checked, fromAddress, rules, toAddress } from "./settings.mjs";
import { complaint } from "./text.mjs";

const HERE = new URL(".", import.meta.url);
const json = async (name) => (await fetch(new URL(name, HERE))).json();
// name -> {title, file, bytes, sha256, settings, picture}, and how much may be asked for
const [SHELF, BOUNDS] = await Promise.all([json("models.json"), json("bounds.json")]);
const SAMPLERS = { dpm: "DPM-Solver++", ddim: "DDIM", ddpm: "ancestral (DDPM)" };
const PARTS = ["checkpoint.mjs", "drawing.mjs", "noise.mjs", "sampler.mjs", "text.mjs", "unet.mjs", "worker.mjs"];
const FIRST = { label: "none", caption: "", n: "4", steps: "20", sampler: "dpm", eta: "0", guidance: "0", seed: "0" };

const FORM = `
  <form>
    <label>Model <select name="model"></select></label>
    <label data-for="label">Class <select name="label"></select></label>
    <div data-for="caption"><label>Caption <input name="caption" autocomplete="off" spellcheck="false"></label>
      <p class="heard" role="status"></p>
      <details class="known"><summary>Words that it knows</summary><p></p></details></div>
    <label>Pictures <select name="n"></select></label>
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
      <button type="button" class="link" disabled>Copy a link to this</button></span>
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

let opened = 0; // generators on this page

export class Generator {
  constructor(root) {
    const style = document.createElement("link");
    [style.rel, style.href] = ["stylesheet", new URL("generator.css", HERE)];
    document.head.append(style);
    Object.assign(this, { root, steps: [], job: 0, busy: false, loaded: null, start: null });
    root.innerHTML = FORM;
    this.form = this.find("form");
    this.fill("model", Object.entries(SHELF).map(([name, { title }]) => [name, title]));
    this.fill("sampler", Object.entries(SAMPLERS));
    this.fill("n", AT_ONCE.filter((n) => n <= BOUNDS.pictures).map((n) => [n, n]));
    this.pad = new Pad(this.find(".pad"), this.find(".brush"), () => (this.find(".finish").disabled = !this.pad?.drawn));
    this.find(".heard").id = `ddpm-heard-${++opened}`;
    this.form.elements.caption.setAttribute("aria-describedby", this.find(".heard").id);
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

  /** Settings from a link, or the model's own; then the first picture, begun with the drawing of the link if it has one. */
  async begin(wanted) {
    if (this.busy) this.stop();
    const name = Object.hasOwn(SHELF, wanted.model ?? "") ? wanted.model : Object.keys(SHELF)[0];
    const sorry = wanted.model && wanted.model !== name ? [`There is no model “${wanted.model.slice(0, 40)}” here.`] : [];
    this.form.elements.model.value = name;
    if (!(await this.load(name))) return;
    const found = checked({ ...wanted, model: name }, this.rules(), { ...this.first(), model: name });
    if (wanted.caption && !this.loaded.vocabulary) sorry.push(`${SHELF[name].title}: this model takes no caption.`);
    this.show(found.settings);
    const start = wanted.start === undefined ? null : await this.sent(wanted);
    if (wanted.start !== undefined && !start) sorry.push("The drawing in the link cannot be read, so this begins with noise.");
    await this.draw(start, [...sorry, ...found.sorry]);
  }

  rules() {
    return rules(Object.keys(SHELF), this.loaded, BOUNDS);
  }

  first() {
    return { ...FIRST, ...SHELF[this.loaded.name].settings };
  }

  show(settings) {
    for (const [name, value] of Object.entries(settings)) this.form.elements[name].value = value;
    this.dependents();
    this.hear();
  }

  /** What makes no sense with this choice is not offered. */
  dependents() {
    const { label, caption, sampler } = this.form.elements, { names, vocabulary } = this.loaded ?? {};
    const told = (names && label.value !== "none") || (vocabulary && caption.value.trim());
    this.find("[data-for=label]").hidden = !names;
    this.find("[data-for=caption]").hidden = !vocabulary;
    this.find("[data-for=guidance]").hidden = !told;
    this.find("[data-for=eta]").hidden = sampler.value !== "ddim";
  }

  /** Whether the model can be told this caption; if not, a sentence below it says why, while one types. */
  hear() {
    const { caption } = this.form.elements, { vocabulary } = this.loaded ?? {};
    const wrong = vocabulary ? complaint(caption.value, vocabulary, BOUNDS.letters) : "";
    const sentence = wrong || (caption.value.trim() ? "" : "No caption: the model draws whatever comes.");
    if (this.find(".heard").textContent !== sentence) this.find(".heard").textContent = sentence;
    caption.setAttribute("aria-invalid", String(Boolean(wrong)));
    return wrong;
  }

  /** A worker with this model in it; true when it is ready. */
  load(name) {
    if (this.loaded?.name === name) return true;
    this.worker?.terminate();
    // A page of another site may not start this file as a worker, but may start one that imports it.
    // All that it needs is named at once, so that no file waits for another.
    const source = `${PARTS.map((name) => `import "${new URL(name, HERE)}";`).join("")} postMessage({ kind: "awake" });`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(address, { type: "module" });
    this.loaded = null;
    this.say("Fetching the model …");
    return new Promise((resolve) => {
      this.worker.onerror = () => resolve(this.fail("The drawing machine could not be started."));
      this.worker.onmessage = ({ data }) => {
        if (data.kind === "awake") this.worker.postMessage({ kind: "load", model: SHELF[name], most: BOUNDS.pictures });
        if (data.kind === "bytes") this.say(`Fetching the model: ${Math.round((100 * data.came) / data.total)} %`);
        if (data.kind === "step" && data.job === this.job) this.step(data);
        if (data.kind === "done" && data.job === this.job) this.done();
        if (data.kind === "sorry") resolve(this.fail(data.sentence));
        if (data.kind === "ready") resolve(this.ready(name, data));
      };
    });
  }

  ready(name, { channels, size, names, vocabulary, T }) {
    this.size = { channels, height: size[0], width: size[1] };
    this.loaded = { name, names, vocabulary, T };
    const classes = (names ?? []).map((text, k) => [String(k), text]), from = this.find(".from");
    this.fill("label", [["none", "any"], ...(names ? [["each", "each in turn"]] : []), ...classes]);
    this.find(".known p").textContent = (vocabulary ?? []).join(", ");
    [from.max, from.value] = [T, Math.round(0.6 * T)];
    this.pad.lay(this.size);
    this.told();
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
    const wrong = this.hear();
    if (wrong) {
      this.form.elements.caption.focus();
      return this.say(wrong);
    }
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
    this.find(".save").disabled = this.find(".link").disabled = false;
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

  /** Whoever comes back to this page from the next one finds it without its worker. */
  leave() {
    if (this.busy) this.stop();
    this.worker?.terminate();
    this.loaded = null;
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
    const { channels: C, height: H, width: W } = this.size, n = shades.length / (C * H * W);
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

  told() {
    this.find(".from + output").textContent = this.find(".from").value;
  }

  finish() {
    if (!this.pad.drawn) return this.say("The pad is empty: draw something first.");
    this.draw(this.begun());
  }

  /** What is drawn on the pad, and from which time it is finished. */
  begun() {
    return { pixels: this.pad.pixels(), t: Number(this.find(".from").value), text: this.pad.toText() };
  }

  /** The beginning that a link brings, on the pad as well; null if it cannot be read. */
  async sent({ start, from }) {
    const t = Number(from ?? NaN);
    if (!(Number.isInteger(t) && t >= 1 && t <= this.loaded.T) || !(await this.pad.fromText(start))) return null;
    this.find(".from").value = t;
    this.told();
    this.find(".own").open = true;
    return this.begun();
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
    this.form.elements.caption.addEventListener("input", () => {
      this.hear();
      this.dependents();
    });
    this.find(".other").addEventListener("click", () => {
      this.form.elements.seed.value = String(Math.floor(Math.random() * 1e6));
      this.draw();
    });
    this.find(".scrub input").addEventListener("input", () => this.paint());
    this.find(".shown").addEventListener("change", () => this.paint());
    this.find(".save").addEventListener("click", () => this.save());
    this.find(".link").addEventListener("click", () => this.link());
    this.find(".clear").addEventListener("click", () => this.pad.clear());
    this.find(".finish").addEventListener("click", () => this.finish());
    this.find(".from").addEventListener("input", () => this.told());
    addEventListener("pagehide", () => this.leave());
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

  /** The address that makes these pictures again. */
  async link() {
    const begun = this.start ? { start: this.start.text, from: this.start.t } : {};
    history.replaceState(null, "", toAddress({ ...this.settings, ...begun }));
    try {
      await navigator.clipboard.writeText(location.href);
      this.say("The link is copied; it stands in the address line, too.");
    } catch {
      this.say("The link stands in the address line.");
    }
  }
}

/** Put the generator into an element of the page and let it draw: what the element's data-settings say, or else the
 *  page's address. */
export function open(root) {
  const generator = new Generator(root), { settings } = root.dataset;
  generator.begin(fromAddress(settings ?? location.hash));
  if (settings === undefined) {
    addEventListener("hashchange", () => location.hash.startsWith("#model=") && generator.begin(fromAddress(location.hash)));
  }
  return generator;
}
