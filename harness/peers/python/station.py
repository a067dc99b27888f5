"""A wall box with one socket on the PyPI library `ocpp` (OCPP 1.6) and `websockets`, written from the library's guide:
python station.py --url ws://127.0.0.1:9000/CP-1      (see control.py for what stdin and stdout carry)."""

import asyncio
import itertools
import sys

import websockets
from control import now, serve, spawn, together
from ocpp.routing import on
from ocpp.v16 import ChargePoint as Base, call, call_result
from ocpp.v16.datatypes import KeyValue, MeterValue, SampledValue

POWER_W = 7400
READ_ONLY = {"NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys"}
CONFIGURATION = dict(pair.split("=") for pair in """
    AuthorizeRemoteTxRequests=false ClockAlignedDataInterval=0 ConnectionTimeOut=30 ConnectorPhaseRotation=NotApplicable
    GetConfigurationMaxKeys=50 HeartbeatInterval=300 LocalAuthorizeOffline=true LocalPreAuthorize=false
    MeterValueSampleInterval=60 MeterValuesAlignedData= MeterValuesSampledData=Energy.Active.Import.Register
    NumberOfConnectors=1 ResetRetries=1 StopTransactionOnEVSideDisconnect=true StopTransactionOnInvalidId=true
    StopTxnAlignedData= StopTxnSampledData= SupportedFeatureProfiles=Core TransactionMessageAttempts=3
    TransactionMessageRetryInterval=60 UnlockConnectorOnEVSideDisconnect=true""".split())


class Station:
    """What outlives a connection: the hardware, the configuration, and what the back office still has to be told."""

    def __init__(self, url):
        self.url, self.config, self.messages = url, dict(CONFIGURATION), asyncio.Queue()
        self.link, self.booted, self.tag, self.transaction = None, False, None, None
        self.status, self.operative, self.plugged, self.ended, self.energy = "Available", True, False, False, 0.0
        self.turn = 0

    async def main(self):
        spawn(self.run()), spawn(self.deliver()), spawn(self.meter())
        await serve(self.perform)

    async def run(self):
        while True:
            try:
                async with websockets.connect(self.url, subprotocols=["ocpp1.6"]) as socket:
                    self.link = ChargePoint(self.url.rsplit("/", 1)[1], socket)
                    self.link.station = self
                    await together(self.link.start(), self.announce())
            except Exception as error:
                print("link:", error, file=sys.stderr)
            self.link = None
            await asyncio.sleep(1)

    async def announce(self):
        while not self.booted:
            boot = await self.link.call(call.BootNotification("ocpp-python", "Peer"))
            self.booted = boot is not None and boot.status == "Accepted"
            await asyncio.sleep(0 if self.booted else boot and boot.interval or 60)
            self.config["HeartbeatInterval"] = str(self.booted and boot.interval or 300)
        await self.call(call.StatusNotification(0, "NoError", "Available" if self.operative else "Unavailable"))
        await self.call(call.StatusNotification(1, "NoError", self.status))
        while True:
            await asyncio.sleep(int(self.config["HeartbeatInterval"]) or 86400)
            await self.call(call.Heartbeat())

    async def call(self, payload):
        try:  # None stands for a CALLERROR, False for a lost or missing link.
            return await self.link.call(payload) if self.booted and self.link else False
        except (websockets.ConnectionClosed, asyncio.TimeoutError):
            return False

    async def deliver(self):
        """Sends transaction messages in order, each until it has been answered."""
        while True:
            build, session = await self.messages.get()
            while (answer := await self.call(build(session))) is False:
                await asyncio.sleep(1)
            if answer and "id" not in session:
                session["id"] = answer.transaction_id
                if answer.id_tag_info["status"] != "Accepted" and self.config["StopTransactionOnInvalidId"] == "true":
                    await self.stop("DeAuthorized")

    async def meter(self):
        for second in itertools.count(1):
            await asyncio.sleep(1)
            self.energy += POWER_W / 3600 if self.status == "Charging" else 0
            if self.transaction and (n := int(self.config["MeterValueSampleInterval"])) and second % n == 0:
                values = [MeterValue(now(), [SampledValue(str(int(self.energy)))])]
                self.messages.put_nowait((lambda tx, v=values: call.MeterValues(1, v, tx["id"]), self.transaction))

    async def update(self):
        """Starts what can start now, and reports the status if it has become another one."""
        if self.tag and self.plugged and not self.transaction:
            start, self.transaction = call.StartTransaction(1, self.tag, int(self.energy), now()), {"tag": self.tag}
            self.messages.put_nowait((lambda _: start, self.transaction))
        status = "Finishing" if self.plugged and self.ended else "Preparing" if self.plugged or self.tag else "Available"
        status = status if self.operative else "Unavailable"
        status = status if not self.transaction else "Charging" if self.plugged else "SuspendedEV"
        if status != self.status:
            self.status = status
            await self.call(call.StatusNotification(1, "NoError", status, timestamp=now()))

    async def present(self, tag, ask=True):
        """A tag is shown, or a remote start stands for it: stop, start, or wait for the cable."""
        if self.transaction:
            return await self.stop("Local", tag) if tag == self.tag else None
        answer = await self.call(call.Authorize(tag)) if ask else False
        offline = not ask or self.config["LocalAuthorizeOffline"] == "true"
        if answer.id_tag_info["status"] == "Accepted" if answer else offline:
            self.tag, self.ended, self.turn = tag, False, (turn := self.turn + 1)  # 9.1.6: counts from the latest tag
            await self.update()
            await asyncio.sleep(int(self.config["ConnectionTimeOut"]))
            self.tag = self.tag if self.transaction or self.turn != turn else None
            await self.update()

    async def stop(self, reason, tag=None):
        if session := self.transaction:
            self.transaction, self.tag, self.ended, meter, moment = None, None, True, int(self.energy), now()
            self.messages.put_nowait((lambda tx: call.StopTransaction(meter, moment, tx["id"], reason, tag), session))
        await self.update()

    async def restart(self, reason):
        if reason != "PowerLoss":
            await self.stop(reason)
            await asyncio.sleep(1)  # lets the last messages out
        self.booted = False
        await (self.link._connection.close() if self.link else self.update())
        await self.stop("PowerLoss")

    def perform(self, verb, args):
        if verb in ("ev.plug", "ev.unplug"):
            self.plugged, self.ended = verb == "ev.plug", False
        stops = verb == "ev.unplug" and self.config["StopTransactionOnEVSideDisconnect"] == "true"
        hands = {
            "ev.plug": self.update,
            "ev.unplug": lambda: self.stop("EVDisconnected") if stops else self.update(),
            "token.present": lambda: self.present(args["token"]),
            "user.stop": lambda: self.stop("Local"),
            "station.power_cycle": lambda: self.restart("PowerLoss"),
        }
        return {"outcome": "done" if verb in hands and spawn(hands[verb]()) else "unsupported"}


class ChargePoint(Base):
    """One connection; the library routes each request to the method that is marked for it."""

    @on("ChangeAvailability")
    def on_change_availability(self, connector_id, type):
        if connector_id > 1:
            return call_result.ChangeAvailability("Rejected")
        self.station.operative = type == "Operative"  # One socket: the station and its connector are one.
        spawn(self.station.update(), pause=0.1)
        return call_result.ChangeAvailability("Scheduled" if self.station.transaction else "Accepted")

    @on("ChangeConfiguration")
    def on_change_configuration(self, key, value):
        old = self.station.config.get(key, "")
        fits = value.isdigit() if old.isdigit() else value in ("true", "false") or old not in ("true", "false")
        if fits and key in self.station.config and key not in READ_ONLY:
            self.station.config[key] = value
            return call_result.ChangeConfiguration("Accepted")
        return call_result.ChangeConfiguration("Rejected" if key in self.station.config else "NotSupported")

    @on("GetConfiguration")
    def on_get_configuration(self, key=None):
        known = [KeyValue(k, k in READ_ONLY, v) for k, v in self.station.config.items() if k in (key or CONFIGURATION)]
        return call_result.GetConfiguration(known, [k for k in key or [] if k not in CONFIGURATION] or None)

    @on("ClearCache")
    def on_clear_cache(self):
        return call_result.ClearCache("Rejected")  # There is no cache.

    @on("DataTransfer")
    def on_data_transfer(self, **_):
        return call_result.DataTransfer("UnknownVendorId")

    @on("RemoteStartTransaction")
    def on_remote_start(self, id_tag, connector_id=1, **_):
        station, ask = self.station, self.station.config["AuthorizeRemoteTxRequests"] == "true"
        if free := connector_id == 1 and station.booted and station.operative and not station.transaction:
            spawn(station.present(id_tag, ask), pause=0.1)
        return call_result.RemoteStartTransaction("Accepted" if free else "Rejected")

    @on("RemoteStopTransaction")
    async def on_remote_stop(self, transaction_id):
        await asyncio.sleep(0.2)  # 5.12: the library may still be checking the StartTransaction.conf that came before
        if runs := (self.station.transaction or {}).get("id") == transaction_id:
            spawn(self.station.stop("Remote"), pause=0.1)
        return call_result.RemoteStopTransaction("Accepted" if runs else "Rejected")

    @on("Reset")
    def on_reset(self, type):
        spawn(self.station.restart(f"{type}Reset"), pause=0.1)
        return call_result.Reset("Accepted")

    @on("UnlockConnector")
    def on_unlock_connector(self, connector_id):
        if connector_id == 1 and self.station.transaction:  # 5.18: the one in progress, none that starts meanwhile
            spawn(self.station.stop("UnlockCommand"), pause=0.1)
        return call_result.UnlockConnector("Unlocked" if connector_id == 1 else "NotSupported")


if __name__ == "__main__":
    asyncio.run(Station(sys.argv[sys.argv.index("--url") + 1]).main())
