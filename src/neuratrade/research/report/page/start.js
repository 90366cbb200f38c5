startTable();
startPrices();
startEquity();
startExcursions();
document.documentElement.dataset.ready = "yes";
