// Two Gaussians over x_{t-1} and their product. A precision is one over a variance; precisions add.
const {beta, noise} = arrays; // noise = 1 - alpha_bar
const inputs = root.querySelectorAll("input"), said = root.querySelectorAll("label b"), knobs = root.querySelectorAll(".knob"), rows = root.querySelectorAll("tbody tr");
const fromX0 = (x0, t) => ({mean: Math.sqrt(1 - noise[t - 1]) * x0, precision: 1 / noise[t - 1]});
const fromXt = (xt, t) => ({mean: xt / Math.sqrt(1 - beta[t]), precision: (1 - beta[t]) / beta[t]});
const product = (p, q) => {
  const precision = p.precision + q.precision;
  return {mean: (p.precision * p.mean + q.precision * q.mean) / precision, precision};
};
const density = ({mean, precision}) => x => Math.sqrt(precision / (2 * Math.PI)) * Math.exp(-precision * (x - mean) ** 2 / 2);
const peak = t => density(product(fromX0(0, t), fromXt(0, t)))(0); // the product is the sharpest, wherever it stands
const tallest = Math.max(...Array.from(beta.slice(2), (_, k) => peak(k + 2)));

const number = (x, digits) => (Math.round(x * 1000) / 1000 || 0).toFixed(digits).replace("-", "−");
const show = () => {
  const [x0, xt, t] = Array.from(inputs, input => Number(input.value));
  const a = fromX0(x0, t), b = fromXt(xt, t);
  // All three share one scale. It follows t by half, so that neither sharp nor flat curves get lost.
  const top = 1.04 * Math.sqrt(tallest * peak(t));
  [["x0", a], ["xt", b], ["both", product(a, b)]].forEach(([name, gaussian], k) => {
    const height = density(gaussian), points = [];
    for (let i = 0; i <= 600; i++) points.push(`${(i / 100 - 3).toFixed(2)} ${(1 - height(i / 100 - 3) / top).toFixed(5)}`);
    draw(`.plot .${name}`, (name == "both" ? "M-3 1L" : "M") + points.join("L") + (name == "both" ? "L3 1Z" : ""));
    [gaussian.mean, 1 / gaussian.precision, gaussian.precision].forEach((x, i) => rows[k].cells[i + 1].textContent = number(x, Math.abs(x) < 100 ? 3 : 0));
  });
  // The product before it is scaled: its area is the density of one mean under the other, both variances together.
  const width = 1 / a.precision + 1 / b.precision, apart = Math.exp(-((a.mean - b.mean) ** 2) / (2 * width));
  const area = apart / Math.sqrt(2 * Math.PI * width), height = density(product(a, b)), raw = [];
  for (let i = 0; i <= 300; i++) raw.push(`${(i / 50 - 3).toFixed(2)} ${(1 - area * height(i / 50 - 3) / top).toFixed(5)}`);
  draw(".plot .raw", "M-3 1L" + raw.join("L") + "L3 1Z");
  find(".area b").textContent = number(area, 3);
  find(".share").textContent = `${number(100 * apart, apart < 0.1 ? 1 : 0)} % of what it were if both agreed`;
  [a, b].forEach((gaussian, k) => {
    knobs[k].style.left = `${(100 * (gaussian.mean + 3) / 6).toFixed(3)}%`;
    knobs[k].style.top = `${(100 * (1 - density(gaussian)(gaussian.mean) / top)).toFixed(3)}%`;
  });
  [x0, xt].forEach((x, k) => said[k].textContent = number(x, 2));
  said[2].textContent = t;
};
inputs.forEach(input => input.oninput = show);

// A peak follows the hand: the mean under it, turned back into x_0 or x_t. A slider keeps it within its range.
const board = find(".board"), grip = (k, clientX) => {
  const box = board.getBoundingClientRect(), mean = 6 * (clientX - box.x) / box.width - 3, t = Number(inputs[2].value);
  inputs[k].value = k ? mean * Math.sqrt(1 - beta[t]) : mean / Math.sqrt(1 - noise[t - 1]);
  show();
};
knobs.forEach((knob, k) => {
  knob.onpointerdown = down => {
    if (down.button) return;
    down.preventDefault();
    knob.setPointerCapture(down.pointerId);
    knob.onpointermove = ({clientX}) => grip(k, clientX);
  };
  knob.onlostpointercapture = () => knob.onpointermove = null;
});
show();
