// What follows from a weight over t: how much of the weighted loss each tenth of the times carries.
const follow = weight => {
  const parts = weight.map((w, i) => w * arrays.errors[i]), total = parts.reduce((sum, part) => sum + part);
  const shares = Array(10).fill(0), plane = find(".shares"), bars = find(".bars");
  parts.forEach((part, i) => shares[Math.floor(10 * i / T)] += part / total);
  const percent = shares.map(s => s && s < 0.005 ? "<1" : String(Math.round(100 * s))), y = s => 136 - 120 * s;
  axes(plane, [[y(0), "0%"], [y(0.5), "50%"], [y(1), "100%"]]);
  bars.innerHTML = shares.map((s, k) => `<rect x="${X(k * T / 10) + 1}" y="${y(s)}" width="${X(T / 10) - 52}" height="${120 * s}"/>` +
    word(X((k + 0.5) * T / 10), y(s) - 5, percent[k].replace("<", "&lt;"), "time")).join("");
  plane.ariaLabel = `shares of the tenths of t, from first to last: ${percent.join(", ")} percent`;

  let half = 0, sum = 0;
  for (const part of parts.sort((a, b) => b - a)) if (sum < total / 2 * (1 - 1e-9)) { sum += part; half++; }
  find(".first").textContent = percent[0] + "%";
  find(".half").textContent = half;
};
