#!/usr/bin/python3
"""Plays every fault and holds what happened against the promises; see scripts/faults.

    run.py --build DIR [--runs N] [--seed S] [--smoke] [--defects DIR] [CASE ...]

Prints a line per case: submitted, accepted, started, lost, doubled, contradictory, slowest wait. Ends with
`N passed, N failed`. With --defects, every planted defect (a build of its own below DIR) is played in the case that must
betray it; there a case in which the checker finds nothing is the failure."""
import argparse
import os
import shutil
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scene as stage_scene  # noqa: E402
from cases import CASES  # noqa: E402
from checker import check  # noqa: E402
from scene import Scene, servers  # noqa: E402

SMOKE = ("child_killed", "crashing_tasks", "worker_killed", "backend_killed", "broker_frozen", "connection_cut", "client_cut",
         "copies_overtake", "split_worker", "warm_stop")
# Each defect is a build option (UMBEL_DEFECT), and the case in which the checker must see it.
DEFECTS = (("ACK_FIRST", "backend_frozen_then_worker_killed"), ("NO_CONFIRM", "client_cut"), ("STALE_TAG", "stale_tags"),
           ("NO_HAND_BACK", "warm_stop"), ("OVERWRITE_TERMINAL", "split_worker"))

DEFECT_DEADLINE = 15.0  # seconds; what a defect has lost is not waited for as long as what a fault delays


class DurableRedis(servers.Redis):
    def __init__(self, folder):
        super().__init__(folder, durable=True)

    def start(self):
        self.port = self.port or servers.free_ports(1)[0]
        self.spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no",
                    "--appendonly", "yes", "--appendfsync", "always", "--dir", self.folder])
        self.wait_ready(servers.REDIS_START)

    def erase(self):
        for name in os.listdir(self.folder):
            if name.startswith("appendonly"):
                shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)


class Stand(servers.Servers):
    """Servers that cases may kill; the data of Redis survives that."""

    def start(self):
        self.redis_server = DurableRedis(self.folder)
        self.redis_server.start()
        self.rabbit = servers.Rabbit(self.folder)
        self.rabbit.start()
        return self


def play(stand, name, seed, build, keep, deadline=1000.0):
    began = time.monotonic()
    scene = Scene(stand, "%s/%s" % (name, seed), os.path.abspath(build), deadline)
    complaints, verdict = [], None
    try:
        allowed = CASES[name](scene) or {}
        scene.settle(allowed.pop("parked", 0))
        verdict = check(scene.history, scene.stored(), **allowed)
        complaints = list(verdict.complaints)
    except Exception:  # noqa: BLE001 - a case that cannot be played to its end has failed
        complaints.append(traceback.format_exc(limit=4).strip().replace("\n", " | "))
    scene.end()
    complaints += scene.problems
    print(line(name, seed, verdict, scene.recovery, time.monotonic() - began, complaints), flush=True)
    if keep and complaints:
        print("    history and logs: " + scene.folder)
    else:
        scene.forget()
    restore(stand)
    return complaints, verdict


def line(name, seed, v, recovery, seconds, complaints):
    figures = "submitted %5d accepted %5d started %5d lost %d doubled %d contradictory %d slowest wait %5.2f s" % (
        v.submitted, v.accepted, v.started, v.lost, v.doubled, v.contradictory, v.slowest) if v else "not played to its end"
    figures += ", back after %.2f s" % recovery if recovery is not None else ""
    return "%-4s %-34s seed %s: %s (%.1f s)%s" % ("FAIL" if complaints else "ok", name, seed, figures, seconds,
                                                "".join("\n    " + c for c in complaints))


def restore(stand):
    """A case that broke off may have left a server frozen or dead."""
    for server in (stand.redis_server, stand.rabbit):
        if server.process and server.process.poll() is None:
            server.process.send_signal(signal.SIGCONT)
        if not server.process or server.process.poll() is not None:
            server.kill()
            server.start()


def defects(stand, folder, seed, keep):
    """Answers (caught, missed). Only what the checker finds counts: a case that cannot be played has caught nothing."""
    caught = 0
    for name, case in DEFECTS:
        _, verdict = play(stand, case, seed, os.path.join(folder, name), keep, DEFECT_DEADLINE)
        found = verdict is not None and bool(verdict.complaints)
        print("%s the planted defect %s" % ("caught" if found else "MISSED", name), flush=True)
        caught += found
    return caught, len(DEFECTS) - caught


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default=os.path.join(stage_scene.stage.ROOT, "build", "release"))
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--smoke", action="store_true")
    options.add_argument("--keep", action="store_true", help="keep the history and the logs of a failed case")
    options.add_argument("--defects")
    options.add_argument("cases", nargs="*")
    o = options.parse_args()
    names = o.cases or (SMOKE if o.smoke else list(CASES))
    passed = failed = 0
    with Stand() as stand:
        if o.defects:
            for seed in range(o.seed, o.seed + o.runs):
                caught, missed = defects(stand, o.defects, seed, o.keep)
                passed, failed = passed + caught, failed + missed
        else:
            for seed in range(o.seed, o.seed + o.runs):
                for name in names:
                    bad = bool(play(stand, name, seed, o.build, o.keep)[0])
                    failed, passed = failed + bad, passed + (not bad)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
