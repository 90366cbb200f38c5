// The table of trades: read once, then sorted, filtered, summed and walked through. Charts ask it for its trades.
const trades = [];
const watchers = { select: [], filter: [] };
let selected = null;

function readTrades(table) {
  const keys = [...table.tHead.rows[0].cells].map((head) => head.dataset.key);
  const numbers = new Set(["n", "entry", "exit", "stop", "quantity", "pnl", "return", "r", "mae", "mfe", "fees", "held"]);
  const seen = new Map();
  for (const row of table.tBodies[0].rows) {
    const trade = { row, shown: true, asset: table.dataset.asset, strategy: table.dataset.strategy };
    keys.forEach((key, place) => {
      const words = row.cells[place].textContent.trim();
      trade[key] = numbers.has(key) ? figure(words) : words;
    });
    trade.targets = trade.targets.split(" / ").map(figure).filter(Number.isFinite);
    trade.from = Date.parse(trade.in.replace(" ", "T") + "Z");
    trade.to = Date.parse(trade.out.replace(" ", "T") + "Z");
    trade.won = row.className === "w";
    trade.place = seen.get(trade.asset) ?? 0;
    seen.set(trade.asset, trade.place + 1);
    trades.push(trade);
  }
}

function sortBy(table, head, key) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (trade) => (key === "targets" ? trade.targets[0] ?? NaN : trade[key]);
  const order = (one, two) => {
    const a = value(one), b = value(two);
    if (typeof a === "string") return a < b ? -1 : a > b ? 1 : one.n - two.n;
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return a - b || one.n - two.n;
  };
  const sorted = [...trades].sort((one, two) => (down ? order(two, one) : order(one, two)));
  table.tBodies[0].append(...sorted.map((trade) => trade.row));
}

function addFilters(table) {
  const choices = { side: "Side", reason: "Left by", strategy: "Strategy", asset: "Instrument", result: "Result" };
  const asked = {};
  for (const [key, name] of Object.entries(choices)) {
    const known = key === "result" ? ["gains", "losses"] : [...new Set(trades.map((trade) => trade[key]))].sort();
    if (known.length < 2) continue;
    const label = document.createElement("label");
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...known.map((value) => new Option(value, value)));
    select.addEventListener("change", () => { asked[key] = select.value; filter(table, asked); });
    label.append(name + " ", select);
    byId("filters").append(label);
  }
  byId("filters").hidden = false;
}

function filter(table, asked) {
  for (const trade of trades) {
    trade.shown = Object.entries(asked).every(([key, value]) =>
      value === "" || (key === "result" ? (value === "gains") === trade.won : trade[key] === value));
    trade.row.hidden = !trade.shown;
  }
  sum(table);
  for (const watcher of watchers.filter) watcher();
}

// The same reckoning as the page came with, of what is left.
function sum(table) {
  const kept = trades.filter((trade) => trade.shown);
  const total = (key) => kept.reduce((so_far, trade) => so_far + (trade[key] || 0), 0);
  const mean = (key, places) => (kept.length ? "mean " + written(total(key) / kept.length, places) : "");
  const says = {
    n: kept.length.toLocaleString("en-US"),
    side: kept.length ? written((100 * kept.filter((trade) => trade.won).length) / kept.length, 1) + "\u00a0% won" : "",
    pnl: (total("pnl") > 0 ? "+" : "") + written(total("pnl"), 2),
    return: mean("return", 3), r: mean("r", 2), mae: mean("mae", 3), mfe: mean("mfe", 3),
    fees: written(total("fees"), 2), held: mean("held", 0),
  };
  for (const cell of table.tFoot.rows[0].cells) cell.textContent = says[cell.dataset.key] ?? "";
}

// Marks a trade, or none, and tells all who draw it.
function select(trade, focus) {
  if (selected) { selected.row.classList.remove("on"); selected.row.tabIndex = -1; selected.row.removeAttribute("aria-current"); }
  selected = trade;
  if (trade) {
    trade.row.classList.add("on");
    trade.row.setAttribute("aria-current", "true");
    trade.row.tabIndex = 0;
    if (focus) trade.row.focus({ preventScroll: true });
    const box = trade.row.closest(".scroll"), top = trade.row.offsetTop;
    if (top < box.scrollTop + 70 || top > box.scrollTop + box.clientHeight - 90) box.scrollTop = top - box.clientHeight / 2;
  }
  for (const watcher of watchers.select) watcher(trade);
}

// The next or the last shown trade, as the table stands now.
function walk(step) {
  const rows = [...byId("trades").tBodies[0].rows].filter((row) => !row.hidden);
  if (!rows.length) return;
  const place = selected ? rows.indexOf(selected.row) : step > 0 ? -1 : rows.length;
  const row = rows[Math.min(Math.max(place + step, 0), rows.length - 1)];
  select(trades.find((trade) => trade.row === row), false);
}

function startTable() {
  const table = byId("trades");
  if (!table) return;
  readTrades(table);
  addFilters(table);
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(table, head, head.dataset.key));
    head.replaceChildren(button);
  }
  table.classList.add("live");
  const body = table.tBodies[0];
  body.rows[0].tabIndex = 0;
  const rowOf = (event) => trades.find((trade) => trade.row === event.target.closest("tr"));
  body.addEventListener("click", (event) => select(rowOf(event), true));
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" || event.key === " ") select(rowOf(event), true);
    else if (step) { walk(step); selected?.row.focus({ preventScroll: true }); }
    else return;
    event.preventDefault();
  });
}
