"""A Celery app as an existing Python program has it: only two URLs, and tasks that an Umbel client calls."""
import os

from celery import Celery
from celery.result import allow_join_result

app = Celery("interop", broker=os.environ["UMBEL_TEST_AMQP"], backend=os.environ["UMBEL_TEST_REDIS"])
app.conf.accept_content = ["json", "msgpack"]
app.conf.result_accept_content = ["json", "msgpack"]
app.conf.result_serializer = os.environ.get("TEST_RESULT_SERIALIZER", "json")


@app.task(name="py.add")
def add(x, y):
    return x + y


@app.task(name="py.echo")
def echo(*args, **kwargs):
    return [list(args), kwargs]


@app.task(name="py.one")
def one(value):
    return value


@app.task(name="py.fail")
def fail(text):
    raise ValueError(text)


@app.task(name="py.size")
def size(data):
    return [type(data).__name__, len(data)]


@app.task(name="py.context", bind=True)
def context(self):
    request = self.request
    return {"id": request.id, "retries": request.retries, "delivery": request.delivery_info["routing_key"],
            "timelimit": request.timelimit, "expires": request.expires}


@app.task(name="py.retry", bind=True, max_retries=2, default_retry_delay=0.1)
def retry(self):
    if self.request.retries < 1:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(name="py.family", bind=True)
def family(self, _):
    return [self.request.root_id, self.request.parent_id]


@app.task(name="py.calls")
def calls(what):
    """Calls an Umbel task and waits for it."""
    name, argument = what
    with allow_join_result():
        return app.send_task(name, (argument,), queue=os.environ["TEST_UMBEL_QUEUE"]).get(timeout=20)
