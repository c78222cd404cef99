"""What workers cost the broker: connections, channels and queues, counted by the broker itself."""
import os
import subprocess
import time


# Debian's /usr/sbin/rabbitmqctl becomes another user, who has neither this environment nor this cookie.
TOOL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
if not os.path.exists(TOOL):
    TOOL = "rabbitmqctl"


def purge(rabbit_env, queue):
    """Empties a queue; one that is not there is empty."""
    subprocess.call([TOOL, "-q", "purge_queue", queue], env=rabbit_env, timeout=120, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)


class Crowd:
    """Workers on one queue, that many at once."""

    def __init__(self, rabbit_env, argv, env):
        self.rabbit_env, self.argv, self.env, self.workers = rabbit_env, argv, dict(os.environ, **env), []

    def count(self, what):
        """Rows of `rabbitmqctl list_WHAT`."""
        lines = subprocess.check_output([TOOL, "-q", "--no-table-headers", "list_" + what, "name"], text=True,
                                        env=self.rabbit_env, timeout=120)
        return len(lines.split("\n")) - 1

    def counts(self):
        return {what: self.count(what) for what in ("connections", "channels", "queues")}

    def grow(self, size):
        while len(self.workers) < size:
            name = "crowd%d@%%h" % len(self.workers)
            self.workers.append(subprocess.Popen(self.argv + ["-n", name], env=self.env, stdin=subprocess.DEVNULL,
                                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def settle(self, patience=60):
        """The counts, once they are the same twice."""
        before, end = None, time.monotonic() + patience
        while time.monotonic() < end:
            now = self.counts()
            if now == before:
                return now
            before = now
            time.sleep(1)
        raise RuntimeError("the broker's counts did not come to rest: %s" % now)

    def end(self):
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(30)


def per_worker(crowd, size):
    """What each further worker adds, from one to `size`."""
    crowd.grow(1)
    one = crowd.settle()
    crowd.grow(size)
    many = crowd.settle()
    return {what: (many[what] - one[what]) / (size - 1) for what in one}
