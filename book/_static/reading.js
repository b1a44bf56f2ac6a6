// Boxes that scroll sideways can be reached by the keyboard, but only while they do.
(() => {
  const boxes = document.querySelectorAll("div.math > .formula, span.math.long");
  const reach = new ResizeObserver(seen => seen.forEach(({target}) => {
    if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }));
  boxes.forEach(box => reach.observe(box));
})();
