// Boxes that scroll sideways can be reached by the keyboard, but only while they do.
(() => {
  const boxes = document.querySelectorAll("div.math > .formula, span.math.long");
  const reach = new ResizeObserver(seen => seen.forEach(({target}) => {
    if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }));
  boxes.forEach(box => reach.observe(box));
})();

// A browser runs no modules of a page that was opened by a double click, and what computes in a page is made of modules.
if (location.protocol === "file:")
  for (const place of document.querySelectorAll(".ddpm-generator, .ddpm-playground")) {
    const top = new URL(document.documentElement.dataset.content_root, location), said = document.createElement("p");
    const folder = decodeURI(top.pathname).replace(/^\/(?=[A-Z]:)/i, ""); // of Windows: C:/
    said.className = "by-file";
    said.textContent = "A page that was opened as a file cannot compute: run python -m http.server --directory "
      + `"${folder}" 8000 and open http://localhost:8000/${location.pathname.slice(top.pathname.length)}.`;
    place.append(said);
  }
