// Algorithm 1 for points: a batch, a time and noise for each point, the weighted squared error, one step of Adam.

import { PREDICTIONS, SCHEDULES, WEIGHTS } from "./diffusion.mjs";
import { features, Network } from "./network.mjs";
import { randomness, sample } from "./worlds.mjs";

export const BATCH = 256;
const RATE = 4e-3;

/** The tables and the functions that a choice of settings stands for. */
export function resolved({ schedule, T, predict, weight }) {
  const chain = SCHEDULES[schedule](T);
  return { chain, prediction: PREDICTIONS[predict], weight: (t) => WEIGHTS[weight](chain, t, predict) };
}

/** The outputs of a network for points x at one time t, (n x 2). */
export function answers(net, x, n, u) {
  const rows = new Float64Array(n * Network.INPUT);
  for (let i = 0; i < n; i++) features(rows, i * Network.INPUT, x[2 * i], x[2 * i + 1], u);
  return net.forward(rows, n);
}

export class Trainer {
  /** settings {schedule, T, predict, weight, points, seed}; world {means, std}; points 0 means fresh ones for ever. */
  constructor(settings, world) {
    this.random = randomness(settings.seed);
    Object.assign(this, { settings, world, ...resolved(settings), steps: 0 });
    this.net = new Network(64, this.random.uniform);
    this.average = new Network(64);
    this.average.weights = this.net.weights;
    this.data = settings.points ? sample(world, settings.points, this.random) : null;
    this.rows = new Float64Array(BATCH * Network.INPUT);
  }

  /** {x0, t, eps} for BATCH points. */
  batch() {
    const { uniform, normal } = this.random, { points, T } = this.settings;
    let x0 = this.data;
    if (!points) x0 = sample(this.world, BATCH, this.random);
    else {
      const picks = Array.from({ length: BATCH }, () => Math.floor(uniform() * points));
      x0 = Float64Array.from({ length: 2 * BATCH }, (_, i) => this.data[2 * picks[i >> 1] + (i & 1)]);
    }
    const t = Int32Array.from({ length: BATCH }, () => 1 + Math.floor(uniform() * T));
    return { x0, t, eps: Float64Array.from({ length: 2 * BATCH }, normal) };
  }

  /** One step; returns the loss, E[weight_t (target - output)^2], the mean over points and coordinates. */
  step({ x0, t, eps } = this.batch(), rate = RATE / Math.sqrt(1 + this.steps / 1000)) {
    const n = t.length, { chain: { alphaBar, T }, prediction, weight } = this, target = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      const a = Math.sqrt(alphaBar[t[i]]), s = Math.sqrt(1 - alphaBar[t[i]]), [j, k] = [2 * i, 2 * i + 1];
      features(this.rows, i * Network.INPUT, a * x0[j] + s * eps[j], a * x0[k] + s * eps[k], t[i] / T);
      target[j] = prediction.target(a, s, x0[j], eps[j]);
      target[k] = prediction.target(a, s, x0[k], eps[k]);
    }
    const output = this.net.forward(this.rows, n), gradient = new Float64Array(2 * n);
    let loss = 0;
    for (let i = 0; i < 2 * n; i++) {
      const error = output[i] - target[i], w = weight(t[i >> 1]);
      loss += (w * error * error) / (2 * n);
      gradient[i] = (w * error) / n;
    }
    this.net.adam(this.net.backward(gradient, n), rate);
    this.steps += 1;
    this.follow();
    return loss;
  }

  /** The moving average of the weights, which draws.   [chapter 8] */
  follow() {
    const decay = Math.min(0.995, (1 + this.steps) / (10 + this.steps));
    this.average.layers.forEach((layer, k) => {
      for (const name of ["W", "b"]) {
        const [slow, fast] = [layer[name], this.net.layers[k][name]];
        for (let i = 0; i < slow.length; i++) slow[i] = decay * slow[i] + (1 - decay) * fast[i];
      }
    });
  }
}
