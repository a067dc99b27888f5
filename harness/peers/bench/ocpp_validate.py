"""How many payloads a second the PyPI library `ocpp` validates against its schemas, in one thread.

    python ocpp_validate.py [PAYLOADS] [--file FILE]   -> {"peer": …, "payloads": …, "seconds": …, "payloads_per_s": …}

FILE holds one JSON array per line, [action, "request" | "response", payload]; all must be valid for OCPP 1.6. Without
it a handful of everyday messages is used. They are taken in turn until PAYLOADS have been validated.
"""

import argparse
import itertools
import json
import time
from importlib.metadata import version

from ocpp.messages import Call, CallResult, _validate_payload

EVERYDAY = [
    ["BootNotification", "request", {"chargePointVendor": "Peer", "chargePointModel": "Bench", "firmwareVersion": "1.0"}],
    ["Heartbeat", "response", {"currentTime": "2026-01-01T00:00:00Z"}],
    ["StatusNotification", "request", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}],
    ["StartTransaction", "response", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}],
    ["MeterValues", "request", {"connectorId": 1, "transactionId": 7, "meterValue": [{
        "timestamp": "2026-01-01T00:00:00Z",
        "sampledValue": [
            {"value": "1234", "measurand": "Energy.Active.Import.Register", "unit": "Wh", "context": "Sample.Periodic"},
            {"value": "7400", "measurand": "Power.Active.Import", "unit": "W", "context": "Sample.Periodic"},
        ],
    }]}],
]  # fmt: skip


def validate(action, direction, payload):
    # A message of its own each time: validating one with decimals leaves them in it, and then it cannot be validated again.
    message = Call("1", action, payload) if direction == "request" else CallResult("1", payload)
    message.action = action
    _validate_payload(message, "1.6")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("payloads", nargs="?", type=int, default=20_000)
    parser.add_argument("--file", type=argparse.FileType(encoding="utf-8"))
    arguments = parser.parse_args()
    samples = [json.loads(line) for line in arguments.file] if arguments.file else EVERYDAY

    for sample in samples:
        validate(*sample)  # Reads the schema file, once, outside the measurement.

    started = time.perf_counter()
    for sample in itertools.islice(itertools.cycle(samples), arguments.payloads):
        validate(*sample)
    seconds = time.perf_counter() - started
    result = {"peer": f"PyPI ocpp {version('ocpp')}", "payloads": arguments.payloads, "seconds": round(seconds, 4)}
    print(json.dumps(result | {"payloads_per_s": round(arguments.payloads / seconds, 1)}))


if __name__ == "__main__":
    main()
