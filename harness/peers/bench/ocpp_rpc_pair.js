// How many Heartbeats a second a client and a server on the npm library `ocpp-rpc` exchange over loopback, one process each.
//
//     node ocpp_rpc_pair.js [ROUND_TRIPS]    -> {"peer": …, "round_trips": …, "seconds": …, "round_trips_per_s": …}
//
// Both ends are used as the library's guide shows, in strict mode; one request is in flight at a time.
'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { createRequire } = require('node:module');
const path = require('node:path');

// The modules are installed beside the peer.
const peer = createRequire(path.join(__dirname, '..', 'node', 'package.json'));
const { RPCClient, RPCServer } = peer('ocpp-rpc');

const WARM_UP = 200;

async function serve() {
    const server = new RPCServer({ protocols: ['ocpp1.6'], strictMode: true });
    server.on('client', (client) => {
        client.handle('Heartbeat', () => ({ currentTime: '2026-01-01T00:00:00Z' }));
        client.once('close', () => process.exit(0));
    });
    const http = await server.listen(0, '127.0.0.1');
    process.send(http.address().port);
}

async function measure(port, roundTrips) {
    const endpoint = `ws://127.0.0.1:${port}`;
    const client = new RPCClient({ endpoint, identity: 'bench', protocols: ['ocpp1.6'], strictMode: true });
    await client.connect();
    for (let n = 0; n < WARM_UP; n += 1) await client.call('Heartbeat', {});
    const started = process.hrtime.bigint();
    for (let n = 0; n < roundTrips; n += 1) await client.call('Heartbeat', {});
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    await client.close();
    return seconds;
}

async function main() {
    const roundTrips = Number(process.argv[2] ?? 5000);
    const server = fork(__filename, ['--serve']);
    const [port] = await once(server, 'message');
    const seconds = await measure(port, roundTrips);
    const { version } = peer('ocpp-rpc/package.json');
    const result = { peer: `npm ocpp-rpc ${version}`, round_trips: roundTrips, seconds: Number(seconds.toFixed(4)) };
    console.log(JSON.stringify({ ...result, round_trips_per_s: Number((roundTrips / seconds).toFixed(1)) }));
}

if (process.argv[2] === '--serve') serve();
else main();
