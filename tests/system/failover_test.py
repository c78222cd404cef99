"""Lists of brokers, and everything else a URL can say: virtual host, escapes, users, databases, sockets."""
import shutil
import tempfile
import unittest
import urllib.parse

from servers import Rabbit, Redis
from stage import BUILD, OnCluster, eventually, lines_of

USER, PASSWORD, VHOST = "us/er@home", "p%ss:w;rd/?#@", "my/host"


def quoted(text):
    return urllib.parse.quote(text, safe="")


class Failover(OnCluster):
    """A broker of our own, to be killed, in front of the one that all tests share."""
    limit = 120

    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="umbel-failover-")
        unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.first = Rabbit(folder)
        unittest.addModuleCleanup(cls.first.stop)

    def setUp(self):
        super().setUp()
        if not self.first.process:
            self.first.start()
        self.list = "%s;%s" % (self.first.url, self.broker)

    def history(self, count, per_second, broker=None, env=None):
        return self.start("client", ["%s/programs/history" % BUILD, broker or self.list, self.backend, self.queue, self.path("history"),
                                     str(count), "fault.step", "0", str(per_second), "40"], env)

    def results(self, code="OK"):
        return sum(" %s " % code in line for line in lines_of(self.path("history")) if line.startswith("result"))

    def test_a_worker_and_a_client_move_to_the_second_broker(self):
        worker = self.worker(broker=self.list, modules=("fault", "math"))
        client = self.history(400, 40)
        eventually(lambda: self.results("UMBEL_OK") or len(lines_of(self.path("history"))) > 50, "tasks run on the first broker")
        self.first.kill()
        self.assertEqual(client.wait(90), 0)
        lines = [line.split() for line in lines_of(self.path("history")) if line.startswith("result")]
        codes = [line[3] for line in lines]
        good = [code.endswith("OK") for code in codes]
        self.assertEqual(len(good), 400)
        # What the dead broker held unrun is there when it is back; everything else has its result.
        self.assertGreater(good.count(True), 370, codes)
        self.assertTrue(all(good[-100:]), "the last ones went through the second broker")
        second = self.broker.partition("@")[2].partition("/")[0]
        self.assertIn("connected to RabbitMQ at %s" % second, worker.said())
        self.assertEqual(worker.stop(), 0)

    def test_a_list_in_the_environment_is_one_too(self):
        env = {"UMBEL_BROKER_URL": self.list, "UMBEL_RESULT_BACKEND": self.backend}
        self.first.kill()
        worker = self.worker(broker=self.list)
        self.assertTrue(worker.running())
        answer = self.bare("call", "math.add", "[2, 3]", "-Q", self.queue, "--wait=15", env=env)
        self.assertEqual((answer.code, answer.out.strip()), (0, "5"), answer)

    def test_a_virtual_host_and_a_login_with_escapes(self):
        self.first.ctl("add_vhost", VHOST)
        self.first.ctl("add_user", USER, PASSWORD)
        self.first.ctl("set_permissions", "-p", VHOST, USER, ".*", ".*", ".*")
        url = "amqp://%s:%s@127.0.0.1:%d/%s" % (quoted(USER), quoted(PASSWORD), self.first.port, quoted(VHOST))
        worker = self.worker(broker=url)
        self.assertEqual(self.value("math.add", (2, 3), broker=url), 5)
        self.assertIn(self.queue, self.first.ctl("list_queues", "-p", VHOST, "name"))
        self.assertNotIn(PASSWORD, worker.said())
        self.assertNotIn(quoted(PASSWORD), worker.said())


class Addresses(OnCluster):
    """Users, virtual hosts, databases and sockets, with every character that has to be escaped."""

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="umbel-addresses-")
        unittest.addModuleCleanup(shutil.rmtree, cls.place, ignore_errors=True)
        cls.socket = cls.place + "/redis.sock"
        cls.redis = Redis(cls.place, options=["--unixsocket", cls.socket])
        cls.redis.start()
        unittest.addModuleCleanup(cls.redis.stop)
        cls.ask("ACL", "SETUSER", USER, "on", ">" + PASSWORD, "~*", "&*", "+@all")

    @classmethod
    def ask(cls, *words):
        import redis
        return redis.Redis(port=cls.redis.port).execute_command(*words)

    def works(self, **urls):
        worker = self.worker(**urls)
        self.assertEqual(self.value("math.add", (2, 3), **urls), 5)
        self.assertNotIn(PASSWORD, worker.said())
        self.assertNotIn(quoted(PASSWORD), worker.said())

    def test_a_virtual_host_that_is_missing_is_named(self):
        place = self.broker.partition("@")[2].partition("/")[0]
        worker = self.worker(broker="amqp://guest:guest@%s/nowhere" % place, ready=False)
        self.assertEqual(worker.wait(), 4, worker.said())
        self.assertIn("virtual host 'nowhere'", worker.said())

    def test_a_redis_user_and_a_database(self):
        url = "redis://%s:%s@127.0.0.1:%d/7" % (quoted(USER), quoted(PASSWORD), self.redis.port)
        self.works(backend=url)
        import redis
        self.assertTrue(redis.Redis(port=self.redis.port, db=7).keys("celery-task-meta-*"))

    def test_a_redis_password_that_is_wrong_is_refused_and_not_repeated(self):
        url = "redis://%s:%s@127.0.0.1:%d/7" % (quoted(USER), "wrong-secret", self.redis.port)
        worker = self.worker(backend=url, ready=False)
        self.assertEqual(worker.wait(), 4, worker.said())
        self.assertIn("user name or password", worker.said())
        self.assertNotIn("wrong-secret", worker.said())

    def test_a_redis_socket_by_both_of_its_names(self):
        self.works(backend="redis+socket://%s?virtual_host=3" % self.socket)
        self.works(backend="unix://%s?db=4" % self.socket)
        self.works(backend="redis+socket://%s:%s@%s?db=5" % (quoted(USER), quoted(PASSWORD), self.socket))

    def test_a_list_of_backends_is_refused_in_a_sentence(self):
        url = "redis://127.0.0.1:%d/0" % self.redis.port
        answer = self.run_program("call", "math.add", "[1, 2]", backend=url + ";" + url)
        self.assertEqual(answer.code, 2, answer)
        self.assertIn("not a list", answer.err)


class Replica(OnCluster):
    def test_a_redis_that_became_a_replica_is_left_until_it_takes_results(self):
        folder = tempfile.mkdtemp(prefix="umbel-replica-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        server = Redis(folder)
        self.addCleanup(server.stop)
        server.start()
        import redis
        control = redis.Redis(port=server.port)
        worker = self.worker(backend=server.url)
        self.assertEqual(self.value("math.add", (2, 3), backend=server.url), 5)
        control.execute_command("REPLICAOF", "127.0.0.1", "1")  # a master that is away: read only, data kept
        task_id = self.send("math.add", (20, 3), backend=server.url)
        worker.wait_for("READONLY.*trying again")
        control.execute_command("REPLICAOF", "NO", "ONE")
        answer = self.run_program("result", task_id, "--wait=20", backend=server.url)
        self.assertEqual((answer.code, answer.out.strip()), (0, "23"), answer)
        self.assertEqual(worker.stop(), 0)
