// What a reader may choose, checked once: from the form, from a link, and back into a link.

const whole = (least, most, what) => ({
  read: (text) => (/^-?\d+$/.test(text.trim()) ? Number(text) : NaN),
  holds: (value) => value >= least && value <= most,
  needs: `a whole number from ${least} to ${most}`,
  what,
});
const number = (least, most, what) => ({
  read: (text) => (text.trim() === "" ? NaN : Number(text)),
  holds: (value) => value >= least && value <= most,
  needs: `a number from ${least} to ${most}`,
  what,
});
const oneOf = (choices, what) => ({
  read: (text) => text,
  holds: (value) => choices.includes(value),
  needs: `one of ${choices.join(", ")}`,
  what,
});

export const MOST_STEPS = 250;

/** For each setting what it may be; `model` and `label` depend on what there is. */
export const RULES = (models, names) => ({
  model: oneOf(models, "model"),
  label: oneOf(["none", ...(names ? ["each", ...names.map((_, k) => String(k))] : [])], "class"),
  n: oneOf(["1", "4", "16"], "number of pictures"),
  steps: whole(1, MOST_STEPS, "number of steps"),
  sampler: oneOf(["dpm", "ddim", "ddpm"], "sampler"),
  eta: number(0, 1, "eta"),
  guidance: number(0, 10, "guidance"),
  seed: whole(0, Number.MAX_SAFE_INTEGER, "seed"),
});

/** Settings as text from those of a link or a form, and a sentence for each that was not understood. */
export function checked(wanted, rules, fallback) {
  const settings = {}, sorry = [];
  for (const [name, { read, holds, needs, what }] of Object.entries(rules)) {
    const text = wanted[name] ?? fallback[name];
    if (holds(read(text))) {
      settings[name] = String(read(text));
    } else {
      settings[name] = fallback[name];
      sorry.push(`The ${what} must be ${needs}, but “${text.slice(0, 40)}” was asked for; ${fallback[name]} is taken.`);
    }
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

/** As `draw` takes them. */
export function asNumbers({ label, n, steps, sampler, eta, guidance, seed }) {
  return {
    n: Number(n), steps: Number(steps), sampler, eta: Number(eta), guidance: label === "none" ? 0 : Number(guidance),
    seed: Number(seed), label: label === "none" ? null : label === "each" ? label : Number(label),
  };
}
