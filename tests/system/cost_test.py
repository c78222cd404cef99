"""What a task costs, in counts that do not depend on how fast the machine is. A relapse shows here, not in timings."""
import os
import re
import shutil
import subprocess
import unittest

from stage import BUILD, OnCluster, descendants, eventually

CLIENT = os.path.join(BUILD, "tests", "bench_client")
TASKS, CHUNKED, CHUNK = 4000, 200000, 1000


@unittest.skipUnless(shutil.which("strace"), "strace is not installed; scripts/deps test installs it")
class Costs(OnCluster):
    modules = ("bench_tasks",)

    def stream(self, urls, mode="stream", count=TASKS):
        """A burst of additions, all results read; the first 200 warm everything up."""
        client = subprocess.run([CLIENT, mode, str(count)], input="go\n", text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=dict(os.environ, **urls), timeout=60)
        self.assertEqual(client.returncode, 0, client.stderr)

    def counted(self, pids, urls, *burst):
        """System calls that these processes made while a burst ran."""
        out = self.path("strace")
        argv = ["strace", "-f", "-c", "-o", out]
        for pid in pids:
            argv += ["-p", str(pid)]
        tracer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in tracer.stdout:
                if "attached" in line:
                    break
            else:
                self.fail("strace cannot attach: it needs leave to trace processes (CAP_SYS_PTRACE)")
            self.stream(urls, *burst)
        finally:
            tracer.terminate()
            tracer.communicate(timeout=20)
        with open(out) as f:
            total = re.search(r"^\s*100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total$", f.read(), re.M)
        self.assertTrue(total, "strace's summary has a total")
        return int(total.group(1))

    def warm_worker(self):
        worker = self.worker("-c", "2", "-l", "warning", ready=False, queue="celery")
        urls = {"UMBEL_BROKER_URL": self.broker, "UMBEL_RESULT_BACKEND": self.backend}
        eventually(lambda: self.run_program("call", "math.add", "[1, 2]", "--wait").code == 0, "the worker answers")
        self.stream(urls)
        return [worker.pid] + descendants(worker.pid), urls

    def test_a_worker_makes_less_than_five_system_calls_a_task_in_a_stream(self):
        calls = self.counted(*self.warm_worker())
        # Under strace, which keeps turns small, 2.8 were seen; one task alone costs 12.
        self.assertLess(calls / TASKS, 5.0, "%d system calls for %d tasks" % (calls, TASKS))

    def test_a_call_in_a_chunk_makes_none_of_its_own(self):
        pids, urls = self.warm_worker()
        calls = self.counted(pids, urls, "chunks", CHUNKED)
        # The chunks and the 220 messages that warm things up; memory that were asked for call by call would show too.
        self.assertLess(calls / (CHUNKED / CHUNK + 220), 20, "%d system calls for %d calls in chunks" % (calls, CHUNKED))
