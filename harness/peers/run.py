#!/usr/bin/env python3
"""Runs the suite against the real peers and shows what was not expected.

    run.py [PEER]... [--ci] [-- ARGUMENT...]    the peers of profiles/*.toml; all where none is named
    run.py --docs [--check]                     writes the expected findings of all profiles into docs/peers.md

`--ci` takes the peers of CI. The exit code is 0 where nothing came that is not expected, and everything that is. What
stands behind `--` is handed to `plugfest run`, such as the id of a case. The binary is target/debug/plugfest, or the one
that PLUGFEST names. `--docs --check` writes nothing and tells by the exit code whether the file is that of the profiles.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROFILES = HERE / "profiles"
OUT = ROOT / "target" / "peers" / "out"
PEERS = ["python-csms", "python-station", "node-csms", "rust-station"]
# `python-station` meets new cases that nobody has triaged yet, and takes too long for CI with them.
CI = ["python-csms", "node-csms"]
# A station plays one case after the other and waits far more than it works, so that several of it share the cases.
SHARDS = {"python-station": 3}
DOCS = ROOT / "docs" / "peers.md"
# Everything of DOCS from here on is written by `--docs`.
GENERATED = "<!-- From here on written by `harness/peers/run.py --docs`. -->\n"
# Far above the longest run; a run that takes longer hangs.
LONGEST_S = 900
# Verdicts that leave nothing to look at.
FINE = ("pass", "warn", "not-applicable")
# Cases that a peer cannot play, and why. Any other case that is blocked is bad, and so is one of these that is not.
CHARGING = "4.9: no StatusNotification.req ever says Charging, so the state that the case begins with is not known."
BOOKS = "The peer's `csms.records` knows transactions only."
BLOCKED = {
    **dict.fromkeys(
        ["python-csms", "node-csms"],
        dict.fromkeys(
            """
            books/composite-decimal books/meter-values books/reservation-lost books/reservation-refused books/statuses
            robustness/answer-behind-unanswered
            """.split(),
            BOOKS,
        ),
    ),
    "python-station": {"fault/faulted": "The peer knows no faults, so it has no hand for `fault.inject`."},
    "rust-station": {
        "fault/lock-failure": "The peer's lock cannot fail, so it has no hand for `lock.fail`.",
        "unlock/failure": "The peer's lock cannot fail, so it has no hand for `lock.fail`.",
    }
    | dict.fromkeys(
        """
        cache/clear-local cache/clear-remote cache/local-start cache/remote-start meter-values/clock-aligned
        meter-values/sampled offline/meter-values offline/stop power/cut remote/start-while-charging remote/stop
        offline/comes-back remote/stop-unknown reset/hard-charging reset/soft-charging stop/ev-side-goes-on
        stop/ev-side-stays-locked stop/ev-side-unlocks stop/same-tag unlock/charging
        """.split(),
        CHARGING,
    ),
}


def free_ports(number):
    """So many ports, all different because they are held at the same time."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def run(peer, shard, port, arguments):
    """One run of one share of the cases; gives its results, its exit code and its log."""
    text = (PROFILES / f"{peer}.toml").read_text()
    share = ["--shard", shard] if shard else []
    name = f"{peer}-{shard.partition('/')[0]}" if shard else peer
    profile = OUT / f"{name}.toml"
    profile.write_text(text.replace("@ROOT@", str(ROOT)).replace("@PORT@", str(port)))
    folder = OUT / name
    # A result of the run before would be taken for this one's.
    shutil.rmtree(folder, ignore_errors=True)
    results = folder / "results.json"
    binary = os.environ.get("PLUGFEST", ROOT / "target" / "debug" / "plugfest")
    command = [binary, "run", "--config", profile, "--out", folder, "--no-input", "--no-color", *share, *arguments]
    with (OUT / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        try:
            code = process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            # The reports of what ran are written all the same.
            process.terminate()
            code = process.wait()
    return json.loads(results.read_text()) if results.exists() else None, code, log.name


def judged(peer, shares, arguments):
    """Whether all came as expected in the shares of a peer, and the lines that tell of it."""
    lost = [f"{peer}: no result, exit code {code}; see {log}" for told, code, log in shares if told is None]
    if lost:
        return False, lost
    text = (PROFILES / f"{peer}.toml").read_text()
    told = whole([told for told, _, _ in shares])
    # A part of the suite meets a part of the expectations.
    expectations = [] if arguments else tomllib.loads(text).get("expect", [])
    held = {} if arguments else BLOCKED.get(peer, {})
    bad = list(surprises(told, expectations, held))
    # Cases that are blocked give 3; whatever else gives 3 is among the surprises.
    bad += [f"exit code {code}" for _, code, _ in shares if code != 0 and not (code == 3 and held)]
    return not bad, [counts(peer, told), *tally(peer, told), *(f"  {line}" for line in bad)]


def whole(shares):
    """The results of all shares as those of one run."""
    told = dict(shares[0])
    for key in ("cases", "not_run", "negatives"):
        told[key] = [it for share in shares for it in share[key]]
    told["interrupted"] = next((share["interrupted"] for share in shares if share["interrupted"]), None)
    told["duration_ms"] = max(share["duration_ms"] for share in shares)
    return told


def tally(peer, told):
    """What became of the frames that were wrong on purpose, in one line; none where none was sent."""
    words = ("sent", "handled", "tolerated", "miscoded", "mishandled")
    sums = {word: sum(it[word] for it in told["negatives"]) for word in words}
    if sums["sent"]:
        others = ", ".join(f"{sums[word]} {word}" for word in words[2:])
        yield f"{peer}: {sums['handled']} of {sums['sent']} negatives handled, {others}"


def counts(peer, told):
    """What came, in one line."""
    verdicts = collections.Counter(case["verdict"] for case in told["cases"])
    shown = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items()))
    met = sum(len(case["expected"]) for case in told["cases"])
    return f"{peer}: {len(told['cases'])} results in {told['duration_ms'] / 1000:.0f} s: {shown}; {met} expected findings"


def surprises(told, expectations, held):
    """What came although it is not expected, and what is expected and did not come, a line each."""
    if told["interrupted"] or told["not_run"]:
        yield f"broken off with {len(told['not_run'])} cases to go: {told['interrupted']}"
    for case in told["cases"]:
        name = " ".join(filter(None, [case["id"], case["variant"]]))
        blocked = case["id"] in held and case["verdict"] == "blocked"
        if case["id"] in held and not blocked:
            yield f"{name}: {case['verdict']}, although it is listed as blocked"
        elif case["verdict"] not in FINE and not blocked:
            yield f"{name}: {case['verdict']}: {case['reason']}"
        for it in case["findings"]:
            if blocked and it["verdict"] == "blocked":
                continue
            # What no expectation names is unexpected, a warning too.
            yield f"{name}: {it['verdict']} {it['rule']} {it['pointer'] or ''}: {it['message']}"
    for it in expectations:
        if not any(meets(case, it) for case in told["cases"]):
            yield f"{it['case']}: the expected {it['rule']} {it.get('pointer', '')} did not come"


def meets(case, expectation):
    """Whether this expectation was met in this case."""
    if case["id"] != expectation["case"] or expectation.get("variant", case["variant"]) != case["variant"]:
        return False
    wanted = (expectation["rule"], expectation.get("pointer"))
    findings = (it.get("finding", it) for it in case["expected"])
    return any((it["rule"], it["pointer"]) == wanted for it in findings)


def docs(check):
    """The expected findings of every profile, a line each; gives whether the file says just that, now or already."""
    lines = []
    for peer in PEERS:
        expected = tomllib.loads((PROFILES / f"{peer}.toml").read_text()).get("expect", [])
        cases = len({it["case"] for it in expected})
        lines.append(f"\n## Findings: `{peer}`\n")
        lines.append(f"{len(expected)} expected, in {cases} cases.\n" if expected else "None is expected.")
        if expected:
            lines.append("| case | rule | pointer | reason |\n|---|---|---|---|")
        for it in expected:
            case = " ".join(filter(None, [it["case"], it.get("variant")]))
            # The empty pointer is the whole payload.
            pointer = f"`{it['pointer']}`" if it.get("pointer") else "whole" if "pointer" in it else ""
            lines.append(f"| `{case}` | `{it['rule']}` | {pointer} | {it['reason'].replace('|', chr(92) + '|')} |")
        if held := BLOCKED.get(peer):
            lines.append(f"\nBlocked, {len(held)}:\n\n| case | why |\n|---|---|")
            lines += [f"| `{case}` | {why} |" for case, why in held.items()]
    old = DOCS.read_text()
    by_hand, mark, _ = old.partition(GENERATED)
    if not mark:
        sys.exit(f"run.py: {DOCS} lacks the line {GENERATED.strip()}")
    new = by_hand + mark + "\n".join(lines) + "\n"
    if check:
        return new == old
    DOCS.write_text(new)
    return True


def main():
    arguments = sys.argv[1:]
    rest = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--docs" in words:
        if not docs("--check" in words):
            sys.exit("run.py: docs/peers.md is not what the profiles say; write it with harness/peers/run.py --docs")
        return
    peers = [word for word in words if not word.startswith("--")] or (CI if "--ci" in words else PEERS)
    if unknown := set(peers) - set(PEERS):
        sys.exit(f"run.py: no peer {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    # At the same time: a run waits far more than it works. All of them, also after a bad one.
    OUT.mkdir(parents=True, exist_ok=True)
    all_good = True
    shards = {peer: 1 if rest else SHARDS.get(peer, 1) for peer in peers}
    jobs = [(peer, f"{k + 1}/{n}" if n > 1 else None) for peer, n in shards.items() for k in range(n)]
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        runs = [pool.submit(run, *job, port, rest) for job, port in zip(jobs, free_ports(len(jobs)))]
        for peer in peers:
            shares = [share.result() for share, (of, _) in zip(runs, jobs) if of == peer]
            good, lines = judged(peer, shares, rest)
            all_good = all_good and good
            print("\n".join(lines), flush=True)
    sys.exit(0 if all_good else 1)


if __name__ == "__main__":
    main()
