// A film: the sheets of a chain lie in one image, one below the other. It plays once when it has come, and stands at
// its end for a reader who prefers less motion. A finger that moves across the pictures moves the slider.
const reel = find("img"), screen = find("canvas"), hand = find("input");
const paint = t => {
  const {width, height} = screen, pen = screen.getContext("2d");
  if (reel.complete && reel.naturalWidth) pen.drawImage(reel, 0, payload.times.indexOf(t) * height, width, height, 0, 0, width, height);
};
const turn = k => { hand.value = k; hand.dispatchEvent(new Event("input")); };
screen.onpointermove = event => {
  const {left, width} = screen.getBoundingClientRect();
  if (event.buttons) turn(Math.round((event.clientX - left) / width * hand.max));
};
const begin = () => matchMedia("(prefers-reduced-motion: reduce)").matches ? turn(hand.max) : (turn(0), find("button").click());
const fetchReel = () => {
  reel.src = reel.dataset.src;
  reel.decode().then(begin, () => 0);
};
if (document.readyState === "complete") fetchReel();
else addEventListener("load", fetchReel); // nothing else of the page waits for it
