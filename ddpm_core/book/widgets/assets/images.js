const paint = t => {
  const x = mix(t);
  tile(find("canvas"), i => 127.5 * (x(i) + 1));
  levels(t);
};
