"""What a case of faults plays on: a broker and a backend it may kill, workers, and a client that writes the history."""
import collections
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid

import amqp

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import servers  # noqa: E402
import stage  # noqa: E402
from relay import Relay  # noqa: E402
from stage import alive, descendants, eventually  # noqa: E402,F401

PARENT_MEMORY = 200  # MiB that no worker's parent needs in any case


class Scene:
    """One case: a queue and a history of its own on servers that are shared by the cases of a run."""

    def __init__(self, stand, seed, build, deadline_at_most=1000.0):
        self.stand, self.build, self.deadline_at_most = stand, build, deadline_at_most
        self.random = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="umbel-fault-")
        self.queue = "f-" + uuid.uuid4().hex[:10]
        self.history = os.path.join(self.folder, "history")
        open(self.history, "w").close()
        self.processes, self.relays, self.problems = [], [], []
        self.workers_started = 0
        self.seen, self.offset = collections.defaultdict(list), 0
        self.recovery = None  # seconds, of the last recovery that was awaited

    # ---- the players
    def worker(self, *options, broker=None, backend=None, concurrency=4, ready=True, pool="prefork"):
        self.workers_started += 1
        name = "worker%d" % self.workers_started
        modules = os.path.join(self.build, "modules")
        argv = [os.path.join(self.build, "umbel")]
        for module in ("fault", "crash", "throw"):
            argv += ["-A", os.path.join(modules, module + ".so")]
        argv += ["-b", broker or self.stand.amqp, "--result-backend", backend or self.stand.redis, "worker", "-Q", self.queue,
                 "-P", pool, "-c", str(concurrency), "-n", "%s-%s@%%h" % (name, self.queue), "-l", "info", *options]
        process = self.start(name, argv)
        if ready:
            process.wait_for(r"\bready\b")
        return process

    def client(self, count, task="fault.step", milliseconds=0, per_second=0, deadline=30.0, broker=None, backend=None):
        argv = [os.path.join(self.build, "programs", "history"), broker or self.stand.amqp, backend or self.stand.redis,
                self.queue, self.history, str(count), task, str(milliseconds), str(per_second),
                str(min(deadline, self.deadline_at_most))]
        return self.start("client%d" % len(self.processes), argv)

    def start(self, name, argv):
        process = stage.Process(self, name, argv)
        self.processes.append(process)
        return process

    def relay(self, url):
        relay = Relay(url)
        self.relays.append(relay)
        return relay

    # ---- what can be seen
    def lines(self, word):
        """Every line of the history so far that begins with this word, split."""
        with open(self.history, "rb") as f:
            f.seek(self.offset)
            new = f.read()
        new = new[:new.rfind(b"\n") + 1]
        self.offset += len(new)
        for line in new.decode().splitlines():
            fields = line.split()
            self.seen[fields[0]].append(fields)
        return self.seen[word]

    def wait_lines(self, word, count, seconds=60):
        eventually(lambda: len(self.lines(word)) >= count, "%d lines of %r in the history" % (count, word), seconds)

    def wait_recovery(self, word, since, seconds=10):
        """P5: something of this kind happens again within 10 s of `since`, when the other side was back."""
        eventually(lambda: self.lines(word) and float(self.lines(word)[-1][2]) > since,
                   "P5: a line of %r within %g s of the recovery" % (word, seconds), seconds)
        self.recovery = min(float(line[2]) for line in self.lines(word) if float(line[2]) > since) - since

    def running_child(self):
        """The process id of the child that wrote last."""
        return int(self.lines("start")[-1][-1])

    def call(self, task, arguments="[]", timeout=40):
        """`umbel call --wait` in the background; see expect_failure."""
        argv = [os.path.join(self.build, "umbel"), "-b", self.stand.amqp, "--result-backend", self.stand.redis, "call", task,
                arguments, "-Q", self.queue, "--wait", "--timeout", str(timeout)]
        return self.start("call%d-%s" % (len(self.processes), task), argv)

    def expect_failure(self, call, *words):
        code = call.wait(60)
        if code != 1 or not all(word in call.said() for word in words):
            self.problems.append("%s: exit %s, not %s: %s" % (call.name, code, " ".join(words), call.said()[-400:]))

    def finish(self, client, seconds=120):
        code = client.wait(seconds)
        if code:
            self.problems.append("the client ended with %s: %s" % (code, client.said()[-400:]))

    def stored(self):
        """{id: (status, value or exception type)} of every call of this history."""
        ids = [line[1] for line in self.lines("submit")]
        found = {}
        for start in range(0, len(ids), 500):
            chunk = ids[start:start + 500]
            for call_id, text in zip(chunk, mget(self.stand.redis_server.port, ["celery-task-meta-" + i for i in chunk])):
                if text is not None:
                    meta = json.loads(text)
                    value = meta["result"]
                    found[call_id] = (meta["status"], value["exc_type"] if isinstance(value, dict) else str(value))
        return found

    def bounded(self, worker, concurrency=4):
        """P6: a worker that came through has its children, and not more descriptors than it needs."""
        if not worker.running():
            self.problems.append("%s ended with %s" % (worker.name, worker.popen.returncode))
            return
        below = [pid for pid in descendants(worker.pid) if alive(pid)]
        if len(below) > concurrency + 1:
            self.problems.append("%s has %d processes below it" % (worker.name, len(below)))
        with open("/proc/%d/status" % worker.pid) as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
        if peak > PARENT_MEMORY:
            self.problems.append("%s has used %.0f MiB" % (worker.name, peak))
        files = len(os.listdir("/proc/%d/fd" % worker.pid))
        if files > 24 + 6 * concurrency:
            self.problems.append("%s has %d descriptors open" % (worker.name, files))

    def settle(self, parked=0):
        """Every worker stops when it is asked to, and then the queue is empty: nothing was left unacknowledged.

        A stop may hand copies back of what has run, which nobody waits for any more: one more worker sees to them."""
        self.stop_workers()
        if self.messages(self.queue):
            self.worker()
            eventually(lambda: self.messages(self.queue) == 0, "another worker empties the queue", 30)
            self.stop_workers()
        left, dead = self.messages(self.queue), self.messages(self.queue + ".dead")
        if left or dead != parked:
            self.problems.append("%d messages are left in the queue, %d are parked, not %d" % (left, dead, parked))

    def stop_workers(self):
        for process in self.processes:
            if process.name.startswith("worker") and process.running():
                code = process.stop(30)
                if code:
                    self.problems.append("%s, asked to stop, ended with %s" % (process.name, code))

    def alarm(self, on):
        """Sets or ends RabbitMQ's memory alarm; answers when that was, which may be long before rabbitmqctl ends."""
        rabbit, words = self.stand.rabbit, "alarm set on node" if on else "alarm cleared on node"
        before = rabbit.logged(words)
        tool = threading.Thread(target=rabbit.ctl, args=("set_vm_memory_high_watermark", "0.00001" if on else "0.4"))
        tool.start()
        try:
            eventually(lambda: rabbit.logged(words) > before, "RabbitMQ says: " + words, 60)
            return time.monotonic()
        finally:
            tool.join()

    def delete_queue(self):
        with amqp.Connection("127.0.0.1:%d" % self.stand.rabbit.port, connect_timeout=20) as connection:
            connection.channel().queue_delete(self.queue)

    def messages(self, queue):
        """How many messages wait in a queue; 0 when there is none."""
        with amqp.Connection("127.0.0.1:%d" % self.stand.rabbit.port, connect_timeout=20) as connection:
            channel = connection.channel()
            try:
                return channel.queue_declare(queue, passive=True).message_count
            except amqp.NotFound:
                return 0

    def end(self):
        for process in reversed(self.processes):
            if process.running() and process.name.startswith("worker"):
                process.signal(signal.SIGCONT)
            try:
                process.end()
            except AssertionError as problem:
                self.problems.append(str(problem))
        for relay in self.relays:
            relay.close()

    def forget(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def mget(port, keys):
    """Redis' MGET without a client library."""
    if not keys:
        return []
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        parts = [b"MGET"] + [k.encode() for k in keys]
        s.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        f = s.makefile("rb")
        count = int(f.readline()[1:])
        values = []
        for _ in range(count):
            size = int(f.readline()[1:])
            values.append(f.read(size + 2)[:-2] if size >= 0 else None)
        return values


class Deaf:
    """A server that accepts and never answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.kept = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.kept.append(self.listener.accept()[0])
            except OSError:
                return

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def close(self):
        self.listener.close()
        for s in self.kept:
            s.close()
