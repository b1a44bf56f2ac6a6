// One point of a group, as a polygon around (x, y) on a canvas; each group has a colour and a shape of its own.
const mark = (pen, group, x, y, size) => {
  const [colour, corners, skip] = payload.marks[group];
  pen.beginPath();
  for (let k = 0; k < corners; k++) {
    const turn = 2 * Math.PI * k * skip / corners;
    pen.lineTo(x + size * Math.sin(turn), y - size * Math.cos(turn));
  }
  pen.fillStyle = colour;
  pen.fill();
};
