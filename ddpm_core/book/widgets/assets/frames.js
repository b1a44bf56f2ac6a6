const paint = t => {
  const start = payload.times.indexOf(t) * arrays.frames.length / payload.times.length;
  tile(find("canvas"), i => arrays.frames[start + i]);
};
