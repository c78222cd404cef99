#!/usr/bin/python3
"""Runs the suites that are written in Python.

    tests/run.py system interop          both suites, with a RabbitMQ and a Redis of their own
    tests/run.py -k kill system          only tests whose name holds "kill"
    tests/run.py -j 1 -v system          one class at a time, with every test's time

Each class of tests runs in a process of its own, several at once; each test has a time limit. A class whose process
dies, or that never reports a test, fails. The last line is `Ran N: N passed, N failed`.
"""
import argparse
import concurrent.futures
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import servers  # noqa: E402
import stage  # noqa: E402


class TooLong(Exception):
    pass


def tests_of(suite):
    """Yields (module, class name, [test names]) of one folder."""
    folder = os.path.join(HERE, suite)
    sys.path.insert(0, folder)
    for file in sorted(os.listdir(folder)):
        if not file.endswith("_test.py"):
            continue
        loaded = importlib.import_module(file[:-3])
        for name, kind in sorted(vars(loaded).items()):
            if isinstance(kind, type) and issubclass(kind, unittest.TestCase) and kind.__module__ == loaded.__name__:
                names = unittest.TestLoader().getTestCaseNames(kind)
                if names:
                    yield file[:-3], name, list(names)


class Reporter(unittest.TestResult):
    """One JSON line per test on standard output, once it is over."""

    def startTest(self, test):
        super().startTest(test)
        self.began, self.text = time.monotonic(), None
        signal.setitimer(signal.ITIMER_REAL, getattr(test, "limit", 60))

    def bad(self, test, error):
        signal.setitimer(signal.ITIMER_REAL, 0)
        text = "".join(traceback.format_exception(*error))
        report = getattr(test, "report", None)
        try:
            self.text = (self.text or "") + text + (report() if report else "")
        except OSError:
            self.text = (self.text or "") + text

    def addError(self, test, err):
        self.bad(test, err)

    def addFailure(self, test, err):
        self.bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err:
            self.bad(test, err)
            self.text = "%s\n%s" % (subtest, self.text)

    def addSkip(self, test, reason):
        self.text = "skipped: " + reason

    def stopTest(self, test):
        signal.setitimer(signal.ITIMER_REAL, 0)
        line = {"test": test.id(), "seconds": time.monotonic() - self.began, "failed": self.text}
        print(json.dumps(line), flush=True)


def run_class(suite, file, name, tests):
    """The inner process: one class."""
    def expired(*_):
        raise TooLong("the test's time limit ran out")
    signal.signal(signal.SIGALRM, expired)
    sys.path.insert(0, os.path.join(HERE, suite))
    kind = getattr(importlib.import_module(file), name)
    unittest.TestSuite(kind(test) for test in tests).run(Reporter())


class Run:
    def __init__(self, verbose):
        self.verbose, self.passed, self.failed, self.lock = verbose, 0, 0, threading.Lock()

    def note(self, name, seconds, failed):
        with self.lock:
            if failed is None:
                self.passed += 1
                if self.verbose:
                    print("ok    %-90s %6.1f s" % (name, seconds), flush=True)
            else:
                self.failed += 1
                print("FAIL  %s (%.1f s)\n%s\n" % (name, seconds, failed), flush=True)

    def run(self, suite, file, name, tests, env):
        limit = 120 + max(60, getattr(getattr(sys.modules[file], name), "limit", 60)) * len(tests)
        argv = [sys.executable, __file__, "--class", suite, file, name] + tests
        inner = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, preexec_fn=servers.die_with_parent)
        try:
            out, err = inner.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            inner.kill()
            out, err = inner.communicate()
            err += "\nthe class did not end within %d s" % limit
        seen = set()
        for line in out.splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            seen.add(said["test"].rpartition(".")[2])
            self.note("%s %s" % (suite, said["test"]), said["seconds"], said["failed"])
        for test in tests:
            if test not in seen:
                self.note("%s %s.%s.%s" % (suite, file, name, test), 0, "never reported\n" + err[-4000:])


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("suites", nargs="+")
    parse.add_argument("-k", default="", help="only tests whose full name holds this")
    parse.add_argument("-j", type=int, default=3, help="classes at once")
    parse.add_argument("-v", action="store_true", help="also name the tests that pass")
    options = parse.parse_args()
    if not os.path.exists(stage.PROGRAM):
        sys.exit("run.py: %s is missing; build first: sh scripts/build" % stage.PROGRAM)
    jobs = []
    for suite in options.suites:
        for file, name, tests in tests_of(suite):
            tests = [test for test in tests if options.k.lower() in ("%s.%s.%s" % (file, name, test)).lower()]
            if tests:
                jobs.append((suite, file, name, tests))
    run, started = Run(options.v), None
    try:
        if "UMBEL_TEST_AMQP" not in os.environ:
            started = servers.Servers().start()
            os.environ.update(started.environment())
        with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
            list(pool.map(lambda job: run.run(*job, dict(os.environ)), jobs))
    finally:
        if started:
            started.stop()
    print("Ran %d: %d passed, %d failed" % (run.passed + run.failed, run.passed, run.failed))
    return 0 if run.passed and not run.failed else 1


if __name__ == "__main__":
    if len(sys.argv) > 4 and sys.argv[1] == "--class":
        run_class(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        sys.exit(main())
