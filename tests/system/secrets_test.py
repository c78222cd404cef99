"""No password is ever repeated: every path that fails, in both log formats, for worker, client and dead letters."""
import json
import subprocess

from servers import free_ports
from stage import BUILD, OnCluster, OnSqlite, descendants

MARK = "Hush4711"
# Ways to write it, each of which may be taken apart at another place.
WRITTEN = (MARK, "a%2F" + MARK, "a/" + MARK, "a@" + MARK, "a:" + MARK, "a;" + MARK, "a?" + MARK, "a#" + MARK, "%zz" + MARK)


def broken_urls():
    """Brokers and backends that fail, one of each kind."""
    closed = free_ports(1)[0]
    for written in WRITTEN:
        for scheme in ("amqp", "amqps"):
            yield "%s://me:%s@127.0.0.1:%d//" % (scheme, written, closed), None
        for scheme in ("redis", "rediss"):
            yield None, "%s://me:%s@127.0.0.1:%d/0" % (scheme, written, closed)
            yield None, "%s://:%s@127.0.0.1:%d/0" % (scheme, written, closed)
    for written in ("amqp://me:%s@127.0.0.1:99999//", "amqp://me:%s@[::1//", "amqp://me:%s@127.0.0.1:1//?verfiy=none",
                    "carrier-pigeon://me:%s@home", "amqp:me:%s@home", "//me:%s@home", "me:%s@home",
                    "amqp://me:%s@127.0.0.1:1//;redis://me:%s@127.0.0.1:1/0", "amqps://127.0.0.1:1//?password=%s",
                    "amqp://me:%s@a.invalid//"):
        yield written.replace("%s", MARK), None
    for written in ("redis://me:%s@127.0.0.1:1/many", "redis://me:%s@127.0.0.1:1/0?x=1", "unix://me:%s@/nowhere.sock",
                    "redis+socket://me:%s@host/nowhere.sock", "redis://me:%s@127.0.0.1:1/0;redis://me:%s@127.0.0.1:1/0"):
        yield None, written.replace("%s", MARK)


class Secrets(OnSqlite):
    limit = 240

    def quiet(self, text, about):
        self.assertNotIn(MARK.lower(), text.lower(), about)

    def test_a_worker_that_cannot_begin_does_not_repeat_a_password(self):
        for number, (broker, backend) in enumerate(broken_urls()):
            form = ("text", "json")[number % 2]
            worker = self.worker("-l", "debug", "--log-format", form, ready=False, broker=broker, backend=backend, modules=("math",))
            try:
                worker.wait(0.4)
            except subprocess.TimeoutExpired:
                worker.stop()
            self.assertTrue(worker.said())
            self.quiet(worker.said(), (broker, backend))

    def test_a_client_that_cannot_begin_does_not_repeat_a_password(self):
        for broker, backend in broken_urls():
            answer = self.run_program("call", "math.add", "[1, 2]", "--wait=0.1", broker=broker, backend=backend)
            self.assertIn(answer.code, (2, 3, 4), answer)
            self.assertTrue(answer.err)
            self.quiet(answer.out + answer.err, (broker, backend))

    def test_no_other_command_repeats_a_password(self):
        urls = {"broker": "amqp://me:%s@127.0.0.1:1//" % MARK, "backend": "redis://:%s@127.0.0.1:1/0" % MARK}
        for command in (["result", "8d1c4ab6-0f53-4d0f-a5f1-3d3b1de0a2fe", "--wait=0.2"], ["purge", "-f", "-Q", "q"],
                        ["dead", "list", "-Q", "q"], ["status"], ["inspect", "ping"], ["control", "shutdown"]):
            answer = self.run_program(*command, seconds=40, **urls)
            self.assertNotEqual(answer.code, 0, answer)
            self.quiet(answer.out + answer.err, command)

    def test_the_environment_is_not_repeated_either(self):
        env = {"UMBEL_BROKER_URL": "amqp://me:%s@127.0.0.1:1//" % MARK, "UMBEL_RESULT_BACKEND": "redis://:%s@127.0.0.1:1/0" % MARK}
        for argv in (["--help"], ["worker", "--help"], ["call", "--help"], ["call"], ["frobnicate"], ["call", "x", "[1", "--wait=0.1"]):
            answer = self.bare(*argv, env=env)
            self.quiet(answer.out + answer.err, argv)


class LiveSecrets(OnCluster):
    """Servers that answer: a login that is refused, and a worker that runs, fails and parks with a password in its URL."""

    def test_a_refused_login_does_not_repeat_the_password(self):
        place, there = self.broker.partition("@")[2], self.backend.partition("//")[2]
        for urls in ({"broker": "amqp://guest:%s@%s" % (MARK, place)}, {"backend": "redis://me:%s@%s" % (MARK, there)},
                     {"backend": "redis://:%s@%s" % (MARK, there)}):
            for form in ("text", "json"):
                worker = self.worker("-l", "debug", "--log-format", form, ready=False, **urls)
                self.assertEqual(worker.wait(), 4, worker.said())
                self.assertNotIn(MARK, worker.said())
            answer = self.run_program("call", "math.add", "[1, 2]", "--wait=10", **urls)
            self.assertEqual(answer.code, 4, answer)
            self.assertNotIn(MARK, answer.out + answer.err)

    def test_a_worker_that_runs_keeps_it_to_itself(self):
        """Crashes, failures, dead letters and process titles of a worker whose broker's list holds the password."""
        broker = "amqp://me:%s@127.0.0.1:1//;%s" % (MARK, self.broker)
        env = {"UMBEL_BROKER_URL": broker, "UMBEL_RESULT_BACKEND": self.backend}
        worker = self.start("worker1", [BUILD + "/umbel", "-A", BUILD + "/modules/math.so", "-A", BUILD + "/modules/crash.so",
                                        "worker", "-Q", self.queue, "-c", "1", "-l", "debug", "--max-deaths", "1"], env)
        worker.wait_for(r"\bready\b")
        said = []
        for task, arguments in (("math.divide", (1, 0)), ("crash.segv", ()), ("crash.abort", ()), ("no.such", ())):
            answer = self.call(task, arguments, broker=broker, wait=15)
            self.assertEqual(answer.code, 1, answer)
            said += [answer.out, answer.err]
        for pid in [worker.pid] + descendants(worker.pid):
            with open("/proc/%d/cmdline" % pid) as f:
                said.append(f.read())
        parked = self.wait_parked(3)
        said += [json.dumps(parked, default=str), worker.said()]
        for text in said:
            self.assertNotIn(MARK, text)
