// The U-Net of chapter 7 once more: ddpm_core/unet.py, line for line, on the kernels of generator/kernels.c.
// What is a tensor there is an address here, of numbers in the memory that JavaScript and the kernels share.

import { MAX_WORDS, TextEncoder } from "./text.mjs";

const WIDTH = 8; // outputs that a convolution makes side by side
const BYTES = 4; // of a number

/** Compile the kernels: `bytes` are those of kernels.wasm. */
export async function compile(bytes) {
  return (await WebAssembly.instantiate(bytes)).instance.exports;
}

/** Memory that is handed out and never taken back: addresses of room for so many numbers. */
class Memory {
  constructor(kernels) {
    this.memory = kernels.memory;
    this.next = Math.ceil(kernels.__heap_base.value / 16) * 16;
  }

  room(count) {
    const address = this.next;
    this.next += 16 * Math.ceil(count / 4);
    const missing = this.next - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
    return address;
  }

  /** The numbers at an address, to read and write, until the next call of `room`. */
  at(address, count) {
    return new Float32Array(this.memory.buffer, address, count);
  }

  keep(values) {
    const address = this.room(values.length);
    this.at(address, values.length).set(values);
    return address;
  }
}

/** y = conv(x) + bias: kernel k x k, from `x` with a border where k is 3, stride 1 or 2. `out` counts up to whole eights. */
class Conv {
  constructor(net, name, stride = 1) {
    const { shape: [out, inside, k = 1], values } = net.tensor(`${name}.weight`), bias = net.tensor(`${name}.bias`).values;
    const wide = WIDTH * Math.ceil(out / WIDTH), packed = new Float32Array(wide * k * k * inside);
    for (let o = 0, from = 0; o < out; o++) {
      const first = Math.floor(o / WIDTH) * k * k * inside * WIDTH + (o % WIDTH);
      for (let i = 0; i < inside; i++) {
        for (let tap = 0; tap < k * k; tap++, from++) packed[first + (tap * inside + i) * WIDTH] = values[from];
      }
    }
    const filled = new Float32Array(wide);
    filled.set(bias);
    Object.assign(this, { net, k, stride, in: inside, out: wide });
    [this.weight, this.bias] = [net.memory.keep(packed), net.memory.keep(filled)];
  }

  /** h x w pixels come out, for each of n pictures; `plus` is added to them if it is an address. */
  into(y, n, h, w, x, plus = 0) {
    this.net.kernels.conv(n, h, w, this.in, this.out, this.k, this.stride, x, this.weight, this.bias, plus, y);
    return y;
  }
}

class Norm {
  constructor(net, name) {
    const gamma = net.tensor(`${name}.weight`).values;
    Object.assign(this, { net, c: gamma.length, gamma: net.memory.keep(gamma) });
    this.beta = net.memory.keep(net.tensor(`${name}.bias`).values);
  }

  silu(n, h, w, x, told = 0) {
    const y = this.net.padded(h, w, this.c);
    this.net.kernels.norm_silu(n, h, w, this.c, x, this.gamma, this.beta, told, y);
    return y;
  }

  alone(n, h, w, x) {
    const y = this.net.scratch("norm", h * w * this.c);
    this.net.kernels.norm_only(n, h, w, this.c, x, this.gamma, this.beta, y);
    return y;
  }
}

/** norm, SiLU, conv; norm, scale and shift by time and class or caption, SiLU, conv; plus what came in; then attention and
 *  cross-attention, if any. */
class ResidualBlock {
  constructor(net, name, h, w, heads) {
    this.norm1 = new Norm(net, `${name}.norm1`);
    this.conv1 = new Conv(net, `${name}.conv1`);
    this.norm2 = new Norm(net, `${name}.norm2`);
    this.conv2 = new Conv(net, `${name}.conv2`);
    this.condition = new Conv(net, `${name}.condition`);
    this.shortcut = net.has(`${name}.shortcut.weight`) ? new Conv(net, `${name}.shortcut`) : null;
    this.attention = net.has(`${name}.attention.qkv.weight`) ? new Attention(net, `${name}.attention`, heads) : null;
    this.reads = net.has(`${name}.reads.query.weight`) ? new CrossAttention(net, `${name}.reads`, heads) : null;
    Object.assign(this, { net, h, w, out: this.conv2.out });
    this.answer = net.memory.room(net.most * h * w * this.out);
  }

  forward(n, x, condition, words) {
    const { net, h, w, out, attention, reads } = this, size = h * w * out;
    const told = this.condition.into(net.scratch("told", 2 * out), n, 1, 1, condition);
    const first = this.conv1.into(net.scratch("conv", size), n, h, w, this.norm1.silu(n, h, w, x));
    const second = this.norm2.silu(n, h, w, first, told);
    const plus = this.shortcut ? this.shortcut.into(net.scratch("shortcut", size), n, h, w, x) : x;
    let now = this.conv2.into(attention || reads ? net.scratch("sum", size) : this.answer, n, h, w, second, plus);
    if (attention) now = attention.into(reads ? net.scratch("attended", size) : this.answer, n, h, w, now);
    return reads ? reads.into(this.answer, n, h, w, now, words) : now;
  }
}

/** Every position asks every position; plus what came in. */
class Attention {
  constructor(net, name, heads) {
    this.norm = new Norm(net, `${name}.norm`);
    [this.qkv, this.out] = [new Conv(net, `${name}.qkv`), new Conv(net, `${name}.out`)];
    Object.assign(this, { net, heads });
  }

  into(y, n, h, w, x) {
    const { net, heads, norm: { c } } = this, size = h * w * c;
    const asked = this.qkv.into(net.scratch("qkv", 3 * size), n, h, w, this.norm.alone(n, h, w, x));
    const taken = net.scratch("taken", size), keys = asked + BYTES * c;
    net.kernels.attention(n, h * w, h * w, c, heads, asked, 3 * c, keys, 3 * c, 3 * size, taken);
    return this.out.into(y, n, h, w, taken, x);
  }
}

/** Every position asks every word of the caption; plus what came in.   [chapter 13] */
class CrossAttention {
  constructor(net, name, heads) {
    this.norm = new Norm(net, `${name}.norm`);
    [this.query, this.keyValue] = [new Conv(net, `${name}.query`), new Conv(net, `${name}.key_value`)];
    this.out = new Conv(net, `${name}.out`);
    Object.assign(this, { net, heads });
  }

  /** `words` are {address, places}: the vectors of the start token and of each word, the same for all pictures. */
  into(y, n, h, w, x, { address, places }) {
    const { net, heads, norm: { c } } = this, size = h * w * c;
    const asked = this.query.into(net.scratch("query", size), n, h, w, this.norm.alone(n, h, w, x));
    const said = this.keyValue.into(net.scratch("said", (1 + MAX_WORDS) * 2 * c), 1, 1, places, address);
    const taken = net.scratch("taken", size);
    net.kernels.attention(n, h * w, places, c, heads, asked, c, said, 2 * c, 0, taken);
    return this.out.into(y, n, h, w, taken, x);
  }
}

/** The network of a checkpoint, for `most` pictures of height x width at once. */
export class UNet {
  constructor(kernels, { network: config, tensors }, most, height, width) {
    Object.assign(this, { kernels, config, tensors, most, memory: new Memory(kernels), rooms: new Map() });
    const { channels, blocks, patch, heads, in_channels: inside } = config, levels = channels.length;
    [this.height, this.width, this.pixels] = [height, width, inside * height * width];
    const side = (level) => [height / (patch << level), width / (patch << level)];
    const stairs = (name, level) =>
      Array.from({ length: blocks }, (_, i) => new ResidualBlock(this, `${name}.${i}`, ...side(level), heads));
    this.time = [new Conv(this, "time.1"), new Conv(this, "time.3")];
    this.stem = new Conv(this, "stem");
    this.down = channels.map((_, level) => stairs(`down.${level}`, level));
    this.shrink = channels.slice(1).map((_, level) => new Conv(this, `shrink.${level}`, 2));
    this.middle = [0, 1].map((i) => new ResidualBlock(this, `middle.${i}`, ...side(levels - 1), heads));
    this.grow = channels.slice(1).map((_, stair) => new Conv(this, `grow.${stair}`));
    this.up = channels.map((_, stair) => stairs(`up.${stair}`, levels - 1 - stair));
    this.head = [new Norm(this, "head.0"), new Conv(this, "head.2")];
    this.label = this.has("label.weight") ? this.tensor("label.weight") : null;
    this.text = config.vocabulary ? new TextEncoder(tensors, config.vocabulary) : null;
    this.nothing = this.text?.read([]); // what the empty caption says
    this.tensors = null; // the numbers are in the kernels' memory now
  }

  /** The network's answer to n pictures x (Float32Array, picture by picture, channel by channel) at time t.
   *  `labels` has a class for each picture, or is what `text.read` made of a caption, or is null: none given. */
  forward(x, t, labels) {
    const n = x.length / this.pixels, { kernels, config: { channels, patch } } = this;
    const condition = this.told(n, t, labels), words = this.text && this.words(labels), skips = [];
    let [h, w] = [this.height / patch, this.width / patch];
    let now = this.stem.into(this.scratch("stem", h * w * channels[0]), n, h, w, this.unshuffled(x, n));
    this.down.forEach((blocks, level) => {
      if (level > 0) {
        const c = channels[level - 1], from = this.padded(h, w, c);
        kernels.enlarge(n, h, w, c, 1, now, from);
        [h, w] = [h / 2, w / 2];
        now = this.shrink[level - 1].into(this.scratch("stair", h * w * c), n, h, w, from);
      }
      for (const block of blocks) skips.push((now = block.forward(n, now, condition, words)));
    });
    for (const block of this.middle) now = block.forward(n, now, condition, words);
    this.up.forEach((blocks, stair) => {
      const c = channels[channels.length - 1 - stair];
      if (stair > 0) {
        const below = channels[channels.length - stair], from = this.padded(2 * h, 2 * w, below);
        kernels.enlarge(n, h, w, below, 2, now, from);
        [h, w] = [2 * h, 2 * w];
        now = this.grow[stair - 1].into(this.scratch("stair", h * w * c), n, h, w, from);
      }
      for (const block of blocks) {
        const both = this.scratch("both", h * w * 2 * c);
        kernels.place(n * h * w, c, now, 0, 2 * c, both);
        kernels.place(n * h * w, c, skips.pop(), c, 2 * c, both);
        now = block.forward(n, both, condition, words);
      }
    });
    const [norm, conv] = this.head;
    return this.shuffled(conv.into(this.scratch("head", h * w * conv.out), n, h, w, norm.silu(n, h, w, now)), n);
  }

  /** Where the vectors of the caption's words lie, for cross-attention. */
  words(caption) {
    const { vectors, places } = caption ?? this.nothing, address = this.scratch("words", (1 + MAX_WORDS) * this.text.width);
    this.memory.at(address, vectors.length).set(vectors);
    return { address, places };
  }

  /** The vector of the caption, or of the class of picture b; null for a network that is told neither. */
  said(labels, b) {
    if (this.text) return (labels ?? this.nothing).vector;
    const { shape: [, c], values } = this.label ?? { shape: [] }, row = labels ? labels[b] : this.config.num_classes;
    return values ? values.subarray(row * c, (row + 1) * c) : null;
  }

  /** SiLU(time's vector + that of the class or of the caption), for n pictures: what every block is told. */
  told(n, t, labels) {
    const { kernels, memory, config: { channels: [width] } } = this, [first, second] = this.time, c = second.out;
    const angles = Array.from({ length: width / 2 }, (_, k) => t * Math.exp((-Math.log(10000) * k) / (width / 2)));
    const waves = this.scratch("waves", width), hidden = this.scratch("hidden", c), vectors = this.scratch("vectors", c);
    memory.at(waves, width).set([...angles.map(Math.sin), ...angles.map(Math.cos)]);
    first.into(hidden, 1, 1, 1, waves);
    kernels.silu(c, hidden, hidden);
    const time = memory.at(second.into(vectors, 1, 1, 1, hidden), c).slice();
    const rows = memory.at(vectors, n * c);
    for (let b = 0; b < n; b++) {
      const said = this.said(labels, b);
      for (let i = 0; i < c; i++) rows[b * c + i] = time[i] + (said ? said[i] : 0);
    }
    kernels.silu(n * c, vectors, vectors);
    return vectors;
  }

  /** patch x patch pixels become channels, in a picture with a border. */
  unshuffled(x, n) {
    const { height, width, config: { patch } } = this;
    return this.between(x, n, this.padded(height / patch, width / patch, this.stem.in), 1, this.stem.in, true);
  }

  /** And back: the channels become pixels. */
  shuffled(address, n) {
    const pictures = new Float32Array(n * this.pixels);
    this.between(pictures, n, address, 0, this.head[1].out, false);
    return pictures;
  }

  /** Copy pictures to or from patches that lie channels last, with a border of `border` pixels. */
  between(pictures, n, address, border, wide, writing) {
    const { height: H, width: W, config: { patch: p, in_channels: C } } = this, row = (W / p + 2 * border) * wide;
    const patches = this.memory.at(address, n * (H / p + 2 * border) * row);
    let at = 0;
    for (let b = 0; b < n; b++) {
      for (let c = 0; c < C; c++) {
        for (let i = 0; i < H; i++) {
          for (let j = 0; j < W; j++, at++) {
            const y = b * (H / p + 2 * border) + Math.floor(i / p) + border, channel = (c * p + (i % p)) * p + (j % p);
            const to = y * row + (Math.floor(j / p) + border) * wide + channel;
            if (writing) patches[to] = pictures[at];
            else pictures[at] = patches[to];
          }
        }
      }
    }
    return address;
  }

  tensor(name) {
    return this.tensors.get(name);
  }

  has(name) {
    return this.tensors.has(name);
  }

  /** Room for pictures with a border, whose zeros nobody overwrites: one for each shape. */
  padded(h, w, c) {
    return this.scratch(`${h} x ${w} x ${c}`, (h + 2) * (w + 2) * c);
  }

  /** Room for `count` numbers a picture, one for each purpose and size. */
  scratch(purpose, count) {
    const key = `${purpose} ${count}`;
    if (!this.rooms.has(key)) this.rooms.set(key, this.memory.room(this.most * count));
    return this.rooms.get(key);
  }
}
