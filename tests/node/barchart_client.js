// The vendor's own client, unmodified, at a JERQ server on loopback: prints what it was told as JSON.
// Arguments: port, user, password, how many trades of ESZ26 to wait for.
'use strict';

process.env.TZ = 'UTC';

// Its log goes to standard output otherwise.
for (const name of ['log', 'debug', 'info', 'warn', 'error', 'trace']) {
	console[name] = () => { };
}

const Connection = require('@barchart/marketdata-api-js/lib/connection/Connection');
const Environment = require('@barchart/marketdata-api-js/lib/environment/EnvironmentForNode');
const axios = require(require.resolve('axios', { paths: [require.resolve('@barchart/marketdata-api-js/package.json')] }));

// It asks the vendor for the names of exchanges, which it does without where nobody answers.
axios.interceptors.request.use(() => Promise.reject(new Error('no network in a test')));

const [port, user, password, wanted] = process.argv.slice(2);
const told = { events: [], updates: [], trades: [], clock: null, depth: null, quote: null, volumes: null };
const connection = new Connection(new Environment());

function end() {
	connection.disconnect();
	process.stdout.write(JSON.stringify(told), () => process.exit(0));
}

setTimeout(end, 60000);

connection.on('events', (event) => {
	told.events.push(event.event);

	if (event.event === 'login fail') {
		end();
	}
});

connection.on('timestamp', (time) => {
	told.clock = time.getTime();

	const quote = connection.getMarketState().getQuote('ESZ26');

	if (quote && told.trades.length >= Number(wanted) && told.depth) {
		told.quote = {
			last: quote.lastPrice,
			bid: quote.bidPrice,
			ask: quote.askPrice,
			bidSize: quote.bidSize,
			mode: quote.mode,
			profile: quote.profile && quote.profile.name,
			volume: quote.volume
		};

		connection.getMarketState().getCumulativeVolume('ESZ26').then((volumes) => {
			told.volumes = volumes.toArray();
			end();
		});
	}
});

connection.on('marketDepth', (depth) => { told.depth = { bids: depth.bids, asks: depth.asks }; }, 'ESZ26');
connection.on('cumulativeVolume', () => { }, 'ESZ26');
connection.on('marketUpdate', (update) => {
	told.updates.push(update.type);

	if (update.type === 'TRADE') {
		told.trades.push([update.tradePrice, update.tradeSize, update.time.getTime(), update.delay]);
	}
}, 'ESZ26');

connection.connect(`ws://127.0.0.1:${port}`, user, password);
