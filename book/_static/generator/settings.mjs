// What a reader may choose, checked once: from the form, from a link, and back into a link. How much of each stands in
// bounds.json, which the Space reads as well.

import { complaint } from "./text.mjs";

const rule = (what, needs, read, holds) => ({
  read,
  wrong: (text) => (holds(read(text)) ? "" : `The ${what} must be ${needs}, but “${text.slice(0, 40)}” was asked for.`),
});
const whole = (what, least, most) =>
  rule(what, `a whole number from ${least} to ${most}`, (text) => (/^-?\d+$/.test(text.trim()) ? Number(text) : NaN),
    (value) => value >= least && value <= most);
const number = (what, least, most) =>
  rule(what, `a number from ${least} to ${most}`, (text) => (text.trim() === "" ? NaN : Number(text)),
    (value) => value >= least && value <= most);
const oneOf = (what, choices) => rule(what, `one of ${choices.join(", ")}`, (text) => text, (value) => choices.includes(value));

export const AT_ONCE = [1, 4, 16]; // numbers of pictures

/** For each setting what it may be, for a loaded model with class names, a vocabulary, or neither. */
export const rules = (models, { names, vocabulary }, bounds) => ({
  model: oneOf("model", models),
  label: oneOf("class", ["none", ...(names ? ["each", ...names.map((_, k) => String(k))] : [])]),
  ...(vocabulary && {
    caption: { read: (text) => text.trim(), wrong: (text) => complaint(text, vocabulary, bounds.letters) },
  }),
  n: oneOf("number of pictures", AT_ONCE.filter((n) => n <= bounds.pictures).map(String)),
  steps: whole("number of steps", 1, bounds.steps),
  sampler: oneOf("sampler", ["dpm", "ddim", "ddpm"]),
  eta: number("eta", 0, 1),
  guidance: number("guidance", 0, bounds.guidance),
  seed: whole("seed", 0, bounds.seed),
});

/** Settings as text from those of a link or a form, and a sentence for each that was not understood. */
export function checked(wanted, rules, fallback) {
  const settings = {}, sorry = [];
  for (const [name, { read, wrong }] of Object.entries(rules)) {
    const text = wanted[name] ?? fallback[name], sentence = wrong(text);
    settings[name] = sentence ? fallback[name] : String(read(text));
    const instead = name === "caption" ? `“${fallback[name]}”` : fallback[name];
    if (sentence) sorry.push(`${sentence.slice(0, -1)}; ${instead} is taken.`);
  }
  return { settings, sorry };
}

/** The settings of an address, {} if it has none: #model=garments&seed=3. */
export function fromAddress(hash) {
  return Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
}

export function toAddress(settings) {
  return "#" + new URLSearchParams(settings);
}

/** As `draw` takes them; guidance needs something to pull towards. */
export function asNumbers({ label, caption = "", n, steps, sampler, eta, guidance, seed }) {
  return {
    n: Number(n), steps: Number(steps), sampler, eta: Number(eta), seed: Number(seed), caption,
    guidance: label === "none" && !caption ? 0 : Number(guidance),
    label: label === "none" ? null : label === "each" ? label : Number(label),
  };
}
