// Sets a page's mathematics once the page stands, and each formula when it comes near the screen: a page of hundreds
// opens as quickly as one without. tools/heads.py puts this script where Sphinx would load MathJax at once.
//
// It gives x_0, eps and x_t their colours (design.css). The formulas stay as they are written, so that a notebook
// elsewhere shows them, too, in black.
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

  // Formulas are set before they come to the screen; all of them at once for paper, or when somebody asks.
  const NEAR = "150% 0%"; // so many screens above and below
  const unset = () => [...document.querySelectorAll(".math")].filter(e => !e.querySelector("mjx-container"));
  let queue = Promise.resolve();
  const set = formulas => queue = queue.then(() => MathJax.typesetPromise(formulas.filter(e => !e.querySelector("mjx-container"))));
  const watch = () => {
    const watcher = new IntersectionObserver(seen => {
      const here = seen.filter(e => e.isIntersecting).map(e => e.target);
      here.forEach(e => watcher.unobserve(e));
      if (here.length) set(here);
    }, {rootMargin: NEAR});
    unset().forEach(formula => watcher.observe(formula));
    addEventListener("beforeprint", () => MathJax.typeset(unset()));
  };

  // Until then a formula holds about the room that it will take, so that the lines around it stay where they are.
  const shapes = /\\(?:bar|hat|tilde|frac|[td]frac|sqrt|math\w+|text|big\w*|left|right)\b/g;
  for (const e of document.querySelectorAll(".math")) {
    const tex = e.textContent.slice(2, -2), letters = tex.replace(shapes, "").replace(/\\(log|ln|exp)\b/g, "abc");
    const tall = /frac|sum|int|prod/.test(tex), lines = tex.split("\\\\").length - 1; // those beyond the first
    e.style.setProperty("--letters", (letters.match(/\\[a-zA-Z]+|[a-zA-Z0-9=+<>|,()[\]-]/g) || []).length);
    e.style.setProperty("--height", `${tall ? 56 + 46 * lines : 34 + 30 * lines}px`);
  }

  const settings = window.MathJax ??= {};
  let come;
  const ready = new Promise(resolve => { come = resolve; });
  window.setMathematics = () => ready.then(() => set(unset())); // a promise of the whole page
  settings.svg = {scale: 0.9}; // its x is a tenth larger than that of the text beside it; one size in lines and displays
  settings.startup = {
    ...settings.startup,
    typeset: false,
    ready() {
      MathJax.startup.defaultReady();
      MathJax.startup.input[0].postFilters.add(({data}) => mark(data.root), 100);
    },
    pageReady: () => { watch(); come(); return Promise.resolve(); },
  };
  const script = Object.assign(document.createElement("script"), {src: document.currentScript.dataset.mathjax});
  const loaded = new Promise(go => document.readyState === "complete" ? go() : addEventListener("load", go));
  const painted = new Promise(go => {
    const paints = new PerformanceObserver(list => list.getEntriesByName("first-contentful-paint").length && go());
    paints.observe({type: "paint", buffered: true});
    setTimeout(go, 1500); // nothing is painted behind another window
  });
  Promise.all([loaded, painted]).then(() => (window.requestIdleCallback ?? setTimeout)(() => document.head.append(script)));
})();
