// What x_t tells of x_0 in a mixture of round Gaussians of one width: E[x_0 | x_t], and the noise that belongs to it.
const {std} = payload, {kept, lost, means, weights} = arrays, gaps = new Float64Array(weights.length); // kept = alpha_bar, lost = 1 - alpha_bar
const guess = (x, y, t) => {
  const variance = kept[t] * std ** 2 + lost[t], root = Math.sqrt(kept[t]), gain = root * std ** 2 / variance;
  let least = Infinity, total = 0, mx = 0, my = 0;
  for (let k = 0; k < gaps.length; k++) {
    gaps[k] = (x - root * means[2 * k]) ** 2 + (y - root * means[2 * k + 1]) ** 2;
    least = Math.min(least, gaps[k]);
  }
  for (let k = 0; k < gaps.length; k++) {
    const share = weights[k] * Math.exp((least - gaps[k]) / (2 * variance));
    total += share; mx += share * means[2 * k]; my += share * means[2 * k + 1];
  }
  mx /= total; my /= total;
  return [mx + gain * (x - root * mx), my + gain * (y - root * my)];
};
const eps = (x, x0, t) => (x - Math.sqrt(kept[t]) * x0) / Math.sqrt(lost[t]);
