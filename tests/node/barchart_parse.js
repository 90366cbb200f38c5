// Reads a JSON file of raw DDF messages, prints what the vendor's own parser makes of each. Times are printed
// as the milliseconds of their wall clock, what is no number as the text NaN.
'use strict';

process.env.TZ = 'UTC';

const fs = require('fs');
const parse = require('@barchart/marketdata-api-js/lib/utilities/parse/ddf/message');
const XmlParsers = require('@barchart/marketdata-api-js/lib/utilities/xml/XmlParserFactoryForNode');

const xml = new XmlParsers().build();

function plain(value) {
	if (value instanceof Date) {
		return isNaN(value) ? 'NaN' : value.getTime();
	}

	return typeof value === 'number' && isNaN(value) ? 'NaN' : value;
}

const read = JSON.parse(fs.readFileSync(process.argv[2], 'utf8')).map((text) => {
	try {
		const told = parse(text, xml);

		delete told.message;

		return Object.fromEntries(Object.entries(told).map(([name, value]) => [name, plain(value)]));
	} catch (error) {
		return { error: String(error) };
	}
});

process.stdout.write(JSON.stringify(read));
