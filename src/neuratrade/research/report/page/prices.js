// Candles on a canvas: the whole run, or one trade's own stretch as finely as the page carries it.
// Across, every candle is as wide as the others, so nights and weekends without trading take no room.
const AXIS = 66, FOOT = 22;

function wholeRun(market) {
  const at = unpack(market.at, Float64Array), prices = unpack(market.prices, Float32Array);
  const list = { span: market.span, at, step: 0 };
  ["open", "high", "low", "close"].forEach((name, k) => { list[name] = Float32Array.from(at, (_, i) => prices[4 * i + k]); });
  return list;
}

function fineStretches(market) {
  const fine = market.fine;
  if (!fine) return null;
  const counts = unpack(fine.counts, Uint16Array), begins = [];
  let sum = 0;
  for (const count of counts) { begins.push(sum); sum += count; }
  return {
    top: fine.top, counts, begins,
    levels: unpack(fine.levels, fine.top > 255 ? Uint16Array : Uint8Array), bars: unpack(fine.bars, Uint32Array),
    start: unpack(fine.start, Float64Array), low: unpack(fine.low, Float32Array), high: unpack(fine.high, Float32Array),
    after: fine.after ? unpack(fine.after, Uint32Array) : null,
  };
}

function stretchOf(market, trade) {
  const fine = market.stretches, n = fine.counts[trade.place], begin = fine.begins[trade.place];
  const low = fine.low[trade.place], width = Math.max(fine.high[trade.place] - low, 1e-12), bars = fine.bars[trade.place];
  const list = { span: bars * market.bar, step: width / fine.top, at: new Float64Array(n) };
  for (let i = 0; i < n; i += 1) list.at[i] = fine.start[trade.place] + market.bar * (fine.after ? fine.after[begin + i] : i * bars);
  ["open", "high", "low", "close"].forEach((name, k) => {
    list[name] = Float64Array.from(list.at, (_, i) => low + (fine.levels[4 * (begin + i) + k] / fine.top) * width);
  });
  return list;
}

const spanName = (ms) => {
  for (const [size, name] of [[86400000, "day"], [3600000, "hour"], [60000, "minute"], [1000, "second"]])
    if (ms >= size && ms % size === 0) return ms === size ? `1 ${name}` : `${ms / size} ${name}s`;
  return `${ms} ms`;
};

class PriceChart {
  constructor(canvas, markets) {
    Object.assign(this, { canvas, markets, drawn: [] });
    for (const market of markets) { market.whole = wholeRun(market); market.stretches = fineStretches(market); }
    this.show(markets[0], null);
    this.listen();
  }

  show(market, trade) {
    this.market = market;
    this.trade = trade;
    this.candles = trade && market.stretches ? stretchOf(market, trade) : market.whole;
    this.mine = trades.filter((other) => other.asset === market.key);
    this.from = 0;
    this.to = this.candles.at.length;
    this.hover = null;
    this.draw();
  }

  // Where a time stands among the candles, in candles from the first.
  across(ms) {
    const { at, span } = this.candles, place = placeOf(at, ms);
    return place < 0 ? 0 : place + Math.min((ms - at[place]) / span, 1);
  }

  x(place) { return ((place - this.from) / (this.to - this.from)) * (this.width - AXIS); }
  y(price) { return ((this.top - price) / (this.top - this.bottom)) * (this.height - FOOT); }

  zoom(factor, share = 0.5) {
    const all = this.candles.at.length, size = Math.min(Math.max((this.to - this.from) * factor, Math.min(8, all)), all);
    const fixed = this.from + (this.to - this.from) * share;
    this.from = Math.min(Math.max(fixed - size * share, 0), all - size);
    this.to = this.from + size;
    this.draw();
  }

  pan(candles) {
    const size = this.to - this.from;
    this.from = Math.min(Math.max(this.from + candles, 0), this.candles.at.length - size);
    this.to = this.from + size;
    this.draw();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1, box = this.canvas.getBoundingClientRect();
    if (!box.width || !this.candles.at.length) return;
    Object.assign(this, { width: box.width, height: box.height });
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.pen = this.canvas.getContext("2d");
    this.pen.scale(ratio, ratio);
    this.ink = Object.fromEntries(["ink", "muted", "grid", "gain", "loss", "accent", "card", "hold"].map((n) => [n, colour("--" + n)]));
    const begin = this.candles.at[Math.floor(this.from)], last = Math.min(Math.ceil(this.to), this.candles.at.length) - 1;
    const end = this.candles.at[last] + this.candles.span;
    this.drawn = this.trade ? [this.trade] : this.mine.filter((t) => t.shown && t.to >= begin && t.from <= end);
    this.range(last);
    this.axes();
    this.paintCandles(last);
    this.drawn.forEach((trade) => this.paintTrade(trade));
    if (this.hover) this.paintHover();
    this.tell();
  }

  range(last) {
    let low = Infinity, high = -Infinity;
    const take = (value) => { if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); } };
    for (let i = Math.floor(this.from); i <= last; i += 1) { take(this.candles.low[i]); take(this.candles.high[i]); }
    const levels = this.trade || this.drawn.length <= 12;
    for (const t of this.drawn) {
      take(t.entry); take(t.exit);
      if (levels) { take(t.stop); t.targets.forEach(take); }
    }
    const room = (high - low) * 0.06 || Math.abs(high) * 0.001 || 1;
    this.top = high + room;
    this.bottom = low - room;
  }

  axes() {
    const { pen, ink } = this, size = this.top - this.bottom, wide = this.width - AXIS, tall = this.height - FOOT;
    pen.clearRect(0, 0, this.width, this.height);
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1;
    const power = 10 ** Math.floor(Math.log10(size / 6)), step = power * [1, 2, 2.5, 5, 10].find((n) => power * n * 6 >= size);
    let places = 0;
    while (places < 9 && Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6) places += 1;
    for (let price = Math.ceil(this.bottom / step) * step; price < this.top; price += step) {
      const y = this.y(price);
      pen.strokeStyle = ink.grid;
      pen.beginPath(); pen.moveTo(0, y); pen.lineTo(wide, y); pen.stroke();
      pen.fillStyle = ink.muted;
      pen.textAlign = "left"; pen.textBaseline = "middle";
      pen.fillText(written(price, places), wide + 6, y);
    }
    pen.textAlign = "center"; pen.textBaseline = "top";
    const wanted = Math.max(Math.floor(wide / 130), 2), length = (this.to - this.from) * this.candles.span;
    for (let n = 0; n < wanted; n += 1) {
      const place = this.from + ((n + 0.5) / wanted) * (this.to - this.from), words = instant(this.candles.at[Math.floor(place)]);
      pen.fillText(length > 6 * 86400000 ? words.slice(0, 10) : words.slice(5), this.x(place), tall + 6);
    }
  }

  paintCandles(last) {
    const { pen, ink, candles } = this, wide = (this.width - AXIS) / (this.to - this.from), first = Math.floor(this.from);
    pen.save();
    pen.beginPath(); pen.rect(0, 0, this.width - AXIS, this.height - FOOT); pen.clip();
    if (wide < 2.5) {
      pen.strokeStyle = ink.hold;
      pen.beginPath();
      const each = Math.max(Math.round(1 / wide), 1);
      for (let i = first; i <= last; i += each) {
        let low = Infinity, high = -Infinity;
        for (let k = i; k < Math.min(i + each, last + 1); k += 1) { low = Math.min(low, candles.low[k]); high = Math.max(high, candles.high[k]); }
        const x = this.x(i + each / 2);
        pen.moveTo(x, this.y(high) - 0.3); pen.lineTo(x, this.y(low) + 0.3);
      }
      pen.stroke();
    } else {
      for (let i = first; i <= last; i += 1) {
        const x = this.x(i + 0.5), up = candles.close[i] >= candles.open[i], body = Math.max(wide * 0.66, 1);
        pen.strokeStyle = pen.fillStyle = up ? ink.gain : ink.loss;
        pen.globalAlpha = 0.75;
        pen.beginPath(); pen.moveTo(x, this.y(candles.high[i])); pen.lineTo(x, this.y(candles.low[i])); pen.stroke();
        const top = this.y(Math.max(candles.open[i], candles.close[i])), size = Math.max(Math.abs(this.y(candles.open[i]) - this.y(candles.close[i])), 1);
        if (up && body > 4) { pen.fillStyle = ink.card; pen.globalAlpha = 1; pen.fillRect(x - body / 2, top, body, size); pen.strokeRect(x - body / 2, top, body, size); }
        else pen.fillRect(x - body / 2, top, body, size);
      }
      pen.globalAlpha = 1;
    }
    pen.restore();
  }

  paintTrade(t) {
    const { pen, ink } = this, x1 = this.x(this.across(t.from)), x2 = Math.max(this.x(this.across(t.to)), x1 + 1);
    const y1 = this.y(t.entry), y2 = this.y(t.exit), result = t.won ? ink.gain : ink.loss, many = this.drawn.length;
    pen.save();
    pen.beginPath(); pen.rect(0, 0, this.width - AXIS, this.height - FOOT); pen.clip();
    if (many <= 40) {
      const level = (price, kind) => {
        pen.setLineDash([5, 4]); pen.strokeStyle = kind; pen.lineWidth = 1.3;
        pen.beginPath(); pen.moveTo(x1, this.y(price)); pen.lineTo(x2, this.y(price)); pen.stroke(); pen.setLineDash([]);
      };
      if (Number.isFinite(t.stop)) level(t.stop, ink.loss);
      t.targets.forEach((price) => level(price, ink.gain));
    }
    pen.strokeStyle = result; pen.lineWidth = many > 400 ? 1 : 2; pen.globalAlpha = many > 400 ? 0.7 : 1;
    pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, y2); pen.stroke();
    if (many <= 400) { this.arrow(x1, y1, t.side === "LONG" ? 1 : -1); this.spot(x2, y2, result); }
    pen.restore();
    if (this.trade) this.paintNames(t, x1, x2);
  }

  arrow(x, y, up) {
    const { pen, ink } = this;
    pen.fillStyle = ink.accent; pen.strokeStyle = ink.card; pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(x, y - 7 * up); pen.lineTo(x - 6, y + 5 * up); pen.lineTo(x + 6, y + 5 * up); pen.closePath();
    pen.stroke(); pen.fill();
  }

  spot(x, y, fill) {
    const { pen, ink } = this;
    pen.fillStyle = fill; pen.strokeStyle = ink.card; pen.lineWidth = 1.5;
    pen.beginPath(); pen.arc(x, y, 5, 0, 7); pen.stroke(); pen.fill();
  }

  paintNames(t, x1, x2) {
    const { pen, ink } = this, named = [["entry", t.entry, ink.accent], ["exit", t.exit, t.won ? ink.gain : ink.loss]];
    if (Number.isFinite(t.stop)) named.push(["stop", t.stop, ink.loss]);
    t.targets.forEach((price, n) => named.push([t.targets.length > 1 ? `target ${n + 1}` : "target", price, ink.gain]));
    const spots = named.map(([name, price, kind]) => ({ name: `${name} ${written(price, this.market.places)}`, kind, y: this.y(price) })).sort((a, b) => a.y - b.y);
    // Names that would lie on each other are pushed down.
    spots.forEach((spot, n) => { if (n && spot.y < spots[n - 1].y + 15) spot.y = spots[n - 1].y + 15; });
    pen.font = "600 12px system-ui, sans-serif"; pen.textBaseline = "middle";
    const longest = Math.max(...spots.map((spot) => pen.measureText(spot.name).width)) + 14, right = x2 + longest < this.width - AXIS || x1 < longest;
    pen.textAlign = right ? "left" : "right";
    for (const { name, kind, y } of spots) {
      const x = right ? Math.min(x2 + 11, this.width - AXIS - longest + 12) : x1 - 11, width = pen.measureText(name).width;
      pen.globalAlpha = 0.85; pen.fillStyle = ink.card;
      pen.fillRect(right ? x - 2 : x - width - 2, y - 8, width + 4, 16);
      pen.globalAlpha = 1; pen.fillStyle = kind; pen.fillText(name, x, y);
    }
  }

  paintHover() {
    const { pen, ink } = this, x = this.x(this.hover.place + 0.5), wide = this.width - AXIS;
    pen.strokeStyle = ink.muted; pen.lineWidth = 1; pen.setLineDash([2, 3]);
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, this.height - FOOT);
    pen.moveTo(0, this.hover.y); pen.lineTo(wide, this.hover.y); pen.stroke(); pen.setLineDash([]);
    const price = this.top - (this.hover.y / (this.height - FOOT)) * (this.top - this.bottom);
    pen.fillStyle = ink.ink; pen.fillRect(wide, this.hover.y - 9, AXIS, 18);
    pen.fillStyle = ink.card; pen.textAlign = "left"; pen.textBaseline = "middle"; pen.font = "12px system-ui, sans-serif";
    pen.fillText(written(price, Math.min(this.places(), price > 9999 ? 1 : 9)), wide + 6, this.hover.y);
  }

  // Digits that what the page carries can vouch for.
  places() {
    return this.candles.step ? Math.min(this.market.places, Math.max(0, Math.floor(-Math.log10(this.candles.step)))) : this.market.places;
  }

  tell() {
    const words = [`${this.market.asset}, candles of ${spanName(this.candles.span)}`];
    if (this.trade) {
      const t = this.trade;
      words.push(`trade ${t.n}: ${t.side}, in ${t.in.slice(0, 16)} at ${written(t.entry, this.market.places)}, out ${t.out.slice(0, 16)} at ` +
        `${written(t.exit, this.market.places)} by ${t.reason}, result ${t.pnl > 0 ? "+" : ""}${written(t.pnl, 2)} (${written(t.r, 2)} R)`);
    } else words.push(`${this.drawn.length.toLocaleString("en-US")} trades in view`);
    byId("price-about").textContent = words.join(" \u00b7 ");
    if (!this.hover) return;
    const i = this.hover.place, price = (name) => written(this.candles[name][i], this.places());
    byId("price-readout").textContent =
      `${instant(this.candles.at[i])}   open ${price("open")}   high ${price("high")}   low ${price("low")}   close ${price("close")}`;
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    return { x, y, share: x / (this.width - AXIS) };
  }

  tradeAt({ x, y }) {
    let best = null, nearest = 12;
    for (const t of this.drawn)
      for (const [ms, price] of [[t.from, t.entry], [t.to, t.exit]]) {
        const away = Math.hypot(this.x(this.across(ms)) - x, this.y(price) - y);
        if (away < nearest) [best, nearest] = [t, away];
      }
    return best;
  }

  listen() {
    const { canvas } = this, down = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => { down.set(event.pointerId, event); moved = 0; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      const before = down.get(event.pointerId), spot = this.point(event);
      if (before && down.size === 2) {
        const other = [...down.values()].find((one) => one.pointerId !== event.pointerId);
        const gap = (one) => Math.max(Math.abs(one.clientX - other.clientX), 20);
        this.zoom(gap(before) / gap(event), spot.share);
        moved = 99;
      } else if (before) {
        const step = event.clientX - before.clientX;
        moved += Math.abs(step);
        this.pan((-step / (this.width - AXIS)) * (this.to - this.from));
      }
      if (before) down.set(event.pointerId, event);
      const place = Math.floor(this.from + spot.share * (this.to - this.from));
      this.hover = spot.share <= 1 && place >= 0 && place < this.candles.at.length ? { place, y: Math.min(spot.y, this.height - FOOT) } : null;
      this.draw();
    });
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, (event) => {
        down.delete(event.pointerId);
        const hit = name === "pointerup" && moved < 5 && !this.trade && this.tradeAt(this.point(event));
        if (hit) select(hit, false);
      });
    canvas.addEventListener("pointerleave", () => { this.hover = null; byId("price-readout").textContent = ""; this.draw(); });
    // A wheel alone scrolls the page; over a chart that was clicked into, or with a key held, it zooms.
    canvas.addEventListener("wheel", (event) => {
      if (!(event.ctrlKey || event.metaKey || document.activeElement === canvas)) return;
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, this.point(event).share);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const step = (this.to - this.from) / 8;
      const act = { ArrowLeft: () => this.pan(-step), ArrowRight: () => this.pan(step), "+": () => this.zoom(0.7), "-": () => this.zoom(1 / 0.7),
        Escape: () => select(null), Home: () => this.zoom(1e9) }[event.key];
      if (act) { event.preventDefault(); act(); }
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }
}

function startPrices() {
  if (!data.markets.length) return;
  const chart = new PriceChart(byId("prices"), data.markets), box = byId("price-box"), choose = byId("market");
  box.hidden = false;
  data.markets.forEach((market, n) => choose.append(new Option(market.key, n)));
  choose.closest("label").hidden = data.markets.length < 2;
  choose.addEventListener("change", () => { select(null); chart.show(data.markets[choose.value], null); });
  const acts = { "zoom-in": () => chart.zoom(0.6), "zoom-out": () => chart.zoom(1 / 0.6), whole: () => select(null), next: () => walk(1), previous: () => walk(-1) };
  for (const [name, act] of Object.entries(acts)) byId(name).addEventListener("click", act);
  for (const name of ["next", "previous"]) byId(name).hidden = !trades.length;
  watchers.filter.push(() => chart.draw());
  watchers.select.push((trade) => {
    const market = trade ? data.markets.find((one) => one.key === trade.asset) : chart.market;
    if (!market) return;
    choose.value = data.markets.indexOf(market);
    chart.show(market, trade);
    const seen = byId("prices").getBoundingClientRect();
    if (trade && (seen.bottom < 160 || seen.top > innerHeight - 160)) box.scrollIntoView({ block: "nearest" });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.draw());
  addEventListener("beforeprint", () => { document.documentElement.dataset.print = ""; chart.draw(); });
  addEventListener("afterprint", () => { delete document.documentElement.dataset.print; chart.draw(); });
}
