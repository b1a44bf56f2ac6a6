// A digit in noise. The reader says which it is; then come the network's guess, the truth, and a slider for the time.
const {times, shape: [, C, H, W], labels, read, rates, asked} = payload, {alpha_bar, x0, eps, guesses} = arrays;
const D = C * H * W, N = labels.length, [seen, guessed, truth] = root.querySelectorAll("canvas");
const keys = root.querySelectorAll(".keys button"), next = find(".next"), slider = find("input"), plot = find(".rates");
const notes = root.querySelectorAll(".said"), tally = times.map(() => ({right: 0, all: 0}));
let n = 0, answer = -1, width = 320;

const panels = () => {
  const k = Number(slider.value), a = Math.sqrt(alpha_bar[k]), b = Math.sqrt(1 - alpha_bar[k]), open = answer >= 0;
  tile(seen, i => 127.5 * (a * x0[n * D + i] + b * eps[n * D + i] + 1));
  tile(guessed, i => guesses[(k * N + n) * D + i]);
  tile(truth, i => 127.5 * (x0[n * D + i] + 1));
  root.classList.toggle("open", open);
  find(".time").textContent = slider.ariaValueText = `t = ${times[k]}`;
  notes[0].textContent = open ? `you say ${answer}` : "which digit?";
  notes[1].textContent = open ? `read as ${read[k][n]}` : "";
  notes[2].textContent = open ? `a ${labels[n]}` : "";
  slider.disabled = !open;
  next.ariaDisabled = !open;
  keys.forEach((key, digit) => { key.ariaDisabled = open; key.ariaPressed = digit == answer; });
};

// In pixels, so that words are as large on a phone.
const X = k => 50 + (width - 80) * k / (times.length - 1), Y = rate => 112 - 100 * rate;
const word = (x, y, text, anchor) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
const score = () => {
  const levels = [0, 0.5, 1].map(r => `<path d="M50,${Y(r)}H${width - 24}"/>` + word(42, Y(r) + 4, 100 * r + "%", "end")).join("");
  const ticks = times.map((t, k) => word(X(k), 134, k ? t : `t = ${t}`, "middle")).join("");
  const chance = `<path class="chance" d="M50,${Y(0.1)}H${width - 24}"/>`;
  const line = `<path class="net" d="M${rates.map((rate, k) => `${X(k)},${Y(rate)}`).join("L")}"/>`;
  const boxes = rates.map((rate, k) => `<rect class="net" x="${X(k) - 4}" y="${Y(rate) - 4}" width="8" height="8"/>`).join("");
  const dots = tally.map(({right, all}, k) => all ? `<circle class="you" cx="${X(k)}" cy="${Y(right / all)}" r="${5 + Math.min(all, 6)}"/>` : "").join("");
  plot.querySelector("g").innerHTML = levels + chance + ticks + line + boxes + dots;
  const of = (k, {right, all}) => `at t = ${times[k]} the network ${Math.round(100 * rates[k])}%` + (all ? `, you ${right} of ${all}` : "");
  plot.ariaLabel = "right guesses: " + tally.map((one, k) => of(k, one)).join("; ");
};

const say = digit => {
  if (answer >= 0) return;
  const k = asked[n], net = read[k][n];
  answer = digit;
  tally[k].all++;
  tally[k].right += digit == labels[n];
  const sum = key => tally.reduce((total, one) => total + one[key], 0), hit = yes => yes ? "right" : "wrong";
  find(".verdict").textContent = `It is a ${labels[n]}. You are ${hit(digit == labels[n])}, the network is ${hit(net == labels[n])}. ` +
    `So far ${sum("right")} of ${sum("all")} for you.`;
  panels();
  score();
};
const go = () => {
  if (answer < 0) return;
  n = (n + 1) % N;
  answer = -1;
  slider.value = asked[n];
  find(".verdict").textContent = "";
  panels();
};
keys.forEach((key, digit) => key.onclick = () => say(digit));
next.onclick = go;
slider.oninput = panels;
root.addEventListener("keydown", event => { // digits answer, wherever in the figure one stands
  if (event.ctrlKey || event.metaKey || event.altKey || !/^[0-9]$/.test(event.key)) return;
  event.stopPropagation();
  say(Number(event.key));
});
slider.value = asked[0];
new ResizeObserver(() => { width = plot.clientWidth || width; score(); }).observe(plot);
panels();
score();
