// Points that leap from noise to data by DDIM, as often and with as much fresh noise as the sliders say.
const {stops, curves: CURVES} = payload, {start, fresh, curves, ends} = arrays, N = start.length / 2, UNIT = 60;
const button = find("button"), [done, calls, eta] = root.querySelectorAll("[type=range]");

const leap = (points, t, s, k) => { // 10.7
  const own = (Number(eta.value) ** 2) * lost[s] / lost[t] * (1 - kept[t] / kept[s]), rest = Math.sqrt(Math.max(0, lost[s] - own));
  const next = new Float64Array(2 * N);
  for (let i = 0; i < 2 * N; i += 2) {
    const x = points[i], y = points[i + 1], [gx, gy] = guess(x, y, t);
    next[i] = Math.sqrt(kept[s]) * gx + rest * eps(x, gx, t);
    next[i + 1] = Math.sqrt(kept[s]) * gy + rest * eps(y, gy, t);
    if (own > 0) for (const j of [i, i + 1]) next[j] += Math.sqrt(own) * fresh[2 * N * k + j];
  }
  return next;
};
let road, way, far; // the stops, the points at each, and how far they end from the ends of the curves
const walk = () => {
  road = stops[calls.value];
  way = [start];
  for (let k = 0; k + 1 < road.length; k++) way.push(leap(way[k], road[k], road[k + 1], k));
  const end = way[way.length - 1];
  far = 0;
  for (let i = 0; i < 2 * N; i += 2) far += Math.hypot(end[i] - ends[i], end[i + 1] - ends[i + 1]) / N;
  done.max = road.length - 1;
};
const place = (points, i) => `${(UNIT * points[2 * i]).toFixed(1)} ${(-UNIT * points[2 * i + 1]).toFixed(1)}`;
const dots = points => Array.from({length: points.length / 2}, (_, i) => `M${place(points, i)}h0`).join("");
const line = (many, at) => `M${Array.from({length: many}, (_, k) => at(k)).join("L")}`;
const show = () => {
  const k = Number(done.value), n = road.length - 1;
  draw(".cloud", dots(way[k]));
  draw(".pieces", Array.from({length: CURVES}, (_, i) => line(k + 1, j => place(way[j], i))).join(""));
  find(".calls").textContent = calls.ariaValueText = `${n}`;
  find(".eta").textContent = Number(eta.value).toFixed(1);
  done.ariaValueText = find(".time").textContent = `after ${k} of ${n}: t = ${road[k]}`;
  find(".miss").textContent = far.toFixed(2);
};

let coming = 0; // the leap to come, 0 while nothing plays
const face = () => {
  button.ariaLabel = coming ? "Pause" : "Play";
  draw("button path", coming ? "M7 5h4v14H7zM13 5h4v14h-4z" : "M8 5v14l11-7z");
};
const stop = () => { clearTimeout(coming); coming = 0; face(); };
const play = () => { // from the start again where it stands at the end; some four seconds, and never in a flicker
  if (done.value == done.max) { done.value = 0; show(); }
  const tick = () => {
    if (!root.isConnected) return stop();
    done.value = Number(done.value) + 1;
    show();
    if (done.value == done.max) return stop();
    coming = setTimeout(tick, Math.max(80, 4000 / done.max));
  };
  coming = setTimeout(tick, Math.min(600, 4000 / done.max));
  face();
};
button.onclick = () => coming ? stop() : play();
done.oninput = () => { stop(); show(); };
calls.oninput = eta.oninput = event => {
  const share = done.value / done.max;
  stop();
  walk();
  done.value = event ? Math.round(share * done.max) : done.max;
  show();
};
draw(".data", dots(means));
draw(".curves", Array.from({length: CURVES}, (_, i) => {
  const each = curves.length / CURVES / 2;
  return line(each, k => place(curves, i * each + k));
}).join(""));
calls.oninput();
face();
