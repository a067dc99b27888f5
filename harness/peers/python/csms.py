"""A back office on the PyPI library `ocpp` (OCPP 1.6) and `websockets`, written from the library's own guide.

    python csms.py --listen 127.0.0.1:9000

The first line on stdout is {"listening": PORT}; see control.py for what follows.
"""

import argparse
import asyncio
import itertools
import json
import logging

import websockets
from control import now, serve, spawn
from ocpp.charge_point import camel_to_snake_case
from ocpp.routing import on
from ocpp.v16 import ChargePoint as Base
from ocpp.v16 import call, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, AuthorizationStatus, DataTransferStatus, RegistrationStatus

HEARTBEAT_INTERVAL = 300

# What the office knows: tag -> (status, parent tag). Anything else is invalid.
tags = {f"VALID-{n}": (AuthorizationStatus.accepted, None) for n in range(1, 33)}
tags |= {"GROUP-1": (AuthorizationStatus.accepted, "GROUP"), "GROUP-2": (AuthorizationStatus.accepted, "GROUP")}
tags |= {"BLOCKED-1": (AuthorizationStatus.blocked, None), "EXPIRED-1": (AuthorizationStatus.expired, None)}
registrations = {}  # station -> status, accepted unless the operator says otherwise
transactions = {}  # id -> what is known of it
transaction_ids = itertools.count(1)
stations = {}  # identity -> its current connection


def id_tag_info(id_tag):
    status, parent = tags.get(id_tag, (AuthorizationStatus.invalid, None))
    return IdTagInfo(status=status, parent_id_tag=parent)


class ChargePoint(Base):
    """One connected station; the library routes each request to the method that is marked for it."""

    @on(Action.boot_notification)
    def on_boot_notification(self, **kwargs):
        status = registrations.get(self.id, RegistrationStatus.accepted)
        interval = HEARTBEAT_INTERVAL if status == RegistrationStatus.accepted else 10
        return call_result.BootNotification(current_time=now(), interval=interval, status=status)

    @on(Action.heartbeat)
    def on_heartbeat(self):
        return call_result.Heartbeat(current_time=now())

    @on(Action.authorize)
    def on_authorize(self, id_tag):
        return call_result.Authorize(id_tag_info=id_tag_info(id_tag))

    @on(Action.start_transaction)
    def on_start_transaction(self, connector_id, id_tag, meter_start, timestamp, **kwargs):
        info = id_tag_info(id_tag)
        running = any(t["open"] and t["idTag"] == id_tag for t in transactions.values())
        if running and info.status == AuthorizationStatus.accepted:
            info.status = AuthorizationStatus.concurrent_tx
        number = next(transaction_ids)
        transactions[number] = {
            "transactionId": number, "station": self.id, "connectorId": connector_id, "idTag": id_tag,
            "meterStart": meter_start, "started": timestamp, "open": True, "meterValues": 0,
        }  # fmt: skip
        return call_result.StartTransaction(transaction_id=number, id_tag_info=info)

    @on(Action.meter_values)
    def on_meter_values(self, connector_id, meter_value, transaction_id=None):
        if transaction_id in transactions:
            transactions[transaction_id]["meterValues"] += len(meter_value)
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    def on_stop_transaction(self, meter_stop, timestamp, transaction_id, reason="Local", id_tag=None, **kwargs):
        if transaction_id in transactions:
            transactions[transaction_id] |= {
                "open": False, "meterStop": meter_stop, "stopped": timestamp, "reason": reason
            }  # fmt: skip
        return call_result.StopTransaction(id_tag_info=id_tag_info(id_tag) if id_tag else None)

    @on(Action.status_notification)
    def on_status_notification(self, **kwargs):
        return call_result.StatusNotification()

    @on(Action.diagnostics_status_notification)
    def on_diagnostics_status_notification(self, status):
        return call_result.DiagnosticsStatusNotification()

    @on(Action.firmware_status_notification)
    def on_firmware_status_notification(self, status):
        return call_result.FirmwareStatusNotification()

    @on(Action.data_transfer)
    def on_data_transfer(self, vendor_id, **kwargs):
        return call_result.DataTransfer(status=DataTransferStatus.unknown_vendor_id)


async def on_connect(connection):
    identity = connection.request.path.strip("/").split("/")[-1]
    stations[identity] = station = ChargePoint(identity, connection)
    try:
        await station.start()
    except websockets.ConnectionClosed:
        logging.info("%s has gone", identity)
    finally:
        if stations.get(identity) is station:
            del stations[identity]


async def perform(verb, args):
    """Does what the operator asks for; gives the outcome and, where there is one, a value."""
    if verb == "csms.call":
        identity = args.get("station") or next(iter(stations), None)
        if identity not in stations:
            return {"outcome": "failed", "message": f"{identity or 'no station'} is not connected"}
        request = getattr(call, args["action"])(**camel_to_snake_case(args.get("payload", {})))
        sent = spawn(stations[identity].call(request))
        # The order is given once it is sent: half a second shows a request that the library refuses to send.
        await asyncio.wait([sent], timeout=0.5)
        if sent.done() and sent.exception():
            return {"outcome": "failed", "message": repr(sent.exception())}
        sent.add_done_callback(lambda task: task.cancelled() or task.exception())
        return {"outcome": "done"}
    if verb == "csms.token":
        tags[args["id"]] = (AuthorizationStatus(args["status"]), args.get("parent"))
        return {"outcome": "done"}
    if verb == "csms.station" and args.get("password") is None:
        registrations[args["id"]] = RegistrationStatus(args["registration"])
        return {"outcome": "done"}
    if verb == "csms.records" and args.get("kind") == "transactions":
        return {"outcome": "done", "value": list(transactions.values())}
    return {"outcome": "unsupported"}


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:0", help="ADDRESS:PORT, port 0 for any free one")
    host, port = parser.parse_args().listen.rsplit(":", 1)
    async with websockets.serve(on_connect, host, int(port), subprotocols=["ocpp1.6"], close_timeout=1) as server:
        print(json.dumps({"listening": server.sockets[0].getsockname()[1]}), flush=True)
        await serve(perform)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main())
