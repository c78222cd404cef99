"""Results in parts: what a task yields is read in order, whenever one asks, and a repeated run begins anew."""
import json
import os
import signal
import subprocess
import time

from stage import BUILD, OnSqlite, PATIENCE, descendants, eventually, on_both

READER = os.path.join(BUILD, "programs", "parts")


def values(answer):
    return [json.loads(line) for line in answer.out.splitlines()]


class Parts:
    modules = ("parts", "life")

    def follow(self, task, arguments=(), *options):
        return self.call(task, arguments, "--follow", *options)

    def test_parts_come_in_order_and_then_the_result(self):
        self.worker()
        answer = self.follow("parts.count", (20, 0.02))
        self.assertEqual((answer.code, values(answer)), (0, list(range(20)) + [20]))

    def test_who_comes_late_reads_all(self):
        self.worker()
        task_id = self.send("parts.count", (300,))
        self.assertEqual(self.result(task_id).value, 300)
        answer = self.run_program("result", task_id, "--follow")
        self.assertEqual((answer.code, values(answer)), (0, list(range(300)) + [300]))

    def test_who_comes_in_the_middle_reads_all_as_they_come(self):
        self.worker()
        task_id = self.send("parts.count", (30, 0.1))
        time.sleep(1)  # somewhere in the middle; nothing depends on where
        answer = self.run_program("result", task_id, "--follow")
        self.assertEqual(values(answer), list(range(30)) + [30])

    def test_a_retry_supersedes_what_was_read(self):
        self.worker()
        answer = self.follow("parts.retry")
        self.assertEqual(values(answer), [0, 1, 10, 11, 12, None])
        self.assertIn("began again", answer.err)
        late = self.run_program("result", self.last_id("parts.retry"), "--follow")
        self.assertEqual(values(late), [10, 11, 12, None], "nobody who comes later sees the first run")
        self.assertEqual(late.err, "")

    def last_id(self, task):
        import re
        return re.findall(r"Task %s\[([^\]]+)\] succeeded" % re.escape(task), self.processes[0].said())[-1]

    def test_a_crash_supersedes_what_was_read(self):
        self.worker()
        answer = self.follow("parts.die")
        self.assertEqual(values(answer), [0, 1, 10, 11, 12, "survived"])
        self.assertIn("began again", answer.err)

    def test_a_run_without_parts_supersedes_too(self):
        self.worker()
        answer = self.follow("parts.silent")
        self.assertEqual(values(answer), [1, None])
        self.assertIn("began again", answer.err)

    def test_a_worker_that_is_killed_in_the_middle(self):
        first = self.worker("-c", "1")
        task_id = self.send("parts.count", (40, 0.1))
        reader = self.start("reader", self.globals() + ["result", task_id, "--follow"])
        reader.wait_for("^5$")
        first.kill()
        self.worker("-c", "1")
        self.assertEqual(reader.wait(60), 0)
        lines = reader.said().splitlines()
        again = next(i for i, line in enumerate(lines) if "began again" in line)
        self.assertEqual([int(line) for line in lines[:again]], list(range(again)))
        self.assertEqual([int(line) for line in lines[again + 1:]], list(range(40)) + [40])

    def test_a_failure_ends_the_parts(self):
        self.worker()
        answer = self.follow("parts.fail")
        self.assertEqual((answer.code, values(answer)), (1, ["almost"]))
        self.assertIn("ValueError: not quite", answer.err)

    def test_a_flood_is_taken_and_nobody_keeps_it_in_memory(self):
        worker = self.worker("-c", "1")
        answer = self.call("parts.flood", (3000, 20000), wait=60)
        self.assertEqual(answer.value, 3000)
        with open("/proc/%d/status" % worker.pid) as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        most = (60 if "san" not in BUILD else 160) * 1024  # a sanitizer keeps what was freed for a while
        self.assertLess(peak, most, "60 MB went through a worker that peaked at %d KiB" % peak)

    def test_a_part_of_any_size_up_to_a_mebibyte(self):
        self.worker("-c", "1")
        answer = self.follow("parts.flood", (3, 1000000))
        self.assertEqual([len(value) if isinstance(value, str) else value for value in values(answer)],
                         [1000000, 1000000, 1000000, 3])
        self.assertEqual(self.call("parts.flood", (3, 1100000)).value, 0, "more is refused")

    def test_no_parts_are_no_trouble(self):
        self.worker()
        answer = self.follow("sleep", (0.1,))
        self.assertEqual((answer.code, values(answer)), (0, [0.1]))

    def test_parts_of_every_pool(self):
        for pool in ("prefork", "solo", "threads", "coroutines"):
            worker = self.worker("-P", pool)
            answer = self.follow("parts.count", (50, 0.002))
            self.assertEqual((answer.code, values(answer)), (0, list(range(50)) + [50]), pool)
            if pool != "solo":
                self.assertEqual(self.call("parts.flood", (300, 20000), wait=60).value, 300, pool)
            self.assertEqual(worker.stop(), 0)

    def test_an_ignored_result_has_no_parts(self):
        self.worker("--ignore-result")
        self.send("parts.count", (5,))
        self.assertEqual(self.processes[0].wait_for("parts.count.* succeeded") is not None, True)

    def reader(self, *arguments):
        done = subprocess.run([READER, self.broker, self.backend or "", self.queue] + list(arguments),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE * 3)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_a_program_reads_them(self):
        self.worker()
        self.assertIn("1000 parts\n", self.reader("count"))
        self.assertIn("[0 1 again 10 11 12] exhausted", self.reader("retry"))
        self.assertIn("timeout, then 3 parts", self.reader("slow"))

    def test_a_program_sees_progress(self):
        self.worker()
        self.assertIn("25 50 75 then 100", self.reader("progress"))


on_both(Parts)
