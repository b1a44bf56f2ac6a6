// One canvas for each row; the frames lie one time after the other, and of each time one row after the other.
const sheets = root.querySelectorAll("canvas"), row = payload.shape.reduce((a, b) => a * b);
const paint = t => sheets.forEach((canvas, k) => {
  const start = (payload.times.indexOf(t) * sheets.length + k) * row;
  tile(canvas, i => arrays.frames[start + i]);
});
