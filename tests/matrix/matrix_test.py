"""The same program text over every broker and every pool: a class per column, a test per case of the program `matrix`.

The cases are the tables in tests/matrix/*.c (`matrix list`); the columns are the table below. A column's workers are the
program itself, started once for the column.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import uuid

import stage

PROGRAM = os.path.join(stage.BUILD, "programs", "matrix")
POOL, INTERRUPT, KILL, CONCURRENCY, LIMIT, PARALLEL = 1, 2, 4, 8, 16, 32
CHILDREN = INTERRUPT | KILL | CONCURRENCY | LIMIT

# name: (broker, worker's flags or None for a pool of the caller's own, what it can do)
COLUMNS = {
    "MemorySolo": ("memory://?pool=solo", None, POOL),
    "MemoryProcesses": ("memory://?pool=processes&concurrency=2", None, POOL | CHILDREN | PARALLEL),
    "MemoryThreads": ("memory://?pool=threads&concurrency=2", None, POOL | INTERRUPT | CONCURRENCY | LIMIT | PARALLEL),
    "MemoryCoroutines": ("memory://?pool=coroutines&concurrency=2", None, POOL | INTERRUPT | CONCURRENCY),
    "SqliteSolo": ("sqlite", ["-P", "solo"], 0),
    "SqlitePrefork": ("sqlite", ["-P", "prefork", "-c", "2"], CHILDREN | PARALLEL),
    "SqliteThreads": ("sqlite", ["-P", "threads", "-c", "2"], CHILDREN | PARALLEL),
    "SqliteCoroutines": ("sqlite", ["-P", "coroutines", "-c", "2"], CHILDREN),
    "ClusterSolo": ("amqp", ["-P", "solo"], 0),
    "ClusterPrefork": ("amqp", ["-P", "prefork", "-c", "2"], CHILDREN | PARALLEL),
    "ClusterThreads": ("amqp", ["-P", "threads", "-c", "2"], CHILDREN | PARALLEL),
    "ClusterCoroutines": ("amqp", ["-P", "coroutines", "-c", "2"], CHILDREN),
}


def cases():
    if not os.path.exists(PROGRAM):
        return []
    lines = subprocess.run([PROGRAM, "list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    return [(line.split()[0], int(line.split()[1])) for line in lines if line]


class Column(unittest.TestCase):
    limit = 90

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="umbel-matrix-")
        cls.queue = "m"
        cls.broker, cls.backend = cls.column[0], None
        cls.worker, cls.workers = None, 0
        if cls.broker == "sqlite":
            cls.broker = "sqlite:" + os.path.join(cls.folder, "umbel.db")
        elif cls.broker == "amqp":
            cls.broker, cls.backend = os.environ["UMBEL_TEST_AMQP"], os.environ["UMBEL_TEST_REDIS"]
        if cls.column[1] is not None:
            cls.start_worker()

    @classmethod
    def start_worker(cls):
        cls.queue, cls.workers = "m-" + uuid.uuid4().hex[:12], cls.workers + 1
        argv = [PROGRAM, "-b", cls.broker] + (["--result-backend", cls.backend] if cls.backend else [])
        argv += ["worker", "-Q", cls.queue, "-n", "%s@%%h" % cls.queue, "-l", "info"] + cls.column[1]
        cls.worker = stage.Process(cls, "worker%d" % cls.workers, argv)
        cls.worker.wait_for(r"\bready\b")

    @classmethod
    def tearDownClass(cls):
        if cls.worker:
            cls.worker.end()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def run_case(cls, name):
        folder = tempfile.mkdtemp(prefix="case-", dir=cls.folder)
        env = dict(os.environ, MATRIX_BROKER=cls.broker, MATRIX_BACKEND=cls.backend or "", MATRIX_QUEUE=cls.queue,
                   MATRIX_FOLDER=folder, MATRIX_CAN=str(cls.column[2]))
        env.pop("UMBEL_BROKER_URL", None), env.pop("UMBEL_RESULT_BACKEND", None)
        return subprocess.run([PROGRAM, "run", name], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=80)

    def check(self, name):
        done = self.run_case(name)
        if self.worker and (done.returncode != 0 or not self.worker.running()):
            said, running = self.worker.said()[-4000:], self.worker.running()
            self.worker.end()
            type(self).start_worker()  # what one case left behind is not the next one's
            self.fail("%s\n--- the worker %s\n%s" % (done.stdout, "said" if running else "ended", said))
        self.assertEqual(done.returncode, 0, done.stdout)


def make_test(name):
    return lambda self: self.check(name)


for column_name, column in COLUMNS.items():
    members = {"column": column, "__module__": __name__}
    for case_name, needs in cases():
        if needs & ~column[2] == 0:
            members["test_" + case_name] = make_test(case_name)
    setattr(sys.modules[__name__], column_name, type(column_name, (Column,), members))
