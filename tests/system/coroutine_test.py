"""The calls of umbel/coroutine.h in real workers: the same module, unchanged, on every pool."""
import time

from stage import OnSqlite

TASKS = ("sleep", "spawn", "join", "leave", "timeout", "echo", "dial", "pipe", "share", "file", "blocking", "program",
         "deaf", "channel", "event", "semaphore")


class Waits:
    def begin(self, *options):
        return self.worker(*(self.pool + options), modules=("waits", "life"))

    def test_every_call_works(self):
        self.begin("-c", "2")
        ids = [(task, self.send("waits." + task)) for task in TASKS]
        for task, task_id in ids:
            answer = self.result(task_id)
            self.assertEqual((task, answer.code, answer.out.strip()), (task, 0, '"good"'), answer)

    def test_every_call_works_again_in_the_same_child(self):
        self.begin("-c", "1")
        for _ in range(2):
            for task in TASKS:
                self.assertEqual(self.value("waits." + task), "good", task)

    def test_exceptions_in_flight_are_each_ones_own(self):
        self.worker(*(self.pool + ("-c", "2")), modules=("waits_throw",))
        ids = [self.send("waits.throw") for _ in range(4)]
        for task_id in ids:
            answer = self.result(task_id)
            self.assertEqual((answer.code, answer.out.strip()), (0, '"good"'), answer)

    def test_a_soft_limit_ends_what_waits(self):
        self.begin("-c", "2")
        began = time.monotonic()
        self.assertEqual(self.value("waits.forever", (), "--soft-time-limit", "0.5"), "interrupted")
        self.assertLess(time.monotonic() - began, 8)


class Overflow:
    def test_a_full_stack_is_named(self):
        self.worker(*(self.pool + ("-c", "1", "--max-deaths", "1")), modules=("waits", "math"))
        answer = self.call("waits.overflow")
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("SIGSEGV", answer.err)
        self.assertIn("a coroutine overflowed its stack of 256 KiB", answer.err)
        self.assertEqual(self.value("math.add", (2, 3)), 5)


class OnPrefork(Waits, Overflow, OnSqlite):
    pool = ("-P", "prefork")


class OnSolo(Waits, OnSqlite):
    pool = ("-P", "solo")


class OnThreads(Waits, Overflow, OnSqlite):
    pool = ("-P", "threads")


class OnCoroutines(Waits, Overflow, OnSqlite):
    pool = ("-P", "coroutines")
