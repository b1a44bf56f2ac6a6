// A slider for each choice; together they point at one of the stored sheets.
const {shape, choices, notes} = payload, inputs = root.querySelectorAll("input"), said = root.querySelectorAll(".set b");
const size = shape.reduce((a, b) => a * b), canvas = find("canvas"), about = canvas.ariaLabel;
const show = () => {
  const at = Array.from(inputs, input => Number(input.value));
  const sheet = at.reduce((before, k, i) => before * choices[i].length + k, 0);
  tile(canvas, i => arrays.pictures[sheet * size + i]);
  const words = at.map((k, i) => said[i].textContent = inputs[i].ariaValueText = choices[i][k]);
  canvas.ariaLabel = [about, ...words.map((word, i) => `${inputs[i].ariaLabel} ${word}`)].join(", ");
  find("output").textContent = notes[sheet] ?? "";
};
inputs.forEach(input => input.oninput = show);
show();
