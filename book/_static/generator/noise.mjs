// The noise of ddpm_core, number for number: picture k of a seed is the same in the page as in Python, to rounding.
// A generator's seed is a hash (SHA-256) of seed and picture; its numbers come from a Mersenne Twister, and pairs of them
// become pairs of Gaussian ones (Box and Muller) in the order in which torch.randn makes them.

const PRIMES = Array.from({ length: 400 }, (_, k) => k).filter((n) => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
});
const firstBits = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32) | 0; // of a fraction
const ROUNDS = PRIMES.slice(0, 64).map((p) => firstBits(Math.cbrt(p)));

/** SHA-256 of bytes, as a Uint8Array of 32.   [FIPS 180-4] */
export function sha256(message) {
  const blocks = Math.ceil((message.length + 9) / 64), padded = new Uint8Array(64 * blocks);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, (message.length * 8) >>> 0);
  const state = Int32Array.from(PRIMES.slice(0, 8), (p) => firstBits(Math.sqrt(p))), w = new Int32Array(64);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] += value));
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((value, i) => digest.setInt32(4 * i, value));
  return new Uint8Array(digest.buffer);
}

/** The digest as people write it, in 64 small letters and figures. */
export const hex = (digest) => [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** A Mersenne Twister: a function that gives 32 random bits at each call.   [Matsumoto and Nishimura 1998] */
export function twister(seed) {
  const N = 624, state = new Uint32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) {
    const before = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  let next = N;
  return () => {
    if (next === N) {
      for (let i = 0; i < N; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
        state[i] = state[(i + 397) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      next = 0;
    }
    let y = state[next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** The generator of one picture: fixed by a seed (a whole number, as a BigInt or Number) and the picture's number. */
export function oneEach(seed, picture) {
  const digest = sha256(new TextEncoder().encode(`(${seed}, ${picture})`)); // as Python writes the pair
  return twister(new DataView(digest.buffer).getUint32(0, true));
}

/** `count` numbers from N(0, 1), count a multiple of 16, as torch.randn draws them on a CPU. */
export function standardNormal(bits, count) {
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = (bits() & 0xffffff) * 2 ** -24; // uniform, in [0, 1)
  for (let i = 0; i < count; i += 16) {
    for (let j = i; j < i + 8; j++) {
      const radius = Math.sqrt(-2 * Math.log(1 - numbers[j])), angle = 2 * Math.PI * numbers[j + 8];
      numbers[j] = radius * Math.cos(angle);
      numbers[j + 8] = radius * Math.sin(angle);
    }
  }
  return numbers;
}
