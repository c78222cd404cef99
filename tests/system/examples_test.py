"""Every example is run as its first comment says."""
import os
import re
import signal
import subprocess

from stage import BUILD, OnSqlite, PATIENCE, ROOT, alive, descendants, eventually, on_both

EXAMPLES = os.path.join(BUILD, "examples")


class Examples:
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

    def test_map_reduce(self):
        self.worker("-c", "1", modules=(os.path.join(EXAMPLES, "map_reduce.so"),))
        self.assertEqual(self.value("text.letter", ("e", ["one line", "the next", "three", "", "tree"])), 8)

    def test_parts(self):
        self.worker(modules=(os.path.join(EXAMPLES, "parts.so"),), queue="celery")
        done = self.run_example("parts_c")
        self.assertEqual((done.returncode, done.stdout), (0, "one\nword\nafter\nthe\nother\n5 words\n"))

    def test_pages(self):
        done = self.run_example("pages")
        self.assertEqual((done.returncode, done.stdout), (0, "900 fetched, 100 given up\n"))

    def test_sched(self):
        done = self.run_example("sched")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(re.findall(r": (.*)", done.stdout),
                         ["at once", "tick", "tick", "priority 1", "priority 2", "tick", "the last"])

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
