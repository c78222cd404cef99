"""A worker starts, a shell calls it, answers come back."""
import json
import signal
import subprocess

from stage import BUILD, descendants, on_both


class Basics:
    def test_a_call_from_the_shell_is_answered(self):
        self.worker()
        self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_the_banner_names_the_worker_its_tasks_and_queues(self):
        worker = self.worker()
        said = worker.said()
        for word in ("w1-%s@" % self.queue, self.queue, "math.add", "prefork"):
            self.assertIn(word, said)
        self.assertNotIn("guest:guest", said, "no password in the banner")

    def test_each_task_leaves_a_line_with_its_id_name_and_runtime(self):
        worker = self.worker()
        task_id = self.send("math.add", (1, 1))
        worker.wait_for(r"math\.add\[%s\].*succeeded in [0-9.]+ ?s" % task_id)

    def test_logs_can_be_json_lines(self):
        worker = self.worker("--log-format", "json")
        task_id = self.send("math.add", (1, 1))
        worker.wait_for(task_id)
        lines = [line for line in worker.said().splitlines() if task_id in line]
        self.assertTrue(any(json.loads(line).get("id") == task_id for line in lines), lines)

    def test_what_a_task_writes_becomes_log_lines_with_its_id(self):
        worker = self.worker()
        self.assertIsNone(self.value("say", ("grüß dich",)))
        for line in ("out: grüß dich", "err: grüß dich", "log: grüß dich", "warn: grüß dich"):
            worker.wait_for(r"say\[[0-9a-f-]{36}\].*%s" % line)

    def test_a_failure_keeps_its_type_and_message(self):
        self.worker()
        answer = self.call("fail", ("ValueError", "no good"))
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("ValueError", answer.err)
        self.assertIn("no good", answer.err)

    def test_wrong_arguments_fail_with_their_name(self):
        self.worker()
        for task, arguments, words in (
                ("math.add", (1,), ("TypeError",)),
                ("math.add", (1, 2, 3), ("TypeError",)),
                ("math.add", (1, "two"), ("TypeError", "2")),
                ("type.uint8", (300,), ("ValueError", "value")),
                ("type.uint64", (-1,), ("ValueError", "value"))):
            answer = self.call(task, arguments)
            self.assertEqual(answer.code, 1, (task, answer))
            for word in words:
                self.assertIn(word, answer.err)

    def test_named_and_optional_arguments(self):
        self.worker()
        self.assertEqual(self.value("math.scale", (10,)), 20)
        self.assertEqual(self.value("math.scale", (10,), kwargs={"factor": 3}), 30)
        self.assertEqual(self.value("math.scale", (), kwargs={"value": 1, "offset": 0.5}), 2.5)
        self.assertEqual(self.call("math.scale", (1,), kwargs={"colour": 1}).code, 1)

    def test_values_come_back_as_they_went(self):
        self.worker()
        for value in (None, True, False, 0, -1, 2**63 - 1, -2**63, 1.5, "", "grüße \U0001f33f", "a\0b", [], {},
                      [1, [2, [3, {"a": [None]}]]], {"ключ": {"b": 1}}, "x" * 1000):
            self.assertEqual(self.value("echo", (value,)), value)

    def test_an_unknown_task_fails_as_not_registered_and_is_parked(self):
        worker = self.worker()
        answer = self.call("no.such.task", (1,))
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("NotRegistered", answer.err)
        self.wait_parked(1)
        self.assertEqual(self.value("math.add", (2, 3)), 5, "the next one runs")
        worker.wait_for("no.such.task")

    def test_a_task_sees_its_context(self):
        self.worker()
        told = self.value("context", ())
        self.assertEqual(told["name"], "context")
        self.assertEqual(told["root"], told["id"])
        self.assertEqual(told["queue"], self.queue)
        self.assertTrue(told["worker"].startswith("w1-" + self.queue + "@"))
        self.assertEqual((told["retries"], told["deaths"], told["redelivered"]), (0, 0, False))

    def test_an_ignored_result_is_not_kept(self):
        worker = self.worker()
        task_id = self.send("math.quiet")
        worker.wait_for(r"math\.quiet\[%s\].*succeeded" % task_id)
        self.assertEqual(self.run_program("result", task_id, "--wait=0.3").code, 3)

    def test_a_retry_runs_again_and_counts(self):
        self.worker()
        path = self.path("retry")
        self.assertEqual(self.value("retry", (path, 2, 0.1)), 2)

    def test_retries_end_after_max_retries(self):
        self.worker()
        answer = self.call("retry", (self.path("retry"), 99, 0.05))
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("not yet", answer.err)

    def test_two_workers_share_a_queue(self):
        first, second = self.worker("-c", "1"), self.worker("-c", "1")
        for _ in range(10):
            ids = [self.send("sleep", (0.05,)) for _ in range(6)]
            for task_id in ids:
                self.assertEqual(self.result(task_id).code, 0)
            if "succeeded" in first.said() and "succeeded" in second.said():
                return
        self.fail("one worker did everything")

    def test_an_umbel_client_sees_a_tracked_task_begin(self):
        worker = self.worker("--track-started", "-c", "1", name="mill@here")
        done = subprocess.run([BUILD + "/programs/started", self.broker, self.backend or "-", self.queue, self.path("gate")],
                              stdout=subprocess.PIPE, text=True, timeout=60)
        place, word = done.stdout.splitlines()
        self.assertEqual((done.returncode, word), (0, "held"), done)
        place = json.loads(place)
        self.assertEqual(place["hostname"], "mill@here")
        self.assertIn(place["pid"], descendants(worker.pid))

    def test_solo_runs_tasks_in_the_worker_itself(self):
        worker = self.worker("-P", "solo")
        self.assertEqual(self.value("pid"), worker.pid)
        self.assertEqual(self.value("math.add", (2, 3)), 5)
        self.assertEqual(self.call("fail", ("KeyError", "x")).code, 1)
        self.assertEqual(worker.stop(), 0)

    def test_the_environment_gives_the_urls(self):
        self.worker()
        env = {"UMBEL_BROKER_URL": self.broker}
        if self.backend:
            env["UMBEL_RESULT_BACKEND"] = self.backend
        answer = self.bare("call", "math.add", "[2, 3]", "-Q", self.queue, "--wait", env=env)
        self.assertEqual((answer.code, answer.out.strip()), (0, "5"), answer)

    def test_an_idle_worker_ends_at_once_on_sigterm_and_on_sigint(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            worker = self.worker()
            worker.signal(number)
            self.assertEqual(worker.wait(5), 0, number)


on_both(Basics)
