// Three runs with their curves, pictures and facts; an accusation is answered with its reason.
const {cases, shape, columns} = payload, runs = Array.from(root.querySelectorAll(".run")), status = find("output");
const size = shape.reduce((a, b) => a * b), {losses, sound, pictures} = arrays, steps = sound.length;
const every = [...losses, ...sound].map(Math.log), low = Math.min(...every), high = Math.max(...every);
const line = values => "M" + Array.from(values, (value, k) =>
  `${(100 * k / (steps - 1)).toFixed(1)} ${(49 - 48 * (Math.log(value) - low) / (high - low)).toFixed(1)}`).join("L");
const short = log => Math.exp(log).toPrecision(2);
let number = 0;
const lay = () => {
  const now = cases[number];
  find(".charge").textContent = now.charge;
  find(".count").textContent = `case ${number + 1} of ${cases.length}`;
  status.textContent = "";
  runs.forEach((run, k) => {
    const part = name => run.querySelector(name), row = number * 3 + k, mine = losses.slice(row * steps, (row + 1) * steps);
    part(".loss").setAttribute("d", line(mine));
    part(".sound").setAttribute("d", line(sound));
    part(".high").textContent = `loss ${short(high)}`;
    part(".low").textContent = short(low);
    part("svg").ariaLabel = `the loss of run ${"ABC"[k]}, from ${mine[0].toPrecision(2)} to ${mine[steps - 1].toPrecision(2)}; the sound run ends at ${sound[steps - 1].toPrecision(2)}`;
    tile(part("canvas"), i => pictures[row * size + i]);
    part("dl").replaceChildren(...now.facts[k].flatMap(pair => pair.map((text, side) => {
      const cell = document.createElement(side ? "dd" : "dt");
      cell.textContent = text;
      return cell;
    })));
    part(".sign").textContent = "";
    run.classList.remove("guilty", "accused");
    part("button").ariaPressed = "false";
  });
};
const accuse = k => {
  const now = cases[number], right = k == now.guilty;
  runs.forEach((run, j) => {
    run.classList.toggle("accused", j == k);
    run.classList.toggle("guilty", right && j == k);
    run.querySelector("button").ariaPressed = String(j == k);
    run.querySelector(".sign").textContent = j == k ? right ? " ✓" : " ✗" : "";
  });
  status.textContent = `${right ? "Right." : "Wrong."} ${now.reasons[k]}`;
};
runs.forEach((run, k) => run.querySelector("button").onclick = () => accuse(k));
find(".next").onclick = () => { number = (number + 1) % cases.length; lay(); };
lay();
