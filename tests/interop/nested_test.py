"""Calls inside tasks, across the two languages: an Umbel task waits for a Python one, and Python for a tree of Umbel ones."""
import os
import sys

from celery import Celery

from stage import OnCluster, PATIENCE

HERE = os.path.dirname(os.path.abspath(__file__))
POOLS = ("prefork", "solo", "threads", "coroutines")


class Nested(OnCluster):
    modules = ("nested",)
    limit = 120

    def setUp(self):
        super().setUp()
        self.pythons = self.queue + "-py"
        self.app = Celery("caller", broker=self.broker, backend=self.backend)
        self.addCleanup(self.app.close)

    def python_worker(self):
        argv = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-P", "solo", "-Q", self.pythons,
                "-n", "py-%s@%%h" % self.queue, "-l", "info", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        worker = self.start("python", argv, {"PYTHONPATH": HERE, "TEST_UMBEL_QUEUE": self.queue})
        worker.wait_for(r"\bready\.", 40)

    def on_each_pool(self):
        """A worker of ours with one slot, on one pool after the other."""
        for pool in POOLS:
            worker = self.worker("-P", pool, *(() if pool == "solo" else ("-c", "1")))
            yield pool
            worker.end()

    def get(self, task, *args):
        return self.app.send_task(task, args, queue=self.queue).get(timeout=PATIENCE)

    def test_a_task_calls_python_and_waits(self):
        self.python_worker()
        for _ in self.on_each_pool():
            for value in (7, "grüße \U0001f33f", [1, {"a": None}]):
                self.assertEqual(self.value("nested.call", ("py.one", self.pythons, value)), value)

    def test_how_python_failed_is_told_to_the_task_that_called(self):
        self.python_worker()
        for _ in self.on_each_pool():
            answer = self.call("nested.call", ("py.fail", self.pythons, "no good"))
            self.assertEqual(answer.code, 1, answer)
            self.assertIn("ValueError: no good", answer.err)

    def test_python_sees_who_called(self):
        self.python_worker()
        self.worker("-c", "1")
        caller = self.send("nested.call", ("py.family", self.pythons, None))
        self.assertEqual(self.result(caller).value, [caller, caller])

    def test_several_calls_wait_for_python_at_once(self):
        self.python_worker()
        self.worker("-P", "threads", "-c", "4")
        ids = [self.send("nested.call", ("py.one", self.pythons, i)) for i in range(12)]
        self.assertEqual([self.result(task_id).value for task_id in ids], list(range(12)))

    def test_python_waits_for_a_tree_of_calls(self):
        for _ in self.on_each_pool():
            self.assertEqual(self.get("nested.fib", 10), 55)
            self.assertEqual(self.get("nested.tree", 5), 32)
            self.assertEqual(self.get("nested.chain", 12), 13)

    def test_python_waits_for_a_task_that_waits_for_python(self):
        self.python_worker()
        for pool in self.on_each_pool():
            self.assertEqual(self.get("nested.call", "py.one", self.pythons, pool), pool)

    def test_a_python_task_between_two_of_ours_needs_a_second_slot(self):
        self.python_worker()
        self.worker("-c", "2")
        self.assertEqual(self.value("nested.call", ("py.calls", self.pythons, ["nested.chain", 5])), 6)
