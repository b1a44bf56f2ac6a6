// x_t from x_0 and eps, and the two factors: their values at t, their curves over all times.
const {alpha_bar, x0, eps} = arrays;
const signal = t => Math.sqrt(alpha_bar[t]), noise = t => Math.sqrt(1 - alpha_bar[t]);
const mix = t => {
  const a = signal(t), b = noise(t);
  return i => a * x0[i] + b * eps[i];
};
const levels = t => {
  find(".signal b").textContent = signal(t).toFixed(3);
  find(".noise b").textContent = noise(t).toFixed(3);
  draw(".now", `M${t / payload.T},0V1`);
};
for (const [path, height] of [["path.signal", signal], ["path.noise", noise]])
  draw(path, "M" + Array.from(alpha_bar, (_, t) => [t / payload.T, 1 - height(t)]).join("L"));
