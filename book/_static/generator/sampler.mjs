// From noise to pictures: ddpm_core/sampler.py and what it stands on, in the page. A sampler is a generator that yields
// {t, x, x0Hat}: a time, the pictures x_t, and what the network took x_0 to be in the step that led there.

/** alpha_bar_0 .. alpha_bar_T of the betas of a checkpoint. */
export function schedule(betas) {
  const alphaBar = [1];
  for (const beta of betas) alphaBar.push(alphaBar.at(-1) * (1 - beta));
  return { T: betas.length, alphaBar };
}

/** steps + 1 times from T down to 0, evenly spaced, as ddpm_core.diffusion.timesteps.uniform rounds them. */
export function uniform({ T }, steps) {
  return Array.from({ length: steps + 1 }, (_, k) => toEven(T * (1 - k / steps)));
}

function toEven(x) {
  const below = Math.floor(x), rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below;
}

/** a x + b y, number by number. */
const mix = (a, x, b, y) => x.map((value, i) => a * value + b * y[i]);

/** What a network's output says of x_0.   [chapter 5] */
const TO_X0 = {
  V: (alphaBar, output, x) => mix(Math.sqrt(alphaBar), x, -Math.sqrt(1 - alphaBar), output),
  EPS: (alphaBar, output, x) => mix(1 / Math.sqrt(alphaBar), x, -Math.sqrt((1 - alphaBar) / alphaBar), output),
  X0: (alphaBar, output) => output,
};

/** denoise(x, t) -> x0Hat in [-1, 1], told `labels` if there are any, and pulled towards them by `guidance`. */
export function denoiser(net, { alphaBar }, predict, labels = null, guidance = 0) {
  const told = (x, t, said) => TO_X0[predict](alphaBar[t], net.forward(x, t, said), x);
  return (x, t) => {
    let x0Hat = told(x, t, labels);
    if (guidance) x0Hat = mix(1 + guidance, x0Hat, -guidance, told(x, t, null));
    return x0Hat.map((value) => Math.max(-1, Math.min(1, value)));
  };
}

/** Algorithm 2 along falling times; noise() is N(0, I) in the shape of x.   [Ho 2020; chapter 9] */
export function* ancestral(denoise, { alphaBar }, x, times, noise) {
  yield { t: times[0], x, x0Hat: null };
  for (let k = 0; k + 1 < times.length; k++) {
    const now = alphaBar[times[k]], prev = alphaBar[times[k + 1]], beta = 1 - now / prev;
    const x0Hat = denoise(x, times[k]), z = noise();
    const fromX0 = (Math.sqrt(prev) * beta) / (1 - now), fromX = (Math.sqrt(1 - beta) * (1 - prev)) / (1 - now);
    const std = Math.sqrt(((1 - prev) / (1 - now)) * beta); // of beta_tilde, which is 0 in the last step
    x = mix(1, mix(fromX0, x0Hat, fromX, x), std, z);
    yield { t: times[k + 1], x, x0Hat };
  }
}

/** DDIM along falling times; random where eta > 0.   [Song 2021, Eq. 12; chapter 10] */
export function* ddim(denoise, { alphaBar }, x, times, noise, eta = 0) {
  yield { t: times[0], x, x0Hat: null };
  for (let k = 0; k + 1 < times.length; k++) {
    const now = alphaBar[times[k]], prev = alphaBar[times[k + 1]];
    const z = eta ? noise() : x, x0Hat = denoise(x, times[k]);
    const variance = eta ** 2 * ((1 - prev) / (1 - now)) * (1 - now / prev);
    const epsHat = mix(1 / Math.sqrt(1 - now), x, -Math.sqrt(now / (1 - now)), x0Hat);
    const along = mix(Math.sqrt(prev), x0Hat, Math.sqrt(Math.max(0, 1 - prev - variance)), epsHat);
    x = mix(1, along, Math.sqrt(variance), z);
    yield { t: times[k + 1], x, x0Hat };
  }
}

/** DPM-Solver++(2M) along falling times.   [Lu 2022, Algorithm 2; chapter 10] */
export function* dpmSolver(denoise, { alphaBar }, x, times) {
  const lambda = (t) => 0.5 * Math.log(alphaBar[t] / (1 - alphaBar[t])); // infinite at t = 0
  let before = null;
  yield { t: times[0], x, x0Hat: null };
  for (let k = 0; k + 1 < times.length; k++) {
    const now = alphaBar[times[k]], prev = alphaBar[times[k + 1]], h = lambda(times[k + 1]) - lambda(times[k]);
    const x0Hat = denoise(x, times[k]);
    let D = x0Hat;
    if (before && Number.isFinite(h)) {
      const half = h / (2 * (lambda(times[k]) - lambda(times[k - 1])));
      D = mix(1 + half, x0Hat, -half, before);
    }
    x = mix(Math.sqrt((1 - prev) / (1 - now)), x, -Math.sqrt(prev) * Math.expm1(-h), D);
    before = x0Hat;
    yield { t: times[k + 1], x, x0Hat };
  }
}

/** By the names that ddpm_core gives them; all take (denoise, schedule, x, times, noise, eta). */
export const SAMPLERS = { dpm: dpmSolver, ddim, ddpm: ancestral };

/** Jump to time t:  x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.   [chapter 1] */
export function jump({ alphaBar }, x0, t, eps) {
  return mix(Math.sqrt(alphaBar[t]), x0, Math.sqrt(1 - alphaBar[t]), eps);
}
