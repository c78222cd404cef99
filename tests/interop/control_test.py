"""An Umbel worker as a citizen of a Celery cluster: remote control, events and revoked tasks, as Python sees them."""
import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid

from stage import OnCluster, PATIENCE, alive, eventually

HERE = os.path.dirname(os.path.abspath(__file__))

QUEUE_KEYS = {"name", "exchange", "routing_key", "queue_arguments", "binding_arguments", "consumer_arguments", "durable",
              "exclusive", "auto_delete", "no_ack", "alias", "bindings", "no_declare", "expires", "message_ttl",
              "max_length", "max_length_bytes", "max_priority"}
REQUEST_KEYS = {"id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged", "delivery_info",
                "worker_pid"}


class Watcher:
    """celery.events' own Receiver, in a thread."""

    def __init__(self, app):
        self.events, self.ready, self.app = [], threading.Event(), app
        self.connection = app.connection_for_read()
        self.receiver = app.events.Receiver(self.connection, handlers={"*": self.events.append})
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.ready.wait(PATIENCE)

    def run(self):
        from kombu.exceptions import OperationalError
        self.receiver.on_consume_ready = lambda *_, **__: self.ready.set()
        try:
            self.receiver.capture(limit=None, timeout=None, wakeup=False)
        except (OSError, AttributeError, OperationalError):
            pass

    def of(self, task_id):
        return [e["type"] for e in list(self.events) if e.get("uuid") == task_id]

    def stop(self):
        self.receiver.should_stop = True


class Scene(OnCluster):
    limit = 120

    def setUp(self):
        super().setUp()
        from celery import Celery
        self.app = Celery("control", broker=self.broker, backend=self.backend)
        self.node = "u-%s@box" % self.queue

    def umbel(self, *options, **more):
        return self.worker(*options, name=more.pop("name", self.node), **more)

    def inspect(self, **more):
        return self.app.control.inspect([self.node], timeout=more.pop("timeout", 5), **more)

    def ask(self, method, **arguments):
        """The one reply to a control request."""
        replies = self.app.control.broadcast(method, arguments=arguments, destination=[self.node], reply=True, timeout=5)
        self.assertEqual([list(reply) for reply in replies], [[self.node]])
        return replies[0][self.node]

    def wait_mailbox(self):
        eventually(lambda: self.app.control.ping([self.node], timeout=0.3), "the mailbox answers")

    def send_task(self, name, args=(), **options):
        return self.app.send_task(name, args, queue=self.queue, **options)

    def wait_active(self, *ids):
        def there():
            active = self.inspect().active() or {}
            return {r["id"] for r in active.get(self.node, [])} >= set(ids)
        eventually(there, "the tasks run")

    def trace(self):
        path = self.path("trace")
        return open(path).read().splitlines() if os.path.exists(path) else []


class Inspect(Scene):
    def test_every_question_of_inspect_is_answered_in_celerys_shapes(self):
        worker = self.umbel("-c", "2")
        self.wait_mailbox()
        running = self.send_task("sleep", (30,))
        self.assertEqual(self.send_task("math.add", (2, 3)).get(timeout=PATIENCE), 5)
        self.wait_active(running.id)
        look = self.inspect()
        self.assertEqual(look.ping(), {self.node: {"ok": "pong"}})
        stats = look.stats()[self.node]
        self.assertEqual(stats["total"], {"math.add": 1})
        self.assertEqual(stats["pid"], worker.pid)
        self.assertEqual(stats["pool"]["max-concurrency"], 2)
        self.assertEqual(len(stats["pool"]["processes"]), 2)
        self.assertIn("hostname", stats["broker"])
        self.assertNotIn("password", str(stats["broker"]))
        self.assertIsInstance(stats["clock"], str)
        self.assertGreater(stats["rusage"]["maxrss"], 0)
        self.assertGreater(stats["prefetch_count"], 0)
        [request] = look.active()[self.node]
        self.assertEqual(set(request), REQUEST_KEYS)
        self.assertEqual((request["id"], request["name"], request["args"]), (running.id, "sleep", "(30,)"))
        self.assertEqual(request["delivery_info"]["routing_key"], self.queue)
        self.assertTrue(alive(request["worker_pid"]))
        self.assertLess(abs(request["time_start"] - time.time()), 60)
        self.assertEqual(look.reserved(), {self.node: []})
        self.assertEqual(look.scheduled(), {self.node: []})
        self.assertIn("math.add", look.registered()[self.node])
        [queue] = look.active_queues()[self.node]
        self.assertEqual(set(queue), QUEUE_KEYS)
        self.assertEqual(queue["name"], self.queue)
        self.assertEqual(look.query_task([running.id])[self.node][running.id][0], "active")
        self.assertEqual(look.query_task(["unknown"]), {self.node: {}})
        self.assertIn("umbel:", look.report()[self.node]["ok"])
        self.assertEqual(look.conf()[self.node]["concurrency"], 2)
        self.assertGreater(look.clock()[self.node]["clock"], 0)
        shared = uuid.uuid4().hex
        self.assertIn(shared, look.hello("other@box", revoked={shared: 5.0})[self.node]["revoked"])
        self.assertIn(shared, look.revoked()[self.node])

    def test_the_celery_program_inspects_an_umbel_worker(self):
        self.umbel()
        self.wait_mailbox()
        for method in ("ping", "stats", "active", "reserved", "scheduled", "revoked", "registered", "active_queues",
                       "conf", "report", "clock"):
            done = subprocess.run([sys.executable, "-m", "celery", "-b", self.broker, "inspect", "-d", self.node, "-t", "5",
                                   method], capture_output=True, text=True, timeout=60, cwd=self.folder)
            self.assertEqual(done.returncode, 0, (method, done.stdout, done.stderr))
            self.assertIn("%s: OK" % self.node, done.stdout)

    def test_waiting_tasks_are_reserved(self):
        self.umbel("-c", "1")
        self.wait_mailbox()
        first, second = self.send_task("sleep", (30,)), self.send_task("sleep", (31,))
        self.wait_active(first.id)
        eventually(lambda: [r["id"] for r in self.inspect().reserved()[self.node]] == [second.id], "it is reserved")

    def test_a_request_goes_to_those_it_names(self):
        self.umbel()
        self.wait_mailbox()
        control = self.app.control
        self.assertEqual(control.broadcast("ping", reply=True, timeout=1, pattern="u-%s@*" % self.queue, matcher="glob"),
                         [{self.node: {"ok": "pong"}}])
        self.assertEqual(control.broadcast("ping", reply=True, timeout=1, pattern="u-%s" % self.queue, matcher="pcre"),
                         [{self.node: {"ok": "pong"}}])
        self.assertEqual(control.ping(["other@box"], timeout=1), [])
        self.assertIn({self.node: {"ok": "pong"}}, control.ping(timeout=1))

    def test_what_is_not_there_is_refused_with_an_error(self):
        self.umbel()
        self.wait_mailbox()
        self.assertEqual(self.ask("no_such"), {"error": "KeyError('no_such')"})
        self.assertIn("error", self.ask("rate_limit", task_name="math.add", rate_limit="1/s"))
        self.assertEqual(self.ask("time_limit", task_name="nobody", hard=1), {"error": "unknown task"})

    def test_a_request_in_msgpack_is_understood(self):
        self.umbel()
        self.wait_mailbox()
        self.app.conf.task_serializer = "msgpack"
        self.assertEqual(self.app.control.ping([self.node], timeout=2), [{self.node: {"ok": "pong"}}])

    def test_nonsense_harms_nobody(self):
        from kombu import Connection, Exchange
        worker = self.umbel()
        self.wait_mailbox()
        bodies = [b"", b"{", b"null", b"[]", b"17", b'{"method": 5}', b'{"method": ""}', b"[" * 50000, b"\xff\xfe" * 100,
                  b'{"method": "ping", "reply_to": 5, "destination": {"a": 1}, "pattern": [], "arguments": []}',
                  b'{"method": "ping", "reply_to": {"exchange": "nowhere-%b", "routing_key": "x"}}' % uuid.uuid4().hex.encode(),
                  b'{"method": "revoke", "arguments": {"task_id": [1, null, "", {}, "%b"]}}' % (b"x" * 3000),
                  b'{"method": "revoke", "arguments": {}}', b'{"method": "terminate"}', b'{"method": "hello"}',
                  b'{"method": "time_limit", "arguments": {"task_name": "math.add", "hard": "x", "soft": -1}}',
                  b'{"method": "pool_grow", "arguments": {"n": 99999999999}}', b'{"method": "pool_shrink", "arguments": {"n": 100}}',
                  b'{"method": "add_consumer", "arguments": {"queue": ""}}', b'{"method": "query_task", "arguments": {"ids": {}}}',
                  b'{"method": "ping", "pattern": "' + b"*a" * 5000 + b'", "matcher": "glob"}',
                  b'{"method": "ping", "pattern": "(((((.*)*)*)*)*)*x{1,900}{1,900}", "matcher": "pcre"}']
        with Connection(self.broker) as connection:
            producer = connection.Producer()
            exchange = Exchange("celery.pidbox", type="fanout", durable=False)
            for body in bodies:
                for kind in ("application/json", "application/x-msgpack", "application/x-python-serialize", ""):
                    producer.publish(body, exchange=exchange, content_type=kind, content_encoding="binary",
                                     headers={"clock": "x", "expires": -1.5, "task": 7, "id": [1]}, declare=[exchange])
            producer.publish(b"{}", exchange=exchange, content_type="application/json", content_encoding="utf-8",
                             headers={"clock": 2**62})
        self.wait_mailbox()
        self.assertEqual(self.send_task("math.add", (2, 3)).get(timeout=PATIENCE), 5)
        self.assertLess(self.inspect().clock()[self.node]["clock"], 2**53)
        self.assertTrue(worker.running())


class Change(Scene):
    def test_queues_come_and_go(self):
        self.umbel()
        self.wait_mailbox()
        other = self.queue + "-more"
        self.assertEqual(self.ask("add_consumer", queue=other), {"ok": "add consumer " + other})
        self.assertEqual(self.app.send_task("math.add", (1, 2), queue=other).get(timeout=PATIENCE), 3)
        self.assertEqual({q["name"] for q in self.inspect().active_queues()[self.node]}, {self.queue, other})
        self.assertEqual(self.ask("cancel_consumer", queue=other), {"ok": "no longer consuming from " + other})
        self.assertEqual({q["name"] for q in self.inspect().active_queues()[self.node]}, {self.queue})
        left = self.app.send_task("math.add", (1, 2), queue=other)
        self.assertEqual(self.send_task("math.add", (2, 2)).get(timeout=PATIENCE), 4)
        self.assertFalse(left.ready())

    def test_the_pool_grows_and_shrinks(self):
        self.umbel("-c", "1")
        self.wait_mailbox()
        self.assertEqual(self.ask("pool_grow", n=2), {"ok": "pool will grow"})
        eventually(lambda: len(self.inspect().stats()[self.node]["pool"]["processes"]) == 3, "three children")
        self.assertEqual(self.ask("pool_shrink", n=2), {"ok": "pool will shrink"})
        eventually(lambda: len(self.inspect().stats()[self.node]["pool"]["processes"]) == 1, "one child")
        self.assertIn("error", self.ask("pool_shrink", n=1))

    def test_autoscale_is_switched_on_and_seen(self):
        self.umbel("-c", "2")
        self.wait_mailbox()
        self.assertIn("error", self.ask("autoscale", max=1, min=3))
        self.assertEqual(self.app.control.autoscale(3, 3, destination=[self.node], reply=True, timeout=5),
                         [{self.node: {"ok": "autoscale now max=3 min=3"}}])
        eventually(lambda: len(self.inspect().stats()[self.node]["pool"]["processes"]) == 3, "three children")
        self.assertEqual(self.run_program("control", "autoscale", "1", "-d", self.node).code, 0)
        eventually(lambda: len(self.inspect().stats()[self.node]["pool"]["processes"]) == 1, "one child")
        self.assertEqual(self.inspect().stats()[self.node]["autoscaler"], {"max": 1, "min": 1, "current": 1, "qty": 0})

    def test_a_time_limit_set_at_run_time_holds(self):
        self.umbel()
        self.wait_mailbox()
        self.assertEqual(self.ask("time_limit", task_name="sleep", hard=1, soft=None), {"ok": "time limits set successfully"})
        result = self.send_task("sleep", (30,))
        self.assertEqual(type(result.get(timeout=PATIENCE, propagate=False)).__name__, "TimeLimitExceeded")

    def test_shutdown_is_a_warm_stop(self):
        worker = self.umbel()
        self.wait_mailbox()
        task = self.send_task("sleep", (2,))
        self.wait_active(task.id)
        self.app.control.shutdown([self.node])
        self.assertEqual(worker.wait(), 0)
        self.assertEqual(task.get(timeout=PATIENCE), 2)

    def test_a_name_that_is_taken_gets_a_number_and_tasks_run_meanwhile(self):
        self.umbel()
        self.wait_mailbox()
        second = self.umbel()
        second.wait_for("the name %s is taken" % re.escape(self.node))
        other = self.node.replace("@", "-2@")
        eventually(lambda: self.app.control.ping([other], timeout=0.5) == [{other: {"ok": "pong"}}], "it answers")
        self.assertEqual(self.app.control.ping([self.node], timeout=1), [{self.node: {"ok": "pong"}}])

    def test_a_mailbox_that_a_python_worker_left_is_waited_for_or_evaded(self):
        from kombu import Connection, Queue
        with Connection(self.broker) as connection:
            Queue("%s.celery.pidbox" % self.node, durable=False, auto_delete=True,
                  queue_arguments={"x-expires": 10000, "x-message-ttl": 300000}, channel=connection).declare()
            worker = self.umbel()
            self.assertEqual(self.send_task("math.add", (2, 3)).get(timeout=PATIENCE), 5)
            worker.wait_for("is taken")
        other = self.node.replace("@", "-2@")
        eventually(lambda: self.app.control.ping([other], timeout=0.5), "it answers")


class Revoke(Scene):
    def ended(self, result):
        error = result.get(timeout=PATIENCE, propagate=False)
        self.assertEqual(type(error).__name__, "TaskRevokedError")
        self.assertEqual(result.state, "REVOKED")
        return str(error)

    def test_before_delivery(self):
        self.umbel()
        self.wait_mailbox()
        task_id = uuid.uuid4().hex
        self.app.control.revoke(task_id)
        eventually(lambda: task_id in self.inspect().revoked()[self.node], "it is known")
        result = self.send_task("trace", (self.path("trace"), "x"), task_id=task_id)
        self.assertEqual(self.ended(result), "revoked")
        self.assertEqual(self.send_task("math.add", (2, 3)).get(timeout=PATIENCE), 5)
        self.assertEqual(self.trace(), [])

    def test_prefetched(self):
        self.umbel("-c", "1")
        self.wait_mailbox()
        first = self.send_task("sleep", (4,))
        self.wait_active(first.id)
        waiting = [self.send_task("trace", (self.path("trace"), "x")) for _ in range(4)]
        time.sleep(0.2)
        self.app.control.revoke([result.id for result in waiting])
        for result in waiting:
            self.assertEqual(self.ended(result), "revoked")
        self.assertEqual(first.get(timeout=PATIENCE), 4)
        self.assertEqual(self.trace(), [])

    def test_running_goes_on_without_terminate(self):
        self.umbel()
        self.wait_mailbox()
        task = self.send_task("sleep", (2,))
        self.wait_active(task.id)
        self.assertIn("flagged as revoked", self.ask("revoke", task_id=task.id)["ok"])
        self.assertEqual(task.get(timeout=PATIENCE), 2)

    def test_running_ends_with_terminate(self):
        self.umbel("-c", "1")
        self.wait_mailbox()
        for signal in ("SIGTERM", "SIGKILL"):
            task = self.send_task("sleep", (60,))
            self.wait_active(task.id)
            self.assertEqual(self.ask("revoke", task_id=task.id, terminate=True, signal=signal),
                             {"ok": "terminate: " + task.id})
            self.assertEqual(self.ended(task), "terminated")
        self.assertEqual(self.send_task("math.add", (2, 3)).get(timeout=PATIENCE), 5)
        self.assertEqual(self.ask("terminate", signal="SIGTERM", task_id="unknown"), {"ok": "terminate: tasks unknown"})

    def test_done_stays_done(self):
        self.umbel()
        self.wait_mailbox()
        task = self.send_task("math.add", (2, 3))
        self.assertEqual(task.get(timeout=PATIENCE), 5)
        self.app.control.revoke(task.id, terminate=True)
        eventually(lambda: task.id in self.inspect().revoked()[self.node], "it is known")
        self.assertEqual(self.app.AsyncResult(task.id).state, "SUCCESS")
        self.assertEqual(self.send_task("math.add", (3, 3)).get(timeout=PATIENCE), 6)

    def test_a_worker_that_starts_later_knows(self):
        first = self.umbel()
        self.wait_mailbox()
        task_id = uuid.uuid4().hex
        self.app.control.revoke(task_id)
        eventually(lambda: task_id in self.inspect().revoked()[self.node], "it is known")
        self.assertEqual(first.stop(), 0)
        result = self.send_task("trace", (self.path("trace"), "x"), task_id=task_id)
        self.umbel()
        self.assertEqual(self.ended(result), "revoked")
        self.assertEqual(self.trace(), [])

    def test_a_delayed_task_is_not_run_when_it_is_due(self):
        self.umbel()
        self.wait_mailbox()
        result = self.send_task("trace", (self.path("trace"), "x"), countdown=3)
        time.sleep(0.5)
        self.app.control.revoke(result.id)
        self.assertEqual(self.ended(result), "revoked")
        self.assertEqual(self.trace(), [])


class Events(Scene):
    def watch(self):
        watcher = Watcher(self.app)
        self.addCleanup(watcher.stop)
        return watcher

    def mine(self, watcher, kind):
        return [e for e in list(watcher.events) if e["type"] == kind and e["hostname"] == self.node]

    def test_a_worker_tells_of_its_life(self):
        watcher = self.watch()
        worker = self.umbel("--heartbeat-interval", "0.3")
        eventually(lambda: len(self.mine(watcher, "worker-heartbeat")) >= 3, "heartbeats")
        [online] = self.mine(watcher, "worker-online")
        self.assertEqual((online["freq"], online["sw_ident"], online["pid"]), (0.3, "umbel", worker.pid))
        self.assertNotIn("utcoffset", online)
        self.assertEqual(worker.stop(), 0)
        eventually(lambda: self.mine(watcher, "worker-offline"), "goodbye")
        clocks = [e["clock"] for e in list(watcher.events) if e["hostname"] == self.node]
        self.assertEqual(clocks, sorted(set(clocks)))

    def test_without_heartbeat_it_is_silent(self):
        watcher = self.watch()
        self.umbel("--without-heartbeat")
        self.wait_mailbox()
        self.assertEqual([e for e in watcher.events if e["hostname"] == self.node], [])

    def test_a_task_is_told_of_from_receipt_to_end(self):
        watcher = self.watch()
        self.umbel("-E")
        self.wait_mailbox()
        good = self.send_task("math.add", (2, 3))
        bad = self.send_task("fail", ("ValueError", "it's \u00fc\u0308 bad"))
        good.get(timeout=PATIENCE), bad.get(timeout=PATIENCE, propagate=False)
        eventually(lambda: "task-succeeded" in watcher.of(good.id), "its end")
        eventually(lambda: "task-failed" in watcher.of(bad.id), "its end")
        self.assertEqual(watcher.of(good.id), ["task-received", "task-started", "task-succeeded"])
        by_type = {e["type"]: e for e in watcher.events if e.get("uuid") == good.id}
        self.assertEqual(by_type["task-received"]["name"], "math.add")
        self.assertEqual(by_type["task-received"]["args"], "(2, 3)")
        self.assertEqual(by_type["task-succeeded"]["result"], "5")
        self.assertGreaterEqual(by_type["task-succeeded"]["runtime"], 0)
        failed = [e for e in watcher.events if e.get("uuid") == bad.id][-1]
        self.assertEqual(failed["exception"], "ValueError(\"it's \u00fc\u0308 bad\")")
        state = self.app.events.State()
        for event in list(watcher.events):
            state.event(dict(event))
        self.assertEqual(state.tasks[good.id].state, "SUCCESS")
        self.assertEqual(state.tasks[bad.id].state, "FAILURE")
        self.assertTrue(state.workers[self.node].alive)

    def test_task_events_are_switched_on_and_off(self):
        watcher = self.watch()
        self.umbel()
        self.wait_mailbox()
        self.assertEqual(self.ask("disable_events"), {"ok": "task events already disabled"})
        silent = self.send_task("math.add", (1, 1))
        silent.get(timeout=PATIENCE)
        self.assertEqual(self.ask("enable_events"), {"ok": "task events enabled"})
        self.assertEqual(self.ask("enable_events"), {"ok": "task events already enabled"})
        many = [self.send_task("math.add", (i, 1)) for i in range(50)]
        for result in many:
            result.get(timeout=PATIENCE)
        eventually(lambda: all("task-succeeded" in watcher.of(result.id) for result in many), "their ends")
        self.assertEqual(self.ask("disable_events"), {"ok": "task events disabled"})
        self.assertEqual(watcher.of(silent.id), [])

    def test_a_revoked_task_is_told_of(self):
        watcher = self.watch()
        self.umbel("-E")
        self.wait_mailbox()
        task = self.send_task("sleep", (60,))
        self.wait_active(task.id)
        self.app.control.revoke(task.id, terminate=True)
        eventually(lambda: "task-revoked" in watcher.of(task.id), "its end")
        event = [e for e in watcher.events if e.get("uuid") == task.id][-1]
        self.assertEqual((event["terminated"], event["signum"], event["expired"]), (True, 15, False))


class Commands(Scene):
    """`umbel status, inspect, control, events`."""

    def test_status_says_who_is_there(self):
        self.umbel()
        self.wait_mailbox()
        answer = self.run_program("status")
        self.assertEqual(answer.code, 0, answer)
        self.assertIn(self.node + ": OK\n", answer.out)
        began = time.monotonic()
        answer = self.run_program("status", "--node", self.node, "--timeout", "20")
        self.assertEqual((answer.code, answer.out), (0, self.node + ": OK\n"))
        self.assertLess(time.monotonic() - began, 10)
        answer = self.run_program("status", "-n", "nobody@box", "-t", "0.3")
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("nobody@box has not answered within 0.3 s", answer.err)
        self.assertEqual(self.run_program("status", "--node", self.node, "--json").value, {self.node: {"ok": "pong"}})

    def test_inspect_shows_what_a_worker_says(self):
        self.umbel()
        self.wait_mailbox()
        self.assertEqual(self.run_program("inspect", "registered", "-d", self.node, "-j").value[self.node],
                         self.inspect().registered()[self.node])
        text = self.run_program("inspect", "stats", "-d", self.node)
        self.assertEqual(text.code, 0, text)
        self.assertRegex(text.out, "max-concurrency: 2")
        task = self.send_task("sleep", (20,))
        self.wait_active(task.id)
        found = self.run_program("inspect", "query_task", task.id, "-d", self.node, "-j")
        self.assertEqual(found.value[self.node][task.id][0], "active")

    def test_control_changes_a_worker(self):
        worker = self.umbel()
        self.wait_mailbox()
        answer = self.run_program("control", "pool_grow", "2", "-d", self.node)
        self.assertEqual((answer.code, answer.out), (0, self.node + ":\n    ok: pool will grow\n"))
        self.assertEqual(self.run_program("control", "time_limit", "math.add", "5", "-d", self.node).code, 0)
        answer = self.run_program("control", "time_limit", "nobody", "5", "-d", self.node)
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("unknown task", answer.out)
        task = self.send_task("sleep", (60,))
        self.wait_active(task.id)
        self.assertEqual(self.run_program("control", "terminate", "KILL", task.id, "-d", self.node).code, 0)
        self.assertEqual(self.result(task.id).code, 1)
        answer = self.run_program("control", "rate_limit", '{"task_name": "math.add", "rate_limit": "1/s"}', "-d", self.node)
        self.assertEqual(answer.code, 1, answer)
        self.assertEqual(self.run_program("control", "shutdown", "-d", self.node).code, 0)
        self.assertEqual(worker.wait(), 0)

    def test_events_are_printed_as_they_come(self):
        self.umbel("-E", "--heartbeat-interval", "0.5")
        self.wait_mailbox()
        watching = self.start("events", self.globals() + ["events"])
        watching.wait_for("%s worker-heartbeat .*active=0" % re.escape(self.node))
        task = self.send_task("math.add", (2, 3))
        watching.wait_for("task-succeeded uuid=%s result=5" % task.id)
        watching.signal(2)
        self.assertEqual(watching.wait(), 0)
        answer = self.run_program("events", "--seconds", "1.2", "--json")
        self.assertEqual(answer.code, 0, answer)
        kinds = {json.loads(line)["type"] for line in answer.out.splitlines()}
        self.assertIn("worker-heartbeat", kinds)

    def test_wrong_lines_are_refused(self):
        for line in (["inspect"], ["inspect", "nothing"], ["control", "pool_grow", "x"], ["control", "time_limit"],
                     ["inspect", "ping", "too", "much"], ["status", "-t", "x"], ["events", "--seconds"], ["status", "more"],
                     ["control", "pool_grow", "{1}"]):
            answer = self.run_program(*line)
            self.assertEqual(answer.code, 2, (line, answer))

    def test_a_broker_without_mailbox_says_so_in_one_sentence(self):
        for command in (["status"], ["inspect", "ping"], ["control", "shutdown"], ["events"]):
            answer = self.run_program(*command, broker="sqlite:" + self.path("a.db"))
            self.assertEqual(answer.code, 2, answer)
            self.assertEqual(answer.err, "umbel %s: remote control and events need a broker of amqp://; sqlite: has none "
                             "in this version\n" % command[0])

    def test_a_broker_that_is_away_is_an_error_in_time(self):
        answer = self.run_program("status", broker="amqp://guest:secret@127.0.0.1:1//")
        self.assertEqual(answer.code, 4, answer)
        self.assertIn("cannot be reached", answer.err)
        self.assertNotIn("secret", answer.err)


class Neighbours(Scene):
    limit = 240

    def python(self):
        node = "py-%s@box" % self.queue
        worker = self.start("python", [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-c", "1", "-Q",
                                       self.queue + "-py", "-n", node, "-l", "debug", "-E"], dict(PYTHONPATH=HERE))
        worker.wait_for(r"\bready\.", 60)
        return worker, node

    def live_together(self, seconds):
        umbel = self.umbel("-E")
        self.wait_mailbox()
        python, node = self.python()
        end, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            self.assertEqual(self.send_task("math.add", (rounds, 1)).get(timeout=PATIENCE), rounds + 1)
            self.assertEqual(self.app.send_task("py.add", (rounds, 2), queue=self.queue + "-py").get(timeout=PATIENCE), rounds + 2)
            replies = {}
            for reply in self.app.control.ping([self.node, node], timeout=3):
                replies.update(reply)
            self.assertEqual(replies, {self.node: {"ok": "pong"}, node: {"ok": "pong"}})
            rounds += 1
            time.sleep(0.5)
        shared = uuid.uuid4().hex
        self.app.control.revoke(shared)
        eventually(lambda: shared in self.inspect().revoked()[self.node], "it is known")
        umbel.stop()
        second = self.umbel("-E")
        python.wait_for(r"%s joined the party" % re.escape(self.node))
        self.assertTrue(python.running())
        self.assertNotIn("Traceback", python.said())
        self.assertNotIn("missed heartbeat from %s" % self.node, python.said())
        self.assertEqual(second.stop(), 0)
        python.wait_for(r"%s left" % re.escape(self.node))
        self.assertEqual(self.app.control.ping([node], timeout=3), [{node: {"ok": "pong"}}])

    def test_python_and_umbel_with_gossip_and_mingle_harm_nobody(self):
        self.live_together(float(os.environ.get("UMBEL_TEST_NEIGHBOURS", "15")))

    def test_a_python_worker_that_starts_later_learns_what_is_revoked(self):
        self.umbel()
        self.wait_mailbox()
        self.app.control.revoke("learned")
        eventually(lambda: "learned" in self.inspect().revoked()[self.node], "it is known")
        python, node = self.python()
        python.wait_for("mingle: sync complete|mingle: sync with")
        revoked = self.app.control.inspect([node], timeout=5).revoked()
        self.assertIn("learned", revoked[node])
