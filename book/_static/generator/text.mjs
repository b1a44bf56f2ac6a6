// What a caption says: ddpm_core/networks/conditioning.py in the page. Its words become numbers, and a small transformer
// makes vectors of them. It runs once for a caption, so it is plain JavaScript and has no kernels.

export const MAX_WORDS = 16; // of a caption
const HEADS = 4;

/** The words of a caption, in small letters: "A red car isn't blue." -> ["a", "red", "car", "isn't", "blue"]. */
export function tokenize(caption) {
  const plain = caption.normalize("NFC").toLowerCase().replaceAll("\u2019", "'");
  const words = plain.replace(/[^\p{L}\p{N}\p{M}'-]/gu, " ").split(" ");
  return words.map((word) => word.replace(/^['-]+|['-]+$/g, "")).filter(Boolean);
}

/** The words as numbers; word k of the vocabulary is k + 1. For a caption that `complaint` has nothing against. */
export function encode(caption, vocabulary) {
  return tokenize(caption).map((word) => vocabulary.indexOf(word) + 1);
}

/** Why a network with these words cannot be told this caption, in one sentence; "" if it can. */
export function complaint(caption, vocabulary, letters) {
  const long = [...caption].length;
  if (long > letters) return `A caption has at most ${letters} letters, but this one has ${long}.`;
  const words = tokenize(caption), unknown = [...new Set(words)].filter((word) => !vocabulary.includes(word));
  if (caption.trim() && !words.length) return "There is no word in this caption.";
  if (unknown.length) {
    const some = unknown.slice(0, 3).map((word) => `“${word.slice(0, 30)}”`).join(", ");
    const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : "";
    return `The model has never read ${some}${more}: it knows ${vocabulary.length} words.`;
  }
  if (words.length > MAX_WORDS) return `A caption has at most ${MAX_WORDS} words, but this one has ${words.length}.`;
  return "";
}

/** y = W x + b for each row of x. */
function linear({ shape: [out, inside], values }, { values: bias }, x) {
  const rows = x.length / inside, y = new Float32Array(rows * out);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < out; o++) {
      let sum = bias[o];
      for (let i = 0; i < inside; i++) sum += values[o * inside + i] * x[r * inside + i];
      y[r * out + o] = sum;
    }
  }
  return y;
}

/** Each row of x with mean 0 and variance 1, then gamma x + beta. */
function layerNorm({ values: gamma }, { values: beta }, x) {
  const c = gamma.length, y = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += c) {
    const row = x.subarray(at, at + c), mean = row.reduce((a, b) => a + b) / c;
    const by = 1 / Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / c + 1e-5);
    row.forEach((v, i) => (y[at + i] = (v - mean) * by * gamma[i] + beta[i]));
  }
  return y;
}

/** softmax(q k^T / sqrt(d)) v for each head; a row of x holds query, key and value. */
function attention(x, c) {
  const rows = x.length / (3 * c), d = c / HEADS, y = new Float32Array(rows * c);
  for (let head = 0; head < c; head += d) {
    for (let i = 0; i < rows; i++) {
      const scores = Float64Array.from({ length: rows }, (_, j) => {
        let product = 0;
        for (let m = head; m < head + d; m++) product += x[3 * c * i + m] * x[3 * c * j + c + m];
        return product / Math.sqrt(d);
      });
      const largest = Math.max(...scores), shares = scores.map((score) => Math.exp(score - largest));
      const total = shares.reduce((a, b) => a + b);
      for (let m = head; m < head + d; m++) {
        for (let j = 0; j < rows; j++) y[c * i + m] += (shares[j] / total) * x[3 * c * j + 2 * c + m];
      }
    }
  }
  return y;
}

const sum = (x, y) => x.map((value, i) => value + y[i]);
const relu = (x) => x.map((value) => Math.max(0, value));

export class TextEncoder {
  constructor(tensors, vocabulary) {
    this.tensors = new Map([...tensors].filter(([name]) => name.startsWith("label.")));
    this.layers = [...this.tensors.keys()].filter((name) => /layers\.\d+\.norm1\.weight$/.test(name)).length;
    Object.assign(this, { vocabulary, width: tensors.get("label.start").shape[1] });
  }

  /** {vector, vectors, places}: what a start token has gathered, and the vectors of it and of each word. Places without a
   *  word are left out: nothing attends to them.   [Vaswani 2017; chapter 13] */
  read(numbers) {
    const { width: c } = this, of = (name) => this.tensors.get(`label.${name}`);
    const both = (name) => [of(`${name}.weight`), of(`${name}.bias`)];
    const [words, place] = [of("word.weight").values, of("place").values], places = 1 + numbers.length;
    let x = new Float32Array(places * c);
    x.set(of("start").values);
    numbers.forEach((number, k) => {
      for (let i = 0; i < c; i++) x[(k + 1) * c + i] = words[number * c + i] + place[k * c + i];
    });
    for (let k = 0; k < this.layers; k++) {
      const name = `layers.${k}`, asked = [of(`${name}.self_attn.in_proj_weight`), of(`${name}.self_attn.in_proj_bias`)];
      const taken = attention(linear(...asked, layerNorm(...both(`${name}.norm1`), x)), c);
      x = sum(x, linear(...both(`${name}.self_attn.out_proj`), taken));
      const wide = relu(linear(...both(`${name}.linear1`), layerNorm(...both(`${name}.norm2`), x)));
      x = sum(x, linear(...both(`${name}.linear2`), wide));
    }
    const vectors = layerNorm(...both("norm"), x);
    return { vector: vectors.slice(0, c), vectors, places };
  }
}
