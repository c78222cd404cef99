#!/usr/bin/python3
"""Umbel against the bare limits of its parts, in turns A B A B, on one machine.

    run.py --base DIR --bin DIR [--turns 5] [--quick] [--out FILE] [ROW ...]

--base holds the programs that know the limits (L1, L3) and the accounting around a measurement; --bin holds Umbel's.
One JSON line per measurement goes to --out and to standard output, the table with medians comes last.
A row is one target: what is measured, against what, and the ratio asked for."""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

args = argparse.ArgumentParser()
args.add_argument("--base", required=True)
args.add_argument("--bin", required=True)
args.add_argument("--turns", type=int, default=5)
args.add_argument("--quick", action="store_true")
args.add_argument("--out", default="bench.jsonl")
args.add_argument("--list", action="store_true")
args.add_argument("rows", nargs="*")
args = args.parse_args()
sys.path.insert(0, args.base)

import crowd  # noqa: E402
import lib_proc  # noqa: E402
import spark  # noqa: E402
from lib_bench import Out, measure  # noqa: E402
from lib_servers import RABBIT_PORT, REDIS_PORT, Rabbit, Redis  # noqa: E402

RAW = os.path.join(args.base, "raw", "bin")
UMBEL = os.path.join(args.bin, "umbel")
CLIENT = os.path.join(args.bin, "tests", "bench_client")
PROXY = os.path.join(args.bin, "tests", "delay_proxy")
TASKS = os.path.join(args.bin, "modules", "bench_tasks.so")
AMQP, REDIS = "amqp://guest:guest@127.0.0.1:%d" % RABBIT_PORT, "redis://127.0.0.1:%d" % REDIS_PORT
PORTS = ["--rabbit", str(RABBIT_PORT), "--redis", str(REDIS_PORT)]
N = 20000 if args.quick else 200000
ROUNDS = 500 if args.quick else 2000
MANY = 100000 if args.quick else 1000000
PACE = {"stream": 5000, "chunks": 200}  # messages a second, for the column of times
WORKERS = 20 if args.quick else 100
out = Out(args.out)
servers = {}


def serve(*redis_options):
    """RabbitMQ once, and a Redis with these options (restarted only when they change)."""
    if "rabbit" not in servers:
        servers["rabbit"] = Rabbit().start()
    if servers.get("options") != redis_options:
        if "redis" in servers:
            servers["redis"].stop()
        servers["redis"] = Redis().start(*redis_options)
        servers["options"] = redis_options
    forget_results()
    return {k: servers[k] for k in ("rabbit", "redis")}


def forget_results():
    """Each side stores into an empty Redis: L3's ids are the same in every turn, a task's never are, and replacing is cheaper."""
    with socket.create_connection(("127.0.0.1", REDIS_PORT)) as redis:
        redis.sendall(b"FLUSHALL\r\n")
        redis.recv(64)


# ---- the two sides of a row ----------------------------------------------------------------------------------------
def bare(name, mode, n, msg, window="1000", worker=(), client=(), redis=()):
    """L3: consume, store, publish, acknowledge, with no task semantics."""
    def go():
        return measure(out, dict(system=name, workload=mode, n=n),
                       worker=[RAW + "/l3_worker"] + PORTS + ["--batch", "500", "--prefetch", "2000"] + list(worker),
                       client=[RAW + "/l3_client", mode] + PORTS + ["--n", str(n), "--msg", msg, "--window", window]
                       + list(client), servers=serve(*redis), settle=0.4, limit=180)
    return go


def umbel_worker(pool="prefork", concurrency=2, extra=()):
    return [UMBEL, "-A", TASKS, "worker", "-P", pool, "-c", str(concurrency), "-l", "warning"] + list(extra)


def umbel(mode, n, client=(), pool="prefork", concurrency=2, redis=(), env=None, worker=(), nworkers=1):
    def go():
        urls = env or {"UMBEL_BROKER_URL": AMQP, "UMBEL_RESULT_BACKEND": REDIS}
        used = serve(*redis) if not env else {}
        paced = ["--paced", str(PACE[mode])] if mode in PACE else []
        record = measure(out, dict(system="umbel", workload=mode, pool=pool, n=n),
                         worker=umbel_worker(pool, concurrency, worker), client=[CLIENT, mode, str(n)] + list(client) + paced,
                         env=dict(urls, BENCH_REDIS_PORT=REDIS_PORT), servers=used, settle=0.5, nworkers=nworkers, limit=180)
        if used and (mode in ("submit", "pending") or "--held" in client):  # what nobody ran is not for the next
            for queue in ("celery", "bench.nobody"):
                crowd.purge(used["rabbit"].env, queue)
        return record
    return go


def umbel_from_python(mode, n):
    """Umbel's worker under the messages of a Python client: sixteen headers, JSON, encoded beforehand."""
    def go():
        return measure(out, dict(system="umbel", workload=mode + " python", n=n), worker=umbel_worker(extra=["-Q", "bench.l3"]),
                       client=[RAW + "/l3_client_celery", mode] + PORTS
                       + ["--n", str(n), "--msg", "celery", "--window", "1000", "--body", "87"],
                       env={"UMBEL_BROKER_URL": AMQP, "UMBEL_RESULT_BACKEND": REDIS}, servers=serve(), settle=0.5, limit=180)
    return go


def linked(milliseconds, n):
    """A stream with every link, the client's and the worker's, to RabbitMQ and to Redis, that long."""
    def go():
        both = serve()
        ports = [RABBIT_PORT + 100, REDIS_PORT + 100]
        proxy = subprocess.Popen([PROXY, str(milliseconds), "%d:%d" % (ports[0], RABBIT_PORT), "%d:%d" % (ports[1], REDIS_PORT)],
                                 stdout=subprocess.PIPE, text=True)
        try:
            proxy.stdout.readline()
            urls = {"UMBEL_BROKER_URL": "amqp://guest:guest@127.0.0.1:%d" % ports[0],
                    "UMBEL_RESULT_BACKEND": "redis://127.0.0.1:%d" % ports[1]}
            return measure(out, dict(system="umbel", workload="stream %g ms" % milliseconds, n=n), worker=umbel_worker(),
                             client=[CLIENT, "stream", str(n), "--paced", str(PACE["stream"])], env=urls,
                             servers=dict(both, proxy=proxy), settle=0.5, limit=180)
        finally:
            proxy.terminate()
            proxy.wait(10)
    return go


def crowded(size):
    def go():
        rabbit = serve()["rabbit"]
        workers = crowd.Crowd(rabbit.env, umbel_worker("solo", 1, ["-Q", "bench.crowd"]),
                              {"UMBEL_BROKER_URL": AMQP, "UMBEL_RESULT_BACKEND": REDIS})
        try:
            record = dict(crowd.per_worker(workers, size), system="umbel", workload="crowd", n=size)
        except Exception as x:  # noqa: BLE001 - a failed measurement is a result too
            record = dict(system="umbel", workload="crowd", n=size, error="%s: %s" % (type(x).__name__, x))
        finally:
            workers.end()
        out.add(record)
        return record
    return go


def of_each(what):
    return lambda r: r[what]


def l1_submit(n):
    def go():
        return measure(out, dict(system="L1", workload="publish", n=n),
                       client=[RAW + "/l1", "publish", "--pub", "batch", "--window", "1000", "--msg", "umbel",
                               "--port", str(RABBIT_PORT), "--n", str(n)], servers={"rabbit": serve()["rabbit"]}, limit=180)
    return go


def per_second(r):
    return r["tasks_per_s"]


def p50(r):
    return r["p50_ms"]


def p99(r):
    return r["p99_ms"]


def worker_cpu(r):
    return r["cpu_worker_s"] / r["n"] * 1e4


def first_ms(r):
    return r["start_to_first_ms"]


def mebibytes(r):
    return r["worker_pss_kb"] / 1024.0


def future_bytes(r):
    return r["bytes_per_future"]


def idle(children):
    """A worker that has nothing to do, weighed after it became ready."""
    def go():
        serve()
        worker = subprocess.Popen(umbel_worker(concurrency=children), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  env=dict(os.environ, UMBEL_BROKER_URL=AMQP, UMBEL_RESULT_BACKEND=REDIS))
        end = time.monotonic() + 10
        while len(lib_proc.tree(worker.pid)) < children + 2 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
        rss, pss, count = lib_proc.mem(worker.pid)
        worker.terminate()
        worker.wait(30)
        record = dict(system="umbel", workload="idle", n=children, worker_rss_kb=rss, worker_pss_kb=pss, worker_procs=count)
        out.add(record)
        return record
    return go


def on_sqlite(mode, n, nworkers=1):
    def go():
        folder = tempfile.mkdtemp(prefix="umbel-bench-")
        try:
            url = "sqlite:" + os.path.join(folder, "bench.db")
            return umbel(mode, n, env={"UMBEL_BROKER_URL": url, "UMBEL_RESULT_BACKEND": url}, concurrency=1, nworkers=nworkers)()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return go


def uv_queue(pool, side, *how, kept={}):
    """No-ops through libuv's uv_queue_work and through an executor of Umbel: one program measures both, side a runs it."""
    def go():
        if side == "uv_queue_work":
            program = os.path.join(args.bin, "tests", "bench_uv_queue")
            said = subprocess.run([program, "--count", str(N // 40 if how else N // 2), "--turns", "3", *how, pool], stdout=subprocess.PIPE, text=True,
                                  check=True, timeout=180).stdout
            kept[pool, how] = json.loads(said.splitlines()[-1])
        record = dict(system=side, workload="no-ops", pool=pool, alone=bool(how), tasks_per_s=kept[pool, how][side])
        out.add(record)
        return record
    return go


class Row:
    def __init__(self, name, a, b, figure, target, least=True, unit="/s", shared=None, absolute=None):
        self.name, self.a, self.b, self.figure, self.target, self.least, self.unit = name, a, b, figure, target, least, unit
        self.absolute = a is None if absolute is None else absolute  # the target is a figure, not a ratio
        self.shared = shared  # takes its measurements from this row


AOF = ("--appendonly", "yes", "--appendfsync", "everysec")
ROWS = [
    Row("stream", bare("L3u", "stream", N, "umbel", worker=["--result", "celery"]), umbel("stream", N), per_second, 0.90),
    Row("worker CPU s per 10k", None, None, worker_cpu, 0.12, least=False, unit=" s", shared="stream", absolute=True),
    Row("stream, Python's messages", bare("L3p", "stream", N, "celery", worker=["--result", "celery"]),
        umbel_from_python("stream", N), per_second, 0.90),
    Row("drain", bare("L3u", "drain", N, "umbel", worker=["--result", "celery"]), umbel("drain", N), per_second, 0.85),
    Row("results ignored", bare("L3u", "noresult", N, "umbel", worker=["--noresult", "1"]), umbel("noresult", N), per_second, 0.90),
    Row("at most once", bare("L3u transient", "stream", N, "umbel", window="0", worker=["--result", "celery", "--mode", "1"],
                             client=["--mode", "1"]), umbel("stream", N, ["--once"]), per_second, 0.85),
    Row("appendonly everysec", bare("L3u aof", "stream", N, "umbel", worker=["--result", "celery"], redis=AOF),
        umbel("stream", N, redis=AOF), per_second, 0.90),
    Row("submit and flush", l1_submit(N), umbel("submit", N, worker=["-Q", "nobody"]), per_second, 0.90),
    # With confirms on both sides: RabbitMQ needs 0.2 ms more for a round trip whose publish it confirms.
    Row("round trip p50, prefork", bare("L3u", "rtt", ROUNDS, "umbel", worker=["--result", "celery"]),
        umbel("rtt", ROUNDS), p50, 1.5, least=False, unit=" ms"),
    Row("round trip p99, prefork", None, None, p99, 2.0, least=False, unit=" ms", shared="round trip p50, prefork",
        absolute=False),
    Row("round trip p50, solo", bare("L3u", "rtt", ROUNDS, "umbel", worker=["--result", "celery"]),
        umbel("rtt", ROUNDS, pool="solo", concurrency=1), p50, 1.25, least=False, unit=" ms"),
    Row("unconfirmed round trip p50", bare("L3u unconfirmed", "rtt", ROUNDS, "umbel", window="0", worker=["--result", "celery"]),
        umbel("rtt", ROUNDS, ["--unconfirmed"]), p50, 1.5, least=False, unit=" ms"),
    Row("idle memory, 4 children (PSS)", None, idle(4), mebibytes, 8, least=False, unit=" MiB"),
    Row("idle memory, 32 children (PSS)", None, idle(32), mebibytes, 20, least=False, unit=" MiB"),
    Row("start to first task", None, umbel("drain", 1000), first_ms, 60, least=False, unit=" ms ", absolute=True),
    Row("sqlite stream, two workers", None, on_sqlite("stream", N // 4, nworkers=2), per_second, 15000, absolute=True),
    Row("sqlite round trip p50", None, on_sqlite("rtt", ROUNDS), p50, 1.5, least=False, unit=" ms", absolute=True),
    Row("calls in chunks of 1,000", None, umbel("chunks", MANY), per_second, 1000000),
    # Both through the same proxy, so that the delay is all that differs.
    Row("stream, 2 ms on every link", linked(0, N), linked(2, N), per_second, 0.70),
    Row("drain of %s queued" % format(MANY, ","), umbel("drain", MANY // 10), umbel("drain", MANY), per_second, 0.80),
    Row("stream beside 100,000 futures", umbel("stream", N), umbel("stream", N, ["--held", "100000"]), per_second, 0.80),
    Row("connections a worker, %d workers" % WORKERS, crowded(WORKERS // 10), crowded(WORKERS), of_each("connections"), 1.0,
        least=False, unit=""),
    Row("channels a worker", None, None, of_each("channels"), 1.0, least=False, unit="", absolute=False,
        shared="connections a worker, %d workers" % WORKERS),
    Row("queues a worker", None, None, of_each("queues"), 1.0, least=False, unit="", absolute=False,
        shared="connections a worker, %d workers" % WORKERS),
    *[Row("memory:// no-ops%s, %s" % (title, named), uv_queue(pool, "uv_queue_work", *how), uv_queue(pool, pool, *how), per_second, 1.0)
      for title, how in (("", ()), (" one at a time", ("--alone",)))
      for pool, named in (("solo", "solo"), ("threads", "one thread"), ("processes", "one child"))],
    Row("bytes per outstanding future", None, umbel("pending", 100000, worker=["-Q", "nobody"]), future_bytes, 512, least=False,
        unit=" B", absolute=True),
]


def spread(values):
    return "%s (%s-%s)" % tuple(format(v, ".4g" if v < 100 else ",.0f") for v in
                                (statistics.median(values), min(values), max(values)))


def times(records):
    """Quantiles and a histogram of all turns: of messages at PACE, of round trips one at a time."""
    if not all("p99_ms" in r for r in records):
        return ""
    middle = [statistics.median(r[key] for r in records) for key in ("p50_ms", "p99_ms")]
    return "%s / %s ms %s" % (number(middle[0]), number(middle[1]), spark.spark(records))


def number(value):
    return format(value, ",.0f") if value >= 1000 else "%.3g" % value


def run(row, kept):
    for turn in range(args.turns):
        out.run = turn
        for side, go in (("a", row.a), ("b", row.b)):
            if go:
                kept.setdefault((row.name, side), []).append(go())


def table(kept):
    print("\n| what | limit or base | umbel | ratio | target | | at 5,000 calls or 200 chunks a second, or one at a time: p50 / p99 |\n|---|---|---|---|---|---|---|")
    for row in chosen():
        a, b = (kept.get((row.shared or row.name, side), []) for side in "ab")
        errors = [r["error"] for r in a + b if "error" in r]
        if errors or not b:  # a failed turn is not hidden
            print("| %s | | | | | %s | |" % (row.name, errors[0] if errors else "not measured"))
            continue
        fa, fb = [row.figure(r) for r in a], [row.figure(r) for r in b]
        ratio = statistics.median(fb) / (1 if row.absolute else statistics.median(fa))
        met = ratio >= row.target if row.least else ratio <= row.target
        print("| %s | %s | %s%s | %s | %s %s%s | %s | %s |" % (
            row.name, spread(fa) + row.unit if fa else "", spread(fb), row.unit, "" if row.absolute else "%.2f" % ratio,
            ">=" if row.least else "<=", number(row.target), row.unit if row.absolute else "", "met" if met else "MISSED",
            times(b)))


def chosen():
    """The rows that were named; a word that is no row's whole name chooses every row that holds it."""
    names = {r.name for r in ROWS}
    return [r for r in ROWS if not args.rows or any(w == r.name if w in names else w in r.name for w in args.rows)]


if args.list:
    print("\n".join(r.name for r in ROWS))
    sys.exit()
kept = {}
try:
    wanted = {r.shared or r.name for r in chosen()}
    for row in ROWS:
        if row.name in wanted:
            run(row, kept)
finally:
    for name in ("redis", "rabbit"):
        if name in servers:
            servers[name].stop()
table(kept)
