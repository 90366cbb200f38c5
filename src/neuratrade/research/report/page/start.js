startTable();
startPrices();
startEquity();
startExcursions();

// A link to a trade: the page's address with #trade-12 at its end.
watchers.select.push((trade) => history.replaceState(null, "", trade ? `#trade-${trade.n}` : location.pathname + location.search));
const linked = /^#trade-(\d+)$/.exec(location.hash);
const wanted = linked && trades.find((trade) => trade.n === Number(linked[1]));
if (wanted) select(wanted, false);
document.documentElement.dataset.ready = "yes";
