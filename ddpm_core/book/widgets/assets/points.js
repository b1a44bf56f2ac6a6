// Draws points (N, 2) on axes over [-3, 3].
const paint = t => {
  const canvas = find("canvas"), pen = canvas.getContext("2d"), middle = canvas.width / 2, scale = middle / 3, x = mix(t);
  pen.clearRect(0, 0, canvas.width, canvas.width);
  arrays.groups.forEach((group, i) => mark(pen, group, middle + scale * x(2 * i), middle - scale * x(2 * i + 1), 7));
  levels(t);
};
