// A sheet of drawn pictures; of the chosen one, the known pictures that are nearest, and how far they are.
const {picture: [C, H, W], counts: [N, k], columns: wide} = payload, {drawn, near, grey} = arrays;
const slider = find("input"), sheet = find(".sheet"), size = C * H * W, far = root.querySelectorAll(".far span");
const put = (name, n, columns, shade) => {
  Object.assign(payload, {shape: [n, C, H, W], columns});
  tile(find(name), shade);
};
put(".sheet", N, wide, i => drawn[i]);
const show = () => {
  const n = Number(slider.value), x = n % wide, y = Math.floor(n / wide);
  put(".one", 1, 1, i => drawn[n * size + i]);
  put(".near", k, k, i => near[n * k * size + i]);
  const each = Array.from(far, (_, i) => grey[n * k + i]);
  draw(".chosen path", `M${x} ${y}h1v1h-1z`);
  far.forEach((span, i) => span.textContent = each[i].toFixed(1));
  find(".one").ariaLabel = `drawn picture ${n + 1}`;
  find(".near").ariaLabel = `its ${k} nearest training pictures`;
  find("output").textContent = `picture ${n + 1} of ${N}: ${each[0].toFixed(1)} grey values a pixel from the nearest`;
  slider.ariaValueText = find("output").textContent;
};
slider.oninput = show;
sheet.onclick = event => {
  const box = sheet.getBoundingClientRect(), tall = Math.ceil(N / wide);
  const x = Math.floor(wide * (event.clientX - box.left) / box.width);
  const y = Math.floor(tall * (event.clientY - box.top) / box.height);
  if (y * wide + x >= N) return;
  slider.value = y * wide + x;
  show();
};
show();
