// Chains of one number on the way back from N(0, 1), in a world of two pictures: two_pictures.py says which, and why.
const {starts} = arrays, {share: common, std} = payload, many = starts.length, noises = normals(payload.T * many);
const chains = (log, size) => { // log: ln alpha_bar_t for t = 0..T
  const u = Float64Array.from(starts), odds = Math.log(common / (1 - common));
  for (let t = log.length - 1; t > 0; t--) {
    const lost = -Math.expm1(log[t]), before = -Math.expm1(log[t - 1]), beta = -Math.expm1(log[t] - log[t - 1]);
    const root = Math.exp(log[t] / 2), variance = root ** 2 * std ** 2 + lost, gain = root * std ** 2 / variance;
    const ofX0 = Math.exp(log[t - 1] / 2) * beta / lost, ofXt = Math.exp((log[t] - log[t - 1]) / 2) * before / lost;
    const spread = Math.sqrt(before / lost * beta), row = (t - 1) * many;
    for (let n = 0; n < many; n++) {
      const mean = size * Math.tanh(odds / 2 + root * size * u[n] / variance), guess = mean + gain * (u[n] - root * mean);
      u[n] = ofX0 * guess + ofXt * u[n] + spread * noises[row + n];
    }
  }
  return u;
};
