// One chain that parts: its way with the guess along it, up to the time of parting, and from there a limb to each end.
const {times, counts: [C, P, B], picture: [c, H, W], total} = payload, {shared, guesses, ends} = arrays;
const slider = find("input"), stem = find(".stem"), size = c * H * W, REACH = 88; // percent of the stem's width, for P cells
let chain = 0;
const show = (name, N, shade, columns = 1) => {
  Object.assign(payload, {shape: [N, c, H, W], columns});
  tile(find(name), shade);
};
const part = () => {
  const k = Number(slider.value), row = chain * P + k, x = REACH * (k + 1) / P, middle = (x + 100) / 2;
  draw(".trunk", `M0 50H${x.toFixed(1)}`);
  draw(".limbs", Array.from({length: B}, (_, i) => {
    const y = (100 * (i + 0.5) / B).toFixed(1);
    return `M${x.toFixed(1)} 50C${middle.toFixed(1)} 50 ${middle.toFixed(1)} ${y} 100 ${y}`;
  }).join(""));
  const end = (b, i) => ends[(row * B + b) * size + i], every = Array.from({length: B}, (_, b) => b);
  const mean = i => every.reduce((sum, b) => sum + end(b, i), 0) / B;
  const square = i => every.reduce((sum, b) => sum + (end(b, i) - mean(i)) ** 2, 0);
  show(".ends", B, i => end(0, i));
  show(".xs", k + 1, i => shared[chain * P * size + i], P);
  show(".guesses", k + 1, i => guesses[chain * P * size + i], P);
  show(".guess", 1, i => guesses[row * size + i]);
  show(".mean", 1, mean);
  show(".apart", 1, i => 2 * Math.sqrt(square(i) / B));
  let left = 0;
  for (let i = 0; i < size; i++) left += square(i) / (B - 1) / size / total;
  find("output b").textContent = `${Math.round(100 * left)} %`;
  find(".time").textContent = `chain ${chain + 1} of ${C}, parting at t = ${times[k]} of ${times[0]}`;
  slider.ariaValueText = `t = ${times[k]} of ${times[0]}, left to chance: ${Math.round(100 * left)} percent`;
};
slider.oninput = part;
stem.onpointerdown = stem.onpointermove = event => { // a finger on the tree moves the slider
  if (!event.buttons) return;
  const {left, width} = stem.getBoundingClientRect();
  slider.value = Math.floor((event.clientX - left) / width * 100 / REACH * P);
  part();
};
find("button").onclick = () => { chain = (chain + 1) % C; part(); };
part();
