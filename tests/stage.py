"""What system and interop tests stand on: a folder, a broker, a backend, processes, and waiting with an end.

A case gets a queue of its own and a folder of its own. Every process it starts writes there, temporary files too, is ended when
the test is over, and must have left no child behind. When a test fails, what its processes said is part of the report.
"""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest
import uuid

import servers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("UMBEL_BUILD", os.path.join(ROOT, "build", "release")))
PROGRAM = os.path.join(BUILD, "umbel")

# Generous: they end a test that hangs, they are no measure of speed. A slow machine multiplies them.
PATIENCE = float(os.environ.get("UMBEL_TEST_PATIENCE", "20"))


def module(name):
    return os.path.join(BUILD, "modules", name + ".so")


def eventually(condition, why, seconds=PATIENCE):
    """Waits until condition() is true and answers what it answered."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (seconds, why))
        time.sleep(0.02)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    """Every living process below this one."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] not in "ZX":
                parents.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def lines_of(path):
    try:
        with open(path) as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


class Process:
    """A program under test. Its standard output and error are one file."""

    def __init__(self, case, name, argv, env=None):
        self.name, self.argv = name, argv
        self.log = os.path.join(case.folder, "%s.log" % name)
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(argv, env={**os.environ, "TMPDIR": case.folder, **(env or {})}, cwd=case.folder,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                          preexec_fn=servers.die_with_parent, start_new_session=True)
        self.pid = self.popen.pid

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def running(self):
        return self.popen.poll() is None

    def wait_for(self, pattern, seconds=PATIENCE, count=1):
        """Waits until the pattern was said (`count` times); answers the last match."""
        def found():
            matches = list(re.finditer(pattern, self.said(), re.M))
            if len(matches) >= count:
                return matches[-1]
            if not self.running() and len(list(re.finditer(pattern, self.said(), re.M))) < count:
                raise AssertionError("%s ended (%s) before it said %r" % (self.name, self.popen.returncode, pattern))
            return None
        return eventually(found, "%s says %r" % (self.name, pattern), seconds)

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=PATIENCE):
        """Waits for its end and answers its exit code (negative: a signal)."""
        return self.popen.wait(seconds)

    def stop(self, seconds=PATIENCE):
        """Asks it to end, as an operator does, and answers its exit code."""
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        below = descendants(self.pid)
        if self.running():
            self.popen.kill()
        self.popen.wait(PATIENCE)
        return below

    def end(self):
        """The clean-up of a test: nothing survives it."""
        below = self.kill()
        try:
            eventually(lambda: not any(alive(pid) for pid in below), "children of %s end with it" % self.name, 5)
        except AssertionError:
            for pid in below:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
            raise


class Answer:
    """What a command of `umbel` answered."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def value(self):
        return json.loads(self.out)

    def __repr__(self):
        return "exit %d\n--- out\n%s--- err\n%s" % (self.code, self.out, self.err)


class Case(unittest.TestCase):
    """One test: a folder, a queue, and what was started."""
    modules = ("math", "values", "life", "crash")
    limit = 90  # seconds for one test, enforced by run.py

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="umbel-case-")
        self.queue = "t-" + uuid.uuid4().hex[:12]
        self.processes = []
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.end_processes)
        self.broker, self.backend = self.urls()

    def urls(self):
        raise NotImplementedError

    def end_processes(self):
        for process in reversed(self.processes):
            process.end()

    def report(self):
        """What the processes said; for a failure."""
        parts = []
        for process in self.processes:
            parts.append("--- %s: %s\n%s" % (process.name, " ".join(process.argv), process.said()[-6000:]))
        return "\n".join(parts)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, name, argv, env=None):
        process = Process(self, name, argv, env)
        self.processes.append(process)
        return process

    def globals(self, modules=(), broker=None, backend=None):
        argv = [PROGRAM]
        for name in modules:
            argv += ["-A", name if "/" in name else module(name)]
        argv += ["-b", broker or self.broker]
        if backend or self.backend:
            argv += ["--result-backend", backend or self.backend]
        return argv

    def worker(self, *options, name=None, ready=True, modules=None, env=None, queue=None, **urls):
        """Starts a worker on this test's queue; waits until it consumes."""
        number = sum(p.name.startswith("worker") for p in self.processes) + 1
        options = list(options)
        if "-c" not in options and "solo" not in options:
            options += ["-c", "2"]
        argv = self.globals(self.modules if modules is None else modules, **urls)
        argv += ["worker", "-Q", queue or self.queue, "-n", name or "w%d-%s@%%h" % (number, self.queue), "-l", "info"]
        process = self.start("worker%d" % number, argv + options, env)
        if ready:
            process.wait_for(r"\bready\b")
        return process

    def run_program(self, *arguments, seconds=PATIENCE, env=None, **urls):
        done = subprocess.run(self.globals(**urls) + list(arguments), env=dict(os.environ, **(env or {})),
                              cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=seconds + 10)
        return Answer(done)

    def bare(self, *arguments, env=None):
        """The program without any global option; only the environment given here speaks."""
        outer = {key: value for key, value in os.environ.items() if not key.startswith("UMBEL_")}
        done = subprocess.run([PROGRAM] + list(arguments), env=dict(outer, **(env or {})), cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE)
        return Answer(done)

    def call(self, task, arguments=(), *options, wait=PATIENCE, kwargs=None, **more):
        """`umbel call`, waiting for the result unless wait is None."""
        argv = ["call", task, json.dumps(list(arguments))]
        if kwargs is not None:
            argv += [json.dumps(kwargs)]
        argv += ["-Q", self.queue] + list(options)
        if wait is not None:
            argv += ["--wait=%g" % wait]
        return self.run_program(*argv, seconds=wait or PATIENCE, **more)

    def send(self, task, arguments=(), *options, **more):
        """`umbel call` without waiting; answers the id."""
        answer = self.call(task, arguments, *options, wait=None, **more)
        self.assertEqual(answer.code, 0, answer)
        return answer.out.strip()

    def result(self, task_id, wait=PATIENCE):
        return self.run_program("result", task_id, "--wait=%g" % wait, seconds=wait)

    def wait_parked(self, count):
        """Waits until the queue of dead letters holds so many messages; answers what they say."""
        eventually(lambda: len(self.parked()) >= count, "%d messages are parked" % count)
        parked = self.parked()
        self.assertEqual(len(parked), count)
        return parked

    def parked(self):
        raise NotImplementedError

    def value(self, task, arguments=(), *options, **more):
        answer = self.call(task, arguments, *options, **more)
        self.assertEqual(answer.code, 0, answer)
        return answer.value


class OnSqlite(Case):
    """One machine, no server: broker and results in one file."""

    def urls(self):
        return "sqlite:" + self.path("umbel.db"), None

    def parked(self):
        db = sqlite3.connect("file:%s?mode=ro" % self.path("umbel.db"), uri=True)
        try:
            rows = db.execute("SELECT packed FROM messages WHERE queue = (SELECT id FROM queues WHERE name = ?)",
                              (self.queue + ".dead",)).fetchall()
        finally:
            db.close()
        return [row[0] for row in rows]


class OnCluster(Case):
    """RabbitMQ and Redis, which run.py started."""

    def urls(self):
        return os.environ["UMBEL_TEST_AMQP"], os.environ["UMBEL_TEST_REDIS"]

    def parked(self):
        """Reads the queue to its end; closing the connection puts everything back."""
        from kombu import Connection
        from amqp.exceptions import NotFound
        with Connection(self.broker) as connection:
            channel, headers = connection.channel(), []
            try:
                while True:
                    message = channel.basic_get(self.queue + ".dead")
                    if not message:
                        return headers
                    headers.append(message.headers)
            except NotFound:
                return []


def on_both(scenario):
    """A class decorator's stand-in: makes the two test classes of one scenario in the caller's module."""
    import sys
    place = sys.modules[scenario.__module__].__dict__
    for suffix, base in (("Sqlite", OnSqlite), ("Cluster", OnCluster)):
        name = scenario.__name__ + "On" + suffix
        place[name] = type(name, (scenario, base), {"__module__": scenario.__module__})
    return scenario
