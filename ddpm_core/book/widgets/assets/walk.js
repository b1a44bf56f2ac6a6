// Three ways from one cloud to noise: a walk of the chain, a jump, a straight line. Each panel shows the cloud at t,
// the way of one point of each group, and rings whose radius is the root mean square distance: of variance 1, and now.
const {T: END, N, following} = payload, {x0, eps, alpha_bar, beta, groups} = arrays;
const fresh = normals(END * 2 * N), walked = new Float32Array((END + 1) * 2 * N);
walked.set(x0);
for (let t = 1; t <= END; t++) {
  const kept = Math.sqrt(1 - beta[t]), added = Math.sqrt(beta[t]), now = 2 * N * t, before = now - 2 * N;
  for (let i = 0; i < 2 * N; i++) walked[now + i] = kept * walked[before + i] + added * fresh[before + i];
}
const ways = [
  (t, i) => walked[2 * N * t + i],
  (t, i) => Math.sqrt(alpha_bar[t]) * x0[i] + Math.sqrt(1 - alpha_bar[t]) * eps[i],
  (t, i) => (1 - t / END) * x0[i] + t / END * eps[i],
];
const paint = t => root.querySelectorAll(".panel").forEach((panel, k) => {
  const way = ways[k], canvas = panel.querySelector("canvas"), pen = canvas.getContext("2d"), middle = canvas.width / 2;
  let square = 0;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (let n = 0; n < N; n++) {
    const x = way(t, 2 * n), y = way(t, 2 * n + 1);
    square += x * x + y * y;
    mark(pen, groups[n], middle + middle / 3 * x, middle - middle / 3 * y, 5);
  }
  panel.querySelector(".now").setAttribute("r", Math.sqrt(square / N));
  panel.querySelector(".size b").textContent = (square / (2 * N)).toFixed(2);
  panel.querySelectorAll("path").forEach((path, j) => {
    const at = s => `${way(s, 2 * following[j]).toFixed(3)} ${(-way(s, 2 * following[j] + 1)).toFixed(3)}`;
    path.setAttribute("d", "M" + Array.from({length: t + 1}, (_, s) => at(s)).join("L"));
    path.style.stroke = payload.marks[j][0];
  });
});
