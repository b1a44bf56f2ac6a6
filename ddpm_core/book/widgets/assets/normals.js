// Numbers from N(0, 1), the same as those of hashed_noise.py: Box and Muller's formula for hashes of 1, 2, 3, ...
const uniform = i => {
  i = Math.imul(i ^ i >>> 16, 569420461);
  i = Math.imul(i ^ i >>> 15, 1935289751);
  return (((i ^ i >>> 15) >>> 0) + 0.5) / 2 ** 32;
};
const normals = n => {
  const z = new Float32Array(n);
  for (let i = 0; i < n; i++) z[i] = Math.sqrt(-2 * Math.log(uniform(2 * i + 1))) * Math.cos(2 * Math.PI * uniform(2 * i + 2));
  return z;
};
