"""Every example is run as its first comment says."""
import json
import os
import re
import signal
import subprocess

from stage import BUILD, Case, OnSqlite, PATIENCE, ROOT, alive, descendants, eventually, on_both

EXAMPLES = os.path.join(BUILD, "examples")


class Vocabularies:
    """One program each, over a pool of its own and over workers, which are the same program."""

    def run_over(self, name, *urls):
        env = {key: value for key, value in os.environ.items() if not key.startswith("UMBEL_")}
        done = subprocess.run([os.path.join(EXAMPLES, name)] + [url for url in urls if url], env=env, cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=2 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def run_with_workers(self, name, *options):
        own = os.path.join(EXAMPLES, name)
        if self.broker:
            argv = [own, "-b", self.broker] + (["--result-backend", self.backend] if self.backend else [])
            self.start(name, argv + ["worker", "-l", "info"] + list(options)).wait_for(r"\bready\b")
        return self.run_over(name, self.broker, self.backend)

    def says(self, name, expected, *options):
        self.assertEqual(self.run_with_workers(name, *options), expected)

    def test_thread_pool(self):
        self.says("thread_pool", "http://one/ has 11 bytes\nhttp://second/ has 14 bytes\n"
                  "http://nowhere/: OSError: no such host\nhttp://the-fourth/ has 18 bytes\n"
                  "all of them have 43 bytes\n", "-P", "threads", "-c", "4")

    def test_process_pool(self):
        squares = "0->0 1->1 2->4 3->9 4->16 5->25 6->36 7->49\n"
        lines = self.run_with_workers("process_pool", "-c", "4").splitlines(True)
        self.assertEqual("".join(lines[:4]), "apply: 81\nmap: %smap, four to a message: %s"
                         "starmap: 0->1 1->2 2->4 3->8 4->16 5->32 6->64 7->128\n" % (squares, squares))
        self.assertEqual(sorted(lines[4].split()), sorted(["imap_unordered:"] + squares.split()))

    def test_gather(self):
        self.says("gather", "the first error: there is no factorial of -1\ngather: the task failed\n"
                  "factorial 2 = 2\nfactorial 5 = 120\nfactorial 8 = 40320\ntimeout, cancelled\n", "-P", "coroutines")

    def test_pages(self):
        self.says("pages", "900 fetched, 100 given up\n", "-P", "coroutines", "-c", "1000")

    def test_as_completed(self):
        self.says("as_completed", "0.1\n0.5\n0.9\nthe last takes too long\n", "-c", "4")

    def test_map_reduce(self):
        self.says("map_reduce", "8\n", "-c", "1")

    def test_parts(self):
        self.says("parts", " 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47\n15 primes\n")

    def test_tour_task(self):
        lines = self.run_with_workers("tour_task", "-c", "1").splitlines()
        self.assertEqual(lines[0], "3 arguments")
        self.assertEqual(json.loads(lines[1]),
                         {"name": "tour.about", "id": "tour-1", "root": "tour-1", "has a parent": False, "deaths": 0,
                          "redelivered": False, "limited": True, "interrupted": False, "tenant": "acme"})

    def test_tour_coroutines(self):
        self.says("tour_coroutines", "hello, LOUD, the time allowed ran out\n", "-P", "coroutines")


class ExamplesInMemory(Vocabularies, Case):
    def urls(self):
        return None, None

    def test_sched(self):
        self.assertEqual(re.findall(r": (.*)", self.run_over("sched")),
                         ["at once", "tick", "tick", "priority 1", "priority 2", "tick", "the last"])

    def test_tour_values(self):
        lines = self.run_over("tour_values").splitlines()
        self.assertEqual(json.loads(lines[0]), {"nothing": None, "yes": True, "count": 42, "ratio": 0.5, "name": "Umbel",
                                                "part": "flower", "list": [1], "map": {"copy": [1]}})
        self.assertEqual(lines[1], "1 42 0.5 Umbel")

    def test_tour_client(self):
        self.says("tour_client", "1 timed call\n3 calls in a message: 0 2 4\ncallback: done 1, state 4\n"
                  "four is 8, traceback none\n2 4 6 from a generator\npending: OK\nrunning: BUSY\nterminated: 1\n")


class Examples(Vocabularies):
    """All on the queue `celery`, so one after the other."""

    def urls_in_environment(self):
        env = dict(os.environ, UMBEL_BROKER_URL=self.broker)
        env["UMBEL_RESULT_BACKEND"] = self.backend or self.broker
        return env

    def run_example(self, name):
        return subprocess.run([os.path.join(EXAMPLES, name)], env=self.urls_in_environment(), cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=PATIENCE)

    def test_the_c_client_and_the_cpp_client(self):
        self.worker(modules=(os.path.join(EXAMPLES, "add.so"),), queue="celery")
        done = self.run_example("client_c")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("2 + 3 = 5", done.stdout)
        self.assertIn("1 / 0: ZeroDivisionError: 1 cannot be divided by zero", done.stdout)
        done = self.run_example("client_cpp")
        self.assertEqual((done.returncode, done.stdout), (0, "0 2 4 6 8 10 12 14 16 18\n"))

    def test_a_worker_of_ones_own(self):
        argv = [os.path.join(EXAMPLES, "worker"), "-b", self.broker]
        if self.backend:
            argv += ["--result-backend", self.backend]
        worker = self.start("own", argv + ["worker", "-c", "1", "-Q", self.queue, "-n", "own-%s@%%h" % self.queue,
                                           "-l", "info"])
        worker.wait_for(r"\bready\b")
        self.assertEqual(self.value("text.greet", ("you",)), "hello you")
        self.assertEqual(worker.stop(), 0)


class Demo(OnSqlite):
    limit = 240

    def demo(self, *arguments):
        env = {"TMPDIR": self.folder, "UMBEL_BROKER_URL": "", "UMBEL_RESULT_BACKEND": ""}
        return self.start("demo", ["sh", os.path.join(ROOT, "scripts", "demo")] + list(arguments), env)

    def test_the_demo_counts_a_folder_and_leaves_nothing(self):
        demo = self.demo(os.path.join(ROOT, "include"))
        self.assertEqual(demo.wait(200), 0, demo.said())
        files = sum(len(names) for _, _, names in os.walk(os.path.join(ROOT, "include")))
        self.assertEqual(int(re.search(r"^  files +(\d+)", demo.said(), re.M).group(1)), files)
        self.assertIn("0 of %d results differ" % files, demo.said())
        self.assertEqual(os.listdir(self.folder), ["demo.log"])

    def test_the_demo_ends_cleanly_on_ctrl_c(self):
        demo = self.demo("/usr/lib", "1500")
        demo.wait_for("one task each", 200)
        below = descendants(demo.pid)
        os.killpg(demo.pid, signal.SIGINT)
        self.assertEqual(demo.wait(20), 130)
        eventually(lambda: not any(alive(pid) for pid in below), "everything ends")
        self.assertEqual(os.listdir(self.folder), ["demo.log"])


on_both(Examples)
