// Five readings of one image at time t: panel k shows scales[0] x_0 + scales[1] eps, cut off at -1 and 1.
const {x0, eps, of_x0, of_eps} = arrays, panels = root.querySelectorAll(".panel");
const factor = a => (a < 0 ? "−" : "") + Math.abs(a).toFixed(2);
const paint = t => panels.forEach((panel, k) => {
  const row = k * payload.T + t - 1, a = of_x0[row], b = of_eps[row];
  tile(panel.querySelector("canvas"), i => 127.5 * (a * x0[i] + b * eps[i] + 1));
  const terms = [a && factor(a) + " x₀", b && factor(b) + " ε"].filter(Boolean).join(" + ");
  panel.querySelector(".mix").textContent = terms.replace("+ −", "− ");
});
