"""The faults, one function each: it plays its scene and ends when the client has come to its end.

A case answers a dict for the checker: `doubled_at_most` runs that its fault can have cut short, `parked` messages,
`results_may_vanish`. Without the last, every accepted call has a result. What is waited for is a condition, so that a
busy machine only makes a case slower."""
import os
import signal
import time

from scene import Deaf, descendants, eventually

CASES = {}


def case(play):
    CASES[play.__name__] = play
    return play


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


# ---- what many of them do


def some_end(scene, least, most):
    """Waits until some tasks have ended: how many, the seed says."""
    scene.wait_lines("end", scene.random.randrange(least, most))


def replace(scene, worker):
    """SIGKILL of a worker; the next one."""
    kill(worker.pid)
    worker.wait()
    return scene.worker()


def restart(server, between=lambda: None):
    """kill -9 of a server; it comes back with what it has on its disk."""
    server.kill()
    between()
    server.start()


def come_to_an_end(scene, worker, *clients):
    for client in clients:
        scene.finish(client)
    scene.bounded(worker)


# ---- the cases


@case
def child_killed(scene):
    """SIGKILL of a child in the middle of a task, five times."""
    worker = scene.worker()
    client = scene.client(400, milliseconds=5)
    for wanted in sorted(scene.random.sample(range(20, 350), 5)):
        scene.wait_lines("end", wanted)
        kill(scene.running_child())
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 5}


@case
def crashing_tasks(scene):
    """Segmentation fault, abort, exit(0), endless loop, stack overflow and C++ exceptions between good tasks."""
    worker = scene.worker()
    good = scene.client(300, milliseconds=2)
    bad = (("crash.segv", "[]", "WorkerLostError", "SIGSEGV"), ("crash.abort", "[]", "WorkerLostError", "SIGABRT"),
           ("crash.exit", "[]", "WorkerLostError", "code 0"), ("crash.stack", "[]", "WorkerLostError", "SIGSEGV"),
           ("crash.loop", "[]", "TimeLimitExceeded"), ("cpp.throw", '["far out"]', "out_of_range", "far out"),
           ("cpp.throw_int", "[]"))
    calls = [(scene.call(task, arguments), words) for task, arguments, *words in bad]
    scene.finish(good)
    for call, words in calls:
        scene.expect_failure(call, *words)
    scene.bounded(worker)
    return {"doubled_at_most": 0, "parked": 4}


@case
def memory_balloon(scene):
    """A task that grows past the cap dies alone."""
    worker = scene.worker("--max-memory-per-child", "100000")
    good = scene.client(300, milliseconds=2)
    bad = scene.call("crash.balloon", "[400]")
    scene.finish(good)
    scene.expect_failure(bad, "MemoryLimitExceeded")
    scene.bounded(worker)
    return {"doubled_at_most": 0}


@case
def worker_killed(scene):
    """SIGKILL of the worker with 1,000 tasks in flight, three times over."""
    worker = scene.worker()
    client = scene.client(1000, milliseconds=2)
    client.wait_for("^sent")
    for wanted in sorted(scene.random.sample(range(50, 800), 3)):
        scene.wait_lines("end", wanted)
        worker = replace(scene, worker)
    come_to_an_end(scene, worker, client)


@case
def child_stopped(scene):
    """SIGSTOP of a child: its hard limit ends it, the others go on."""
    worker = scene.worker()
    client = scene.client(200, task="fault.limited", milliseconds=20)
    some_end(scene, 10, 60)
    kill(scene.running_child(), signal.SIGSTOP)
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 0}


@case
def worker_stopped(scene):
    """SIGSTOP of a worker's parent until the broker has given it up and another has done its tasks; then SIGCONT."""
    short = scene.stand.amqp + "?heartbeat=1"
    first = scene.worker(broker=short)
    client = scene.client(60, milliseconds=100, deadline=60)
    scene.wait_lines("start", scene.random.randrange(4, 20))
    first.signal(signal.SIGSTOP)
    second = scene.worker(broker=short)
    scene.finish(client)
    first.signal(signal.SIGCONT)
    back = time.monotonic()
    if second.stop(30):
        scene.problems.append("the second worker ended with %s" % second.popen.returncode)
    again = scene.client(60, milliseconds=1)
    scene.wait_recovery("start", back)
    scene.finish(again)
    scene.bounded(first)
    return {"doubled_at_most": 4}


@case
def broker_killed(scene):
    """kill -9 and restart of RabbitMQ in the middle of 5,000 tasks."""
    worker = scene.worker()
    client = scene.client(5000, per_second=2500, deadline=90)
    some_end(scene, 500, 2500)
    restart(scene.stand.rabbit)
    scene.wait_recovery("start", time.monotonic())
    come_to_an_end(scene, worker, client)


@case
def broker_frozen(scene):
    """RabbitMQ stands still until the worker and the client have given it up, then goes on."""
    short = scene.stand.amqp + "?heartbeat=1"
    worker = scene.worker(broker=short)
    client = scene.client(1500, milliseconds=1, per_second=500, deadline=60, broker=short)
    some_end(scene, 50, 800)
    scene.stand.rabbit.process.send_signal(signal.SIGSTOP)
    try:
        worker.wait_for("heartbeats")
    finally:
        scene.stand.rabbit.process.send_signal(signal.SIGCONT)
    scene.wait_recovery("start", time.monotonic())
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 0}


@case
def backend_killed(scene):
    """kill -9 and restart of Redis (appendonly, fsync always) in the middle of 5,000 tasks: nothing is lost."""
    worker = scene.worker()
    client = scene.client(5000, per_second=2500, deadline=60)
    some_end(scene, 500, 2500)
    restart(scene.stand.redis_server, lambda: time.sleep(scene.random.random()))  # as long as it happens to be away
    scene.wait_recovery("result", time.monotonic())
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 0}


@case
def backend_emptied(scene):
    """Redis comes back without its data (appendonly no): who waits ends at the deadline, and is told why."""
    relay = scene.relay(scene.stand.redis)
    worker = scene.worker()
    client = scene.client(1000, per_second=2000, deadline=6, backend=relay.url)
    some_end(scene, 200, 600)
    relay.down()  # so that the client has not heard of the results that are about to vanish
    eventually(lambda: len(scene.stored()) == 1000, "every result is stored", 60)
    restart(scene.stand.redis_server, scene.stand.redis_server.erase)
    relay.up()
    scene.finish(client)
    if not any(line[3] == "TIMEOUT" for line in scene.lines("result")):
        scene.problems.append("no result has vanished")
    scene.bounded(worker)
    return {"results_may_vanish": True, "doubled_at_most": 0}


@case
def backend_frozen_then_worker_killed(scene):
    """Redis stands still, results cannot be stored; the worker is killed; nothing was acknowledged."""
    worker = scene.worker("--prefetch-multiplier", "16")  # 64 in hand, whatever the flow decides
    client = scene.client(300, milliseconds=1, deadline=60)
    some_end(scene, 30, 120)
    scene.stand.redis_server.process.send_signal(signal.SIGSTOP)
    done = len(scene.lines("end"))
    eventually(lambda: len(scene.lines("end")) >= min(300, done + 20), "tasks end while Redis stands still", 5)
    kill(worker.pid)
    worker.wait()
    # What the dead worker had already sent to Redis must not count: it is dropped with its connection.
    restart(scene.stand.redis_server)
    worker = scene.worker()
    come_to_an_end(scene, worker, client)


@case
def deaf_broker(scene):
    """A broker that accepts and never answers: each wait ends in time, and a worker still stops."""
    deaf = Deaf()
    url = "amqp://guest:guest@127.0.0.1:%d//" % deaf.port
    worker = scene.worker(broker=url, ready=False)
    client = scene.client(50, deadline=2, broker=url)
    scene.finish(client, 30)
    if not worker.running():
        scene.problems.append("the worker has given up: %s" % worker.popen.returncode)
    elif worker.stop(30):
        scene.problems.append("the worker, asked to stop, ended with %s" % worker.popen.returncode)
    deaf.close()
    return {"may_be_unsent": True}


@case
def deaf_backend(scene):
    """A Redis that accepts and never answers: each wait ends in time; what was accepted runs all the same."""
    deaf = Deaf()
    client = scene.client(50, deadline=3, backend="redis://127.0.0.1:%d/0" % deaf.port)
    scene.finish(client, 30)
    deaf.close()
    worker = scene.worker()
    scene.wait_lines("end", 50)
    scene.bounded(worker)
    return {"results_may_vanish": True, "doubled_at_most": 0}


@case
def broker_blocked(scene):
    """A memory alarm while clients publish: calls end by their timeouts, and go through once it is over."""
    worker = scene.worker()
    # It goes on until it is told to stop: on a busy machine, rabbitmqctl takes longer than any number of calls.
    client = scene.client(100000, per_second=200, deadline=40)
    some_end(scene, 20, 100)
    try:
        scene.alarm(True)
        hasty = scene.client(20, deadline=1)
        scene.finish(hasty, 30)
        eventually(lambda: time.monotonic() - float(scene.lines("start")[-1][2]) > 0.5, "the alarm stops the clients", 20)
    finally:
        back = scene.alarm(False)
    scene.wait_recovery("start", back)
    client.signal(signal.SIGUSR1)
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 0, "may_be_unsent": True}


@case
def queue_deleted(scene):
    """The queue is deleted under its consumer: the worker makes it again and goes on."""
    worker = scene.worker()
    first = scene.client(200, milliseconds=1)
    scene.finish(first)
    scene.delete_queue()
    second = scene.client(200, milliseconds=1)
    scene.wait_recovery("start", time.monotonic())
    scene.finish(second)
    scene.bounded(worker)
    return {"doubled_at_most": 0}


@case
def mixed_lengths(scene):
    """Long tasks among short ones: no short one waits for a long one."""
    worker = scene.worker()
    slow = scene.client(3, milliseconds=4000, deadline=60)
    scene.wait_lines("start", 3)
    quick = scene.client(1000, deadline=60)
    scene.finish(quick)
    if not slow.running():
        scene.problems.append("1,000 short tasks waited behind three long ones")
    scene.finish(slow)
    scene.bounded(worker)
    return {"doubled_at_most": 0}


@case
def mixed_workers(scene):
    """One task in 32 is long; what waits behind it in one worker is handed back and runs in the other."""
    workers = [scene.worker(concurrency=2), scene.worker(concurrency=2)]
    client = scene.client(1000, task="fault.mixed", milliseconds=300, deadline=60)
    scene.finish(client)
    for worker in workers:
        scene.bounded(worker, 2)
    return {"doubled_at_most": 0}


@case
def connection_cut(scene):
    """The worker's connection is cut again and again, then the worker is killed: no acknowledgement of an old
    connection may count on a new one."""
    relay = scene.relay(scene.stand.amqp)
    worker = scene.worker(broker=relay.url)
    client = scene.client(600, milliseconds=4, deadline=60)
    for wanted in sorted(scene.random.sample(range(30, 300), 3)):
        scene.wait_lines("end", wanted)
        relay.cut()
    scene.wait_lines("end", 330)
    worker = replace(scene, worker)
    come_to_an_end(scene, worker, client)


@case
def stale_tags(scene):
    """A worker that was cut off ends its tasks after it got others: their acknowledgements must not count for those."""
    relay = scene.relay(scene.stand.amqp)
    first = scene.worker(broker=relay.url)
    old = scene.client(4, milliseconds=3000, deadline=60)
    scene.wait_lines("start", 4)
    second = scene.worker()
    relay.down()
    scene.wait_lines("start", 8)
    relay.up()
    first.wait_for("connected to RabbitMQ", count=4)
    new = scene.client(16, milliseconds=1000, deadline=60)
    children = [str(pid) for pid in descendants(first.pid)]
    eventually(lambda: sum(line[-1] in children for line in scene.lines("start")) > 4, "the first worker runs new ones", 30)
    kill(first.pid)
    scene.finish(old)
    scene.finish(new)
    scene.bounded(second)
    return {"doubled_at_most": 8}


@case
def client_cut(scene):
    """What the client sends is swallowed, then its connection is cut: what it calls accepted is in the broker."""
    relay = scene.relay(scene.stand.amqp)
    client = scene.client(3000, per_second=3000, deadline=40, broker=relay.url)
    client.wait_for("^sending")
    for wanted in sorted(scene.random.sample(range(100, 2500), 3)):
        scene.wait_lines("submit", wanted)
        relay.swallow()
        scene.wait_lines("submit", wanted + 100)
        relay.cut()
    client.wait_for("^sent")
    worker = scene.worker()
    come_to_an_end(scene, worker, client)


@case
def copies_overtake(scene):
    """A client's connection dies with messages in it, the client sends them again, and then the first ones arrive, too."""
    relay = scene.relay(scene.stand.amqp)
    worker = scene.worker()
    client = scene.client(1000, per_second=500, deadline=40, broker=relay.url)
    wanted = scene.random.randrange(100, 600)
    scene.wait_lines("submit", wanted)
    relay.hold()
    scene.wait_lines("submit", wanted + 100)
    relay.cut()
    scene.wait_lines("end", wanted + 150)
    relay.release()
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 0}


@case
def split_worker(scene):
    """A worker loses the broker while its tasks run; another one runs them too. The first result stays."""
    relay = scene.relay(scene.stand.amqp)
    first = scene.worker(broker=relay.url)
    client = scene.client(8, milliseconds=1500, deadline=40)
    scene.wait_lines("start", 4)
    relay.down(pause=0.1)  # one connection after the other: none of them speaks for the rest
    second = scene.worker()
    scene.finish(client)
    scene.wait_lines("end", len(scene.lines("start")), 30)
    scene.bounded(first)
    scene.bounded(second)
    return {"doubled_at_most": 4}


@case
def warm_stop(scene):
    """SIGTERM in the middle: what runs is finished, what has not started is handed back."""
    worker = scene.worker("--prefetch-multiplier", "8")  # so that there is always something to hand back
    client = scene.client(500, milliseconds=10)
    client.wait_for("^sent")
    some_end(scene, 30, 200)
    code = worker.stop(30)
    if code:
        scene.problems.append("the warm stop answered %s" % code)
    worker = scene.worker()
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 0}


@case
def cold_stop(scene):
    """SIGTERM twice: what runs is killed and runs again elsewhere, and knows it."""
    worker = scene.worker()
    client = scene.client(60, milliseconds=200, deadline=60)
    some_end(scene, 4, 20)
    worker.signal(signal.SIGTERM)
    worker.wait_for("warm stop")
    worker.signal(signal.SIGTERM)
    worker.wait(30)
    worker = scene.worker()
    come_to_an_end(scene, worker, client)
    return {"doubled_at_most": 4}
