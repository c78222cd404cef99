"""The broker or the backend goes away and comes back; nobody has to do anything (P5)."""
import os
import signal
import time

from relay import Relay
from stage import OnCluster, eventually, lines_of


class Outages(OnCluster):
    def setUp(self):
        super().setUp()
        self.to_broker, self.to_backend = Relay(self.broker), Relay(self.backend)
        self.addCleanup(self.to_broker.close)
        self.addCleanup(self.to_backend.close)

    def relayed_worker(self, **options):
        return self.worker(broker=self.to_broker.url, backend=self.to_backend.url, **options)

    def test_a_worker_waits_for_a_broker_that_is_down_at_its_start(self):
        self.to_broker.down()
        worker = self.relayed_worker(ready=False)
        worker.wait_for("WARNING amqp: RabbitMQ at 127.0.0.1:%d.*refused.*; trying again" % self.to_broker.port)
        time.sleep(0.5)  # it stays up while it cannot connect
        self.assertTrue(worker.running())
        self.to_broker.up()
        worker.wait_for(r"\bready\b", 12)
        self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_a_worker_waits_for_a_backend_that_is_down_at_its_start(self):
        self.to_backend.down()
        worker = self.relayed_worker(ready=False)
        worker.wait_for("127.0.0.1:%d" % self.to_backend.port)
        task_id = self.send("math.add", (2, 3), "--create-queue")
        self.to_backend.up()
        self.assertEqual(self.result(task_id, 15).value, 5)

    def test_a_lost_broker_connection_is_made_again(self):
        self.relayed_worker()
        self.assertEqual(self.value("math.add", (1, 1)), 2)
        for _ in range(3):
            self.to_broker.cut()
            self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_a_task_that_runs_through_a_lost_connection_is_not_run_twice_at_once(self):
        self.relayed_worker()
        path = self.path("trace")
        task_id = self.send("trace", (path, "x", 2))
        eventually(lambda: lines_of(path), "it runs")
        self.to_broker.cut()
        self.assertEqual(self.result(task_id).code, 0)
        self.assertEqual(len([line for line in lines_of(path) if line.startswith("begin")]), 1,
                         "the second delivery was adopted by the run that was under way")

    def test_results_wait_for_a_backend_that_is_away(self):
        self.relayed_worker()
        self.to_backend.down()
        task_id = self.send("math.add", (2, 3))
        time.sleep(0.5)  # the worker has it and cannot store it
        self.to_backend.up()
        self.assertEqual(self.result(task_id, 15).value, 5)

    def test_a_client_without_its_broker_ends_at_its_deadline(self):
        self.to_broker.down()
        began = time.monotonic()
        answer = self.run_program("call", "math.add", "[1, 2]", "--wait=1", broker=self.to_broker.url)
        self.assertIn(answer.code, (3, 4), answer)
        self.assertLess(time.monotonic() - began, 2.5)

    def test_a_broker_that_accepts_and_never_answers_is_given_up(self):
        self.to_broker.mute()
        began = time.monotonic()
        answer = self.run_program("call", "math.add", "[1, 2]", "--wait=1", broker=self.to_broker.url)
        self.assertIn(answer.code, (3, 4), answer)
        self.assertLess(time.monotonic() - began, 2.5)

    def test_a_worker_whose_broker_never_answers_still_stops(self):
        self.to_broker.mute()
        worker = self.relayed_worker(ready=False)
        worker.wait_for(r"\[tasks\]")
        self.assertEqual(worker.stop(15), 0)

    def test_a_worker_without_its_broker_still_stops(self):
        worker = self.relayed_worker()
        self.to_broker.down()
        os.kill(worker.pid, signal.SIGTERM)
        worker.wait(15)
