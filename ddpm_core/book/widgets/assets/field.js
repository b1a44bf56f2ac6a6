// One field in three readings, and points that it moves. What x_t tells of x_0 says all of it (mixture.js); a step is
// DDIM's, with as much fresh noise as the slider says.
const {T, opens} = payload, {start} = arrays;
const N = start.length / 2, SIDE = 13, CELL = 27, UNIT = 60;
const button = find("button"), [time, fresh] = root.querySelectorAll("[type=range]"), radios = root.querySelectorAll("[type=radio]");
let points = Float64Array.from(start), t = T;

const score = (x, x0, t) => -eps(x, x0, t) / Math.sqrt(lost[t]);
const READINGS = {noise: eps, score, velocity: (x, x0, t) => (x + score(x, x0, t)) / 2};

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const leap = s => { // from t to its neighbour s: back with DDIM's noise, forth with that of the chain
  const share = s < t ? lost[s] / lost[t] * (1 - kept[t] / kept[s]) : 1 - kept[s] / kept[t];
  const own = Number(fresh.value) ** 2 * Math.max(0, share), rest = Math.sqrt(Math.max(0, lost[s] - own));
  for (let i = 0; i < N; i++) {
    const x = points[2 * i], y = points[2 * i + 1], [gx, gy] = guess(x, y, t);
    points[2 * i] = Math.sqrt(kept[s]) * gx + rest * eps(x, gx, t);
    points[2 * i + 1] = Math.sqrt(kept[s]) * gy + rest * eps(y, gy, t);
    if (own) { points[2 * i] += Math.sqrt(own) * normal(); points[2 * i + 1] += Math.sqrt(own) * normal(); }
  }
  t = s;
};
const walk = to => { while (t != to) leap(t + Math.sign(to - t)); };

const show = () => {
  const reading = Array.from(radios).find(radio => radio.checked).value, arrows = [];
  let longest = 0;
  for (let i = 0; i < SIDE; i++) for (let j = 0; j < SIDE; j++) {
    const x = (i - (SIDE - 1) / 2) * CELL / UNIT, y = (j - (SIDE - 1) / 2) * CELL / UNIT, [gx, gy] = guess(x, y, t);
    const arrow = [x, y, READINGS[reading](x, gx, t), READINGS[reading](y, gy, t)];
    longest = Math.max(longest, Math.hypot(arrow[2], arrow[3]));
    arrows.push(arrow);
  }
  draw(".arrows", arrows.map(([x, y, u, v]) => { // a needle: wide where it stands, sharp where it points
    const size = Math.hypot(u, v) || 1, a = UNIT * x, b = -UNIT * y, p = 2.6 * v / size, q = 2.6 * u / size;
    const scale = 0.95 * CELL * Math.sqrt(size / longest) / size; // lengths by their roots, so that short ones are seen
    return `M${[a + p, b + q, a + scale * u, b - scale * v, a - p, b - q].map(n => n.toFixed(2)).join(" ")}Z`;
  }).join(""));
  const places = Array.from(points, (x, i) => (i % 2 ? -UNIT : UNIT) * x);
  draw(".cloud", Array.from({length: N}, (_, i) => `M${places[2 * i].toFixed(1)} ${places[2 * i + 1].toFixed(1)}h0`).join(""));
  find(".one").setAttribute("cx", places[0]);
  find(".one").setAttribute("cy", places[1]);
  time.value = t;
  time.ariaValueText = find(".time").textContent = `t = ${t} of ${T}`;
  find(".fresh").textContent = Number(fresh.value).toFixed(2);
  find(".longest").textContent = longest.toPrecision(3);
};

let coming = 0, way = -1; // the frame to come, 0 while nothing plays; down to the points, or up to noise
const face = () => {
  button.ariaLabel = coming ? "Pause" : "Play";
  draw("button path", coming ? "M7 5h4v14H7zM13 5h4v14h-4z" : "M8 5v14l11-7z");
};
const stop = () => { cancelAnimationFrame(coming); coming = 0; face(); };
const play = () => { // down in some seven seconds, a rest, up again; for a reader who prefers less motion in jumps
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches, pause = calm ? 1000 : 7000 / T;
  let next;
  const tick = now => {
    next ??= now;
    if (!root.isConnected) return stop();
    if (now >= next) {
      const due = calm ? Math.ceil(T / 10) : Math.min(4, 1 + Math.floor((now - next) / pause));
      const to = Math.max(1, Math.min(T, t + way * due));
      walk(to);
      show();
      next = now + pause;
      if (to == 1 || to == T) {
        way = to == 1 ? 1 : -1;
        next = now + 1200;
      }
    }
    coming = requestAnimationFrame(tick);
  };
  if (t == 1 || t == T) way = t == 1 ? 1 : -1;
  coming = requestAnimationFrame(tick);
  face();
};
button.onclick = () => coming ? stop() : play();
time.oninput = () => { stop(); walk(Number(time.value)); show(); };
fresh.oninput = show;
radios.forEach(radio => { radio.name = root.id; radio.onchange = show; });
walk(opens);
show();
face();
