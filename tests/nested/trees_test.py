"""Trees of calls with one slot, over every broker and every pool: they end, each task runs once, and no pool outgrows its cap.

A class per column, as in tests/matrix. The trees are small unless they are told otherwise:

    sh scripts/nightly nested      fib(20), 21,891 tasks, and a full tree of depth 12, 8,191 tasks, on each

UMBEL_TEST_FIB and UMBEL_TEST_TREE are the sizes; UMBEL_TEST_NESTED_REPORT names a file that gets a line per tree.
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import stage
from servers import die_with_parent

PROGRAM = os.path.join(stage.BUILD, "programs", "trees")
FIB = int(os.environ.get("UMBEL_TEST_FIB", "8"))
TREE = int(os.environ.get("UMBEL_TEST_TREE", "5"))
WAITING = 64  # --max-waiting, as it is unless told

COLUMNS = {}
for pool in ("solo", "processes", "threads", "coroutines"):
    COLUMNS["Memory" + pool.title()] = ("memory://?pool=%s&concurrency=1" % pool if pool != "solo" else "memory://?pool=solo", None)
for broker in ("sqlite", "amqp"):
    for pool in ("solo", "prefork", "threads", "coroutines"):
        COLUMNS[broker.title() + pool.title()] = (broker, ["-P", pool] + (["-c", "1"] if pool != "solo" else []))


def fib(n):
    """The value, and how many calls it takes."""
    value, calls = [0, 1], [1, 1]
    for i in range(2, n + 1):
        value.append(value[i - 1] + value[i - 2])
        calls.append(1 + calls[i - 1] + calls[i - 2])
    return value[n], calls[n]


class Board:
    """The counters of tests/nested/board.h."""

    def __init__(self, path):
        self.path = path
        self.clear()

    def clear(self):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:
            f.write(bytes(24))

    def read(self):
        with open(self.path, "rb") as f:
            now, self.begun, self.running, self.runs = struct.unpack("=QIII", f.read(20))
        self.left, self.waiting = now >> 32, now & 0xffffffff


class Watch(threading.Thread):
    """The most children, and the most threads in one process, that were seen below a process; it and the fork server apart."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.over, self.children, self.threads = pid, threading.Event(), 0, 0

    def run(self):
        while not self.over.wait(0.05):
            pids = [pid for pid in stage.descendants(self.pid) if self.status(pid, "Name") == "umbel-child"]
            self.children = max(self.children, len(pids))
            self.threads = max([self.threads] + [int(self.status(pid, "Threads") or 0) for pid in pids + [self.pid]])

    def status(self, pid, key):
        try:
            with open("/proc/%d/status" % pid) as f:
                return next(line.split(":")[1].strip() for line in f if line.startswith(key + ":"))
        except (FileNotFoundError, ProcessLookupError, StopIteration):
            return None

    def end(self):
        self.over.set()
        self.join()


class Column(unittest.TestCase):
    limit = 900 if FIB > 12 else 120

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="umbel-nested-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.broker, self.backend = self.column[0], None
        self.queue, self.worker = "n-" + uuid.uuid4().hex[:12], None
        if self.broker == "sqlite":
            self.broker = "sqlite:" + os.path.join(self.folder, "umbel.db")
        elif self.broker == "amqp":
            self.broker, self.backend = os.environ["UMBEL_TEST_AMQP"], os.environ["UMBEL_TEST_REDIS"]
        self.board = Board(os.path.join(self.folder, "board"))
        self.env = dict(os.environ, TREES_BOARD=self.board.path, TREES_BROKER=self.broker, TREES_QUEUE=self.queue,
                        TREES_BACKEND=self.backend or "")
        self.env.pop("UMBEL_BROKER_URL", None), self.env.pop("UMBEL_RESULT_BACKEND", None)
        if self.column[1] is not None:
            self.start_worker()

    def start_worker(self):
        argv = [PROGRAM, "-b", self.broker] + (["--result-backend", self.backend] if self.backend else [])
        argv += ["worker", "-Q", self.queue, "-n", "%s@%%h" % self.queue, "-l", "warning"] + self.column[1]
        self.worker = stage.Process(self, "worker", argv, self.env)
        self.addCleanup(self.worker.end)
        self.assertEqual(self.call("trees.sum", 0)[0], 1)  # it is there
        self.board.clear()

    def report(self):
        return "--- the worker said\n" + self.worker.said()[-4000:] if self.worker else ""

    def call(self, task, n):
        """The value, the seconds, and what was seen of the processes meanwhile."""
        began = time.monotonic()
        caller = subprocess.Popen([PROGRAM, "call", task, str(n)], env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        watch = Watch(self.worker.pid if self.worker else caller.pid)
        watch.start()
        try:
            out, err = caller.communicate(timeout=self.limit)
        except BaseException:
            caller.kill()
            caller.communicate()
            raise
        finally:
            watch.end()
        self.assertEqual(caller.returncode, 0, err)
        return int(out), time.monotonic() - began, watch

    def tree(self, task, n, value, runs, levels):
        got, seconds, watch = self.call(task, n)
        stage.eventually(lambda: self.board.read() or not self.board.left, "every task has ended")
        board = self.board
        self.tell("%-17s %-9s %2d %7.1f s  %6d tasks  at most %2d begun (%d levels), %2d of them not waiting, "
                  "%2d children, %2d threads in one process; cap %d" %
                  (type(self).__name__, task, n, seconds, board.runs, board.begun, levels, board.running,
                   watch.children, watch.threads, 1 + WAITING))
        self.assertEqual(got, value)
        self.assertEqual(board.runs, runs, "each task runs once")
        self.assertLessEqual(board.begun, levels + 1, "no more wait than the tree is deep")
        self.assertLessEqual(watch.children, 1 + WAITING, "children are capped")
        self.assertLessEqual(watch.children, levels + 2, "no more children than wait, one that runs, and one that was replaced")
        self.assertEqual(board.waiting, 0)
        if self.worker:
            self.assertTrue(self.worker.running())

    def tell(self, line):
        path = os.environ.get("UMBEL_TEST_NESTED_REPORT")
        if path:
            with open(path, "a") as f:
                f.write(line + "\n")

    def test_fib(self):
        self.tree("trees.fib", FIB, *fib(FIB), levels=FIB)

    def test_a_full_tree(self):
        self.tree("trees.sum", TREE, 2 ** TREE, 2 ** (TREE + 1) - 1, levels=TREE + 1)


for column_name, column in COLUMNS.items():
    members = {"column": column, "__module__": __name__, "test_fib": Column.test_fib,
               "test_a_full_tree": Column.test_a_full_tree}
    setattr(sys.modules[__name__], column_name, type(column_name, (Column,), members))
del Column.test_fib, Column.test_a_full_tree
