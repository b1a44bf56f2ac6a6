// The training, beside the page. In: {begin: settings, world}, {pause}, {go}. Out, some twenty times a second:
// {steps, losses, weights} of the average.

import { Trainer } from "./training.mjs";

let trainer = null, running = false;
const SLICE = 45; // milliseconds of training between two messages

function slice() {
  if (!running || !trainer) return;
  const losses = [], end = performance.now() + SLICE;
  do losses.push(trainer.step());
  while (performance.now() < end);
  postMessage({ run: trainer.settings.run, steps: trainer.steps, losses, weights: trainer.average.weights });
  setTimeout(slice);
}

onmessage = ({ data: { begin, world, running: wanted } }) => {
  if (begin) {
    trainer = new Trainer(begin, world);
    postMessage({ run: begin.run, data: trainer.data });
  }
  if (wanted !== undefined && wanted !== running) {
    running = wanted;
    if (running) slice();
  }
};
