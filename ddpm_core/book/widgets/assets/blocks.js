// The pieces of a U-Net, counted as in blocks.py. A cost is [weights, multiply-adds for one picture].
const sum = (...costs) => costs.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]), nothing = [0, 0];
const conv = (nIn, nOut, kernel, positions) => [kernel ** 2 * nIn * nOut + nOut, kernel ** 2 * nIn * nOut * positions];
const norm = channels => [2 * channels, 0];
const attend = (channels, positions) => sum(norm(channels), conv(channels, 3 * channels, 1, positions),
  [0, 2 * positions ** 2 * channels], conv(channels, channels, 1, positions));
const block = (nIn, nOut, condition, positions, attends) => sum(norm(nIn), conv(nIn, nOut, 3, positions),
  conv(condition, 2 * nOut, 1, 1), norm(nOut), conv(nOut, nOut, 3, positions),
  nIn == nOut ? nothing : conv(nIn, nOut, 1, positions), attends ? attend(nOut, positions) : nothing);

const pieces = ({channels, side, widths, blocks, attention, patch, skips}) => {
  const bottom = widths.length - 1, condition = 4 * widths[0], at = level => side / patch / 2 ** level;
  const stack = (first, then, width, level) => sum(...Array.from({length: blocks}, (_, k) =>
    block(k ? then : first, width, condition, at(level) ** 2, attention.includes(level))));
  const found = [["time", null, [condition], sum(conv(widths[0], condition, 1, 1), conv(condition, condition, 1, 1))]];
  const add = (name, level, width, cost) => found.push([name, level, [width, at(level), at(level)], cost]);
  add("stem", 0, widths[0], conv(channels * patch ** 2, widths[0], 3, at(0) ** 2));
  widths.forEach((width, level) => {
    const above = widths[Math.max(level - 1, 0)];
    if (level) add("shrink", level, above, conv(above, above, 3, at(level) ** 2));
    add("down", level, width, stack(above, width, width, level));
  });
  const deep = widths[bottom];
  add("middle", bottom, deep, sum(...[true, false].map(attends => block(deep, deep, condition, at(bottom) ** 2, attends))));
  for (let level = bottom; level >= 0; level--) {
    const width = widths[level], joined = skips ? 2 * width : width;
    if (level < bottom) add("grow", level, width, conv(widths[level + 1], width, 3, at(level) ** 2));
    add("up", level, width, stack(joined, joined, width, level));
  }
  found.push(["head", 0, [channels, side, side], sum(norm(widths[0]), conv(widths[0], channels * patch ** 2, 3, at(0) ** 2))]);
  return found;
};
const seen = (levels, blocks, patch) => {
  let field = 3, jump = 1; // the stem
  for (let level = 0; level < levels; level++) {
    field += 4 * blocks * jump; // two convolutions a block
    if (level < levels - 1) { field += 2 * jump; jump *= 2; }
  }
  return patch * (field + 8 * jump); // the middle's two blocks
};

const form = find("form"), body = find("tbody"), foot = find("tfoot tr"), boxes = root.querySelectorAll(".attention input");
const exact = n => n.toLocaleString("en");
const short = n => n < 1e6 ? (n / 1e3).toPrecision(3) + " k" : n < 1e9 ? (n / 1e6).toPrecision(3) + " M" : (n / 1e9).toPrecision(3) + " G";
// Each figure has groups of radio buttons of its own.
root.querySelectorAll("[type=radio]").forEach(radio => radio.name += "-" + root.id);
const chosen = name => payload[name][form.elements[`${{pictures: "picture", patches: "patch"}[name] ?? name}-${root.id}`].value];

const show = () => {
  const [channels, side] = chosen("pictures"), patch = chosen("patches"), levels = chosen("levels"), blocks = chosen("blocks");
  const multiple = patch * 2 ** (levels - 1), fits = side % multiple == 0;
  boxes.forEach((box, level) => {
    box.disabled = level >= levels;
    box.nextSibling.textContent = `${side / patch / 2 ** level}×${side / patch / 2 ** level}`;
    box.parentNode.hidden = !fits || level >= levels;
  });
  find(".verdict").textContent = fits ? "" : `need image sides divisible by ${multiple}, but got ${side}x${side}.`;
  find("table").hidden = find(".sees").hidden = !fits;
  if (!fits) return;
  const attention = Array.from(boxes, (box, level) => box.checked && level < levels ? level : -1);
  const found = pieces({channels, side, widths: chosen("widths").slice(0, levels), blocks, attention, patch, skips: form.elements.skips.checked});
  const [weights, work] = sum(...found.map(piece => piece[3]));
  const fill = (cells, shape, cost) => {
    cells[1].textContent = shape;
    [exact, short].forEach((say, k) => {
      cells[k + 2].textContent = say(cost[k]);
      cells[k + 2].title = exact(cost[k]);
      cells[k + 2].style.setProperty("--share", cost[k] / [weights, work][k]);
    });
  };
  body.replaceChildren(...found.map(([name, level, shape, cost]) => {
    const row = document.createElement("tr");
    row.innerHTML = `<th scope="row"><span style="--level: ${level ?? 0}">${name}</span></th><td></td><td></td><td></td>`;
    fill(row.cells, shape.join("×"), cost);
    return row;
  }));
  fill(foot.cells, "", [weights, work]);
  const sees = seen(levels, blocks, patch);
  find(".sees").textContent = `Through convolutions alone a position at the bottom sees ${sees}×${sees} pixels; the picture has ${side}×${side}.`;
};
form.oninput = show;
form.onsubmit = event => event.preventDefault();
show();
