"""Umbel clients, from the shell and from C, call tasks that a Python worker runs."""
import os
import subprocess
import sys

from stage import BUILD, OnCluster, PATIENCE

HERE = os.path.dirname(os.path.abspath(__file__))
CALLER = os.path.join(BUILD, "programs", "values")


class PythonWorker(OnCluster):
    def python_worker(self, *options, env=None):
        argv = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-P", "solo", "-Q", self.queue,
                "-n", "py-%s@%%h" % self.queue, "-l", "info", "--without-gossip", "--without-mingle",
                "--without-heartbeat"]
        worker = self.start("python", argv + list(options), dict(env or {}, PYTHONPATH=HERE))
        worker.wait_for(r"\bready\.", 40)
        return worker

    def test_the_shell_calls_python(self):
        self.python_worker()
        self.assertEqual(self.value("py.add", (2, 3)), 5)
        self.assertEqual(self.value("py.add", ("grüße ", "\U0001f33f")), "grüße \U0001f33f")

    def test_arguments_arrive_as_sent(self):
        self.python_worker()
        args, kwargs = [1, 2.5, None, True, "ü", [1, [2]], {"a": {"b": None}}, 2**63 - 1, -2**63], {"k": [1], "z": "y"}
        self.assertEqual(self.value("py.echo", args, kwargs=kwargs), [args, kwargs])

    def test_a_python_failure_keeps_type_message_and_traceback(self):
        self.python_worker()
        answer = self.call("py.fail", ("no good",))
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("ValueError", answer.err)
        self.assertIn("no good", answer.err)
        self.assertIn("Traceback", answer.err)

    def test_a_python_retry_is_waited_for(self):
        self.python_worker()
        self.assertEqual(self.value("py.retry"), 1)

    def test_a_task_python_does_not_know_ends_in_not_registered(self):
        self.python_worker()
        answer = self.call("py.unknown", (1,))
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("NotRegistered", answer.err)

    def test_options_reach_python(self):
        self.python_worker()
        told = self.value("py.context", (), "--time-limit", "30", "--soft-time-limit", "20", "--expires", "60")
        self.assertEqual(told["timelimit"], [30, 20])
        self.assertEqual(told["delivery"], self.queue)
        self.assertTrue(told["expires"])

    def test_a_result_from_a_bare_id(self):
        self.python_worker()
        task_id = self.send("py.add", (2, 3))
        self.assertEqual(self.result(task_id).value, 5)

    def caller(self, serializer):
        done = subprocess.run([CALLER, self.broker, self.backend, self.queue, serializer], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE + 30)
        self.assertEqual(done.returncode, 0, done.stdout)

    def chunks(self, serializer):
        self.python_worker(env={"TEST_RESULT_SERIALIZER": serializer})
        done = subprocess.run([os.path.join(BUILD, "programs", "chunk"), self.broker, self.backend, self.queue, "py.add",
                               serializer, "250", "100"], stdout=subprocess.PIPE, text=True, timeout=PATIENCE + 30)
        self.assertEqual(done.stdout.split(), [str(i + 1) for i in range(250)])

    def test_a_c_programs_chunks_run_in_python(self):
        self.chunks("json")

    def test_a_c_programs_chunks_run_in_python_in_msgpack(self):
        self.chunks("msgpack")

    def test_a_c_program_calls_python_in_json(self):
        self.python_worker()
        self.caller("json")

    def test_a_c_program_calls_python_in_msgpack_with_bytes(self):
        self.python_worker(env={"TEST_RESULT_SERIALIZER": "msgpack"})
        self.caller("msgpack")
