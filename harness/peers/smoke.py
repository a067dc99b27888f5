#!/usr/bin/env python3
"""Lets the peers charge with one another: boot, one local and one remote session, one refused tag; exit 0 or 1.

    harness/peers/smoke.py            every station with every back office
    harness/peers/smoke.py rust       only the pairs with `rust` in their name

Run `harness/peers/install` first. This proves that the peers work at all; it proves nothing about conformance.
"""

import asyncio
import itertools
import json
import os
import sys
from pathlib import Path

PEERS = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("PLUGFEST_PEERS_TARGET", PEERS.parents[1] / "target" / "peers"))
PYTHON = TARGET / "venv" / "bin" / "python"
STATIONS = {
    "python": [PYTHON, PEERS / "python" / "station.py"],
    "rust": [TARGET / "debug" / "plugfest-peer-charge-point"],
}
OFFICES = {
    "python": [PYTHON, PEERS / "python" / "csms.py"],
    "node": ["node", PEERS / "node" / "csms.js"],
}
# The crate looks a RemoteStopTransaction up among its own numbers instead of those that the office gave out: whatever
# number is not by chance its own is rejected. Its sessions are ended by the driver here.
HEEDS_REMOTE_STOP = {"python"}
PATIENCE = 20.0  # seconds for anything to come about


class Peer:
    """A peer's process, and its control channel."""

    def __init__(self, process):
        self.process, self.ids = process, itertools.count(1)

    @classmethod
    async def start(cls, command, *arguments):
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*map(str, command), *arguments, stdin=pipe, stdout=pipe))

    async def line(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        if not line:
            raise RuntimeError("the peer closed its stdout")
        return json.loads(line)

    async def ask(self, verb, **args):
        number = next(self.ids)
        self.process.stdin.write((json.dumps({"id": number, "verb": verb, "args": args}) + "\n").encode())
        answer = await self.line()
        if answer["id"] != number:
            raise RuntimeError(f"{verb}: the answer to another request came: {answer}")
        return answer

    async def end(self):
        """Closes stdin, upon which a peer must end by itself."""
        self.process.stdin.close()
        try:
            code = await asyncio.wait_for(self.process.wait(), PATIENCE)
        except asyncio.TimeoutError:
            self.process.kill()
            raise RuntimeError("the peer did not end when its stdin closed") from None
        if code != 0:
            raise RuntimeError(f"the peer ended with exit code {code}")


async def until(what, attempt):
    """Repeats the attempt until it gives something."""
    for _ in range(int(PATIENCE / 0.2)):
        if result := await attempt():
            return result
        await asyncio.sleep(0.2)
    raise RuntimeError(f"{what}: not seen within {PATIENCE:.0f} s")


async def done(peer, verb, **args):
    async def attempt():
        return (await peer.ask(verb, **args))["outcome"] == "done"

    await until(f"{verb} {args}", attempt)


async def charge(station, office, heeds_remote_stop):
    async def records():
        return (await office.ask("csms.records", kind="transactions"))["value"]

    async def transaction(number, is_open):
        async def attempt():
            known = await records()
            return known[number] if len(known) > number and known[number]["open"] is is_open else None

        return await until(f"transaction {number} {'open' if is_open else 'closed'}", attempt)

    async def order(action, **payload):
        await done(office, "csms.call", station="SMOKE-1", action=action, payload=payload)

    def expect(what, condition):
        if not condition:
            raise RuntimeError(what)

    # The driver's own session, ended by the office where the station lets it.
    await order("GetConfiguration")
    await done(station, "ev.plug", connector=1)
    await asyncio.sleep(1)
    await done(station, "token.present", token="BLOCKED-1", connector=1)
    await asyncio.sleep(1)
    expect("a blocked tag started a transaction", not await records())
    await done(station, "token.present", token="VALID-1", connector=1)
    first = await transaction(0, is_open=True)
    expect(f"the wrong tag was charged: {first}", first["idTag"] == "VALID-1")
    await asyncio.sleep(2)
    if heeds_remote_stop:
        await order("RemoteStopTransaction", transactionId=first["transactionId"])
    else:
        await done(station, "token.present", token="VALID-1", connector=1)
    first = await transaction(0, is_open=False)
    expect(f"stopped for another reason: {first}", first["reason"] == ("Remote" if heeds_remote_stop else "Local"))
    expect(f"the meter ran backwards: {first}", first["meterStop"] >= first["meterStart"])
    await done(station, "ev.unplug", connector=1)

    # The office's session, ended by the driver.
    await done(station, "ev.plug", connector=1)
    await asyncio.sleep(1)
    await order("RemoteStartTransaction", idTag="VALID-2", connectorId=1)
    await transaction(1, is_open=True)
    await asyncio.sleep(1)
    await done(station, "user.stop", connector=1)
    second = await transaction(1, is_open=False)
    expect(f"stopped for another reason: {second}", second["reason"] == "Local")


async def pair(station_name, office_name):
    office = await Peer.start(OFFICES[office_name], "--listen", "127.0.0.1:0")
    try:
        port = (await office.line())["listening"]
        station = await Peer.start(STATIONS[station_name], "--url", f"ws://127.0.0.1:{port}/SMOKE-1")
        try:
            await charge(station, office, station_name in HEEDS_REMOTE_STOP)
        finally:
            await station.end()
    finally:
        await office.end()


async def main():
    wanted = sys.argv[1:]
    failed = 0
    for station, office in itertools.product(STATIONS, OFFICES):
        name = f"{station}-station/{office}-csms"
        if wanted and not any(word in name for word in wanted):
            continue
        try:
            await pair(station, office)
            print(f"ok      {name}")
        except Exception as error:
            failed += 1
            print(f"FAILED  {name}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
