// The playground on the page: knobs, the field of arrows, points that flow back, the loss. The training runs in a worker.

import { PREDICTIONS, posteriorMean, SCHEDULES, STEPS, uniform, WEIGHTS } from "./diffusion.mjs";
import { Network } from "./network.mjs";
import { answers, resolved } from "./training.mjs";
import { randomness, sample, WORLDS } from "./worlds.mjs";

const KNOBS = {
  world: { title: "World", choices: { ...Object.fromEntries(Object.entries(WORLDS).map(([k, w]) => [k, w.title])), own: "my own points" } },
  points: { title: "Training points", choices: { 0: "new ones for ever", 8: "8", 32: "32", 128: "128", 1000: "1000" } },
  schedule: { title: "Schedule", choices: names(SCHEDULES) },
  T: { title: "T", choices: { 10: "10", 100: "100", 1000: "1000" } },
  predict: { title: "The network predicts", choices: { eps: "the noise, eps", x0: "the point, x0", v: "the velocity, v" } },
  weight: { title: "Weight of the loss", choices: names(WEIGHTS) },
  sampler: { title: "Sampler", choices: { ddpm: "ancestral", ddim: "DDIM" } },
  eta: { title: "eta of DDIM", choices: { 0: "0", 0.5: "0.5", 1: "1" } },
  steps: { title: "Steps back", choices: { 2: "2", 5: "5", 10: "10", 20: "20", 50: "50", 100: "100" } },
};
const FIRST = { world: "spiral", points: "0", schedule: "cosine", T: "1000", predict: "v", weight: "uniform", sampler: "ddpm", eta: "0", steps: "50" };
const CHAIN = ["sampler", "eta", "steps"]; // these change the way back alone: the training goes on
const SIDE = 340, REACH = 2.6, PARTICLES = 400, ARROWS = 17, HOLD = 45;
const MOST = 800; // numbers of the reader's own points, two each

function names(values) {
  return Object.fromEntries(Object.keys(values).map((name) => [name, name]));
}

const knob = ([name, { title, choices }]) => `<label>${title} <select name="${name}">${Object.entries(choices)
  .map(([value, text]) => `<option value="${value}">${text}</option>`).join("")}</select></label>`;

const BODY = `
  <form>${Object.entries(KNOBS).map(knob).join("")}</form>
  <p class="buttons"><button class="go" type="button">Train</button> <button class="again" type="button">Start anew</button>
    <button class="link" type="button">Copy a link to this</button></p>
  <p class="status" role="status" aria-live="polite"></p>
  <div class="panels">
    <figure><figcaption>Where the network would send a point of time t</figcaption>
      <canvas class="field" tabindex="0" role="img"></canvas>
      <label>t <input class="time" type="range" min="1"> <output></output></label>
      <p class="key"><span class="learned">learned →</span> <span class="exact">exact →</span>
        <label><input type="checkbox" class="show-exact" checked> show the exact answer</label></p></figure>
    <figure><figcaption>Points flow back from noise</figcaption>
      <canvas class="flow" role="img"></canvas>
      <p class="now"></p></figure>
    <figure><figcaption>Loss, against the steps of training</figcaption>
      <canvas class="loss" role="img"></canvas>
      <p class="figures"></p></figure>
  </div>`;

export class Playground {
  constructor(root) {
    Object.assign(this, { root, net: new Network(64, () => 0.5), losses: [], run: 0, own: [], training: false, frame: 0, hand: [0, 0] });
    root.innerHTML = BODY;
    this.form = this.find("form");
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const canvas of root.querySelectorAll("canvas")) this.size(canvas);
    this.describe();
    this.worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.heard(data);
    this.worker.onerror = () => this.say("The training could not be started: this browser has no module workers.");
    this.listen();
    this.read(location.hash);
    this.begin();
    requestAnimationFrame(() => this.tick());
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  say(text) {
    this.find(".status").textContent = text;
  }

  size(canvas) {
    const ratio = Math.min(2, devicePixelRatio || 1);
    [canvas.width, canvas.height] = [SIDE * ratio, (canvas.className === "loss" ? 0.6 : 1) * SIDE * ratio];
    canvas.getContext("2d").scale(ratio, ratio);
  }

  /** The knobs from an address; what is not a choice is said and left at its first value. */
  read(hash) {
    const wanted = new URLSearchParams(hash.replace(/^#/, "")), sorry = [];
    for (const name of Object.keys(KNOBS)) {
      const value = wanted.get(name), known = value !== null && Object.hasOwn(KNOBS[name].choices, value);
      if (value !== null && !known) sorry.push(`“${value.slice(0, 40)}” is no choice for “${KNOBS[name].title}”; it stays at ${KNOBS[name].choices[FIRST[name]]}.`);
      this.form.elements[name].value = known ? value : FIRST[name];
    }
    this.own = wanted.has("own") ? wanted.get("own").split(",").map((text) => (text.trim() ? Number(text) : NaN)) : [];
    const outside = (v) => !(Math.abs(v) <= REACH); // NaN is
    if (this.own.length % 2 || this.own.length > MOST || this.own.some(outside)) {
      this.own = [];
      sorry.push(`The points of the link cannot be read: they are pairs of numbers between -${REACH} and ${REACH}, ${MOST / 2} at most.`);
    }
    this.say(sorry.join(" "));
  }

  get chosen() {
    const form = Object.fromEntries(new FormData(this.form)), number = (name) => Number(form[name]);
    return { ...form, points: number("points"), T: number("T"), eta: number("eta"), steps: number("steps") };
  }

  get world() {
    const { world } = this.chosen;
    return world === "own" ? { std: 0.08, means: this.own } : WORLDS[world];
  }

  /** A new training of what is chosen; it runs on if one was running. */
  begin() {
    const settings = { ...this.chosen, seed: 1, run: ++this.run };
    Object.assign(this, { settings, losses: [], steps: 0, data: null, ...resolved(settings) });
    const empty = !this.world.means.length;
    if (empty) {
      this.say("Draw some points in the first panel with mouse, finger or keyboard, then train.");
      this.go(false);
    } else {
      this.worker.postMessage({ begin: settings, world: this.world });
    }
    this.net.weights = new Network(64, () => 0.5).weights;
    this.shown = empty ? new Float64Array() : sample(this.world, 500, randomness(7));
    const time = this.find(".time");
    [time.max, time.value] = [settings.T, Math.max(1, Math.round(0.35 * settings.T))];
    this.find("[name=eta]").closest("label").hidden = settings.sampler !== "ddim";
    this.describe();
    this.restart();
  }

  go(wanted) {
    if (wanted && !this.world.means.length) return this.say("Nothing is drawn yet: draw some points in the first panel.");
    this.training = wanted;
    this.worker.postMessage({ running: wanted });
    this.find(".go").textContent = wanted ? "Pause" : "Train";
  }

  heard({ run, data, steps, losses, weights }) {
    if (run !== this.run) return; // of a training that is over
    if (data !== undefined) this.data = data;
    if (!weights) return;
    this.net.weights = weights;
    for (const loss of losses) this.losses.push(loss);
    this.steps = steps;
  }

  /** Points of pure noise, at time T. */
  restart() {
    const { chosen } = this;
    this.random = randomness(11 + this.frame);
    this.times = uniform(this.chain, Math.min(chosen.steps, this.chain.T));
    this.at = 0;
    this.held = 0;
    this.x = Float64Array.from({ length: 2 * PARTICLES }, this.random.normal);
  }

  stepBack() {
    const { chain, chosen, prediction, times, at, x } = this, t = times[at], prev = times[at + 1];
    const a = Math.sqrt(chain.alphaBar[t]), s = Math.sqrt(1 - chain.alphaBar[t]);
    const outputs = answers(this.net, x, PARTICLES, t / chain.T).slice(), step = STEPS[chosen.sampler];
    for (let i = 0; i < x.length; i++) {
      const x0 = Math.max(-3, Math.min(3, prediction.x0(a, s, outputs[i], x[i])));
      x[i] = step(chain, x[i], x0, t, prev, this.random.normal(), chosen.eta);
    }
    this.at += 1;
  }

  tick() {
    this.frame += 1;
    if (this.at + 1 < this.times.length) {
      // A way back takes about a second; who prefers less motion sees its end at once.
      const pace = this.still ? this.times.length : Math.max(1, Math.round(this.times.length / 60));
      for (let k = 0; k < pace && this.at + 1 < this.times.length; k++) if (this.still || this.frame % 2 || this.times.length > 30) this.stepBack();
    } else if (this.training && ++this.held > (this.still ? 240 : HOLD)) {
      this.restart();
    }
    if (this.frame % 3 === 1) this.paint();
    requestAnimationFrame(() => this.tick());
  }

  paint() {
    this.paintField();
    this.paintFlow();
    if (this.frame % 6 === 1) this.paintLoss();
  }

  /** Colours are the page's: that of its text, and one each for what is learned and what is exact. */
  colour(name) {
    return getComputedStyle(this.root).getPropertyValue(name).trim() || "currentColor";
  }

  cleared(selector, height = SIDE) {
    const context = this.find(selector).getContext("2d");
    context.clearRect(0, 0, SIDE, height);
    return context;
  }

  dots(context, points, colour, radius) {
    context.fillStyle = colour;
    for (let i = 0; i < points.length; i += 2) {
      context.fillRect(onScreen(points[i]) - radius, onScreen(-points[i + 1]) - radius, 2 * radius, 2 * radius);
    }
  }

  paintField() {
    const context = this.cleared(".field"), t = Number(this.find(".time").value), { chain, prediction } = this;
    const a = Math.sqrt(chain.alphaBar[t]), s = Math.sqrt(1 - chain.alphaBar[t]), { means, std } = this.world;
    this.dots(context, this.data ?? this.shown, this.colour("--faint"), this.data ? 2.5 : 1);
    const places = [];
    for (let i = 0; i < ARROWS; i++) for (let j = 0; j < ARROWS; j++) places.push(grid(j), grid(i));
    if (this.find(".show-exact").checked && means.length) {
      this.arrows(context, places, (k) => posteriorMean(chain, means, std, places[k], places[k + 1], t), a, "--exact", 3);
    }
    const outputs = answers(this.net, places, places.length / 2, t / chain.T);
    if (this.steps) {
      const x0 = (i) => prediction.x0(a, s, outputs[i], places[i]);
      this.arrows(context, places, (k) => [x0(k), x0(k + 1)], a, "--learned", 1.5);
    }
    if (this.chosen.world === "own" && document.activeElement === this.find(".field")) this.crosshair(context);
    this.find(".time + output").textContent = `${t} of ${chain.T}; signal ${a.toFixed(2)}, noise ${s.toFixed(2)}`;
  }

  /** From each place towards where its x_0 is expected: a quarter of the way, so that arrows do not cross. */
  arrows(context, places, target, a, colour, width) {
    context.strokeStyle = this.colour(colour);
    context.lineWidth = width;
    context.beginPath();
    for (let k = 0; k < places.length; k += 2) {
      const [x, y] = [places[k], places[k + 1]], [tx, ty] = target(k), far = Math.hypot(a * tx - x, a * ty - y) || 1;
      const by = Math.min(0.25, 0.26 / far), [ex, ey] = [x + by * (a * tx - x), y + by * (a * ty - y)];
      context.moveTo(onScreen(x), onScreen(-y));
      context.lineTo(onScreen(ex), onScreen(-ey));
      const turn = Math.atan2(-(ey - y), ex - x);
      for (const side of [2.6, -2.6]) {
        context.moveTo(onScreen(ex), onScreen(-ey));
        context.lineTo(onScreen(ex) + 4 * Math.cos(turn + side), onScreen(-ey) + 4 * Math.sin(turn + side));
      }
    }
    context.stroke();
  }

  /** Where the next point goes that is set by keyboard. */
  crosshair(context) {
    const [x, y] = [onScreen(this.hand[0]), onScreen(-this.hand[1])];
    context.strokeStyle = this.colour("color");
    context.lineWidth = 1.5;
    context.beginPath();
    for (const [a, b] of [[8, 0], [0, 8]]) {
      context.moveTo(x - a, y - b);
      context.lineTo(x + a, y + b);
    }
    context.stroke();
  }

  paintFlow() {
    const context = this.cleared(".flow");
    this.dots(context, this.shown, this.colour("--faint"), 1);
    this.dots(context, this.x, this.colour("--learned"), 1.6);
    const t = this.times[this.at];
    this.find(".now").textContent = `t = ${t}${t === 0 ? ": the way back is done" : ""}`;
  }

  paintLoss() {
    const height = 0.6 * SIDE, context = this.cleared(".loss", height), { losses } = this;
    if (!losses.length) return;
    const bins = Math.min(160, losses.length), values = [];
    for (let b = 0; b < bins; b++) {
      const [from, to] = [Math.floor((b * losses.length) / bins), Math.floor(((b + 1) * losses.length) / bins)];
      values.push(losses.slice(from, to).reduce((sum, loss) => sum + loss, 0) / (to - from));
    }
    const [low, high] = [Math.min(...values), Math.max(...values)], span = Math.log(high / low) || 1;
    context.strokeStyle = this.colour("--learned");
    context.lineWidth = 1.5;
    context.beginPath();
    values.forEach((value, b) => context.lineTo(4 + (b / Math.max(1, bins - 1)) * (SIDE - 8), height - 8 - (Math.log(value / low) / span) * (height - 16)));
    context.stroke();
    this.find(".figures").textContent = `${this.steps} steps; loss ${values.at(-1).toPrecision(3)} (first ${values[0].toPrecision(3)}; the upright axis is logarithmic)`;
    this.describe(`: from ${values[0].toPrecision(3)} to ${values.at(-1).toPrecision(3)}`);
  }

  /** What the pictures show, in words. */
  describe(fall = "") {
    const label = (name, words) => this.find(`.${name}`).setAttribute("aria-label", words);
    label("loss", `Loss over ${this.steps ?? 0} steps${fall}`);
    const keys = this.form.elements.world.value === "own" ? ". Keys: arrows move the cross, space sets a point, backspace clears" : "";
    label("field", `Arrows of the network after ${this.steps ?? 0} steps, beside the exact ones${keys}`);
    label("flow", `${PARTICLES} points on their way back from noise, after ${this.steps ?? 0} steps`);
  }

  listen() {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", ({ target }) => {
      if (CHAIN.includes(target.name)) {
        this.find("[name=eta]").closest("label").hidden = this.chosen.sampler !== "ddim";
        this.restart();
      } else this.begin();
    });
    this.find(".go").addEventListener("click", () => this.go(!this.training));
    this.find(".again").addEventListener("click", () => this.begin());
    this.find(".link").addEventListener("click", () => this.link());
    addEventListener("hashchange", () => {
      if (!location.hash.includes("=")) return; // a link to a heading
      this.read(location.hash);
      this.begin();
      this.go(true);
      this.root.scrollIntoView({ block: "start" });
    });
    this.drawing();
  }

  /** In the reader's own world, the field is a sheet to put points on: with mouse, finger or keyboard. */
  drawing() {
    const field = this.find(".field"), active = () => this.chosen.world === "own";
    let down = false;
    const place = ({ clientX, clientY }) => {
      const box = field.getBoundingClientRect(), at = (share) => (2 * share - 1) * REACH;
      return [at((clientX - box.left) / box.width), -at((clientY - box.top) / box.height)];
    };
    const put = (x, y) => {
      const [a, b] = this.own.slice(-2), inside = Math.max(Math.abs(x), Math.abs(y)) <= REACH;
      if (inside && this.own.length < MOST && (a === undefined || Math.hypot(x - a, y - b) > 0.1)) this.own.push(x, y);
      this.shown = Float64Array.from(this.own);
    };
    const counted = () => {
      this.begin();
      if (this.own.length) this.say(`${this.own.length / 2} points${this.own.length < MOST ? "" : ", and no more"}. Press Train.`);
    };
    field.addEventListener("pointerdown", (event) => {
      if (!active()) return;
      down = true;
      field.setPointerCapture(event.pointerId);
      if (this.steps) this.own = [];
      put(...place(event));
    });
    field.addEventListener("pointermove", (event) => down && put(...place(event)));
    for (const end of ["pointerup", "pointercancel"]) {
      field.addEventListener(end, () => {
        if (down) counted();
        down = false;
      });
    }
    field.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!active() || !(by || event.key === " " || event.key === "Backspace")) return;
      event.preventDefault();
      if (by) this.hand = this.hand.map((v, i) => Math.max(-2.5, Math.min(2.5, v + 0.125 * by[i])));
      if (event.key === "Backspace") this.own = [];
      if (event.key === " " || (by && event.shiftKey)) put(...this.hand);
      if (!by || event.shiftKey) counted();
    });
  }

  async link() {
    const wanted = new URLSearchParams(Object.fromEntries(new FormData(this.form)));
    if (this.own.length) wanted.set("own", this.own.map((v) => v.toFixed(2)).join(","));
    history.replaceState(null, "", "#" + wanted);
    try {
      await navigator.clipboard.writeText(location.href);
      this.say("The link is copied; it stands in the address line, too.");
    } catch {
      this.say("The link stands in the address line.");
    }
  }
}

const onScreen = (v) => ((v / REACH + 1) / 2) * SIDE;
const grid = (i) => (((i + 0.5) / ARROWS) * 2 - 1) * REACH;

for (const root of document.querySelectorAll(".ddpm-playground")) new Playground(root);
