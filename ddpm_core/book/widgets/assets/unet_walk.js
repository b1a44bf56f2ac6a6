// The pieces up to the k-th are lit, with the ways between them and the skips that they took; of the k-th, its channels.
const {pieces} = payload, {means, channels} = arrays, all = name => Array.from(root.querySelectorAll(name));
const greys = (canvas, side, n, grey) => {
  canvas.width = n * side;
  canvas.height = side;
  const pen = canvas.getContext("2d"), sheet = pen.createImageData(n * side, side);
  for (let m = 0; m < n; m++) for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const pixel = 4 * (y * n * side + m * side + x);
    sheet.data.fill(grey((m * side + y) * side + x), pixel, pixel + 3);
    sheet.data[pixel + 3] = 255;
  }
  pen.putImageData(sheet, 0, 0);
};
let before = 0;
const begins = pieces.map(({side, maps}) => (before += maps * side * side) - maps * side * side);
const taken = pieces.map((piece, k) => k).filter(k => pieces[k].skip != null);
const places = all(".piece"), sheet = find(".maps");
before = 0;
places.forEach((place, k) => {
  const {side} = pieces[k], start = before;
  greys(place.firstChild, side, 1, i => means[start + i]);
  before += side * side;
});
const light = (element, lit, here) => {
  element.classList.toggle("lit", lit);
  element.classList.toggle("now", here);
};
const paint = t => {
  const now = t - 1, {side, maps, words} = pieces[now];
  places.forEach((place, k) => light(place, k <= now, k == now));
  all(".way").forEach((way, k) => light(way, k < now, k == now - 1));
  all(".skip").forEach((skip, k) => light(skip, taken[k] <= now, taken[k] == now));
  find(".here").textContent = words;
  greys(sheet, side, maps, i => channels[begins[now] + i]);
  sheet.style.width = `${12.5 * maps}%`;
  sheet.style.setProperty("--cell", `${100 / maps}% 100%`);
};
