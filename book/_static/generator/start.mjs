// What a page carries before anybody asks: a button in each .ddpm-generator, which then fetches the rest.
//   <div class="ddpm-generator"></div>
//   <script type="module" src=".../_static/generator/start.mjs"></script>

const LOOK = `display: block; margin: 0.75rem 0; padding: 0.6rem 1.1rem; font: inherit; font-weight: 600; color: inherit;
  background: none; border: 2px solid #c2410c; border-radius: 0.4rem; cursor: pointer;`;

for (const root of document.querySelectorAll(".ddpm-generator")) {
  const button = document.createElement("button"), status = document.createElement("p");
  [button.className, button.textContent, button.type] = ["begin", root.dataset.invitation ?? "Draw here", "button"];
  button.style.cssText = LOOK;
  [status.className, status.role] = ["status", "status"];
  root.append(button, status);
  button.addEventListener("click", async () => {
    button.disabled = true;
    status.textContent = "Fetching the drawing machine …";
    try {
      const { open } = await import("./generator.mjs");
      open(root);
    } catch { // a browser does not ask again for a module that did not come
      status.textContent = "The drawing machine could not be fetched. Load the page again when the network is there; it takes a browser of 2023 or later.";
    }
  });
}
