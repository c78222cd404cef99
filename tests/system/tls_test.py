"""amqps:// and rediss:// with the real program: the right certificate works, each wrong one is told in a sentence."""
import shutil
import tempfile
import unittest
import uuid

from certificates import EXPIRED, Authority
from relay import Relay
from servers import Rabbit, Redis
from stage import OnCluster

SAID = {
    "wrong host": ("is not for 'localhost'", "?server_name="),
    "untrusted": ("issuer of the server's certificate is not trusted", "?ca="),
    "expired": ("certificate has expired",),
}


class Scene:
    """Servers with TLS, and relays in front of the plain broker that show certificates of every kind."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="umbel-tls-")
        self.servers, self.relays = [], []
        self.authority, self.stranger = Authority(self.folder), Authority(self.folder, "stranger")
        self.right = self.authority.sign("right", "DNS:localhost,IP:127.0.0.1")
        self.wrong = {
            "wrong host": self.authority.sign("wrong", "DNS:elsewhere.example,IP:192.0.2.1"),
            "untrusted": self.stranger.sign("untrusted", "DNS:localhost,IP:127.0.0.1"),
            "expired": self.authority.sign("expired", "DNS:localhost,IP:127.0.0.1", EXPIRED),
        }
        self.rabbit = self.started(Rabbit(self.folder, tls=(self.authority, self.right)))
        self.redis = self.redis_with("right", self.right)

    def started(self, server):
        self.servers.append(server)
        server.start()
        return server

    def redis_with(self, name, certificate):
        return self.started(Redis(self.folder, name="redis-" + name.replace(" ", "-"), tls=(self.authority, certificate)))

    def relay(self, certificate):
        self.relays.append(Relay(self.rabbit.url, certificate))
        return self.relays[-1].port

    def end(self):
        for relay in self.relays:
            relay.close()
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Tls(OnCluster):
    scene = None

    @classmethod
    def setUpClass(cls):
        cls.scene = Scene()
        unittest.addModuleCleanup(cls.scene.end)

    def urls(self):
        return self.amqps(), self.rediss()

    def amqps(self, host="localhost", port=None, options=None):
        options = "ca=" + self.scene.authority.ca if options is None else options
        return "amqps://guest:guest@%s:%d//%s" % (host, port or self.scene.rabbit.tls_port, options and "?" + options)

    def rediss(self, host="localhost", port=None, options=None):
        options = "ca=" + self.scene.authority.ca if options is None else options
        return "rediss://%s:%d/0%s" % (host, port or self.scene.redis.tls_port, options and "?" + options)

    def refused(self, words, **urls):
        """Both the worker and the client say it and end by themselves, the client well before its deadline."""
        worker = self.worker(ready=False, **urls)
        self.assertEqual(worker.wait(), 4, worker.said())
        command = ["call", "math.add", "[1, 2]"] if "broker" in urls else ["result", str(uuid.uuid4())]
        answer = self.run_program(*command, "--wait=4", **urls)
        self.assertEqual(answer.code, 4, answer)
        for word in words:
            self.assertIn(word, worker.said())
            self.assertIn(word, answer.err)

    def test_the_right_certificate_works_for_broker_and_backend(self):
        worker = self.worker()
        self.assertEqual(self.value("math.add", (2, 3)), 5)
        self.assertNotIn("verif", worker.said())

    def test_an_address_in_the_certificate_is_verified_too(self):
        self.worker(broker=self.amqps("127.0.0.1"), backend=self.rediss("127.0.0.1"))
        self.assertEqual(self.value("math.add", (2, 3), broker=self.amqps("127.0.0.1"), backend=self.rediss("127.0.0.1")), 5)

    def test_celerys_names_of_the_options_work(self):
        celerys = "ssl_ca_certs=%s&ssl_cert_reqs=CERT_REQUIRED" % self.scene.authority.ca.replace("/", "%2F")
        urls = {"broker": self.amqps(options=celerys), "backend": self.rediss(options=celerys)}
        self.worker(**urls)
        self.assertEqual(self.value("math.add", (2, 3), **urls), 5)

    def test_a_wrong_certificate_of_the_broker_is_named(self):
        for what, certificate in self.scene.wrong.items():
            with self.subTest(what):
                self.refused(SAID[what], broker=self.amqps(port=self.scene.relay(certificate)))

    def test_a_wrong_certificate_of_the_backend_is_named(self):
        for what, certificate in self.scene.wrong.items():
            with self.subTest(what):
                server = self.scene.redis_with(what, certificate)
                self.refused(SAID[what], backend=self.rediss(port=server.tls_port))

    def test_an_address_that_is_not_in_the_certificate_is_refused(self):
        port = self.scene.relay(self.scene.wrong["wrong host"])
        self.refused(("is not for '127.0.0.1'", "?server_name="), broker=self.amqps("127.0.0.1", port))

    def test_without_a_ca_file_the_systems_authorities_decide(self):
        self.refused(SAID["untrusted"], broker=self.amqps(options=""))

    def test_a_server_name_in_the_url_is_what_is_verified(self):
        port = self.scene.relay(self.scene.wrong["wrong host"])
        named = "server_name=elsewhere.example&ca=" + self.scene.authority.ca
        self.worker(broker=self.amqps(port=port, options=named))
        self.assertEqual(self.value("math.add", (2, 3)), 5)
        self.refused(("is not for 'elsewhere.example'",), broker=self.amqps(options=named))

    def test_verify_none_works_and_is_warned_of(self):
        port = self.scene.relay(self.scene.wrong["untrusted"])
        server = self.scene.redis_with("unverified", self.scene.wrong["expired"])
        worker = self.worker(broker=self.amqps(port=port, options="verify=none"),
                             backend=self.rediss(port=server.tls_port, options="verify=none"))
        warnings = [line for line in worker.said().splitlines() if "verify=none" in line and "WARN" in line.upper()]
        self.assertEqual(len(warnings), 2, worker.said())
        self.assertEqual(self.value("math.add", (2, 3), backend=self.rediss(port=server.tls_port, options="verify=none")), 5)

    def test_a_ca_file_that_is_missing_is_named(self):
        self.refused(("/nowhere/ca.pem",), broker=self.amqps(options="ca=/nowhere/ca.pem"))

    def test_a_port_without_tls_is_named(self):
        self.refused(("does not speak TLS",), broker=self.amqps(port=self.scene.rabbit.port))

    def test_an_option_that_is_misspelt_is_refused(self):
        for options in ("verfiy=none", "verify=perhaps"):
            answer = self.run_program("call", "math.add", "[1, 2]", broker=self.amqps(options=options))
            self.assertEqual(answer.code, 2, answer)
            self.assertIn("verify", answer.err)

    def test_a_list_goes_on_to_a_broker_whose_certificate_is_right(self):
        urls = "%s;%s" % (self.amqps(port=self.scene.relay(self.scene.wrong["expired"])), self.amqps())
        self.worker(broker=urls)
        self.assertEqual(self.value("math.add", (2, 3), broker=urls), 5)

    def test_a_connection_with_tls_carries_much_and_comes_back(self):
        relay = Relay("amqps://guest:guest@127.0.0.1:%d//" % self.scene.rabbit.tls_port)
        self.addCleanup(relay.close)
        broker = self.amqps(port=relay.port)
        self.worker(broker=broker)
        for _ in range(3):
            self.assertEqual(self.value("type.size", ("x" * 100000,), broker=broker), 100000)
        relay.cut()
        self.assertEqual(self.value("math.add", (2, 3), broker=broker), 5)
