// The drawing, beside the page, so that the page stays awake. Messages in: {load}, {draw}, {stop}. Messages out: {bytes}
// while the model comes, {ready}, {step} for each step, {done}, and {sorry}: a sentence for the reader.

import { read, Unreadable } from "./checkpoint.mjs";
import { draw } from "./drawing.mjs";
import { hex, sha256 } from "./noise.mjs";
import { compile, UNet } from "./unet.mjs";

let net = null, model = null, current = null; // the number of the drawing that goes on

const shades = (x) => Uint8ClampedArray.from(x, (value) => (value + 1) * 127.5);
const breath = () => new Promise((resolve) => setTimeout(resolve)); // let a message in

/** The bytes of a file, with word of how many have come. */
async function fetched(address, total) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new Unreadable("The model could not be fetched: is the network there?");
  }
  if (!answer.ok) throw new Unreadable(`The model could not be fetched: the server answered ${answer.status}.`);
  const parts = [];
  let came = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    came += value.length;
    if (total) postMessage({ kind: "bytes", came, total });
  }
  const all = new Uint8Array(came);
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all.buffer;
}

/** SHA-256 of a file: by the browser, which is faster, where it offers that; it does not on pages without https. */
async function digest(buffer) {
  return new Uint8Array(crypto.subtle ? await crypto.subtle.digest("SHA-256", buffer) : sha256(new Uint8Array(buffer)));
}

async function load({ file, bytes, sha256: wanted }, most) {
  if (typeof WebAssembly !== "object") {
    throw new Unreadable("This browser has WebAssembly switched off, and the network runs on it.");
  }
  const from = (name) => new URL(name, import.meta.url);
  const [kernels, buffer] = await Promise.all([fetched(from("kernels.wasm")), fetched(from(file), bytes)]);
  if (buffer.byteLength !== bytes || hex(await digest(buffer)) !== wanted) {
    throw new Unreadable("The model's file did not arrive as it was sent: it is cut short or has changed on the way.");
  }
  model = read(buffer);
  net = new UNet(await started(kernels), model, most, ...model.about.size);
  const { network: { in_channels: channels, vocabulary }, about: { size, names }, betas } = model;
  postMessage({ kind: "ready", channels, size, names, vocabulary, T: betas.length });
}

async function started(kernels) {
  try {
    return await compile(kernels);
  } catch {
    throw new Unreadable("The engine did not start: it needs a browser of 2023 or later.");
  }
}

async function run({ job, settings, start }) {
  current = job;
  for (const { k, of, t, x, x0Hat } of draw(net, model, settings, start)) {
    const step = { kind: "step", job, k, of, t, x: shades(x), x0Hat: x0Hat && shades(x0Hat) };
    postMessage(step, [step.x.buffer, ...(x0Hat ? [step.x0Hat.buffer] : [])]);
    await breath();
    if (job !== current) return; // another drawing has begun, or this one was stopped
  }
  postMessage({ kind: "done", job });
}

onmessage = async ({ data }) => {
  try {
    if (data.kind === "load") await load(data.model, data.most);
    else if (data.kind === "draw") await run(data);
    else current = null;
  } catch (error) {
    const sentence = error instanceof Unreadable ? error.message : `The drawing failed: ${error.message ?? error}.`;
    postMessage({ kind: "sorry", sentence });
  }
};
