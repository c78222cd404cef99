"""A Python program with nothing but Celery and two URLs calls tasks that an Umbel worker runs."""
import datetime
import json
import math
import os
import time

import celery
from celery import Celery, chain, chord, group, signature
from celery.exceptions import NotRegistered, SoftTimeLimitExceeded, TimeoutError as WaitedTooLong
from kombu import Connection

from stage import OnCluster, PATIENCE, descendants, eventually, lines_of


class PythonClient(OnCluster):
    def setUp(self):
        super().setUp()
        self.app = Celery("caller", broker=self.broker, backend=self.backend)
        self.app.conf.accept_content = self.app.conf.result_accept_content = ["json", "msgpack"]
        self.addCleanup(self.app.close)

    def send_task(self, task, args=(), kwargs=None, **options):
        return self.app.send_task(task, args, kwargs, queue=self.queue, **options)

    def get(self, task, args=(), kwargs=None, **options):
        return self.send_task(task, args, kwargs, **options).get(timeout=PATIENCE)

    def test_the_two_line_call(self):
        self.worker(queue="celery")
        app = celery.Celery(broker=self.broker, backend=self.backend)
        self.addCleanup(app.close)
        self.assertEqual(app.send_task("math.add", (2, 3)).get(timeout=PATIENCE), 5)

    def local(self, name):
        """A task as Python's canvas wants it: it need not have the function, only the name."""
        def nothing(*args):
            raise NotImplementedError(args)
        return self.app.task(nothing, name=name)

    def test_map_starmap_and_chunks(self):
        self.worker()
        add, echo = self.local("math.add"), self.local("echo")
        for serializer in ("json", "msgpack"):
            with self.subTest(serializer=serializer):
                options = {"queue": self.queue, "serializer": serializer}
                self.assertEqual(echo.map([1, "two", [3]]).apply_async(**options).get(timeout=PATIENCE), [1, "two", [3]])
                self.assertEqual(add.starmap([(2, 3), (4, 5)]).apply_async(**options).get(timeout=PATIENCE), [5, 9])
                chunks = add.chunks([(i, i) for i in range(100)], 30).apply_async(**options)
                self.assertEqual(chunks.get(timeout=PATIENCE),
                                 [[2 * i for i in range(at, min(at + 30, 100))] for at in range(0, 100, 30)])

    def test_a_failing_call_fails_its_map_with_its_error(self):
        self.worker()
        result = self.local("math.add").starmap([(1, 2), (3, "x"), (5, 6)]).apply_async(queue=self.queue)
        with self.assertRaisesRegex(TypeError, "argument 2"):
            result.get(timeout=PATIENCE)
        self.assertIn("call 2 of 3: math.add(3, 'x')", result.traceback)

    def test_a_map_is_stopped_at_its_soft_limit(self):
        self.worker()
        result = self.local("sleep").map([0.3] * 100).apply_async(queue=self.queue, soft_time_limit=0.5)
        with self.assertRaises(SoftTimeLimitExceeded):
            result.get(timeout=PATIENCE)

    def test_values_of_every_type_and_size(self):
        self.worker()
        values = [None, True, False, 0, 1, -1, 2**31, -2**31, 2**63 - 1, -2**63, 0.5, -1e300, 1e-300, 5e-324,
                  "", "plain", "grüße \u4e16\u754c \U0001f33f", "a\0b", "\u2028", '"\\/\b\f\n\r\t', [], {}, [[]], [{}],
                  {"": 1}, {"a": {"b": {"c": [1, 2, {"d": None}]}}}, list(range(1000)),
                  {str(i): i for i in range(1000)}, "x" * (1 << 20), "\u00fc" * 100000]
        for serializer in ("json", "msgpack"):
            for value in values:
                with self.subTest(serializer=serializer, value=repr(value)[:50]):
                    self.assertEqual(self.get("echo", (value,), serializer=serializer), value)

    def test_nesting_to_the_limit_and_past_it(self):
        self.worker()

        def nest(depth):
            value = 1
            for _ in range(depth):
                value = [value]
            return value
        self.assertEqual(self.get("echo", (nest(20),)), nest(20))
        with self.assertRaises(Exception) as caught:
            self.get("echo", (nest(200),))
        self.assertIn("too deep", str(caught.exception))
        self.wait_parked(1)
        self.assertEqual(self.get("math.add", (2, 3)), 5)

    def test_nan_and_infinity_as_python_writes_them(self):
        self.worker()
        for serializer in ("json", "msgpack"):
            got = self.get("echo", ([math.nan, math.inf, -math.inf],), serializer=serializer)
            self.assertTrue(math.isnan(got[0]))
            self.assertEqual(got[1:], [math.inf, -math.inf])

    def test_integers_beyond_64_bits_fail_at_once_and_name_the_argument(self):
        self.worker()
        for value in (2**63, -2**63 - 1, 10**40):
            with self.assertRaises(ValueError) as caught:
                self.get("math.add", (1, value))
            self.assertIn("2", str(caught.exception), "the second argument is named")
        with self.assertRaises(ValueError) as caught:
            self.get("math.scale", (), {"value": 10**30})
        self.assertIn("value", str(caught.exception))

    def test_lone_surrogates_fail_at_once_and_name_the_argument(self):
        self.worker()
        with self.assertRaises(ValueError) as caught:
            self.get("type.text", (), {"value": "bad \ud800 text"})
        self.assertIn("value", str(caught.exception))
        self.assertEqual(self.get("type.text", ("\U0001f33f",)), "\U0001f33f")

    def test_bytes_travel_as_msgpack(self):
        self.worker("--result-serializer", "msgpack")
        self.app.conf.result_serializer = "msgpack"
        data = bytes(range(256))
        self.assertEqual(self.get("type.size", (data,), serializer="msgpack"), 256)
        self.assertEqual(self.get("echo", (data,), serializer="msgpack"), data)
        self.assertEqual(self.get("give.bytes", (3,), serializer="msgpack"), b"\0\1\2")
        with self.assertRaises(ValueError):
            self.get("fail", ("ValueError", "as msgpack"), serializer="msgpack")

    def test_bytes_in_json_take_kombus_typed_form(self):
        self.worker()
        typed = {"__type__": "base64", "__value__": "AAECAw=="}
        self.assertEqual(self.get("type.size", (typed,)), 4)
        self.assertEqual(self.get("type.size", ({"__type__": "bytes", "__value__": "abc"},)), 3)

    def test_named_arguments(self):
        self.worker()
        self.assertEqual(self.get("math.scale", (10,), {"factor": 3, "offset": 1}), 31)
        self.assertEqual(self.get("echo.all", (1, "a"), {"k": [1]}), [[1, "a"], {"k": [1]}])

    def test_a_failure_arrives_as_its_exception(self):
        self.worker()
        for name, kind in (("ValueError", ValueError), ("KeyError", KeyError), ("ZeroDivisionError", ZeroDivisionError)):
            with self.assertRaises(kind) as caught:
                self.get("fail", (name, "no good"))
            self.assertIn("no good", str(caught.exception))
        result = self.send_task("fail", ("mymodule.MyError", "own"))
        with self.assertRaises(Exception) as caught:
            result.get(timeout=PATIENCE)
        self.assertEqual(type(caught.exception).__name__, "MyError")
        self.assertEqual(result.state, "FAILURE")

    def test_an_unknown_task_is_not_registered(self):
        self.worker()
        with self.assertRaises(NotRegistered):
            self.get("no.such.task")
        self.wait_parked(1)

    def test_wrong_arguments_are_a_type_error(self):
        self.worker()
        for args, kwargs in (((1,), {}), ((1, 2, 3), {}), (("a", "b"), {}), ((1, 2), {"z": 3}), (([],), {"y": 1})):
            with self.assertRaises((TypeError, ValueError), msg=(args, kwargs)):
                self.get("math.add", args, kwargs)

    def test_an_ignored_result_is_not_stored(self):
        worker = self.worker()
        result = self.send_task("math.add", (2, 3), ignore_result=True)
        worker.wait_for(r"math\.add\[%s\].*succeeded" % result.id)
        self.assertIsNone(self.app.backend.client.get("celery-task-meta-" + result.id))

    def test_the_stored_map_is_celerys(self):
        self.worker()
        result = self.send_task("math.add", (2, 3))
        result.get(timeout=PATIENCE)
        stored = json.loads(self.app.backend.client.get("celery-task-meta-" + result.id))
        self.assertEqual(sorted(stored), ["children", "date_done", "result", "status", "task_id", "traceback"])
        self.assertEqual((stored["status"], stored["result"], stored["children"]), ("SUCCESS", 5, []))
        self.assertTrue(datetime.datetime.fromisoformat(stored["date_done"]))
        ttl = self.app.backend.client.ttl("celery-task-meta-" + result.id)
        self.assertTrue(86000 < ttl <= 86400, ttl)

    def test_the_state_is_seen_by_a_result_from_a_bare_id(self):
        self.worker()
        result = self.send_task("math.add", (2, 3))
        result.get(timeout=PATIENCE)
        again = self.app.AsyncResult(result.id)
        self.assertEqual((again.state, again.result), ("SUCCESS", 5))

    def test_progress_is_a_custom_state(self):
        self.worker()
        go_on = self.path("go")
        result = self.send_task("progress", (go_on,))
        eventually(lambda: result.state == "PROGRESS", "progress is seen")
        self.assertEqual(result.info, {"done": 3, "of": 7})
        open(go_on, "w").close()
        self.assertEqual(result.get(timeout=PATIENCE), "done")

    def test_a_task_that_began_is_started_when_the_worker_tracks_it(self):
        worker = self.worker("--track-started", "-c", "1", name="mill@here")
        go_on = self.path("go")
        for serializer in ("json", "msgpack"):
            result = self.send_task("trace.hold", (self.path("trace"), "held", go_on), serializer=serializer)
            eventually(lambda: result.state != "PENDING", "its beginning is seen")
            self.assertEqual((result.state, result.info["hostname"]), ("STARTED", "mill@here"))
            self.assertIn(result.info["pid"], descendants(worker.pid))
            open(go_on, "w").close()
            self.assertEqual(result.get(timeout=PATIENCE), "held")
            self.assertEqual(result.state, "SUCCESS")
            os.unlink(go_on)

    def test_nothing_is_told_of_a_beginning_that_nobody_tracks(self):
        worker = self.worker("-c", "1", "-E")
        go_on, trace = self.path("go"), self.path("trace")
        result = self.send_task("trace.hold", (trace, "held", go_on))
        eventually(lambda: lines_of(trace), "it runs")
        told = self.send_task("progress", (go_on,))  # what waits behind it does not begin either
        self.assertEqual((result.state, told.state), ("PENDING", "PENDING"))
        time.sleep(0.3)  # a worker tells of a beginning within 50 ms
        self.assertEqual(result.state, "PENDING")
        open(go_on, "w").close()
        self.assertEqual(result.get(timeout=PATIENCE), "held")
        self.assertTrue(worker.running())

    def test_what_expired_is_revoked_and_not_run(self):
        path = self.path("trace")
        self.send_task("math.add", (1, 1)).forget()
        result = self.send_task("trace", (path, "late"), expires=0.5)
        late = self.send_task("trace", (path, "in time"), expires=60)
        time.sleep(0.8)  # the time that the test is about
        self.worker()
        self.assertEqual(late.get(timeout=PATIENCE), "in time")
        self.assertNotIn("late", [line.split()[1] for line in lines_of(path)])
        self.assertIn(result.state, ("REVOKED", "PENDING"), "PENDING where the broker dropped it first")

    def test_a_countdown_is_kept_by_the_broker(self):
        self.worker()
        self.get("math.add", (1, 1))
        began = time.monotonic()
        self.assertEqual(self.get("math.add", (2, 3), countdown=2), 5)
        took = time.monotonic() - began
        self.assertTrue(1.5 <= took < 8, took)

    def test_a_countdown_survives_the_worker(self):
        first = self.worker()
        result = self.send_task("math.add", (2, 3), countdown=3)
        time.sleep(0.5)  # the first worker has sent it on by then, or not: both must do
        first.kill()
        self.worker()
        self.assertEqual(result.get(timeout=PATIENCE), 5)

    def test_an_eta_in_the_past_runs_at_once(self):
        self.worker()
        eta = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        self.assertEqual(self.get("math.add", (2, 3), eta=eta), 5)

    def test_a_retry_is_seen_and_ends(self):
        self.worker()
        self.assertEqual(self.get("retry", (self.path("retry"), 2, 0.1)), 2)

    def test_time_limits_of_the_call(self):
        self.worker()
        with self.assertRaises(Exception) as caught:
            self.get("sleep", (30,), time_limit=0.5)
        self.assertEqual(type(caught.exception).__name__, "TimeLimitExceeded")
        self.assertEqual(self.get("sleep.polite", (30,), soft_time_limit=0.5), "interrupted")

    def test_a_crash_is_a_worker_lost_error(self):
        self.worker()
        with self.assertRaises(Exception) as caught:
            self.get("crash.signal", (11,))
        self.assertEqual(type(caught.exception).__name__, "WorkerLostError")
        self.assertIn("SIGSEGV", str(caught.exception))

    def test_protocol_v1_is_understood(self):
        self.worker()
        self.app.conf.task_protocol = 1
        self.assertEqual(self.get("math.add", (2, 3)), 5)
        self.assertEqual(self.get("math.scale", (10,), {"factor": 3}), 30)
        with self.assertRaises(ValueError):
            self.get("fail", ("ValueError", "v1"))
        with self.assertRaises(NotRegistered):
            self.get("no.such.task")

    def test_protocol_v1_with_a_countdown(self):
        self.worker()
        self.app.conf.task_protocol = 1
        began = time.monotonic()
        self.assertEqual(self.get("math.add", (2, 3), countdown=2), 5)
        self.assertGreater(time.monotonic() - began, 1)

    def test_bodies_compressed_by_zlib_are_read(self):
        self.worker()
        for compression in ("gzip", "zlib"):
            for serializer in ("json", "msgpack"):
                for value in ("", "x" * 1000000, ["gr\u00fc\u00dfe", {"a": [1, None]}]):
                    self.assertEqual(self.get("echo", (value,), compression=compression, serializer=serializer), value)
        self.app.conf.task_compression = "gzip"
        self.assertEqual(self.get("math.add", (2, 3)), 5)
        self.assertEqual(self.get("retry", (self.path("again"), 2, 0.1)), 2, "its copies can be read too")
        self.app.conf.task_protocol = 1
        self.assertEqual(self.get("math.add", (2, 3)), 5)

    def test_bodies_compressed_in_other_ways_are_refused_by_name_and_parked(self):
        self.worker()
        for compression in ("bzip2", "lzma"):
            with self.assertRaises(Exception) as caught:
                self.get("echo", ("x" * 10000,), compression=compression)
            self.assertIn("compressed", str(caught.exception))
        self.wait_parked(2)

    def test_many_at_once(self):
        self.worker()
        results = [self.send_task("math.add", (i, i)) for i in range(300)]
        self.assertEqual([r.get(timeout=PATIENCE) for r in results], [2 * i for i in range(300)])

    def test_a_group_is_many_tasks(self):
        self.worker()
        job = group(signature("math.add", (i, 1), queue=self.queue, app=self.app) for i in range(10))
        self.assertEqual(job.apply_async().get(timeout=PATIENCE), list(range(1, 11)))

    def refused(self, result, word):
        with self.assertRaises(NotImplementedError) as caught:
            result.get(timeout=PATIENCE)
        self.assertIn(word, str(caught.exception))
        self.wait_parked(1)

    def test_a_link_is_refused_by_name_and_parked(self):
        self.worker()
        path = self.path("trace")
        after = signature("math.add", (1,), queue=self.queue, app=self.app)
        self.refused(self.send_task("trace", (path, "x"), link=after), "callbacks")
        self.assertEqual(lines_of(path), [], "it was not run")

    def test_an_errback_is_refused_by_name_and_parked(self):
        self.worker()
        after = signature("math.add", (1,), queue=self.queue, app=self.app)
        self.refused(self.send_task("math.add", (1, 2), link_error=after), "errbacks")

    def test_a_chain_is_refused_by_name_and_parked(self):
        self.worker()
        steps = chain(*(signature("math.add", args, queue=self.queue, app=self.app) for args in ((1, 2), (3,))))
        last = steps.apply_async()
        self.refused(last.parent, "chain")

    def test_a_chord_is_refused_by_name_and_parked(self):
        self.worker()
        head = [signature("math.add", (i, 1), queue=self.queue, app=self.app) for i in range(2)]
        body = signature("math.total", (), queue=self.queue, app=self.app)
        result = chord(head, body, app=self.app).apply_async()
        with self.assertRaises(NotImplementedError) as caught:
            result.parent.results[0].get(timeout=PATIENCE)
        self.assertIn("chord", str(caught.exception))
        self.wait_parked(2)

    def publish(self, body, content_type, encoding, headers, **properties):
        with Connection(self.broker) as connection:
            connection.Producer().publish(body, routing_key=self.queue, content_type=content_type,
                                          content_encoding=encoding, headers=headers, serializer=None, **properties)

    def test_bad_messages_are_parked_with_their_reason_and_stop_nobody(self):
        self.worker()
        bad = [(b"[[1, 2], {}, {", "application/json", "utf-8", {"task": "math.add", "id": "bad-1"}),
               (b"\xff\xff", "application/x-msgpack", "binary", {"task": "math.add", "id": "bad-2"}),
               (b"\x80\x04.", "application/x-python-serialize", "binary", {"task": "math.add", "id": "bad-3"}),
               (b"hello", "text/plain", "utf-8", {}),
               (b"[" * 10000, "application/json", "utf-8", {"task": "math.add", "id": "bad-4"}),
               (b'{"no": "task"}', "application/json", "utf-8", {}),
               (b"[1, 2]", "application/json", "utf-8", {"task": "math.add", "id": "bad-5"})]
        for message in bad:
            self.publish(*message)
        self.assertEqual(self.get("math.add", (2, 3)), 5)
        parked = self.wait_parked(len(bad))
        for headers in parked:
            self.assertTrue(any("umbel" in key.lower() or "reason" in key.lower() for key in headers), headers)
        for task_id in ("bad-1", "bad-2", "bad-3", "bad-4", "bad-5"):
            self.assertEqual(self.app.AsyncResult(task_id).state, "FAILURE", task_id)

    def test_waiting_for_nobody_ends(self):
        result = self.send_task("math.add", (2, 3))
        with self.assertRaises(WaitedTooLong):
            result.get(timeout=0.3)
