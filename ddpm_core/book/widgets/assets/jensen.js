// Two equally likely values of u, 1 - s and 1 + s, on the curve log u. Their mean is 1 for every s.
const U = 200, H = 100, slider = find("input"), plot = find(".plot"), hands = root.querySelectorAll(".hand");
const at = u => `${(U * u).toFixed(2)} ${(-H * Math.log(u)).toFixed(2)}`, number = x => (Math.round(x * 1000) / 1000 || 0).toFixed(3).replace("-", "−");
draw(".log", "M" + Array.from({length: 221}, (_, i) => at(0.01 * (i + 1))).filter((_, i) => i > 8).join("L"));
const show = () => {
  const s = Number(slider.value), mean = (Math.log(1 - s) + Math.log(1 + s)) / 2;
  draw(".chord", `M${at(1 - s)}L${at(1 + s)}`);
  draw(".gap", `M${U} 0V${-H * mean}`);
  find(".mean").setAttribute("cx", U);
  find(".mean").setAttribute("cy", (-H * mean).toFixed(2));
  find(".of").setAttribute("cx", U);
  [1 - s, 1 + s].forEach((u, k) => hands[k].setAttribute("transform", `translate(${at(u)})`));
  slider.ariaValueText = find(".two").textContent = `${(1 - s).toFixed(2)} or ${(1 + s).toFixed(2)}`;
  find(".outer").textContent = number(0);
  find(".inner").textContent = number(mean);
  find(".open b").textContent = number(-mean);
};
hands.forEach((hand, k) => {
  hand.onpointerdown = down => {
    if (down.button) return;
    down.preventDefault();
    hand.setPointerCapture(down.pointerId);
    hand.onpointermove = ({clientX}) => {
      const box = plot.getBoundingClientRect(), u = ((clientX - box.x) / box.width * 480 - 20) / U;
      slider.value = k ? u - 1 : 1 - u;
      show();
    };
  };
  hand.ontouchstart = event => event.preventDefault(); // no scrolling: browsers pass over touch-action inside an SVG
  hand.onlostpointercapture = () => hand.onpointermove = null;
});
slider.oninput = show;
show();
