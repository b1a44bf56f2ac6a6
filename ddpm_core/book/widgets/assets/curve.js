// A curve over t = 1..T on a log scale, and six handles that bend it: it is a preset times exp(a), where a runs on
// straight lines from handle to handle. follow(curve), from the scripts before, draws all that depends on the curve.
const {T, times, low, high, what} = payload, LOW = Math.log(low), HIGH = Math.log(high);
const plot = find(".bend"), choices = root.querySelectorAll("[aria-pressed]"), undo = find(".undo");
let width = 640, preset = 0, bends = times.map(() => 0), past = [], hand, log;

// In pixels: no SVG here has a viewBox, so that words and handles stay as large on a phone.
const X = t => 50 + (width - 74) * t / T, Y = log => 12 + 160 * (HIGH - log) / (HIGH - LOW);
const line = points => "M" + points.map(point => point.map(v => v.toFixed(2))).join("L");
const word = (x, y, text, role) => `<text x="${x}" y="${y}" class="${role}">${text}</text>`;
const axes = (svg, rows, more = "") => svg.querySelector("g").innerHTML =
  rows.map(([y, text]) => `<path d="M50,${y}H${width - 24}"/>` + word(40, y + 4, text, "level")).join("") + more;
const say = v => v && v < 1e-4 ? v.toExponential(1) : String(+v.toPrecision(v > 0.9 ? 3 : 2));

const within = log => Math.min(Math.max(log, LOW), HIGH);
const start = t => within(Math.log(arrays.curves[preset * T + t - 1]));
const show = () => {
  let k = 0;
  log = Array.from({length: T}, (_, i) => {
    if (i + 1 > times[k + 1]) k++;
    const share = (i + 1 - times[k]) / (times[k + 1] - times[k]);
    return within(start(i + 1) + (1 - share) * bends[k] + share * bends[k + 1]);
  });
  const bent = bends.some(Boolean), rows = [];
  for (let n = Math.ceil(LOW / Math.LN10 - 0.01); n <= HIGH / Math.LN10 + 0.01; n += Math.ceil((HIGH - LOW) / 20))
    rows.push([Y(n * Math.LN10), n < -3 ? "10⁻" + "⁴⁵⁶⁷⁸⁹"[-4 - n] : say(10 ** n)]);
  axes(plot, rows, times.map((t, j) => word(X(t), 198, j ? t : "t = 1", "time")).join(""));
  draw(".bend .line", line(log.map((l, i) => [X(i + 1), Y(l)])));
  draw(".ghost", bent ? line(log.map((_, i) => [X(i + 1), Y(start(i + 1))])) : "");
  knobs.forEach((knob, j) => {
    const t = times[j], value = Math.exp(log[t - 1]);
    knob.setAttribute("transform", `translate(${X(t)} ${Y(log[t - 1])})`);
    knob.ariaValueNow = value;
    knob.ariaValueText = `${what} at t = ${t}: ${say(value)}`;
    if (knob.matches(":focus")) find(".now").textContent = knob.ariaValueText;
  });
  choices.forEach((choice, j) => choice.ariaPressed = j == preset && (bent ? "mixed" : true));
  undo.ariaDisabled = !past.length;
  follow(log.map(Math.exp));
};

// A drag, or a visit with the keys, is one step for "undo": `by` is the hand that moves.
const change = (to, by) => {
  if (by != hand) past.push([preset, bends]);
  hand = by;
  [preset, bends] = to;
  show();
};
const move = (k, to, by) =>
  change([preset, bends.map((bend, j) => j == k ? within(to) - start(times[k]) : bend)], by);

plot.innerHTML = '<g></g><path class="ghost"/><path class="line"/>' + times.map(t =>
  `<g role="slider" tabindex="0" aria-label="${what} at t = ${t}" aria-orientation="vertical" aria-valuemin="${low}" aria-valuemax="${high}">
  <circle r="22"/><circle r="7" class="knob"/></g>`).join("");
const knobs = plot.querySelectorAll("[role]");
knobs.forEach((knob, k) => {
  const now = () => log[times[k] - 1];
  knob.onpointerdown = down => {
    if (down.button) return;
    down.preventDefault();
    knob.focus({preventScroll: true});
    knob.setPointerCapture(down.pointerId);
    const from = Y(now()) - down.clientY;
    knob.onpointermove = ({clientY}) => (hand == down || clientY != down.clientY) &&
      move(k, HIGH - (from + clientY - 12) / 160 * (HIGH - LOW), down);
  };
  knob.ontouchstart = event => event.preventDefault(); // no scrolling: browsers pass over touch-action inside an SVG
  knob.onlostpointercapture = () => knob.onpointermove = null;
  knob.onkeydown = event => {
    const step = {ArrowUp: 0.1, ArrowRight: 0.1, ArrowDown: -0.1, ArrowLeft: -0.1, PageUp: 1, PageDown: -1, Home: -99, End: 99};
    if (!(event.key in step)) return;
    event.preventDefault();
    move(k, now() + step[event.key], knob);
  };
  knob.onfocus = show;
  knob.onblur = () => hand = null;
});
choices.forEach((choice, k) => choice.onclick = () =>
  choice.ariaPressed != "true" && change([k, times.map(() => 0)], choice));
undo.onclick = () => { [preset, bends] = past.pop() ?? [preset, bends]; hand = null; show(); };
new ResizeObserver(() => { width = plot.clientWidth || width; show(); }).observe(plot);
show();
