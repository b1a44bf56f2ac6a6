// A slider for t and a play button; paint(t), from the scripts before, draws what a figure shows at t.
// The slider counts the times, which need not be evenly spaced: it stands at k where t = times[k].
const {T, times, caption = "t = {t} of {T}"} = payload, slider = find("input"), button = find("button"), first = Number(slider.min), last = Number(slider.max);
const canvases = root.querySelectorAll("canvas"), about = Array.from(canvases, canvas => canvas.ariaLabel);
const show = k => {
  const t = times ? times[k] : k, when = caption.replace("{t}", t).replace("{T}", T);
  paint(t);
  slider.value = k;
  slider.ariaValueText = find(".time").textContent = when;
  canvases.forEach((canvas, i) => canvas.ariaLabel = `${about[i]}, ${when}`);
};

let coming = 0; // the animation frame to come; 0 while nothing plays
const face = () => {
  button.ariaLabel = coming ? "Pause" : "Play";
  draw("button path", coming ? "M7 5h4v14H7zM13 5h4v14h-4z" : "M8 5v14l11-7z");
};
const stop = () => { cancelAnimationFrame(coming); coming = 0; face(); };
const play = () => { // five seconds from end to end; ten slow steps for a reader who prefers reduced motion
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const steps = Math.max(1, Math.min(last - first, calm ? 10 : 150)), pause = calm ? 1000 : 5000 / steps;
  const from = slider.value < last ? Number(slider.value) : first; // at the end: from the start again
  let began;
  const tick = now => {
    began ??= now;
    const k = Math.min(last, from + Math.round(Math.floor((now - began) / pause) * (last - first) / steps));
    if (k != slider.value) show(k);
    if (k == last || !root.isConnected) return stop();
    coming = requestAnimationFrame(tick);
  };
  coming = requestAnimationFrame(tick);
  face();
};
button.onclick = () => coming ? stop() : play();
slider.oninput = () => { stop(); show(Number(slider.value)); };
show(payload.start ?? first);
face();
