"""How many Heartbeats a second a client and a server on the PyPI library `ocpp` exchange over loopback, one process each.

    python ocpp_pair.py [ROUND_TRIPS]      -> {"peer": …, "round_trips": …, "seconds": …, "round_trips_per_s": …}

Both ends are used as the library's guide shows, with its schema validation on; one request is in flight at a time.
"""

import asyncio
import json
import multiprocessing
import sys
import time
from importlib.metadata import version

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result

WARM_UP = 200


class Office(ChargePoint):
    @on("Heartbeat")
    def on_heartbeat(self):
        return call_result.Heartbeat(current_time="2026-01-01T00:00:00Z")


async def serve(pipe):
    async def on_connect(connection):
        try:
            await Office("bench", connection).start()
        except websockets.ConnectionClosed:
            done.set()

    done = asyncio.Event()
    async with websockets.serve(on_connect, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        pipe.send(server.sockets[0].getsockname()[1])
        await done.wait()


def serve_in_process(pipe):
    asyncio.run(serve(pipe))


async def measure(port, round_trips):
    async with websockets.connect(f"ws://127.0.0.1:{port}/bench", subprotocols=["ocpp1.6"]) as connection:
        station = ChargePoint("bench", connection)
        reader = asyncio.create_task(station.start())
        for _ in range(WARM_UP):
            await station.call(call.Heartbeat())
        started = time.perf_counter()
        for _ in range(round_trips):
            await station.call(call.Heartbeat())
        seconds = time.perf_counter() - started
        reader.cancel()
        return seconds


def main():
    round_trips = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    server = spawning.Process(target=serve_in_process, args=(there,), daemon=True)
    server.start()
    seconds = asyncio.run(measure(here.recv(), round_trips))
    server.join(10)
    result = {"peer": f"PyPI ocpp {version('ocpp')}", "round_trips": round_trips, "seconds": round(seconds, 4)}
    print(json.dumps(result | {"round_trips_per_s": round(round_trips / seconds, 1)}))


if __name__ == "__main__":
    main()
