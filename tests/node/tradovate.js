// What npm's `tradovate` gets from the venue at 127.0.0.1:PORT, as one JSON object: node tradovate.js PORT.
// The client is as published; only the addresses it exports are led here, before it reads them.
'use strict'

const types = require('tradovate/dist/types')
const port = process.argv[2]
const rest = `http://127.0.0.1:${port}/v1`
const socket = `ws://127.0.0.1:${port}/v1/websocket`
Object.assign(types.URLs, {
    DEMO_URL: rest, LIVE_URL: rest, WS_DEMO_URL: socket, WS_LIVE_URL: socket, MD_URL: `${socket}?md=1`
})
const { TradovateService, RequestSocket, TradovateSocket, MarketDataSocket, Storage } = require('tradovate')

const print = console.log
console.log = () => {}
console.error = () => {}
console.warn = () => {}
const user = { name: 'rehearsal', appId: 'a', appVersion: '1', cid: 1, sec: 'rehearsal-secret' }
const order = { accountId: 77, accountSpec: 'DEMO77', symbol: 'ESZ6', isAutomated: true }
const refused = async asked => { try { await asked; return null } catch (error) { return String(error) } }
const until = async (is, seconds = 20) => {
    for (let turn = 0; turn < seconds * 50 && !is(); turn++) await new Promise(done => setTimeout(done, 20))
    return is()
}

async function main() {
    const said = {}
    const service = new TradovateService()
    said.wrongPassword = await refused(service.connect({ ...user, password: 'wrong' }))
    said.login = Object.keys(await service.connect({ ...user, password: 'rehearsal-password' }))
    said.account = Storage.getInstance().getCurrentAccount()
    said.renewed = Object.keys(await service.get('auth/renewaccesstoken'))

    // The token that was renewed holds no more: the client logs in anew.
    Storage.getInstance().clear()
    await service.connect({ ...user, password: 'rehearsal-password' })

    const line = new RequestSocket(types.URLs.WS_DEMO_URL)
    await line.connect(Storage.getInstance().getAccessToken().accessToken)
    const events = []
    line.addListener(item => { if (types.isServerEvent(item) && types.isPropsEvent(item)) events.push(item.d) })
    const entityTypes = ['account', 'order', 'position', 'fill', 'command', 'commandReport', 'executionReport']
    const sync = await line.request({ url: 'user/syncrequest', body: { splitResponses: false, entityTypes } })
    said.sync = { isSync: Boolean(types.isUserSyncResponseMsg(sync)), accounts: sync.d.accounts.map(a => a.id) }

    const older = new TradovateSocket()
    await older.connect()
    said.olderSync = await refused(older.synchronize({ onSubscription: () => {} }))
    older.disconnect()

    said.contract = (await line.request({ url: 'contract/find', query: { name: 'ESZ6' } })).d
    const placed = await line.request({
        url: 'order/placeoso',
        body: {
            ...order, action: 'Buy', orderQty: 2, orderType: 'Market',
            bracket1: { action: 'Sell', orderType: 'Limit', price: 6950 },
            bracket2: { action: 'Sell', orderType: 'Stop', stopPrice: 6880 }
        }
    })
    said.placed = { s: placed.s, d: placed.d }
    const seen = (type, test) => until(() => events.some(e => e.entityType === type && test(e.entity)))
    said.filled = await seen('position', row => row.netPos === 2)
    said.bracketsWork = await seen('order', row => row.id === placed.d.oso2Id && row.ordStatus === 'Working')
    said.orders = (await service.get('order/list')).map(o => ({
        id: o.id, status: o.ordStatus, parent: o.parentId ?? null, oco: o.ocoId ?? null, isOrder: types.isOrder(o)
    }))
    said.unknownSymbol = await service.post('order/placeorder',
        { ...order, symbol: 'XXZ6', action: 'Buy', orderQty: 1, orderType: 'Market' })
    said.incomplete = await refused(service.post('order/placeorder', { ...order, action: 'Buy' }))
    said.noRobot = await refused(service.post('order/placeorder',
        { symbol: 'ESZ6', action: 'Buy', orderQty: 1, orderType: 'Market' }))
    said.liquidated = await service.post('order/liquidateposition',
        { accountId: 77, contractId: said.contract.id, admin: false, isAutomated: true })
    said.flat = await seen('position', row => row.netPos === 0)
    said.left = (await service.get('order/list')).map(o => o.ordStatus)
    said.cash = await service.post('cashBalance/getcashbalancesnapshot', { accountId: 77 })
    said.events = [...new Set(events.map(e => `${e.entityType} ${e.eventType}`))].sort()

    const market = new MarketDataSocket()
    await market.connect()
    const quotes = []
    await market.subscribeQuote('ESZ6', quote => { quotes.push(quote) })
    await until(() => quotes.length)
    said.quote = quotes[0] ?? null
    // Longer than the pause between two signs of life.
    await new Promise(done => setTimeout(done, 2700))
    said.isConnected = line.isConnected()
    print(JSON.stringify(said))
    process.exit(0)
}

main().catch(error => { print(JSON.stringify({ error: String(error && error.stack || error) })); process.exit(1) })
