#!/usr/bin/env python3
"""Runs the suite against the real peers and shows what was not expected.

    run.py [PEER]... [--ci] [-- ARGUMENT...]    the peers of profiles/*.toml; all where none is named
    run.py --docs                               the expected findings of all profiles, for docs/peers.md

`--ci` takes the peers of CI. The exit code is 0 where nothing came that is not expected, and everything that is. What
stands behind `--` is handed to `plugfest run`, such as the id of a case.
"""

import collections
import json
import os
import pathlib
import socket
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROFILES = HERE / "profiles"
OUT = ROOT / "target" / "peers" / "out"
PEERS = ["python-csms", "python-station", "node-csms", "rust-station"]
CI = ["python-csms", "python-station", "node-csms"]
# Far above the longest run; a run that takes longer hangs.
LONGEST_S = 900
# Verdicts that leave nothing to look at.
FINE = ("pass", "warn", "not-applicable")
# Cases that a peer cannot play, for a reason that docs/peers.md gives. Any other blocked case is bad.
BLOCKED = {"python-station": {"fault/faulted"}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(peer, arguments):
    """One run; gives whether all came as expected."""
    OUT.mkdir(parents=True, exist_ok=True)
    text = (PROFILES / f"{peer}.toml").read_text()
    profile = OUT / f"{peer}.toml"
    profile.write_text(text.replace("@ROOT@", str(ROOT)).replace("@PORT@", str(free_port())))
    folder = OUT / peer
    binary = os.environ.get("PLUGFEST", ROOT / "target" / "debug" / "plugfest")
    command = [binary, "run", "--config", profile, "--out", folder, "--no-input", "--no-color", *arguments]
    # A result of the run before would be taken for this one's.
    results = folder / "results.json"
    results.unlink(missing_ok=True)
    for report in folder.glob("*.*"):
        report.unlink()
    for trace in folder.glob("traces/*"):
        trace.unlink()
    if folder.exists():
        for part in sorted(folder.rglob("*"), reverse=True):
            part.rmdir()
    with (OUT / f"{peer}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        try:
            code = process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            # The reports of what ran are written all the same.
            process.terminate()
            code = process.wait()
    if not results.exists():
        print(f"{peer}: no result, exit code {code}; see {log.name}")
        return False
    cases = json.loads(results.read_text())["cases"]
    expectations = tomllib.loads(text).get("expect", [])
    counts = collections.Counter(case["verdict"] for case in cases)
    shown = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
    met = sum(len(case["expected"]) for case in cases)
    print(f"{peer}: exit code {code}; {shown}; {met} expected findings", flush=True)
    # Blocked cases give 3. Anything else that gives 3 is found below.
    good = code == 0 or (code == 3 and peer in BLOCKED)
    for case in cases:
        name = " ".join(filter(None, [case["id"], case["variant"]]))
        held = case["verdict"] == "blocked" and case["id"] in BLOCKED.get(peer, ())
        if not held and case["verdict"] not in FINE:
            good = False
            print(f"  {name}: {case['verdict']}: {case['reason']}")
        for it in case["findings"]:
            # What an expectation does not name is unexpected, a warning too.
            good = good and held
            print(f"    {name}: {it['verdict']} {it['rule']} {it['pointer'] or ''}: {it['message']}")
    # A part of the suite meets a part of the expectations.
    for it in [] if arguments else expectations:
        if not any(meets(case, it) for case in cases):
            good = False
            print(f"  {it['case']}: the expected {it['rule']} {it.get('pointer', '')} did not come")
    return good


def meets(case, expectation):
    """Whether this expectation was met in this case."""
    if case["id"] != expectation["case"] or expectation.get("variant", case["variant"]) != case["variant"]:
        return False
    wanted = (expectation["rule"], expectation.get("pointer"))
    findings = (it.get("finding", it) for it in case["expected"])
    return any((it["rule"], it["pointer"]) == wanted for it in findings)


def docs():
    """The expected findings of every profile, a line each."""
    for peer in PEERS:
        print(f"## Findings: `{peer.replace('-', '/', 1)}`\n")
        expected = tomllib.loads((PROFILES / f"{peer}.toml").read_text()).get("expect", [])
        if not expected:
            print("None is expected.\n")
            continue
        print("| case | rule | pointer | reason |\n|---|---|---|---|")
        for it in expected:
            case = " ".join(filter(None, [it["case"], it.get("variant")]))
            # The empty pointer is the whole payload.
            pointer = f"`{it['pointer']}`" if it.get("pointer") else "whole" if "pointer" in it else ""
            print(f"| `{case}` | `{it['rule']}` | {pointer} | {it['reason'].replace('|', chr(92) + '|')} |")
        print()


def main():
    words, _, rest = " ".join(sys.argv[1:]).partition("-- ")
    words, rest = words.split(), rest.split()
    if "--docs" in words:
        docs()
        return 0
    peers = [word for word in words if not word.startswith("--")] or (CI if "--ci" in words else PEERS)
    # All of them, also after a bad one.
    return 0 if all([run(peer, rest) for peer in peers]) else 1


if __name__ == "__main__":
    sys.exit(main())
