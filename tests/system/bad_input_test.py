"""Bad input against a living worker (P7): nothing crashes, memory stays bounded, everything ends parked with its reason,
and the next good task runs. Messages are published as raw bytes, as somebody would who means harm."""
import json
import random
import struct
import zlib

from stage import BUILD, OnCluster, descendants, eventually

JSON, MSGPACK = "application/json", "application/x-msgpack"
PARENT_MEMORY, CHILD_MEMORY = 600, 800  # MiB; bodies of 64 MiB and arenas of 512 MiB are within the limits
IS_MEASURED = "asan" not in BUILD  # a sanitizer's own memory says nothing

# ---- AMQP's own types, as bytes


def short(text):
    return bytes([len(text)]) + text


def long(kind, data):
    return kind + struct.pack(">I", len(data)) + data


def text(value):
    return long(b"S", value.encode() if isinstance(value, str) else value)


def table(*pairs):
    return b"".join(short(name.encode() if isinstance(name, str) else name) + value for name, value in pairs)


def nested(depth):
    """Tables in tables, as field values."""
    inside = b"V"
    for _ in range(depth):
        inside = long(b"F", table(("a", inside)))
    return inside


def arrays(depth):
    inside = b"V"
    for _ in range(depth):
        inside = long(b"A", inside)
    return inside


def raw_message(body, content_type, headers, encoding=None):
    """A message whose properties are these bytes."""
    import amqp
    flags = (1 << 15 if content_type is not None else 0) | (1 << 14 if encoding else 0) | (1 << 13) | (1 << 12)
    properties = struct.pack(">H", flags)
    for property in (content_type, encoding):
        properties += short(property.encode()) if property is not None else b""
    properties += struct.pack(">I", len(headers)) + headers + b"\x01"
    message = amqp.Message(body)
    message._serialize_properties = lambda: properties
    return message


# ---- bodies: (name, content type, body, reason)

GOOD = b"[[1, 2], {}, {}]"


def bodies():
    rng = random.Random(17)
    yield "json truncated", JSON, GOOD[:-4]
    yield "json deep", JSON, b"[" * 10000 + b"]" * 10000
    yield "json deep maps", JSON, b'{"a":' * 10000 + b"1" + b"}" * 10000
    yield "json two values", JSON, GOOD + GOOD
    yield "json no list", JSON, b'{"args": [1, 2]}'
    yield "json args no list", JSON, b'["ab", {}, {}]'
    yield "json kwargs no map", JSON, b"[[1, 2], [], {}]"
    yield "json one element", JSON, b"[[1, 2]]"
    yield "json empty", JSON, b""
    yield "json control bytes", JSON, b'[["\x00\x01"], {}, {}]'
    yield "json many brackets unclosed", JSON, b"[[" + b"[]," * 300000
    yield "msgpack truncated", MSGPACK, b"\x93\x92\x01\x02\x80"
    yield "msgpack deep", MSGPACK, b"\x91" * 10000 + b"\xc0"
    yield "msgpack deep maps", MSGPACK, b"\x81\xa1a" * 10000 + b"\xc0"
    yield "msgpack array of 4 billion", MSGPACK, b"\xdd\xff\xff\xff\xff\x01"
    yield "msgpack map of 4 billion", MSGPACK, b"\xdf\xff\xff\xff\xff\xa1a\x01"
    yield "msgpack text of 4 GiB", MSGPACK, b"\xdb\xff\xff\xff\xffabc"
    yield "msgpack bytes of 4 GiB", MSGPACK, b"\xc6\xff\xff\xff\xffabc"
    yield "msgpack extension of 4 GiB", MSGPACK, b"\xc9\xff\xff\xff\xff\x01abc"
    yield "msgpack count too high within", MSGPACK, b"\x93\xdc\x00\x09\x01\x02\x80\x80"
    yield "msgpack never used byte", MSGPACK, b"\xc1"
    yield "msgpack rest behind", MSGPACK, b"\x93\x92\x01\x02\x80\x80\x80"
    yield "msgpack empty", MSGPACK, b""
    yield "msgpack numbers as keys", MSGPACK, b"\x93\x92\x01\x02\x81\x01\x02\x80"
    yield "msgpack 30 million nils", MSGPACK, b"\xdd" + struct.pack(">I", 30000000) + b"\xc0" * 30000000
    yield "json 10 million values", JSON, b"[[" + b"1," * 10000000 + b"1]]"
    for i in range(40):
        noise = rng.randbytes(rng.randrange(1, 2000))
        yield "json random %d" % i, JSON, noise
        yield "msgpack random %d" % i, MSGPACK, b"\xdd" + noise  # a count that lies


class BadInput(OnCluster):
    modules = ("math", "values")
    limit = 180

    def setUp(self):
        import amqp
        import redis
        super().setUp()
        self.expected = {}  # name: why it is parked
        self.stored = []  # ids that have FAILURE
        host = self.broker.split("@")[1].split("/")[0]
        self.connection = amqp.Connection(host, confirm_publish=True)
        self.connection.connect()
        self.addCleanup(self.connection.close)
        self.channel = self.connection.channel()
        self.redis = redis.Redis.from_url(self.backend)
        self.addCleanup(self.redis.close)
        self.it = self.worker("-c", "2")
        self.assertEqual(self.value("math.add", (1, 1)), 2)
        self.below = sorted(descendants(self.it.pid))

    def send_raw(self, name, reason, body, content_type, *headers, encoding=None, stored=None):
        """Publishes, and says what is to become of it: parked for this reason, and FAILURE under `stored`."""
        headers = table(("x-case", text(name)), *headers)
        self.channel.basic_publish(raw_message(body, content_type, headers, encoding), routing_key=self.queue)
        self.expected[name] = reason
        if stored:
            self.stored.append(stored)

    def send_body(self, name, reason, content_type, body, *headers, **more):
        task_id = "bad-%s-%d" % (self.queue, len(self.expected))
        self.send_raw(name, reason, body, content_type, ("task", text("math.add")), ("id", text(task_id)), *headers,
                      stored=task_id, **more)

    def parked_count(self):
        import amqp
        channel = self.connection.channel()
        try:
            count = channel.queue_declare(self.queue + ".dead", passive=True).message_count
            channel.close()
            return count
        except amqp.NotFound:
            return 0

    def peak(self, pid):
        with open("/proc/%d/status" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024

    def check_parked(self):
        eventually(lambda: self.parked_count() >= len(self.expected), "%d messages are parked" % len(self.expected), 60)
        found = {}
        while len(found) < len(self.expected):
            message = self.channel.basic_get(self.queue + ".dead", no_ack=True)
            if not message:
                break
            headers = message.headers
            self.assertTrue(headers.get("umbel-error"), headers)
            found[headers.get("x-case")] = headers.get("umbel-reason")
        self.maxDiff = None
        self.assertEqual(found, self.expected)

    def check_stored(self):
        for task_id in self.stored:
            meta = self.redis.get("celery-task-meta-" + task_id)
            self.assertIsNotNone(meta, task_id)
            self.assertEqual(json.loads(meta)["status"], "FAILURE", meta)

    def check_unharmed(self):
        self.assertEqual(self.value("math.add", (2, 3)), 5)
        self.assertTrue(self.it.running())
        self.assertEqual(sorted(descendants(self.it.pid)), self.below, "no child has died of it")
        if IS_MEASURED:
            self.assertLess(self.peak(self.it.pid), PARENT_MEMORY)
            for pid in self.below:
                self.assertLess(self.peak(pid), CHILD_MEMORY)

    def check(self):
        self.check_parked()
        self.check_stored()
        self.check_unharmed()

    def test_bodies_that_lie(self):
        for name, content_type, body in bodies():
            self.send_body(name, "bad-body", content_type, body)
        self.check()

    def test_bodies_over_the_limit(self):
        size = (64 << 20) + 1
        self.send_body("json oversized", "bad-body", JSON, b'[["' + b"x" * size + b'"], {}, {}]')
        self.send_body("msgpack oversized", "bad-body", MSGPACK,
                       b"\x93\x91\xdb" + struct.pack(">I", size) + b"x" * size + b"\x80\x80")
        self.check()

    def test_arguments_that_are_no_text_fail_their_task_alone(self):
        answer = self.redis.get
        for name, content_type, body in (("json", JSON, b'[["\xff\xfe"], {}, {}]'), ("msgpack", MSGPACK, b"\x93\x91\xa2\xff\xfe\x80\x80")):
            task_id = "text-%s-%s" % (self.queue, name)
            self.channel.basic_publish(raw_message(body, content_type, table(("task", text("math.add")), ("id", text(task_id)))),
                                       routing_key=self.queue)
            meta = json.loads(eventually(lambda: answer("celery-task-meta-" + task_id), "it fails"))
            self.assertEqual((meta["status"], meta["result"]["exc_type"]), ("FAILURE", "ValueError"))
        self.check()

    def test_contents_that_are_refused(self):
        self.send_body("pickle", "bad-body", "application/x-python-serialize", b"\x80\x04]\x94.", encoding="binary")
        self.send_body("yaml", "bad-body", "application/x-yaml", b"- 1")
        self.send_body("no content type", "bad-body", None, GOOD)
        self.send_body("content type of 255 bytes", "bad-body", "x" * 255, GOOD)
        self.send_body("an unknown encoding", "bad-body", JSON, GOOD, encoding="utf-7")
        self.send_body("an unknown compression", "bad-body", JSON, GOOD, ("compression", text("application/x-brotli")))
        self.check()

    def test_compressed_bodies_that_lie(self):
        packed = zlib.compress(GOOD)
        bomb = zlib.compressobj(9)
        bomb = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(600)) + bomb.flush()  # 600 MiB out of 600 KiB
        for name, body in (("no zlib", GOOD), ("empty", b""), ("cut off", packed[:-3]), ("damaged", packed[:8] + b"\xff" + packed[9:]),
                           ("no json in it", zlib.compress(b"[[1, 2")), ("a bomb", bomb), ("a bomb in a bomb", zlib.compress(bomb))):
            self.send_body("compressed: " + name, "bad-body", JSON, body, ("compression", text("application/x-gzip")))
        self.check()

    def test_headers_of_impossible_kinds(self):
        odd = {"id": (b"t\x01", long(b"F", b""), long(b"A", b"")), "task": (struct.pack(">cI", b"I", 7), long(b"F", b"")),
               "retries": (text("many"), nested(3)), "timelimit": (text("soon"), long(b"A", text("x") + text("y"))),
               "eta": (struct.pack(">cd", b"d", 1.5), long(b"A", b"")), "expires": (b"t\x01",),
               "group_index": (text("x"),), "umbel-deaths": (text("-1"),), "ignore_result": (text("perhaps"),)}
        for field, values in odd.items():
            for i, value in enumerate(values):
                headers = {"task": text("math.add"), "id": text("odd-%s-%s-%d" % (self.queue, field, i)), field: value}
                self.send_raw("%s %d" % (field, i), "garbled", GOOD, JSON, *headers.items(),
                              stored="odd-%s-%s-%d" % (self.queue, field, i) if field != "id" else None)
        self.check()

    def test_headers_that_are_deep_large_or_no_text(self):
        named = ("task", text("math.add"))
        self.send_raw("tables 10,000 deep", "garbled", GOOD, JSON, named, ("id", text("h1" + self.queue)), ("deep", nested(10000)),
                      stored="h1" + self.queue)
        self.send_raw("arrays 10,000 deep", "garbled", GOOD, JSON, named, ("id", text("h2" + self.queue)), ("deep", arrays(10000)),
                      stored="h2" + self.queue)
        self.send_raw("no text in the task", "garbled", GOOD, JSON, ("task", text(b"\xff\xfe\x00")),
                      ("id", text("h3" + self.queue)), stored="h3" + self.queue)
        self.send_raw("no text in the id", "garbled", GOOD, JSON, named, ("id", text(b"\xff\xfe")))
        self.send_raw("a task of 60,000 bytes", "not-registered", GOOD, JSON, ("task", text("x" * 60000)),
                      ("id", text("h4" + self.queue)), stored="h4" + self.queue)
        self.send_raw("an id of 60,000 bytes", "bad-body", b"[", JSON, named, ("id", text("i" * 60000)))
        self.send_raw("a name of 255 bytes", "bad-body", b"[", JSON, named, ("id", text("h5" + self.queue)), ("n" * 255, b"V"),
                      stored="h5" + self.queue)
        self.send_raw("20,000 headers", "bad-body", b"[", JSON, named, ("id", text("h6" + self.queue)),
                      *(("k", b"V") for _ in range(20000)), stored="h6" + self.queue)
        self.send_raw("dates that are none", "bad-header", GOOD, JSON, named, ("id", text("h7" + self.queue)),
                      ("eta", text("tomorrow")), stored="h7" + self.queue)
        self.check()

    def test_messages_that_name_no_task_or_id(self):
        self.send_raw("no id", "no-id", GOOD, JSON, ("task", text("math.add")))
        self.send_raw("an empty id", "no-id", GOOD, JSON, ("task", text("math.add")), ("id", text("")))
        self.send_raw("an unknown task", "not-registered", GOOD, JSON, ("task", text("no.such")),
                      ("id", text("n1" + self.queue)), stored="n1" + self.queue)
        for name, body in (("empty", b""), ("text", b"hello"), ("a list", GOOD), ("no task", b'{"id": "1"}'),
                           ("a number for a task", b'{"task": 7, "id": "1", "args": []}'),
                           ("no id", b'{"task": "math.add", "args": [1, 2]}'),
                           ("args no list", b'{"task": "math.add", "id": "1", "args": "12"}'),
                           ("kwargs no map", b'{"task": "math.add", "id": "1", "args": [1, 2], "kwargs": 7}'),
                           ("deep", b'{"task": "math.add", "id": "1", "args": ' + b"[" * 10000 + b"]" * 10000 + b"}"),
                           ("cut off", b'{"task": "math.add", "id": "1", "args": [1')):
            self.send_raw("version 1: " + name, "bad-body", body, JSON)
        self.check()

    def test_a_worker_with_one_child_takes_them_all_too(self):
        self.it.stop()
        self.it = self.worker("-c", "1", "-P", "solo")
        self.below = sorted(descendants(self.it.pid))
        for name, content_type, body in list(bodies())[:24]:
            self.send_body(name, "bad-body", content_type, body)
        self.check()
