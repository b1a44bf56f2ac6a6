// Worlds of points that can be solved: each is a mixture of round Gaussians of one width, so that the perfect answer is
// known in closed form. `means` is [x, y, x, y, ...], within a circle of about 2.

const along = (n, place) => Array.from({ length: n }, (_, k) => place(n === 1 ? 0 : k / (n - 1))).flat();

/** Strokes of letters in boxes one wide and two high, put side by side. */
function letters() {
  const arc = (u) => [0.1 + 0.8 * Math.sin(Math.PI * u), 2 - 2 * u];
  const D = [...along(10, (u) => [0.1, 2 * u]), ...along(14, arc)];
  const P = [...along(10, (u) => [0.1, 2 * u]), ...along(9, (u) => [0.1 + 0.7 * Math.sin(Math.PI * u), 2 - u])];
  const M = [[0.1, 0, 0.1, 2], [0.1, 2, 0.5, 0.8], [0.5, 0.8, 0.9, 2], [0.9, 2, 0.9, 0]].flatMap(([a, b, c, d]) =>
    along(8, (u) => [a + (c - a) * u, b + (d - b) * u]));
  return [D, D, P, M].flatMap((letter, k) => letter.map((v, i) => (i % 2 ? (v - 1) * 0.8 : (v + 1.15 * k - 2.2) * 0.8)));
}

export const WORLDS = {
  spiral: {
    title: "spiral",
    std: 0.1,
    means: along(40, (u) => {
      const turn = (0.5 + 3 * u) * Math.PI, r = (2 * turn) / (3.5 * Math.PI);
      return [r * Math.cos(turn), r * Math.sin(turn)];
    }),
  },
  moons: {
    title: "two moons",
    std: 0.12,
    means: [
      ...along(20, (u) => [-0.6 + 1.2 * Math.cos(Math.PI * u), -0.3 + 1.2 * Math.sin(Math.PI * u)]),
      ...along(20, (u) => [0.6 - 1.2 * Math.cos(Math.PI * u), 0.3 - 1.2 * Math.sin(Math.PI * u)]),
    ],
  },
  rings: {
    title: "two rings",
    std: 0.07,
    means: [0.7, 1.7].flatMap((r) => Array.from({ length: Math.round(28 * r) }, (_, k, n = Math.round(28 * r)) => {
      const turn = (2 * Math.PI * k) / n;
      return [r * Math.cos(turn), r * Math.sin(turn)];
    }).flat()),
  },
  letters: { title: "letters", std: 0.06, means: letters() },
};

/** A small generator of random numbers with a seed: uniform, and normal by Box and Muller.   [mulberry32] */
export function randomness(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

/** n points of a mixture, [x, y, x, y, ...]. */
export function sample({ means, std }, n, { uniform, normal }) {
  const points = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    const k = Math.floor((uniform() * means.length) / 2);
    points[2 * i] = means[2 * k] + std * normal();
    points[2 * i + 1] = means[2 * k + 1] + std * normal();
  }
  return points;
}
