// One pixel as a point (x_0, eps); axes for x_t and v turned by phi_t; the same error put into four answers. Whoever
// sees x_t knows the line across its axis, so each wrong answer names another point of that line.
const {T, opens, pixel: [X, E]} = payload, {x0, eps, pattern, kept, slopes} = arrays, UNIT = 100;
const plane = find(".plane"), panels = root.querySelectorAll(".panel"), guesses = root.querySelectorAll(".guess");
const [time, size] = root.querySelectorAll("[type=range]"), about = Array.from(panels, panel => panel.querySelector("canvas").ariaLabel);
const angle = t => Math.acos(Math.sqrt(kept[t]));
const put = (path, x, y) => root.querySelectorAll(path).forEach(e => e.setAttribute("transform", `translate(${(UNIT * x).toFixed(2)} ${(-UNIT * y).toFixed(2)})`));
const many = x => x < 10 ? x.toFixed(2) : x.toPrecision(3);

const show = () => {
  const t = Number(time.value), error = Number(size.value), cos = Math.sqrt(kept[t]), sin = Math.sqrt(1 - kept[t]);
  const ray = (a, b, from, to) => `M${UNIT * a * from} ${-UNIT * b * from}L${UNIT * a * to} ${-UNIT * b * to}`;
  draw("path.xt", ray(cos, sin, -1.2, 1.4));
  draw("path.vel", ray(-sin, cos, -1.2, 1.4));
  const foot = cos * X + sin * E; // x_t of the pixel
  draw(".line", `M${UNIT * (cos * foot - 5 * sin)} ${-UNIT * (sin * foot + 5 * cos)}L${UNIT * (cos * foot + 5 * sin)} ${-UNIT * (sin * foot - 5 * cos)}`);
  put(".hand.xt", 1.4 * cos, 1.4 * sin);
  put(".hand.vel", -1.4 * sin, 1.4 * cos);
  put("text.xt", 1.4 * cos + 0.19 * sin, 1.4 * sin - 0.19 * cos);
  put("text.vel", -1.4 * sin - 0.19 * cos, 1.4 * cos - 0.19 * sin);
  put(".true", X, E);
  panels.forEach((panel, k) => {
    const slope = k ? slopes[(k - 1) * T + t - 1] : 0, canvas = panel.querySelector("canvas");
    tile(canvas, i => 127.5 * (1 + (k ? x0[i] + slope * error * pattern[i] : cos * x0[i] + sin * eps[i])));
    const said = k ? `x₀ off by ${many(Math.abs(slope) * error)}` : `t = ${t}`;
    panel.querySelector(".off").textContent = said;
    canvas.ariaLabel = `${about[k]}, ${said}`;
    if (!k) return;
    const a = X + slope * error, b = (foot - cos * a) / sin, far = Math.hypot(a - X, b - E) > 4;
    guesses[k - 1].setAttribute("transform", far ? "translate(999 999)" : `translate(${UNIT * a} ${-UNIT * b})`);
  });
  const when = `t = ${t} of ${T}, turned by ${(angle(t) * 180 / Math.PI).toFixed(0)}°`;
  time.ariaValueText = find(".when").textContent = when;
  find(".size").textContent = error.toFixed(2);
};

// A hand on the end of an axis turns both; t is the time whose angle is nearest.
const nearest = phi => {
  let best = 1;
  for (let t = 2; t <= T; t++) if (Math.abs(angle(t) - phi) < Math.abs(angle(best) - phi)) best = t;
  return best;
};
root.querySelectorAll(".hand").forEach((hand, k) => {
  hand.onpointerdown = down => {
    if (down.button) return;
    down.preventDefault();
    hand.setPointerCapture(down.pointerId);
    hand.onpointermove = ({clientX, clientY}) => {
      const box = plane.getBoundingClientRect(), x = clientX - box.x - box.width / 2, y = box.y + box.height / 2 - clientY;
      const phi = Math.atan2(y, x) - (k ? Math.PI / 2 : 0);
      time.value = nearest(phi < -Math.PI ? phi + 2 * Math.PI : phi);
      show();
    };
  };
  hand.ontouchstart = event => event.preventDefault(); // no scrolling: browsers pass over touch-action inside an SVG
  hand.onlostpointercapture = () => hand.onpointermove = null;
});
time.oninput = size.oninput = show;
show();
