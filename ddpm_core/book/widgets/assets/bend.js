// What follows from beta_t: the log-SNR, eight images x_t, what is left of the picture at T, and samples.
const {x0, eps} = arrays, {shape: [C, H, W], shown, forgotten, columns} = payload;
const square = x0.reduce((sum, x) => sum + x * x, 0) / x0.length, size = Math.sqrt(square * x0.length);
const strip = find(".strip").getContext("2d"), samples = find(".samples");
const picture = (pen, shade, left, top) => { // shade(j): entry j of an image, of which x_0 goes colour by colour
  const sheet = pen.createImageData(W, H); // and a sheet pixel by pixel
  sheet.data.forEach((_, i) => sheet.data[i] = i % 4 < 3 ? 127.5 * (shade(i % 4 % C * W * H + (i >> 2)) + 1) : 255);
  pen.putImageData(sheet, left, top);
};
const follow = beta => {
  const log = [0]; // ln alpha_bar_t: alpha_bar_t itself may be too small for a number
  beta.forEach((b, i) => log.push(log[i] + Math.log1p(-b)));
  const snr = log.map(l => l - Math.log(-Math.expm1(l)));
  const plane = find(".snr"), y = v => 5 * (12 - v), even = snr.findIndex(v => v <= 0);
  axes(plane, [10, 0, -10].map(v => [y(v), String(v).replace("-", "−")]));
  draw(".snr .line", line(snr.map((v, t) => [X(t), y(v)]).slice(1)));
  find(".mark").setAttribute("transform", `translate(${X(even)} ${even < 0 ? -99 : y(snr[even])})`);
  find(".even").textContent = plane.ariaLabel = even < 0 ? "stays above 0" : `falls below 0 at t = ${even}`;

  shown.forEach((t, n) => {
    const signal = Math.exp(log[t] / 2), noise = Math.sqrt(-Math.expm1(log[t]));
    picture(strip, j => signal * x0[j] + noise * eps[j], n * W, 0);
  });
  const u = chains(log, size), share = Math.round(100 * u.filter(v => v > 0).length / u.length) + "%";
  for (let n = 0; n < 2 * columns; n++)
    picture(samples.getContext("2d"), j => u[n] * x0[j] / size, n % columns * W, Math.floor(n / columns) * H);
  find(".share").textContent = share;
  samples.ariaLabel = `samples, of which ${share} show the image and the others its negative`;

  const left = Math.exp(log[T]), bits = (left * square - left - Math.log1p(-left)) / Math.log(4);
  const amplitude = say(100 * Math.sqrt(left)) + "%", fine = bits < forgotten;
  find(".left").textContent = say(left);
  find(".amplitude").textContent = amplitude;
  find(".price").textContent = say(Math.max(bits, 0));
  find(".verdict").className = fine ? "verdict fine" : "verdict";
  find(".verdict").innerHTML = "x<sub>T</sub> " + (fine ?
    `is as good as noise: L<sub>T</sub> is below ${forgotten} bits.` : `still shows ${amplitude} of the picture.`);
};
