#!/usr/bin/python3
"""A private RabbitMQ and a private Redis for one test run.

Both listen on free loopback ports and keep their data in one temporary folder. They die with the process that
started them, even when that one is killed, and the folder is removed when they are stopped. No server that runs on
this machine already is touched.

    tests/servers.py                      prints UMBEL_TEST_AMQP=… and UMBEL_TEST_REDIS=…, then waits for Ctrl-C
    tests/servers.py COMMAND ARGUMENT …   runs a command with both in its environment and answers its exit code
    from servers import Servers           with Servers() as s: s.amqp, s.redis
"""
import ctypes
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
RABBIT_START = 120.0  # seconds; 5 to 10 on an idle machine
REDIS_START = 20.0

libc = ctypes.CDLL(None)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count):
    """Distinct ports that nobody listens on now. A race is possible; the caller starts again then."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def asked(port, question, answer):
    """Whether the server there answers `question` with something that begins with `answer`."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as s:
            s.settimeout(2.0)
            s.sendall(question)
            return s.recv(64).startswith(answer)
    except OSError:
        return False


class Server:
    """One process of ours: its folder, its log, its port, its end."""

    def __init__(self, folder, name):
        self.name = name
        self.folder = os.path.join(folder, name)
        self.process = None
        self.port = 0
        os.makedirs(self.folder, exist_ok=True)

    def spawn(self, argv, env=None):
        with open(os.path.join(self.folder, "out.log"), "ab") as log:
            self.process = subprocess.Popen(argv, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=die_with_parent, start_new_session=True)

    def wait_ready(self, limit):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError("%s ended at its start:\n%s" % (self.name, self.said()))
            if self.ready():
                return
            time.sleep(0.05)
        raise RuntimeError("%s was not ready within %d s:\n%s" % (self.name, limit, self.said()))

    def said(self):
        with open(os.path.join(self.folder, "out.log"), errors="replace") as f:
            return f.read()[-4000:]

    def kill(self):
        """As a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        self.kill()


class Redis(Server):
    """`tls`: an authority and a certificate (certificates.py) for a second port, `tls_port`."""

    def __init__(self, folder, durable=False, name="redis", tls=None, options=()):
        super().__init__(folder, name)
        self.durable, self.tls, self.tls_port, self.options = durable, tls, 0, list(options)

    def tls_options(self):
        if not self.tls:
            return []
        authority, certificate = self.tls
        self.tls_port = self.tls_port or free_ports(1)[0]
        return ["--tls-port", str(self.tls_port), "--tls-cert-file", certificate.cert, "--tls-key-file", certificate.key,
                "--tls-ca-cert-file", authority.ca, "--tls-auth-clients", "no"]

    def start(self):
        self.port = self.port or free_ports(1)[0]
        self.spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no",
                    "--appendonly", "yes" if self.durable else "no", "--dir", self.folder, *self.tls_options(),
                    *self.options])
        self.wait_ready(REDIS_START)

    def ready(self):
        return asked(self.port, b"PING\r\n", (b"+PONG", b"-NOAUTH"))

    @property
    def url(self):
        return "redis://127.0.0.1:%d/0" % self.port


class Rabbit(Server):
    """RabbitMQ with its own node name, cookie, ports, folders and port mapper (epmd). `tls` as for Redis."""

    def __init__(self, folder, name="rabbit", tls=None):
        super().__init__(folder, name)
        self.epmd = Server(folder, name + "-epmd")
        self.env, self.tls, self.tls_port = None, tls, 0

    def configure(self):
        self.port, self.tls_port, dist, epmd = free_ports(4)
        conf, plugins = os.path.join(self.folder, "rabbitmq.conf"), os.path.join(self.folder, "enabled_plugins")
        with open(conf, "w") as f:
            f.write("listeners.tcp.1 = 127.0.0.1:%d\nlog.console = false\nlog.file.level = warning\n"
                    "disk_free_limit.absolute = 50MB\n" % self.port)
            if self.tls:
                authority, certificate = self.tls
                f.write("listeners.ssl.1 = 127.0.0.1:%d\nssl_options.cacertfile = %s\nssl_options.certfile = %s\n"
                        "ssl_options.keyfile = %s\nssl_options.verify = verify_none\n"
                        "ssl_options.fail_if_no_peer_cert = false\n"
                        % (self.tls_port, authority.ca, certificate.cert, certificate.key))
        with open(plugins, "w") as f:
            f.write("[].\n")
        # A long name with an address in it: no host name of this machine has to resolve.
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))}
        self.env.update({
            "HOME": self.folder,
            "RABBITMQ_NODENAME": "umbel_%d@127.0.0.1" % self.port, "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_CONFIG_FILE": conf, "RABBITMQ_ENABLED_PLUGINS_FILE": plugins,
            "RABBITMQ_CONF_ENV_FILE": os.path.join(self.folder, "none"),
            "RABBITMQ_MNESIA_BASE": os.path.join(self.folder, "mnesia"),
            "RABBITMQ_LOG_BASE": os.path.join(self.folder, "log"),
            "RABBITMQ_PID_FILE": os.path.join(self.folder, "pid"),
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_ALLOW_INPUT": "true",  # the start script becomes the server instead of watching it
            "ERL_EPMD_PORT": str(epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
        })
        found = glob.glob("/usr/lib/erlang/erts-*/bin/epmd") or ["epmd"]
        self.epmd.spawn([found[0], "-port", str(epmd), "-address", "127.0.0.1"])

    def start(self):
        if not self.env:
            self.configure()
        self.spawn(["/usr/lib/rabbitmq/bin/rabbitmq-server", "-noinput"], self.env)
        self.wait_ready(RABBIT_START)

    def ready(self):
        return asked(self.port, b"AMQP\0\0\x09\x01", b"\x01\0\0")

    def ctl(self, *arguments):
        """rabbitmqctl on this node; answers what it printed."""
        done = subprocess.run(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "--longnames", *arguments], env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60)
        if done.returncode:
            raise RuntimeError("rabbitmqctl %s: %s" % (" ".join(arguments), done.stdout))
        return done.stdout

    def logged(self, text):
        """How often its own log says this."""
        count = 0
        for path in glob.glob(os.path.join(self.folder, "log", "*.log")):
            with open(path, errors="replace") as f:
                count += f.read().count(text)
        return count

    def stop(self):
        super().stop()
        self.epmd.stop()

    @property
    def url(self):
        return "amqp://guest:guest@127.0.0.1:%d//" % self.port


class Servers:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="umbel-servers-")
        self.owner = os.getpid()
        self.rabbit = self.redis_server = None

    def start(self):
        for attempt in (1, 2, 3):
            try:
                self.redis_server = Redis(self.folder)
                self.redis_server.start()
                self.rabbit = Rabbit(self.folder)
                self.rabbit.start()
                return self
            except RuntimeError:
                self.end()
                if attempt == 3:
                    shutil.rmtree(self.folder, ignore_errors=True)
                    raise
        return self

    @property
    def amqp(self):
        return self.rabbit.url

    @property
    def redis(self):
        return self.redis_server.url

    def environment(self):
        return {"UMBEL_TEST_AMQP": self.amqp, "UMBEL_TEST_REDIS": self.redis}

    def end(self):
        for server in (self.rabbit, self.redis_server):
            if server:
                server.stop()

    def stop(self):
        if os.getpid() == self.owner:
            self.end()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


def run(servers, argv):
    """Runs a command with the servers in its environment; a signal to us is passed on to it."""
    process = subprocess.Popen(argv, env=dict(os.environ, **servers.environment()), preexec_fn=die_with_parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: process.send_signal(n))
    code = process.wait()
    return 128 - code if code < 0 else code


def stand(servers):
    for name, value in servers.environment().items():
        print("%s=%s" % (name, value), flush=True)
    try:
        signal.sigwait([signal.SIGTERM, signal.SIGINT])
    except KeyboardInterrupt:
        pass
    return 0


def main(argv):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(argv) == 1:
        signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with Servers() as servers:
        return run(servers, argv[1:]) if len(argv) > 1 else stand(servers)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv))
    except KeyboardInterrupt:
        sys.exit(130)
