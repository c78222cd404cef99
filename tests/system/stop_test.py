"""Stopping a worker: warm, cold, and what becomes of every task."""
import os
import signal
import time

from stage import alive, descendants, eventually, lines_of, module, on_both


class Stops:
    def begun(self, path, count=1):
        eventually(lambda: sum(line.startswith("begin") for line in lines_of(path)) >= count, "%d tasks run" % count)

    def test_a_warm_stop_finishes_what_runs_and_hands_back_the_rest(self):
        first = self.worker("-c", "1")
        path, gate = self.path("trace"), self.path("gate")
        ids = [self.send("trace.hold", (path, "x0", gate))]
        ids += [self.send("trace", (path, "x%d" % i)) for i in range(1, 10)]
        self.begun(path)
        first.signal(signal.SIGTERM)
        first.wait_for("warm stop")
        open(gate, "w").close()
        self.assertEqual(first.wait(), 0)
        done = [line.split()[1] for line in lines_of(path) if line.startswith("end")]
        self.assertIn("x0", done, "what ran was finished")
        self.assertLess(len(done), 10, "what had not started was not run")
        self.assertEqual(self.result(ids[0]).code, 0, "and its result was stored")
        self.worker("-c", "1")
        for task_id in ids:
            self.assertEqual(self.result(task_id).code, 0)
        ends = [line.split()[1] for line in lines_of(path) if line.startswith("end")]
        self.assertEqual(sorted(ends), sorted("x%d" % i for i in range(10)), "each ran exactly once")

    def test_a_second_signal_stops_cold_and_the_task_runs_elsewhere(self):
        first = self.worker("-c", "1")
        path = self.path("trace")
        slow = self.send("trace", (path, "slow", 4))
        self.begun(path)
        first.signal(signal.SIGTERM)
        first.wait_for("[Ww]arm|[Ss]topp|[Ss]hut")
        first.signal(signal.SIGTERM)
        began = time.monotonic()
        first.wait(10)
        self.assertLess(time.monotonic() - began, 3)
        self.worker("-c", "1")
        self.assertEqual(self.result(slow).code, 0)
        begins = [line.split()[2] for line in lines_of(path) if line.startswith("begin")]
        self.assertEqual(begins, ["first", "again"], "the second run is marked")

    def test_nothing_of_a_worker_is_left_after_its_stop(self):
        worker = self.worker("-c", "2")
        below = descendants(worker.pid)
        self.assertGreaterEqual(len(below), 3, "a fork server and two children")
        self.assertEqual(worker.stop(), 0)
        eventually(lambda: not any(alive(pid) for pid in below), "all of them end")

    def test_children_end_when_the_worker_is_killed(self):
        worker = self.worker("-c", "2")
        self.send("sleep", (30,))
        below = descendants(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)
        eventually(lambda: not any(alive(pid) for pid in below), "all of them end", 5)

    def test_a_silent_name_server_does_not_hold_up_a_stop(self):
        away = {"broker": "amqp://silent.example", "backend": "redis://silent.example"}
        # A sanitizer wants to be loaded first unless it is told that this is meant.
        env = {"LD_PRELOAD": module("silent_names"), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        worker = self.worker("-c", "1", ready=False, env=env, **away)
        eventually(lambda: descendants(worker.pid), "its children start")
        time.sleep(0.5)  # nothing tells that a look-up runs
        began = time.monotonic()
        self.assertEqual(worker.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)


on_both(Stops)
