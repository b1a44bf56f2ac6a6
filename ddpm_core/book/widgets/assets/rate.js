// Two rows of pictures at time t, and where the code stands on the curve of distortion over rate.
// The frames lie one time after the other, and of each time first x_t, then x0_hat.
const {frames, rate, distortion} = arrays, sheets = root.querySelectorAll("canvas");
const row = payload.shape.reduce((a, b) => a * b), all = rate[rate.length - 1], top = Math.max(...distortion);
const across = k => rate[k] / all, down = k => 1 - 0.96 * distortion[k] / top;
draw(".plot .line", "M" + Array.from(rate, (_, k) => [across(k), down(k)]).join("L"));
const paint = t => {
  const k = payload.times.indexOf(t);
  sheets.forEach((canvas, which) => {
    const start = (k * sheets.length + which) * row;
    tile(canvas, i => frames[start + i]);
  });
  draw(".plot .spent", `M0 0H${across(k)}V1H0Z`);
  draw(".plot .now", `M${across(k)} 1V${down(k)}H0`);
  find(".bits").textContent = rate[k].toFixed(rate[k] < 0.1 ? 4 : 2);
  find(".error").textContent = distortion[k].toFixed(1);
};
