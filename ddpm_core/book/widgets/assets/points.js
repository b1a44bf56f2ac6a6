// Draws points (N, 2) on axes over [-3, 3], as polygons; each group has a colour and a shape of its own.
const paint = t => {
  const canvas = find("canvas"), pen = canvas.getContext("2d"), middle = canvas.width / 2, scale = middle / 3, x = mix(t);
  pen.clearRect(0, 0, canvas.width, canvas.width);
  arrays.groups.forEach((group, i) => {
    const [colour, corners, skip] = payload.marks[group];
    pen.beginPath();
    for (let k = 0; k < corners; k++) {
      const turn = 2 * Math.PI * k * skip / corners;
      pen.lineTo(middle + scale * x(2 * i) + 7 * Math.sin(turn), middle - scale * x(2 * i + 1) - 7 * Math.cos(turn));
    }
    pen.fillStyle = colour;
    pen.fill();
  });
  levels(t);
};
