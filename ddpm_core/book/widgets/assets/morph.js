// One equation that changes line by line: a factor keeps its key, so it glides from its old place to its new one.
// Below it one bar a summand, each beginning where the last one ended; the last one ends at the value of the line.
const {lines, tokens, places} = payload, {values} = arrays, [line, place] = root.querySelectorAll("[type=range]");
const equation = find(".equation"), bars = find(".bars"), [before, next] = root.querySelectorAll("button");
const total = lines.reduce((n, {terms}) => n + terms.length, 0);
const of = (n, k) => { // the summands of line n at the k-th x_0
  const start = lines.slice(0, n).reduce((sum, {terms}) => sum + terms.length, 0);
  return Array.from(values.slice(k * total + start, k * total + start + lines[n].terms.length));
};
const ends = parts => parts.reduce((all, part) => [...all, all[all.length - 1] + part], [0]);
const reached = places.flatMap((_, k) => lines.flatMap((_, n) => ends(of(n, k))));
const low = Math.min(...reached), high = Math.max(...reached), across = x => 100 * (x - low) / (high - low);
const number = x => (Math.round(x * 1000) / 1000 || 0).toFixed(3).replace("-", "−");

const factor = (key, goes) => `<span class="factor${goes.includes(key) ? " goes" : ""}" data-key="${key}">${tokens[key]}</span>`;
const term = ({lead, top, bottom, name}, goes) => {
  const [above, below] = [top, bottom].map(keys => keys.map(key => factor(key, goes)).join(" "));
  const kl = lead.includes("KL"), both = kl ? `(${above} ‖ ${below})` : below
    ? `<span class="over"><span>${above}</span><span>${below}</span></span>` : above;
  return `<span class="term${name == "apart" ? " apart" : ""}">${lead} ${both}${lead.includes("[") ? " ]" : ""}</span>`;
};
const glide = (n, moving) => {
  const calm = !moving || matchMedia("(prefers-reduced-motion: reduce)").matches;
  const old = new Map(Array.from(equation.querySelectorAll(".factor"), e => [e.dataset.key, e.getBoundingClientRect()]));
  const {head, terms, tail, goes} = lines[n];
  equation.innerHTML = `<span>${head}</span>` + terms.map(t => term(t, goes)).join("") + (head ? `<span>${tail}</span>` : "");
  if (calm || !equation.animate) return;
  for (const e of equation.querySelectorAll(".factor")) {
    const from = old.get(e.dataset.key), to = e.getBoundingClientRect();
    e.animate(from ? [{transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)`}, {transform: "none"}]
      : [{opacity: 0}, {opacity: 1}], {duration: 700, easing: "ease-in-out"});
  }
};

const show = moving => {
  const n = Number(line.value), k = Number(place.value), parts = of(n, k), stops = ends(parts), {terms, why} = lines[n];
  if (moving !== false) glide(n, moving);
  find(".number").textContent = `Line ${lines[n].number}.`;
  find(".why span").textContent = why;
  const price = of(0, k)[0], bound = of(2, k)[0], sum = stops[stops.length - 1];
  const bar = (from, to, kind, text) => `<div class="row ${kind}"><div class="track">
    <div class="bar" style="left: ${across(Math.min(from, to))}%; width: ${Math.abs(across(to) - across(from))}%"></div></div><span>${text}</span></div>`;
  bars.innerHTML = (parts.length > 1 ? parts.map((part, i) =>
    bar(stops[i], stops[i + 1], part < 0 ? "less" : "more", (terms[i].name.includes("_") ? terms[i].name.replace(/_(.)/, "<sub>$1</sub> ") : "") + number(part))).join("") : "")
    + bar(0, sum, "sum", `sum ${number(sum)}`) + (n > 1 ? bar(price, bound, "gap", `gap ${number(bound - price)}`) : "");
  bars.style.setProperty("--zero", `${across(0)}%`);
  bars.style.setProperty("--bound", `${across(bound)}%`);
  line.ariaValueText = `line ${lines[n].number}: ${why}`;
  place.ariaValueText = find(".place").textContent = places[k].toFixed(1).replace("-", "−");
  before.ariaDisabled = n == 0;
  next.ariaDisabled = n == lines.length - 1;
  find("output").textContent = `${parts.map(number).join(" + ").replaceAll("+ −", "− ")}${parts.length > 1 ? ` = ${number(sum)}` : ""} nats`;
};
const step = by => {
  const to = Math.max(0, Math.min(lines.length - 1, Number(line.value) + by));
  if (to == line.value) return;
  line.value = to;
  show(true);
};
line.oninput = () => show(true);
place.oninput = () => show(false);
before.onclick = () => step(-1);
next.onclick = () => step(1);
show();
