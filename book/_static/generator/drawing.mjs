// From settings to pictures, step by step: what `sampler.trajectory` is in Python.

import { oneEach, standardNormal } from "./noise.mjs";
import { denoiser, jump, SAMPLERS, schedule, uniform } from "./sampler.mjs";
import { encode } from "./text.mjs";

/** Yields {k, of, t, x, x0Hat}: n pictures from picture numbers 0 .. n - 1 of a seed.
 *
 *  settings  {n, steps, sampler, eta, guidance, seed, label, caption}; label is a class for all, null for none, "each"
 *            for all classes in turn; a caption is for all, "" is none
 *  start     {pixels, t}: a picture to go on from, with noise of time t over it; or null, to start from noise */
export function* draw(net, model, settings, start = null) {
  const { n, steps, sampler, eta, guidance, seed } = settings, chain = schedule(model.betas);
  const bits = Array.from({ length: n }, (_, picture) => oneEach(seed, picture));
  const noise = () => {
    const all = new Float32Array(n * net.pixels);
    bits.forEach((generator, b) => all.set(standardNormal(generator, net.pixels), b * net.pixels));
    return all;
  };
  let x = noise(), times = uniform(chain, steps);
  if (start) {
    const x0 = new Float32Array(n * net.pixels);
    for (let b = 0; b < n; b++) x0.set(start.pixels, b * net.pixels);
    times = [start.t, ...times.filter((t) => t < start.t)];
    x = jump(chain, x0, start.t, x);
  }
  const denoise = denoiser(net, chain, model.predict, told(net, settings), guidance), of = times.length - 1;
  let k = 0;
  for (const step of SAMPLERS[sampler](denoise, chain, x, times, noise, eta)) yield { k: k++, of, ...step };
}

/** What the network is told: a class for each picture, what it reads in a caption, or null for nothing. */
function told(net, { n, label, caption }) {
  if (net.text) return caption ? net.text.read(encode(caption, net.text.vocabulary)) : null;
  if (label === null || label === undefined) return null;
  return Array.from({ length: n }, (_, b) => (label === "each" ? b % net.config.num_classes : label));
}
