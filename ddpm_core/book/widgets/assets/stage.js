// The frame of every movable figure of ddpm_core. A figure's own scripts stand in its middle, and find there:
// root, payload, arrays (unpacked), find(selector) and draw(selector, path data).
document.querySelectorAll("#FIGURE_ID").forEach(root => {
  if (root.started) return; // a notebook may run this script again for a figure that already lives
  root.started = true;
  const payload = JSON.parse(root.dataset.payload), {arrays} = payload;
  const find = name => root.querySelector(name);
  const draw = (path, d) => find(path).setAttribute("d", d);
  // An array is base64 of whole numbers; with a step they stand for the real numbers zero + step * whole.
  const unpack = ({type, data, step, zero}) => {
    const whole = new globalThis[type](Uint8Array.from(atob(data), c => c.charCodeAt(0)).buffer);
    return step ? Float64Array.from(whole, q => zero + step * q) : whole;
  };
  for (const name in arrays) arrays[name] = unpack(arrays[name]);
  // Keys that move a slider stay with it: JupyterLab would walk on to the next cell.
  root.onkeydown = event => { if (event.target.matches("input, [role=slider]")) event.stopPropagation(); };
  /* FIGURE */
  find(".fallback").remove();
  find(".live").hidden = false;
});
