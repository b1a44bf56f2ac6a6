// The algebra of the book for points in the plane: schedules, what the network is asked for, what its error counts, steps
// back. Each function is that of ddpm_core of the same name; tests hold the two together. Times run over 0 .. T.

/** Tables of a schedule from its betas: beta[0] = 0 and alphaBar[0] = 1 are clean data. */
export function fromBetas(betas) {
  const beta = [0, ...betas], alphaBar = [1];
  for (const b of betas) alphaBar.push(alphaBar.at(-1) * (1 - b));
  return { T: betas.length, beta, alphaBar };
}

/** beta_t rises on a straight line; the paper's ends belong to T = 1000, and are stretched for another T.  [chapter 2] */
export function linear(T) {
  const [first, last] = [1e-4, 0.02].map((beta) => Math.min(0.999, (beta * 1000) / T));
  return fromBetas(Array.from({ length: T }, (_, k) => (T === 1 ? last : first + ((last - first) * k) / (T - 1))));
}

function fromAlphaBar(curve, T) {
  const values = Array.from({ length: T + 1 }, (_, t) => curve(t / T));
  return fromBetas(values.slice(1).map((now, k) => Math.min(0.999, 1 - now / values[k])));
}

export function cosine(T) {
  return fromAlphaBar((u) => Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2, T);
}

export function sigmoid(T) {
  const at = (x) => 1 / (1 + Math.exp(-x)), low = at(-3), high = at(3);
  return fromAlphaBar((u) => (high - at(-3 + 6 * u)) / (high - low), T);
}

export const SCHEDULES = { linear, cosine, sigmoid };

/** What a perfect network would put out, and the x_0 that an output stands for; a and s are signal and noise,
 *  a = sqrt(alpha_bar_t) and s = sqrt(1 - alpha_bar_t).   [chapter 5] */
export const PREDICTIONS = {
  eps: { target: (a, s, x0, eps) => eps, x0: (a, s, output, x) => (x - s * output) / a, scale: (a, s) => s / a },
  x0: { target: (a, s, x0) => x0, x0: (a, s, output) => output, scale: () => 1 },
  v: { target: (a, s, x0, eps) => a * eps - s * x0, x0: (a, s, output, x) => a * x - s * output, scale: (a, s) => s },
};

/** How much the squared error of the network's own output counts at time t.   [chapters 5 and 6] */
export const WEIGHTS = {
  uniform: () => 1,
  "min-SNR": ({ alphaBar }, t, predict) => {
    const a2 = alphaBar[t];
    return Math.min(a2 / (1 - a2), 5) * PREDICTIONS[predict].scale(Math.sqrt(a2), Math.sqrt(1 - a2)) ** 2;
  },
  bound: ({ alphaBar, beta }, t, predict) => {
    const a2 = alphaBar[t], fromX0 = (Math.sqrt(alphaBar[t - 1]) * beta[t]) / (1 - a2);
    return (fromX0 ** 2 / (2 * beta[t])) * PREDICTIONS[predict].scale(Math.sqrt(a2), Math.sqrt(1 - a2)) ** 2;
  },
};

/** E[x_0 | x_t] at a point when the data are round Gaussians of one width around `means` ([x, y, x, y, ...]): each
 *  mean drawn towards the point, weighed by how likely it made it.   [chapter 4] */
export function posteriorMean({ alphaBar }, means, std, x, y, t) {
  const a = Math.sqrt(alphaBar[t]), variance = alphaBar[t] * std * std + 1 - alphaBar[t];
  const gain = variance > 0 ? (a * std * std) / variance : 0, K = means.length / 2;
  let largest = -Infinity, total = 0, sumX = 0, sumY = 0;
  const exponent = (k) => -((x - a * means[2 * k]) ** 2 + (y - a * means[2 * k + 1]) ** 2) / (2 * variance);
  for (let k = 0; k < K; k++) largest = Math.max(largest, exponent(k));
  for (let k = 0; k < K; k++) {
    const share = Math.exp(exponent(k) - largest), [mx, my] = [means[2 * k], means[2 * k + 1]];
    total += share;
    sumX += share * (mx + gain * (x - a * mx));
    sumY += share * (my + gain * (y - a * my));
  }
  return [sumX / total, sumY / total];
}

/** steps + 1 falling times from T to 0, evenly spaced, no two alike. */
export function uniform({ T }, steps) {
  const times = Array.from({ length: steps + 1 }, (_, k) => Math.round(T * (1 - k / steps)));
  return times.filter((t, k) => k === 0 || t < times[k - 1]);
}

/** One number of x_t, taken back from time t to time `prev`: `state` is what a sampler remembers of its last step. */
export const STEPS = {
  ddpm({ alphaBar }, x, x0, t, prev, z) {
    const now = alphaBar[t], before = alphaBar[prev], beta = 1 - now / before;
    const mean = ((Math.sqrt(before) * beta) / (1 - now)) * x0 + ((Math.sqrt(1 - beta) * (1 - before)) / (1 - now)) * x;
    return mean + Math.sqrt(((1 - before) / (1 - now)) * beta) * z;
  },
  ddim({ alphaBar }, x, x0, t, prev, z, eta) {
    const now = alphaBar[t], before = alphaBar[prev];
    const variance = eta ** 2 * ((1 - before) / (1 - now)) * (1 - now / before);
    const eps = (x - Math.sqrt(now) * x0) / Math.sqrt(1 - now);
    return Math.sqrt(before) * x0 + Math.sqrt(Math.max(0, 1 - before - variance)) * eps + Math.sqrt(variance) * z;
  },
};
