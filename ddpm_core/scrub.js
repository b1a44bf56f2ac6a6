// One movable figure of ddpm_core.widgets. Its numbers travel in data-payload; x_t is mixed here, when asked for.
document.querySelectorAll("#SCRUB_ID").forEach(root => {
  if (root.started) return; // a notebook may run this script again for a figure that already lives
  root.started = true;
  const {kind, T, times, shape, columns, marks, arrays} = JSON.parse(root.dataset.payload);
  const find = name => root.querySelector(name);
  const draw = (path, d) => find(path).setAttribute("d", d);
  const canvas = find("canvas"), about = canvas.ariaLabel, pen = canvas.getContext("2d");
  const slider = find("input"), button = find("button"), last = Number(slider.max);

  // An array is base64 of whole numbers; with a step they stand for the real numbers zero + step * whole.
  const unpack = ({type, data, step, zero}) => {
    const whole = new globalThis[type](Uint8Array.from(atob(data), c => c.charCodeAt(0)).buffer);
    return step ? Float64Array.from(whole, q => zero + step * q) : whole;
  };
  for (const name in arrays) arrays[name] = unpack(arrays[name]);
  const {alpha_bar, x0, eps, groups, frames} = arrays;
  const signal = t => Math.sqrt(alpha_bar[t]), noise = t => Math.sqrt(1 - alpha_bar[t]);
  const mix = t => {
    const a = signal(t), b = noise(t);
    return i => a * x0[i] + b * eps[i];
  };

  // Lays (N, C, H, W) out as one sheet of pictures; shade(i) is entry i, which the sheet rounds and cuts to 0..255.
  const tile = shade => {
    const [N, C, H, W] = shape, {width, height} = canvas, sheet = pen.createImageData(width, height);
    for (let n = 0; n < N; n++) for (let y = 0; y < H; y++) for (let x = 0; x < W; x++) {
      const row = Math.floor(n / columns) * H + y, column = (n % columns) * W + x, pixel = 4 * (row * width + column);
      for (let c = 0; c < 3; c++) sheet.data[pixel + c] = shade(((n * C + c % C) * H + y) * W + x);
      sheet.data[pixel + 3] = 255;
    }
    pen.putImageData(sheet, 0, 0);
  };
  // Draws points (N, 2) on axes over [-3, 3], as polygons; each group has a colour and a shape of its own.
  const dots = x => {
    const middle = canvas.width / 2, scale = middle / 3;
    pen.clearRect(0, 0, canvas.width, canvas.width);
    groups.forEach((group, i) => {
      const [colour, corners, skip] = marks[group];
      pen.beginPath();
      for (let k = 0; k < corners; k++) {
        const turn = 2 * Math.PI * k * skip / corners;
        pen.lineTo(middle + scale * x(2 * i) + 7 * Math.sin(turn), middle - scale * x(2 * i + 1) - 7 * Math.cos(turn));
      }
      pen.fillStyle = colour;
      pen.fill();
    });
  };
  const paint = {
    images(t) { const x = mix(t); tile(i => 127.5 * (x(i) + 1)); },
    points(t) { dots(mix(t)); },
    frames(k) { const start = k * frames.length / times.length; tile(i => frames[start + i]); },
  }[kind];

  const show = k => {
    const t = times ? times[k] : k, when = `t = ${t} of ${T}`;
    paint(k);
    slider.value = k;
    slider.ariaValueText = find(".time").textContent = when;
    canvas.ariaLabel = `${about}, ${when}`;
    if (times) return;
    find(".signal b").textContent = signal(t).toFixed(3);
    find(".noise b").textContent = noise(t).toFixed(3);
    draw(".now", `M${t / T},0V1`);
  };

  let coming = 0; // the animation frame to come; 0 while nothing plays
  const face = () => {
    button.ariaLabel = coming ? "Pause" : "Play";
    draw("button path", coming ? "M7 5h4v14H7zM13 5h4v14h-4z" : "M8 5v14l11-7z");
  };
  const stop = () => { cancelAnimationFrame(coming); coming = 0; face(); };
  const play = () => { // five seconds from end to end; ten slow steps for a reader who prefers reduced motion
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const steps = Math.min(last, calm ? 10 : 150), pause = calm ? 1000 : 5000 / steps;
    const from = slider.value % last; // at the end: from the start again
    let began;
    const tick = now => {
      began ??= now;
      const k = Math.min(last, from + Math.round(Math.floor((now - began) / pause) * last / steps));
      if (k != slider.value) show(k);
      if (k == last || !root.isConnected) return stop();
      coming = requestAnimationFrame(tick);
    };
    coming = requestAnimationFrame(tick);
    face();
  };
  button.onclick = () => coming ? stop() : play();
  slider.oninput = () => { stop(); show(Number(slider.value)); };
  slider.onkeydown = event => event.stopPropagation(); // JupyterLab would walk on to the next cell

  if (!times) for (const [path, height] of [["path.signal", signal], ["path.noise", noise]])
    draw(path, "M" + Array.from(alpha_bar, (_, t) => [t / T, 1 - height(t)]).join("L"));
  find(".fallback").remove();
  find(".live").hidden = false;
  show(0);
  face();
});
