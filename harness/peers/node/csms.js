// A back office on the npm library `ocpp-rpc` (OCPP 1.6, strict mode), written from the library's own guide.
//
//     node csms.js --listen 127.0.0.1:9000
//
// The first line on stdout is {"listening": PORT}. Then one JSON request per line on stdin, one answer per line on
// stdout, until stdin closes:
//
//     {"id": 1, "verb": "csms.call", "args": {"station": "CP-1", "action": "Reset", "payload": {"type": "Soft"}}}
//     {"id": 1, "outcome": "done"}
'use strict';

const readline = require('node:readline');
const { parseArgs } = require('node:util');
const { RPCServer, createRPCError } = require('ocpp-rpc');

const HEARTBEAT_INTERVAL = 300;

// What the office knows: tag -> idTagInfo. Anything else is invalid.
const tags = new Map([
    ...Array.from({ length: 32 }, (_, n) => [`VALID-${n + 1}`, { status: 'Accepted' }]),
    ['GROUP-1', { status: 'Accepted', parentIdTag: 'GROUP' }],
    ['GROUP-2', { status: 'Accepted', parentIdTag: 'GROUP' }],
    ['BLOCKED-1', { status: 'Blocked' }],
    ['EXPIRED-1', { status: 'Expired' }],
]);
const registrations = new Map(); // station -> status, accepted unless the operator says otherwise
const transactions = new Map(); // id -> what is known of it
const stations = new Map(); // identity -> its current connection

const now = () => new Date().toISOString();
const idTagInfo = (idTag) => tags.get(idTag) ?? { status: 'Invalid' };

const handlers = {
    BootNotification: (station) => {
        const status = registrations.get(station) ?? 'Accepted';
        return { status, interval: status === 'Accepted' ? HEARTBEAT_INTERVAL : 10, currentTime: now() };
    },
    Heartbeat: () => ({ currentTime: now() }),
    Authorize: (_station, { idTag }) => ({ idTagInfo: idTagInfo(idTag) }),
    StartTransaction: (station, { connectorId, idTag, meterStart, timestamp }) => {
        const busy = [...transactions.values()].some((transaction) => transaction.open && transaction.idTag === idTag);
        const info = idTagInfo(idTag);
        const transactionId = transactions.size + 1;
        transactions.set(transactionId, {
            transactionId, station, connectorId, idTag, meterStart, started: timestamp, open: true, meterValues: 0,
        });
        return { transactionId, idTagInfo: busy && info.status === 'Accepted' ? { ...info, status: 'ConcurrentTx' } : info };
    },
    MeterValues: (_station, { transactionId, meterValue }) => {
        const transaction = transactions.get(transactionId);
        if (transaction) transaction.meterValues += meterValue.length;
        return {};
    },
    StopTransaction: (_station, { transactionId, meterStop, timestamp, reason = 'Local', idTag }) => {
        const transaction = transactions.get(transactionId);
        if (transaction) Object.assign(transaction, { open: false, meterStop, stopped: timestamp, reason });
        return idTag === undefined ? {} : { idTagInfo: idTagInfo(idTag) };
    },
    StatusNotification: () => ({}),
    DiagnosticsStatusNotification: () => ({}),
    FirmwareStatusNotification: () => ({}),
    DataTransfer: () => ({ status: 'UnknownVendorId' }),
};

const server = new RPCServer({ protocols: ['ocpp1.6'], strictMode: true });

server.auth((accept) => accept());

server.on('client', (client) => {
    stations.set(client.identity, client);
    client.on('close', () => {
        if (stations.get(client.identity) === client) stations.delete(client.identity);
    });
    client.on('strictValidationFailure', ({ method, error }) => console.error(client.identity, method, error.message));
    for (const [action, answer] of Object.entries(handlers)) {
        client.handle(action, ({ params }) => answer(client.identity, params));
    }
    client.handle(() => {
        throw createRPCError('NotImplemented');
    });
});

// Does what the operator asks for; gives the outcome and, where there is one, a value.
async function perform(verb, args) {
    if (verb === 'csms.call') {
        const identity = args.station ?? stations.keys().next().value;
        const client = stations.get(identity);
        if (!client) return { outcome: 'failed', message: `${identity ?? 'no station'} is not connected` };
        const answered = client.call(args.action, args.payload ?? {}).then(
            () => ({ outcome: 'done' }),
            (error) => ({ outcome: 'failed', message: `${error.rpcErrorCode ?? error.name}: ${error.message}` }),
        );
        // The order is given once it is sent: half a second shows a request that the library refuses to send.
        const patience = new Promise((resolve) => setTimeout(resolve, 500, { outcome: 'done' }).unref());
        return Promise.race([answered, patience]);
    }
    if (verb === 'csms.token') {
        tags.set(args.id, { status: args.status, ...(args.parent && { parentIdTag: args.parent }) });
        return { outcome: 'done' };
    }
    if (verb === 'csms.station' && (args.password ?? null) === null) {
        registrations.set(args.id, args.registration);
        return { outcome: 'done' };
    }
    if (verb === 'csms.records' && args.kind === 'transactions') {
        return { outcome: 'done', value: [...transactions.values()] };
    }
    return { outcome: 'unsupported' };
}

async function main() {
    const { values } = parseArgs({ options: { listen: { type: 'string', default: '127.0.0.1:0' } } });
    const [, host, port] = values.listen.match(/^(.*):(\d+)$/);
    const http = await server.listen(Number(port), host);
    console.log(JSON.stringify({ listening: http.address().port }));
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const { id, verb, args = {} } = JSON.parse(line);
        const answer = await perform(verb, args).catch((error) => ({ outcome: 'failed', message: String(error) }));
        console.log(JSON.stringify({ id, ...answer }));
    }
    process.exit(0);
}

main();
