// Curves of the loss with a mark at the step, and below them one row of pictures for each run.
// The frames lie one look after the other, and of each look one run after the other.
const {frames, steps, curves, distances} = arrays, sheets = root.querySelectorAll("canvas"), n = steps.length;
const row = payload.shape.reduce((a, b) => a * b), across = step => step / steps[n - 1];
const curve = r => curves.subarray(r * n, (r + 1) * n), all = name => root.querySelectorAll(name);
const high = y => 1 - 0.96 * Math.min(1, y);
all(".line").forEach((line, r) =>
  line.setAttribute("d", "M" + Array.from(curve(r), (y, k) => [across(steps[k]), high(y)]).join("L")));
const paint = t => {
  const k = payload.times.indexOf(t), near = steps.reduce((best, step, i) => step <= t ? i : best, 0);
  sheets.forEach((canvas, r) => {
    const start = (k * sheets.length + r) * row;
    tile(canvas, i => frames[start + i]);
    all(".loss")[r].textContent = curve(r)[near].toFixed(2);
    all(".distance")[r].textContent = distances[r * payload.times.length + k].toFixed(1);
  });
  draw(".now", `M${across(t)} 0V1`);
  draw(".ahead", `M${across(t)} 0H1V1H${across(t)}Z`);
};
