// A checkpoint of ddpm_core, read as it lies on the shelf: safetensors, which is the length of a header, a header in
// JSON, and numbers. The header holds the description: network, schedule, prediction, what it was trained on.

/** An error whose message is a sentence for the reader. */
export class Unreadable extends Error {}

/** {network, betas, predict, about, tensors}; a tensor is {shape, values: Float32Array}. */
export function read(buffer) {
  let header;
  const bytes = new DataView(buffer);
  try {
    const length = Number(bytes.getBigUint64(0, true));
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    header.start = 8 + length;
  } catch {
    throw new Unreadable("The model's file is not one that this page can read.");
  }
  const { __metadata__: metadata, start, ...entries } = header;
  const tensors = new Map();
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    const decode = DECODE[dtype];
    if (!decode || start + to > buffer.byteLength) {
      throw new Unreadable("The model's file is cut short, or of a kind that this page cannot read.");
    }
    tensors.set(name, { shape, values: decode(buffer.slice(start + from, start + to)) });
  }
  return { ...JSON.parse(metadata.description), tensors };
}

const DECODE = { F32: (buffer) => new Float32Array(buffer), F16: halves };

/** Numbers in half precision: a bit of sign, five of exponent, ten of fraction. */
function halves(buffer) {
  const from = new Uint16Array(buffer), to = new Float32Array(from.length);
  for (let i = 0; i < from.length; i++) {
    const exponent = (from[i] >> 10) & 31, fraction = from[i] & 1023;
    const size = exponent ? POWERS[exponent] * (1024 + fraction) : POWERS[1] * fraction;
    to[i] = from[i] >> 15 ? -size : size;
  }
  return to;
}

const POWERS = Float64Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));
