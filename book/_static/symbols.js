// Gives x_0, eps and x_t their colours (design.css) in every formula of a page. The formulas stay as they are written,
// so that a notebook elsewhere shows them, too, in black.
(() => {
  const letter = node => node && (node.isKind("mi") || node.isKind("mn")) ? node.getText() : null;
  const inside = node => node.isKind("TeXAtom") && node.childNodes[0]?.childNodes.length === 1 ? inside(node.childNodes[0].childNodes[0])
    : node.isKind("mover") ? inside(node.childNodes[0]) : node; // a hat is a guess of the same thing
  const words = node => node.isToken ? node.getText() : (node.childNodes || []).map(words).join("");
  const kind = node => {
    if (letter(inside(node)) === "ϵ") return "of-noise";
    if (!(node.isKind("msub") || node.isKind("msubsup"))) return null;
    const base = letter(inside(node.childNodes[0])), below = words(node.childNodes[1]);
    if (base === "ϵ") return "of-noise";
    if (base !== "x") return null;
    return below === "0" ? "of-clean" : /^([tTsr]|\d+)([−+]\d)?$/.test(below) ? "of-noisy" : null;
  };
  const mark = node => {
    const found = node.isKind && kind(node);
    if (found) node.attributes.set("class", found);
    else (node.childNodes || []).forEach(mark);
  };
  window.MathJax ??= {};
  window.MathJax.svg = {scale: 0.9}; // its x is a tenth larger than that of the text beside it; one size in lines and displays
  window.MathJax.startup = {
    ...window.MathJax.startup,
    ready() {
      MathJax.startup.defaultReady();
      MathJax.startup.input[0].postFilters.add(({data}) => mark(data.root), 100);
    },
  };
})();
