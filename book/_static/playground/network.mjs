// A small network for points, trained by hand: three layers, their gradients, and Adam. No library, no matrix type; a
// matrix is a flat array, row by row, and one loop multiplies all of them.

export const WAVES = 8; // pairs of sine and cosine that tell the time
export const RIPPLES = 3; // pairs that tell each coordinate more finely

/** C[i][j] = sum_k A[i][k] B[j][k]: rows of A against rows of B. Two by four at once, to keep numbers in registers. */
export function dots(A, B, C, I, J, K) {
  for (let i = 0; i < I; i += 2) {
    const a0 = i * K, a1 = i + 1 < I ? a0 + K : a0;
    let j = 0;
    for (; j + 4 <= J; j += 4) {
      const b0 = j * K, b1 = b0 + K, b2 = b1 + K, b3 = b2 + K;
      let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
      for (let k = 0; k < K; k++) {
        const x = A[a0 + k], y = A[a1 + k], p = B[b0 + k], q = B[b1 + k], r = B[b2 + k], s = B[b3 + k];
        s00 += x * p; s01 += x * q; s02 += x * r; s03 += x * s;
        s10 += y * p; s11 += y * q; s12 += y * r; s13 += y * s;
      }
      const c = i * J + j;
      C[c] = s00; C[c + 1] = s01; C[c + 2] = s02; C[c + 3] = s03;
      if (a1 !== a0) {
        C[c + J] = s10; C[c + J + 1] = s11; C[c + J + 2] = s12; C[c + J + 3] = s13;
      }
    }
    for (; j < J; j++) {
      let s0 = 0, s1 = 0;
      for (let k = 0; k < K; k++) {
        s0 += A[a0 + k] * B[j * K + k];
        s1 += A[a1 + k] * B[j * K + k];
      }
      C[i * J + j] = s0;
      if (a1 !== a0) C[(i + 1) * J + j] = s1;
    }
  }
}

function transposed(A, rows, columns, into) {
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) into[j * rows + i] = A[i * columns + j];
  return into;
}

/** x, y, their ripples and the waves of u = t / T: one row of the network's input. */
export function features(row, at, x, y, u) {
  row[at] = x;
  row[at + 1] = y;
  for (let k = 0; k < WAVES; k++) {
    row[at + 2 + k] = Math.sin(Math.PI * 2 ** (k / 2) * u);
    row[at + 2 + WAVES + k] = Math.cos(Math.PI * 2 ** (k / 2) * u);
  }
  for (let k = 0, to = at + 2 + 2 * WAVES; k < RIPPLES; k++, to += 4) {
    const fine = 1.5 * 2 ** k;
    row[to] = Math.sin(fine * x);
    row[to + 1] = Math.cos(fine * x);
    row[to + 2] = Math.sin(fine * y);
    row[to + 3] = Math.cos(fine * y);
  }
}

/** points and time -> two numbers a point: linear, SiLU, linear, SiLU, linear. */
export class Network {
  static INPUT = 2 + 2 * WAVES + 4 * RIPPLES;

  /** `random()` is uniform in [0, 1). Weights begin as torch.nn.Linear's do, those of the last layer at zero. */
  constructor(width = 64, random = Math.random) {
    this.sizes = [[width, Network.INPUT], [width, width], [2, width]];
    this.layers = this.sizes.map(([out, inside], k) => {
      const reach = k === 2 ? 0 : 1 / Math.sqrt(inside), draw = () => reach * (2 * random() - 1);
      return { W: Float64Array.from({ length: out * inside }, draw), b: Float64Array.from({ length: out }, draw) };
    });
    this.moments = this.layers.map(({ W, b }) => ({ W: [W, W].map(zeros), b: [b, b].map(zeros) }));
    this.count = 0;
  }

  /** All numbers of the network, layer by layer: for copies and for the tests. */
  get weights() {
    return this.layers.flatMap(({ W, b }) => [W.slice(), b.slice()]);
  }

  set weights(arrays) {
    this.layers.forEach((layer, k) => {
      layer.W.set(arrays[2 * k]);
      layer.b.set(arrays[2 * k + 1]);
    });
  }

  /** X (n rows of features) -> outputs (n x 2); what the way back needs stays in `this.kept`. */
  forward(X, n) {
    const room = this.room(n);
    let inside = X;
    this.layers.forEach(({ W, b }, k) => {
      const [out, size] = this.sizes[k], sums = room.sums[k];
      dots(inside, W, sums, n, out, size);
      for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < out; j++, at++) sums[at] += b[j];
      room.inputs[k] = inside;
      if (k === 2) return;
      const next = room.outputs[k], slope = room.slopes[k];
      for (let i = 0; i < n * out; i++) {
        const sigma = 1 / (1 + Math.exp(-sums[i]));
        next[i] = sums[i] * sigma;
        slope[i] = sigma * (1 + sums[i] * (1 - sigma)); // the derivative of SiLU
      }
      inside = next;
    });
    return room.sums[2];
  }

  /** From the gradient at the outputs (n x 2) to those of all weights. */
  backward(gradient, n) {
    const room = this.room(n), found = [];
    for (let k = 2; k >= 0; k--) {
      const [out, size] = this.sizes[k], rows = transposed(gradient, n, out, room.turned[k]);
      const W = new Float64Array(out * size), b = new Float64Array(out);
      dots(rows, transposed(room.inputs[k], n, size, room.turnedInputs[k]), W, out, size, n);
      for (let j = 0; j < out; j++) for (let i = 0; i < n; i++) b[j] += rows[j * n + i];
      found[k] = { W, b };
      if (k === 0) break;
      const back = room.back[k], slope = room.slopes[k - 1];
      dots(gradient, transposed(this.layers[k].W, out, size, room.turnedWeights[k]), back, n, size, out);
      for (let i = 0; i < n * size; i++) back[i] *= slope[i];
      gradient = back;
    }
    return found;
  }

  /** One step of Adam.   [Kingma and Ba 2015; chapter 8] */
  adam(gradients, rate, beta1 = 0.9, beta2 = 0.99, small = 1e-8) {
    this.count += 1;
    const first = 1 - beta1 ** this.count, second = 1 - beta2 ** this.count;
    this.layers.forEach((layer, k) => {
      for (const name of ["W", "b"]) {
        const weights = layer[name], gradient = gradients[k][name], [m, v] = this.moments[k][name];
        for (let i = 0; i < weights.length; i++) {
          m[i] = beta1 * m[i] + (1 - beta1) * gradient[i];
          v[i] = beta2 * v[i] + (1 - beta2) * gradient[i] * gradient[i];
          weights[i] -= (rate * (m[i] / first)) / (Math.sqrt(v[i] / second) + small);
        }
      }
    });
  }

  /** Room for n rows, kept for the next time. */
  room(n) {
    if (this.kept?.n !== n) {
      const of = (size) => new Float64Array(n * size);
      this.kept = {
        n,
        inputs: [],
        sums: this.sizes.map(([out]) => of(out)),
        outputs: this.sizes.map(([out]) => of(out)),
        slopes: this.sizes.map(([out]) => of(out)),
        turned: this.sizes.map(([out]) => of(out)),
        turnedInputs: this.sizes.map(([, size]) => of(size)),
        turnedWeights: this.sizes.map(([out, size]) => new Float64Array(out * size)),
        back: this.sizes.map(([, size]) => of(size)),
      };
    }
    return this.kept;
  }
}

const zeros = (like) => new Float64Array(like.length);
