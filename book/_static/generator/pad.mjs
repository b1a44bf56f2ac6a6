// A sheet of the size of a model's pictures, to draw a beginning on: with mouse, finger or keyboard.

const BRUSHES = { 1: ["white", "silver", "grey", "black"], 3: ["white", "silver", "red", "blue", "green", "black"] };
const SHEET = { 1: "black", 3: "skyblue" };
const LONGEST = 20_000; // letters of a drawing in a link

export class Pad {
  /** `canvas` is drawn on with the colour that the select `brush` says; `changed` hears whether anything is drawn. */
  constructor(canvas, brush, changed) {
    Object.assign(this, { canvas, brush, changed, context: canvas.getContext("2d", { willReadFrequently: true }) });
    this.pointer();
    this.keys();
  }

  /** A new sheet for pictures of this size. */
  lay({ channels, height, width }) {
    this.channels = channels;
    [this.canvas.width, this.canvas.height] = [width, height];
    this.brush.replaceChildren(...BRUSHES[channels].map((colour) => new Option(colour)));
    this.clear();
  }

  clear() {
    const { canvas: { width, height }, context } = this;
    context.fillStyle = SHEET[this.channels];
    context.fillRect(0, 0, width, height);
    Object.assign(this, { drawn: false, x: width / 2, y: height / 2 });
    this.changed();
  }

  dot(x, y) {
    const { canvas, context } = this;
    context.fillStyle = this.brush.value;
    context.beginPath();
    context.arc(x, y, Math.max(0.6, canvas.width / 24), 0, 2 * Math.PI);
    context.fill();
    this.drawn = true;
    this.changed();
  }

  /** What is drawn as a model's picture, in [-1, 1], channel by channel. */
  pixels() {
    const { channels, canvas: { width, height } } = this, { data } = this.context.getImageData(0, 0, width, height);
    return Float32Array.from({ length: channels * width * height }, (_, i) => {
      const channel = Math.floor(i / (width * height));
      return data[4 * (i - channel * width * height) + channel] / 127.5 - 1;
    });
  }

  /** The drawing as letters for a link, and back: true if they were one of this size. */
  toText() {
    return this.canvas.toDataURL("image/png").split(",")[1];
  }

  async fromText(text) {
    const { canvas: { width, height } } = this, image = new Image();
    if (!/^[A-Za-z0-9+/=]+$/.test(text) || text.length > LONGEST) return false;
    image.src = `data:image/png;base64,${text}`;
    try {
      await image.decode();
    } catch {
      return false;
    }
    if (image.naturalWidth !== width || image.naturalHeight !== height) return false;
    this.context.drawImage(image, 0, 0);
    this.drawn = true;
    this.changed();
    return true;
  }

  pointer() {
    const { canvas } = this;
    let last = null;
    const at = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      return [((clientX - box.left) / box.width) * canvas.width, ((clientY - box.top) / box.height) * canvas.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.dot(...(last = at(event)));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const [x, y] = at(event), [a, b] = last, far = Math.ceil(2 * Math.hypot(x - a, y - b));
      for (let k = 1; k <= far; k++) this.dot(a + ((x - a) * k) / far, b + ((y - b) * k) / far);
      last = [x, y];
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  }

  /** Arrows move the brush, with shift they paint; space sets a dot. */
  keys() {
    const { canvas } = this;
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!by && event.key !== " ") return;
      event.preventDefault();
      if (by) {
        this.x = Math.min(canvas.width, Math.max(0, this.x + by[0]));
        this.y = Math.min(canvas.height, Math.max(0, this.y + by[1]));
        if (!event.shiftKey) return;
      }
      this.dot(this.x, this.y);
    });
  }
}
