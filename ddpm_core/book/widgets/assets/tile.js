// Lays (N, C, H, W) out as one sheet of pictures; shade(i) is entry i, which the sheet rounds and cuts to 0..255.
const tile = (canvas, shade) => {
  const {shape: [N, C, H, W], columns} = payload, {width, height} = canvas, pen = canvas.getContext("2d");
  const sheet = pen.createImageData(width, height);
  for (let n = 0; n < N; n++) for (let y = 0; y < H; y++) for (let x = 0; x < W; x++) {
    const row = Math.floor(n / columns) * H + y, column = (n % columns) * W + x, pixel = 4 * (row * width + column);
    for (let c = 0; c < 3; c++) sheet.data[pixel + c] = shade(((n * C + c % C) * H + y) * W + x);
    sheet.data[pixel + 3] = 255;
  }
  pen.putImageData(sheet, 0, 0);
};
