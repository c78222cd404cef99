"""Limits of time, of memory and of a child's life."""
import time

from stage import OnSqlite, alive, descendants, eventually, on_both


class Limits:
    def test_a_hard_limit_of_the_task_kills_it_and_says_so(self):
        worker = self.worker()
        began = time.monotonic()
        answer = self.call("crash.loop")
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("TimeLimitExceeded", answer.err)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.value("math.add", (2, 3)), 5, "the slot is filled again")
        worker.wait_for("TimeLimitExceeded|[Tt]ime limit")

    def test_a_hard_limit_of_the_call_wins(self):
        self.worker()
        answer = self.call("sleep", (30,), "--time-limit", "0.5")
        self.assertIn("TimeLimitExceeded", answer.err)

    def test_a_hard_limit_of_the_worker_is_the_default(self):
        self.worker("--time-limit", "0.5")
        self.assertIn("TimeLimitExceeded", self.call("sleep", (30,)).err)

    def test_a_soft_limit_wakes_a_task_that_waits(self):
        self.worker()
        began = time.monotonic()
        self.assertEqual(self.value("sleep.polite", (30,), "--soft-time-limit", "0.5"), "interrupted")
        self.assertLess(time.monotonic() - began, 5)

    def test_a_task_that_ignores_its_soft_limit_meets_the_hard_one(self):
        self.worker()
        self.assertIn("TimeLimitExceeded", self.call("sleep.limited", (30,)).err)


class Children(OnSqlite):
    def test_a_child_ends_after_its_number_of_tasks(self):
        self.worker("-c", "1", "--max-tasks-per-child", "3")
        pids = [self.value("pid") for _ in range(9)]
        self.assertEqual([pids.count(pid) for pid in dict.fromkeys(pids)], [3, 3, 3])

    def test_a_task_over_the_memory_cap_is_killed_while_it_runs(self):
        self.worker("-c", "1", "--max-memory-per-child", str(100 * 1024))
        answer = self.call("crash.balloon", (300,))
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("MemoryLimitExceeded", answer.err)
        self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_a_task_under_the_memory_cap_runs_on(self):
        self.worker("-c", "1", "--max-memory-per-child", str(200 * 1024))
        self.assertEqual(self.value("crash.balloon", (20,)), 20)

    def test_there_are_as_many_children_as_asked_for(self):
        self.worker("-c", "3")
        ids = [self.send("trace", (self.path("trace"), "x%d" % i, 0.4)) for i in range(3)]
        began = time.monotonic()
        for task_id in ids:
            self.assertEqual(self.result(task_id).code, 0)
        self.assertLess(time.monotonic() - began, 1.1, "three at a time")

    def test_autoscale_grows_under_pressure_and_shrinks_when_idle(self):
        worker = self.worker("--autoscale", "3,1", "--autoscale-idle", "1", "-c", "7")
        children = lambda: len(descendants(worker.pid)) - 1  # but the fork server
        eventually(lambda: children() == 1, "it begins with the least")
        ids = [self.send("trace", (self.path("trace"), "x%d" % i, 3)) for i in range(6)]
        eventually(lambda: children() == 3, "it grows to the most")
        for task_id in ids:
            self.assertEqual(self.result(task_id).code, 0)
        eventually(lambda: children() == 1, "it shrinks to the least")
        self.assertEqual(self.value("math.add", (2, 3)), 5)
        worker.wait_for("scaled up from 1 to 3")
        worker.wait_for("scaled down from . to 1")

    def test_bounds_that_make_no_sense_are_refused(self):
        for options in (("--autoscale", "1,3"), ("--autoscale", "3,1", "-P", "solo")):
            worker = self.worker(*options, ready=False)
            self.assertEqual(worker.wait(), 2)
            worker.wait_for("--autoscale")

    def test_the_hook_opens_one_desk_per_child_and_closes_it(self):
        closed = self.path("closed")
        worker = self.worker("-c", "1", modules=("hooks",), env={"TEST_HOOK_TRACE": closed})
        first, second = self.value("desk.serve"), self.value("desk.serve")
        self.assertEqual(first["opened_by"], first["pid"])
        self.assertEqual((first["served"], second["served"]), (1, 2))
        self.assertEqual(worker.stop(), 0)
        with open(closed) as f:
            self.assertIn("closed %d after 2" % first["pid"], f.read())

    def test_a_hook_that_refuses_slows_births_and_is_explained(self):
        worker = self.worker("-c", "1", modules=("hooks",), env={"TEST_HOOK_REFUSES": "no key"}, ready=False)
        worker.wait_for("the desk is closed: no key", count=2)
        time.sleep(1.0)  # the span over which births are counted, not a wait for one
        self.assertLess(worker.said().count("the desk is closed"), 20, "births are slowed")
        self.assertIn(worker.stop(), (0, 1, 70))

    def test_a_dead_child_is_replaced(self):
        self.worker("-c", "1")
        pid = self.value("pid")
        import os
        import signal
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not alive(pid), "the child is gone")
        self.assertNotEqual(self.value("pid"), pid)


on_both(Limits)
