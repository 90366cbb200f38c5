// What lies under the pointer of the drawn charts, in words below them.
function startEquity() {
  const points = data.equity, plot = byId("equity-plot");
  if (!plot || !points.ms) return;
  const cross = document.createElement("div"), first = points.ms[0], length = points.ms[points.ms.length - 1] - first || 1;
  cross.className = "cross";
  cross.hidden = true;
  plot.append(cross);
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect(), share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const i = Math.max(placeOf(points.ms, first + share * length), 0);
    cross.hidden = false;
    cross.style.left = `${share * 100}%`;
    byId("equity-readout").textContent = `${instant(points.ms[i])}   equity ${written(points.equity[i] ?? NaN, 2)}   ` +
      `holding ${written(points.hold[i] ?? NaN, 2)}   drawdown ${written(points.fall[i] * 100, 2)} %`;
  });
  plot.addEventListener("pointerleave", () => { cross.hidden = true; byId("equity-readout").textContent = ""; });
}

function startExcursions() {
  const scale = data.excursions, plot = byId("excursions-plot");
  if (!plot || !scale.height) return;
  const nearest = (event) => {
    const box = plot.getBoundingClientRect();
    let best = null, least = 14;
    for (const trade of trades) {
      const x = (trade.mae / 100 / scale.across) * box.width, y = (1 - trade.mfe / 100 / scale.up) * scale.height;
      const away = Math.hypot(x - (event.clientX - box.left), y - (event.clientY - box.top));
      if (away < least) [best, least] = [trade, away];
    }
    return best;
  };
  plot.addEventListener("pointermove", (event) => {
    const t = nearest(event);
    byId("excursions-readout").textContent = t
      ? `trade ${t.n}: went ${written(t.mae, 2)} % against, ${written(t.mfe, 2)} % for it, ended at ${written(t.return, 2)} % by ${t.reason}` : "";
  });
  plot.addEventListener("click", (event) => { const t = nearest(event); if (t) select(t, false); });
}
