"""Workers whose children run several tasks at once: threads and coroutines, one child or several."""
import os
import re
import signal
import time

from stage import OnCluster, OnSqlite, alive, descendants, eventually, lines_of, on_both


def children_of(worker):
    """The pids of its children: all below it but the fork server."""
    below = descendants(worker.pid)
    return [pid for pid in below if name_of(pid) == "umbel-child"]


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Several:
    """What holds for both, over each transport."""

    def begin(self, *options, **more):
        return self.worker("-P", self.pool, *options, **more)

    def test_tasks_run_and_fail_and_are_told_apart(self):
        worker = self.begin("-c", "8")
        ids = [self.send("math.add", (i, i)) for i in range(12)]
        self.assertEqual([self.result(task_id).value for task_id in ids], [2 * i for i in range(12)])
        answer = self.call("fail", ("ValueError", "no such thing"))
        self.assertEqual(answer.code, 1)
        self.assertIn("ValueError: no such thing", answer.err)
        worker.wait_for(r"math\.add\[[0-9a-f-]+\] succeeded in", count=12)
        self.assertEqual(len(children_of(worker)), 1)

    def test_as_many_run_at_once_as_are_told_in_as_many_children(self):
        worker = self.begin("-c", "6", "--processes", "2")
        eventually(lambda: len(children_of(worker)) == 2, "two children")
        ids = [self.send("sleep.polite", (1.5,)) for _ in range(6)]
        worker.wait_for(r"sleep\.polite\[[0-9a-f-]+\] received", count=6)
        began = time.monotonic()
        for task_id in ids:
            self.assertEqual(self.result(task_id).value, "slept")
        self.assertLess(time.monotonic() - began, 4, "six at once, not one after the other")

    def test_autoscale_grows_under_pressure_and_shrinks_when_idle(self):
        worker = self.begin("--autoscale", "4,1", "--autoscale-idle", "1")
        pids = children_of(worker)
        path = self.path("trace")
        at_once = lambda: sum(1 if line.startswith("begin") else -1 for line in lines_of(path))
        for time_around in (1, 2):  # it grows again after it has shrunk
            already = len(lines_of(path))
            ids = [self.send("trace.wait", (path, "x%d" % i, self.path("go"))) for i in range(6)]
            eventually(lambda: at_once() == 4, "four tasks are begun at once")
            time.sleep(1.2)  # another look of the scaler's: it stays at the most
            self.assertEqual((at_once(), len(lines_of(path)) - already), (4, 4))
            open(self.path("go"), "w").close()
            for task_id in ids:
                self.assertEqual(self.result(task_id).code, 0)
            worker.wait_for("scaled down from . to 1", count=time_around)
            os.unlink(self.path("go"))
        self.assertEqual(len(re.findall("scaled up from 1 to ", worker.said())), 2)
        self.assertEqual(children_of(worker), pids, "the child stays")

    def test_a_crash_ends_its_child_and_only_the_guilty_one_is_parked(self):
        worker = self.begin("-c", "4", "--max-deaths", "2")
        waits = [self.send("sleep.polite", (3,)) for _ in range(2)]
        worker.wait_for(r"sleep\.polite\[[0-9a-f-]+\] received", count=2)
        answer = self.call("crash.segv")
        self.assertIn("WorkerLostError", answer.err)
        self.assertIn("SIGSEGV", answer.err)
        for task_id in waits:
            self.assertEqual(self.result(task_id).value, "slept")
        self.wait_parked(1)
        worker.wait_for("it runs again, alone")
        self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_a_hard_limit_is_told_at_once_and_the_child_replaced(self):
        worker = self.begin("-c", "4")
        before = children_of(worker)
        began = time.monotonic()
        answer = self.call("crash.loop")
        self.assertIn("TimeLimitExceeded", answer.err)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.value("math.add", (2, 3)), 5)
        eventually(lambda: not any(alive(pid) for pid in before), "the child that could not be stopped is gone")

    def test_a_task_that_waits_meets_its_limits_and_nothing_is_killed(self):
        worker = self.begin("-c", "4")
        before = children_of(worker)
        self.assertEqual(self.value("sleep.polite", (30,), "--soft-time-limit", "0.5"), "interrupted")
        self.assertIn("TimeLimitExceeded", self.call("sleep.polite", (30,), "--time-limit", "0.5").err)
        self.assertEqual(self.value("math.add", (2, 3)), 5)
        self.assertEqual(children_of(worker), before)

    def test_a_child_ends_after_its_number_of_tasks(self):
        self.begin("-c", "1", "--max-tasks-per-child", "3")
        pids = [self.value("pid") for _ in range(9)]
        self.assertEqual([pids.count(pid) for pid in dict.fromkeys(pids)], [3, 3, 3])

    def test_a_task_over_the_memory_cap_is_told_so(self):
        self.begin("-c", "3", "--max-memory-per-child", str(100 * 1024))
        answer = self.call("crash.balloon", (300,))
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("MemoryLimitExceeded", answer.err)
        self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_a_warm_stop_lets_tasks_end(self):
        worker = self.begin("-c", "4")
        path = self.path("trace")
        ids = [self.send("trace", (path, "x%d" % i, 0.4)) for i in range(3)]
        eventually(lambda: len(lines_of(path)) >= 1, "one runs")
        self.assertEqual(worker.stop(), 0)
        ends = [line for line in lines_of(path) if line.startswith("end")]
        begins = [line for line in lines_of(path) if line.startswith("begin")]
        self.assertEqual(len(begins), len(ends))
        self.begin("-c", "4")
        for task_id in ids:
            self.assertEqual(self.result(task_id).code, 0)
        self.assertEqual(len([line for line in lines_of(path) if line.startswith("end")]), 3)

    def test_a_cold_stop_hands_back_what_runs(self):
        worker = self.begin("-c", "4")
        task_id = self.send("sleep.polite", (4,))
        worker.wait_for("received")
        began = time.monotonic()
        worker.signal(signal.SIGTERM)
        worker.wait_for("warm stop")
        worker.signal(signal.SIGQUIT)
        worker.wait()
        self.assertLess(time.monotonic() - began, 3.5)
        self.begin("-c", "4")
        self.assertEqual(self.result(task_id).value, "slept")


class Threads(Several):
    pool = "threads"


class Coroutines(Several):
    pool = "coroutines"


on_both(Threads)
on_both(Coroutines)


class Lines(OnSqlite):
    """What tasks say: with their name by umbel_log, by the child's pid from stdout."""

    def test_what_tasks_write_is_logged_with_the_childs_pid(self):
        for pool in ("threads", "coroutines"):
            worker = self.worker("-P", pool, "-c", "4")
            self.call("say", ("a word",))
            pid = children_of(worker)[0]
            worker.wait_for(r"say\[[0-9a-f-]+\] log: a word")
            worker.wait_for(r"child: %d: out: a word" % pid)
            worker.wait_for(r"child: %d: err: a word" % pid)
            worker.stop()

    def test_settings_that_make_no_sense_are_refused(self):
        for options in (("-P", "threads", "-c", "2000"), ("-P", "coroutines", "--processes", "0")):
            worker = self.worker(*options, ready=False)
            self.assertEqual(worker.wait(), 2)
            worker.wait_for("--(concurrency|processes) is")

    def test_a_thousand_coroutines_wait_at_once(self):
        worker = self.worker("-P", "coroutines", "-c", "1000", "--processes", "2")
        ids = [self.send("sleep.polite", (3,)) for _ in range(60)]
        worker.wait_for("received", count=60)
        began = time.monotonic()
        self.assertEqual(self.result(ids[-1]).value, "slept")
        self.assertLess(time.monotonic() - began, 5)


class Remote(OnCluster):
    """Remote control of a pool: it needs RabbitMQ. Other tests' workers are on it too, so ours is named."""

    def named_worker(self, *options):
        return self.worker(*options, name="u-%s@box" % self.queue)

    def control(self, *words):
        return self.run_program("control", *words, "-d", "u-%s@box" % self.queue, "-t", "20")

    def test_a_running_task_is_revoked_and_terminated(self):
        for pool in ("threads", "coroutines"):
            worker = self.named_worker("-P", pool, "-c", "4")
            polite = self.send("sleep.polite", (60,))
            worker.wait_for(r"sleep\.polite\[%s\] received" % polite)
            eventually(lambda: self.control("terminate", "TERM", polite).code == 0 and
                       self.result(polite, 1).out, "it is asked to end")
            self.assertEqual(self.result(polite).value, "interrupted")
            before = children_of(worker)
            other = self.send("sleep.polite", (1,))
            worker.wait_for(r"sleep\.polite\[%s\] received" % other)
            deaf = self.send("sleep", (60,))
            worker.wait_for(r"sleep\[%s\] received" % deaf)
            self.control("terminate", "KILL", deaf)
            self.assertIn("was revoked", self.result(deaf).err)
            self.assertEqual(self.result(other).value, "slept", "the one beside it was not lost")
            eventually(lambda: not any(alive(pid) for pid in before), "the child that was stuck is gone")
            worker.stop()

    def test_the_pool_grows_and_shrinks(self):
        for pool in ("prefork", "threads", "coroutines"):
            worker = self.named_worker("-P", pool, "-c", "1")
            self.assertEqual(self.control("pool_grow", "7").code, 0)
            began = time.monotonic()
            ids = [self.send("sleep.polite", (2,)) for _ in range(8)]
            for task_id in ids:
                self.assertEqual(self.result(task_id).value, "slept")
            self.assertLess(time.monotonic() - began, 6, "all eight at once, not two by two")
            self.assertEqual(self.control("pool_shrink", "7").code, 0)
            self.assertEqual(self.value("math.add", (2, 3)), 5)
            worker.stop()
