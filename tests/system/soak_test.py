"""P6: memory, descriptors and children of a worker and of a client stay bounded, however much goes through them.

Rounds of tasks, some of which fail and some of which kill their child, while connections to broker and backend are cut. What
both processes hold is measured when a round is over; after the first rounds have warmed everything up it must not grow.

    sh scripts/soak [TASKS]      the long form: 200,000 tasks
"""
import os
import subprocess
import threading
import time

from relay import Relay
from servers import die_with_parent
from stage import BUILD, OnCluster, descendants, eventually

IS_MEASURED = "san" not in BUILD  # a sanitizer's own memory says nothing; descriptors and children do
TASKS = int(os.environ.get("UMBEL_TEST_SOAK", "36000" if IS_MEASURED else "12000"))
ROUNDS, WARM_UP = 12, 4
CHILDREN = 2
# MiB that may come in all the rounds after the warm-up: what malloc keeps differs by as much from round to round.
GROWTH = 2.0


def resident(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


class Soak(OnCluster):
    limit = 60 + TASKS // 500

    def setUp(self):
        super().setUp()
        self.relays = [Relay(url) for url in (self.broker, self.backend) * 2]
        for relay in self.relays:
            self.addCleanup(relay.down)
        self.it = self.worker("-c", str(CHILDREN), "-l", "error", "--max-tasks-per-child", "5000", ready=False,
                              broker=self.relays[0].url, backend=self.relays[1].url)
        argv = [os.path.join(BUILD, "programs", "mill"), self.relays[2].url, self.relays[3].url, self.queue]
        self.mill = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.addCleanup(self.mill.wait)
        self.addCleanup(self.mill.kill)
        self.addCleanup(self.mill.stdout.close)
        self.addCleanup(self.mill.stdin.close)

    def cut(self, over):
        """Cuts one connection after another until the round is over; each costs up to a second of waiting."""
        pause = 0.05
        while not over.wait(pause):
            self.relays[0].cut()
            self.relays.append(self.relays.pop(0))
            pause = 2

    def play(self, count):
        over = threading.Event()
        knife = threading.Thread(target=self.cut, args=(over,))
        knife.start()
        try:
            self.mill.stdin.write("%d\n" % count)
            self.mill.stdin.flush()
            told = [int(word) for word in self.mill.stdout.readline().split()]
        finally:
            over.set()
            knife.join()
        crashes, failures = count // 1000, count // 100
        self.assertEqual(told, [count - crashes - failures, failures, crashes, 0])

    def measure(self):
        """What is held at rest: children and connections are there again."""
        eventually(lambda: len(descendants(self.it.pid)) == CHILDREN + 1, "the children are %d and their server" % CHILDREN)
        return {"worker MiB": resident(self.it.pid), "client MiB": resident(self.mill.pid),
                "largest child MiB": max(map(resident, descendants(self.it.pid))),
                "worker descriptors": descriptors(self.it.pid), "client descriptors": descriptors(self.mill.pid)}

    def test_nothing_grows(self):
        seen, began = [], time.monotonic()
        for _ in range(ROUNDS):
            self.play(TASKS // ROUNDS // 1000 * 1000)
            seen.append(self.measure())
        for name in seen[0]:
            early, late = [round[name] for round in seen[:WARM_UP]], [round[name] for round in seen[WARM_UP:]]
            print("%s: %s" % (name, " ".join("%.4g" % value for value in early + late)), file=self.report_file())
            if "MiB" in name:
                self.assertTrue(not IS_MEASURED or min(late[-3:]) < max(early) + GROWTH, (name, early, late))
            else:
                eventually(lambda: self.measure()[name] <= max(early), "%s are %g again, not %r" % (name, max(early), late))
        print("%.1f s" % (time.monotonic() - began), file=self.report_file())

    def report_file(self):
        return open(os.environ.get("UMBEL_TEST_SOAK_REPORT", os.devnull), "a")
