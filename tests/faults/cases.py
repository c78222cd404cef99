"""The faults, one function each: it plays its scene and ends when the client has come to its end.

A case answers a dict of what the checker may let pass; nothing means: every accepted call has a result."""
import os
import signal
import time

from scene import Deaf, eventually

CASES = {}


def case(play):
    CASES[play.__name__] = play
    return play


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


@case
def child_killed(scene):
    """SIGKILL of a child in the middle of a task, five times."""
    worker = scene.worker()
    client = scene.client(400, milliseconds=5)
    for wanted in sorted(scene.random.sample(range(20, 350), 5)):
        scene.wait_lines("end", wanted)
        kill(scene.running_child())
    scene.finish(client)
    scene.bounded(worker)


@case
def crashing_tasks(scene):
    """Segmentation fault, abort, exit(0), endless loop and stack overflow between good tasks."""
    worker = scene.worker()
    good = scene.client(300, milliseconds=2)
    bad = [scene.start("call%d" % i, [os.path.join(scene.build, "umbel"), "-b", scene.stand.amqp, "--result-backend",
                                      scene.stand.redis, "call", task, "[]", "-Q", scene.queue, "--wait", "--timeout", "40"])
           for i, task in enumerate(("crash.segv", "crash.abort", "crash.exit", "crash.loop", "crash.stack"))]
    scene.finish(good)
    for call in bad:
        if call.wait(60) != 1:
            scene.problems.append("%s: %s" % (" ".join(call.argv[-7:-3]), call.said()[-300:]))
    scene.bounded(worker)


@case
def memory_balloon(scene):
    """A task that grows past the cap dies alone."""
    worker = scene.worker("--max-memory-per-child", "100000")
    good = scene.client(300, milliseconds=2)
    bad = scene.start("call", [os.path.join(scene.build, "umbel"), "-b", scene.stand.amqp, "--result-backend", scene.stand.redis,
                               "call", "crash.balloon", "[400]", "-Q", scene.queue, "--wait", "--timeout", "40"])
    scene.finish(good)
    if bad.wait(60) != 1 or "MemoryLimitExceeded" not in bad.said():
        scene.problems.append("the balloon: " + bad.said()[-300:])
    scene.bounded(worker)


@case
def worker_killed(scene):
    """SIGKILL of the worker with 1,000 tasks in flight, three times over."""
    worker = scene.worker()
    client = scene.client(1000, milliseconds=2)
    client.wait_for("^sent")
    for wanted in sorted(scene.random.sample(range(50, 800), 3)):
        scene.wait_lines("end", wanted)
        kill(worker.pid)
        worker.wait()
        worker = scene.worker()
    scene.finish(client)
    scene.bounded(worker)


@case
def child_stopped(scene):
    """SIGSTOP of a child: its hard limit ends it, the others go on."""
    worker = scene.worker()
    client = scene.client(200, task="fault.limited", milliseconds=20)
    scene.wait_lines("end", scene.random.randrange(10, 60))
    kill(scene.running_child(), signal.SIGSTOP)
    scene.finish(client)
    scene.bounded(worker)


@case
def broker_killed(scene):
    """kill -9 and restart of RabbitMQ in the middle of 5,000 tasks."""
    worker = scene.worker()
    client = scene.client(5000, per_second=2500, deadline=60)
    scene.wait_lines("end", scene.random.randrange(500, 2500))
    scene.stand.rabbit.kill()
    scene.stand.rabbit.start()
    back = time.monotonic()
    done = len(scene.lines("end"))
    eventually(lambda: len(scene.lines("end")) > done or not client.running(), "tasks run again (P5)", 10)
    scene.recovery = time.monotonic() - back
    scene.finish(client)
    scene.bounded(worker)


@case
def backend_killed(scene):
    """kill -9 and restart of Redis (appendonly, fsync always) in the middle of 5,000 tasks: nothing is lost."""
    worker = scene.worker()
    client = scene.client(5000, per_second=2500, deadline=60)
    scene.wait_lines("end", scene.random.randrange(500, 2500))
    scene.stand.redis_server.kill()
    time.sleep(scene.random.random())
    scene.stand.redis_server.start()
    scene.finish(client)
    scene.bounded(worker)


@case
def backend_emptied(scene):
    """Redis comes back without its data: who waits ends at the deadline with a stated error."""
    worker = scene.worker()
    client = scene.client(2000, per_second=2000, deadline=6)
    scene.wait_lines("end", scene.random.randrange(200, 1500))
    scene.stand.redis_server.kill()
    scene.stand.redis_server.erase()
    scene.stand.redis_server.start()
    scene.finish(client)
    scene.bounded(worker)
    return {"results_may_vanish": True}


@case
def backend_frozen_then_worker_killed(scene):
    """Redis stands still, results cannot be stored; the worker is killed; nothing was acknowledged."""
    worker = scene.worker()
    client = scene.client(300, milliseconds=1, deadline=60)
    scene.wait_lines("end", scene.random.randrange(30, 120))
    scene.stand.redis_server.process.send_signal(signal.SIGSTOP)
    done = len(scene.lines("end"))
    eventually(lambda: len(scene.lines("end")) >= min(300, done + 20), "tasks end while Redis stands still", 5)
    time.sleep(0.3)  # whatever would be acknowledged too early has had its time
    kill(worker.pid)
    worker.wait()
    # What the dead worker had already sent to Redis must not count: it is dropped with its connection.
    scene.stand.redis_server.kill()
    scene.stand.redis_server.start()
    worker = scene.worker()
    scene.finish(client)
    scene.bounded(worker)


@case
def deaf_broker(scene):
    """A broker that accepts and never answers: each wait ends in time."""
    deaf = Deaf()
    client = scene.client(50, deadline=2, broker="amqp://guest:guest@127.0.0.1:%d//" % deaf.port)
    scene.finish(client, 30)
    deaf.close()


@case
def broker_blocked(scene):
    """A memory alarm while clients publish: calls end by their timeouts, and go through once it is over."""
    worker = scene.worker()
    client = scene.client(1500, per_second=1000, deadline=30)
    scene.wait_lines("end", scene.random.randrange(100, 500))
    scene.stand.rabbit.ctl("set_vm_memory_high_watermark", "0.00001")
    time.sleep(1.0)
    scene.stand.rabbit.ctl("set_vm_memory_high_watermark", "0.4")
    scene.finish(client)
    scene.bounded(worker)


@case
def queue_deleted(scene):
    """The queue is deleted under its consumer: the worker makes it again and goes on."""
    worker = scene.worker()
    first = scene.client(200, milliseconds=1)
    scene.finish(first)
    scene.stand.rabbit.ctl("delete_queue", scene.queue)
    second = scene.client(200, milliseconds=1)
    scene.finish(second)
    scene.bounded(worker)


@case
def mixed_lengths(scene):
    """Long tasks among short ones: no short one waits for all the long ones."""
    worker = scene.worker()
    slow = scene.client(3, milliseconds=4000, deadline=40)
    slow.wait_for("^sent")
    scene.wait_lines("start", 3)
    began = time.monotonic()
    quick = scene.client(1000)
    scene.finish(quick)
    if time.monotonic() - began > 3.5:
        scene.problems.append("1,000 short tasks waited %.1f s behind three long ones" % (time.monotonic() - began))
    scene.finish(slow)
    scene.bounded(worker)


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
    kill(worker.pid)
    worker.wait()
    worker = scene.worker()
    scene.finish(client)
    scene.bounded(worker)


@case
def client_cut(scene):
    """The client's connection is cut while it sends: what it calls accepted is in the broker."""
    relay = scene.relay(scene.stand.amqp)
    client = scene.client(3000, per_second=3000, deadline=40, broker=relay.url)
    client.wait_for("^sending")
    for _ in range(3):
        time.sleep(0.1 + 0.2 * scene.random.random())
        relay.cut()
    client.wait_for("^sent")
    worker = scene.worker()
    scene.finish(client)
    scene.bounded(worker)


@case
def split_worker(scene):
    """A worker loses the broker while its tasks run; another one runs them too. The first result stays."""
    relay = scene.relay(scene.stand.amqp)
    first = scene.worker(broker=relay.url)
    client = scene.client(8, milliseconds=1500, deadline=40)
    scene.wait_lines("start", 4)
    relay.down()
    second = scene.worker()
    scene.finish(client)
    scene.wait_lines("end", len(scene.lines("start")), 30)
    time.sleep(0.5)  # the slower of two results has had its time to be stored
    scene.bounded(first)
    scene.bounded(second)


@case
def warm_stop(scene):
    """SIGTERM in the middle: what runs is finished, what has not started is handed back."""
    worker = scene.worker()
    client = scene.client(500, milliseconds=5)
    client.wait_for("^sent")
    scene.wait_lines("end", scene.random.randrange(30, 200))
    code = worker.stop(30)
    if code:
        scene.problems.append("the warm stop answered %s" % code)
    worker = scene.worker()
    scene.finish(client)
    scene.bounded(worker)
