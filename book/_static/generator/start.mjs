// What a page carries before anybody asks: a button in each .ddpm-generator, which then fetches the rest.
//   <div class="ddpm-generator"></div>
//   <script type="module" src=".../_static/generator/start.mjs"></script>

for (const root of document.querySelectorAll(".ddpm-generator")) {
  const button = document.createElement("button"), status = document.createElement("p");
  [button.className, button.textContent, button.type] = ["begin", root.dataset.invitation ?? "Draw here", "button"];
  [status.className, status.role] = ["status", "status"];
  root.append(button, status);
  button.addEventListener("click", async () => {
    button.disabled = true;
    status.textContent = "Fetching the drawing machine …";
    try {
      const { open } = await import("./generator.mjs");
      open(root);
    } catch {
      button.disabled = false;
      status.textContent = "The drawing machine could not be fetched. Is the network there, and a browser of 2023 or later?";
    }
  });
}
