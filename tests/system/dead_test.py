"""Dead letters as an operator meets them: what could not be run is listed with its reason, shown, sent again, dropped."""
import json
import re
import uuid

from servers import free_ports
from stage import OnCluster, OnSqlite, PATIENCE, eventually, on_both

SECRET = "Hush4711"


class Operator:
    """What the scenarios share: the command, and a life for letters to come out of."""

    def dead(self, verb, *words, **urls):
        return self.run_program("dead", verb, *words, "-Q", self.queue, **urls)

    def done(self, verb, *words):
        answer = self.dead(verb, *words)
        self.assertEqual((answer.code, answer.err), (0, ""), answer)
        return answer.out

    def rows(self):
        """The list, as {id: its line}."""
        lines = self.done("list").splitlines()
        if lines and lines[0].startswith("no dead letters"):
            return {}
        self.assertRegex(lines[0], r"^ID +TASK +PARKED \(UTC\) +WHY$")
        return {line.split()[0]: line for line in lines[1:]}

    def wait_rows(self, count):
        return eventually(lambda: len(rows := self.rows()) == count and rows, "%d letters are listed" % count)

    def park(self, task, arguments=()):
        """Calls what fails and is parked; answers its id."""
        before = set(self.rows())
        answer = self.call(task, arguments)
        self.assertEqual(answer.code, 1, answer)
        return (set(self.wait_rows(len(before) + 1)) - before).pop()

    def wait_result(self, task_id, words):
        return eventually(lambda: words in repr(self.result(task_id)) and self.result(task_id), "%s ends with %s" % (task_id, words))


class Dead(Operator):
    def test_there_is_nothing_to_see_of_a_queue_without_letters(self):
        self.worker("-c", "1")
        for verb, words in (("list", ()), ("show", ("--all",)), ("replay", ("--all",)), ("drop", ("--all",))):
            self.assertEqual(self.done(verb, *words), "no dead letters in '%s.dead'\n" % self.queue)
        answer = self.run_program("dead", "list", "-Q", "nobody-made-this-queue")
        self.assertEqual((answer.code, answer.out), (0, "no dead letters in 'nobody-made-this-queue.dead'\n"), answer)

    def test_the_list_says_which_task_when_and_why(self):
        self.worker("-c", "1")
        unknown, poison = self.park("no.such", (1,)), self.park("crash.signal", (11,))
        rows = self.rows()
        self.assertEqual(list(rows), [unknown, poison], "the oldest first")
        self.assertRegex(rows[unknown], r"^%s +no\.such +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d  not-registered: NotRegistered: no\.such$" % unknown)
        self.assertRegex(rows[poison], r"^%s +crash\.signal +\S+  deaths: WorkerLostError: .*SIGSEGV" % poison)
        self.assertEqual(rows[unknown].index("not-registered"), rows[poison].index("deaths"), "columns are in line")

    def test_looking_changes_nothing(self):
        self.worker("-c", "1")
        task_id = self.park("no.such")
        for _ in range(3):
            self.assertEqual(list(self.rows()), [task_id])
            self.assertIn("no.such", self.done("show", task_id))

    def test_a_letter_is_shown_with_headers_and_body(self):
        self.worker("-c", "1", name="mill@here")
        answer = self.call("no.such", (1, "two", {"three": [4.5, None, True]}), kwargs={"deep": {"er": 1}})
        self.assertEqual(answer.code, 1, answer)
        task_id = list(self.wait_rows(1))[0]
        shown = dict(line.split(None, 1) for line in self.done("show", task_id).splitlines() if line)
        for name, value in (("id", task_id), ("task", "no.such"), ("umbel-reason", "not-registered"), ("umbel-queue", self.queue),
                            ("umbel-error", "NotRegistered: no.such"), ("umbel-worker", "mill@here")):
            self.assertEqual(shown[name], value)
        self.assertRegex(shown["umbel-dead-at"], r"^20\d\d-\d\d-\d\dT")
        self.assertEqual(json.loads(shown["body"])[:2], [[1, "two", {"three": [4.5, None, True]}], {"deep": {"er": 1}}])

    def test_a_replay_is_a_new_life_and_overwrites_the_failure(self):
        first = self.worker("-c", "1", modules=("life",))
        task_id = self.park("math.add", (2, 3))
        self.assertIn("NotRegistered", self.result(task_id).err)
        first.stop()
        self.worker("-c", "1", modules=("math",))
        told = self.done("replay", task_id)
        self.assertTrue(told.startswith("1 of 1 dead letters replayed"), told)
        self.assertIn("replaces the result that is stored", told)
        self.assertEqual(self.wait_result(task_id, "exit 0").value, 5)
        self.assertEqual(self.rows(), {})

    def test_a_replay_forgets_the_deaths(self):
        worker = self.worker("-c", "1", "--max-deaths", "1")
        task_id = self.park("crash.once", (self.path("once"),))
        self.assertRegex(self.done("show", task_id), r"umbel-deaths +1\n")
        self.done("replay", task_id)
        self.assertEqual(self.wait_result(task_id, "exit 0").value, 0, "deaths that the task sees")
        worker.wait_for(r"crash\.once\[%s\].*succeeded" % task_id)

    def test_what_still_cannot_run_comes_back_with_its_new_reason(self):
        worker = self.worker("-c", "1")
        task_id = self.park("no.such")
        self.done("replay", task_id)
        worker.wait_for(r"no\.such\[%s\].*parked" % task_id, count=2)
        row = self.wait_rows(1)[task_id]
        self.assertEqual(row.count("not-registered"), 1, row)
        self.assertEqual(self.done("show", task_id).count("umbel-reason"), 1, "the marks of the first life are gone")

    def test_one_is_dropped_and_the_others_stay(self):
        self.worker("-c", "1")
        ids = [self.park("no.such.%d" % i) for i in range(4)]
        self.assertEqual(self.done("drop", ids[1]), "1 of 4 dead letters dropped\n")
        self.assertEqual(list(self.rows()), [ids[0], ids[2], ids[3]])
        self.assertEqual(self.done("drop", ids[3], ids[0]), "2 of 3 dead letters dropped\n")
        self.assertEqual(list(self.rows()), [ids[2]])
        self.assertIn("NotRegistered", self.result(ids[1]).err, "what is stored of it stays")

    def test_all_are_replayed_or_dropped_at_once(self):
        worker = self.worker("-c", "1")
        ids = {self.send("no.such") for _ in range(30)}
        self.assertEqual(set(self.wait_rows(30)), ids)
        self.assertIn("30 of 30 dead letters replayed", self.done("replay", "--all"))
        worker.wait_for(r"no\.such\[.*parked", count=60)
        self.assertEqual(set(self.wait_rows(30)), ids)
        self.assertEqual(self.done("drop", "--all"), "30 of 30 dead letters dropped\n")
        self.assertEqual(self.rows(), {})

    def test_an_id_that_is_not_there_is_named_and_the_others_are_done(self):
        self.worker("-c", "1")
        task_id, absent = self.park("no.such"), str(uuid.uuid4())
        answer = self.dead("drop", absent, task_id)
        self.assertEqual((answer.code, answer.out), (1, "1 of 1 dead letters dropped\n"), answer)
        self.assertEqual(answer.err, "umbel dead: '%s' is not in '%s.dead'\n" % (absent, self.queue))
        for verb in ("show", "replay", "drop"):
            self.assertEqual(self.dead(verb, absent).code, 1)

    def test_a_limit_looks_at_the_oldest_and_says_so(self):
        self.worker("-c", "1")
        ids = [self.park("no.such.%d" % i) for i in range(3)]
        answer = self.dead("list", "-n", "2")
        self.assertEqual((answer.code, [line.split()[0] for line in answer.out.splitlines()[1:]]), (0, ids[:2]), answer)
        self.assertIn("the oldest 2 of 3; -n 3 looks at all of them", answer.err)
        answer = self.dead("show", ids[2], "-n", "2")
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("the oldest 2 of 3", answer.err)
        self.assertEqual(self.done("drop", "--all", "-n", "2"), "2 of 3 dead letters dropped\n")
        self.assertEqual(list(self.rows()), ids[2:])

    def test_a_line_that_makes_no_sense_is_refused_before_anything_is_touched(self):
        for words, said in ((("frob",), "'frob' is none of list, show, replay, drop"), ((), "say what to do"), (("drop",), "name the ids, or say --all"),
                            (("list", "extra"), "'extra' is too much"), (("drop", "--all", "x"), "'x' is too much"),
                            (("list", "-n", "0"), "-n takes 1 to"), (("list", "-n", "2x"), "'2x'"), (("list", "-Q"), "a value is missing after '-Q'"),
                            (("list", "--frob"), "there is no option '--frob'")):
            answer = self.run_program("dead", *words)
            self.assertEqual((answer.code, answer.out), (2, ""), answer)
            self.assertIn(said, answer.err)
            self.assertIn("umbel dead --help", answer.err)

    def test_the_help_says_what_each_verb_does(self):
        answer = self.bare("dead", "--help")
        self.assertEqual(answer.code, 0, answer)
        for word in ("list", "show", "replay", "drop", "replaces the result", "for good", "--queue", "--all", "--limit", "exit code"):
            self.assertIn(word, answer.out)
        self.assertLessEqual(max(map(len, answer.out.splitlines())), 88, "it fits a terminal")


on_both(Dead)


class DeadWithoutBroker(Operator, OnSqlite):
    def test_a_broker_that_is_away_is_exit_code_4_and_keeps_its_password(self):
        broker = "amqp://me:%s@127.0.0.1:%d//" % (SECRET, free_ports(1)[0])
        for words in (("list",), ("show", "x"), ("replay", "--all"), ("drop", "--all")):
            answer = self.dead(*words, broker=broker, seconds=PATIENCE)
            self.assertEqual((answer.code, answer.out), (4, ""), answer)
            self.assertRegex(answer.err, r"^umbel dead: the broker cannot be reached: .*127\.0\.0\.1")
            self.assertNotIn(SECRET, answer.err)

    def test_no_broker_at_all_is_a_mistake_of_the_line(self):
        answer = self.bare("dead", "list")
        self.assertEqual(answer.code, 2, answer)
        self.assertIn("UMBEL_BROKER_URL", answer.err)

    def test_a_file_that_cannot_be_opened_is_told(self):
        answer = self.dead("list", broker="sqlite:/nowhere/at/all.db")
        self.assertNotIn(answer.code, (0, 1), answer)
        self.assertIn("/nowhere/at/all.db", answer.err)


class LettersOfEveryReason(Operator, OnCluster):
    """What Python and worse may send."""

    def setUp(self):
        from celery import Celery
        super().setUp()
        self.app = Celery("caller", broker=self.broker, backend=self.backend)
        self.addCleanup(self.app.close)

    def publish(self, body, content_type="application/json", encoding="utf-8", **headers):
        with self.app.connection_for_write() as connection:
            producer = connection.Producer()
            producer.publish(body, exchange="", routing_key=self.queue, headers=headers, serializer=None,
                             content_type=content_type, content_encoding=encoding)

    def test_each_is_listed_with_its_reason(self):
        from celery import signature
        self.worker("-c", "1")
        good, expected = b"[[1, 2], {}, {}]", {}
        for reason, body, more in (("bad-body", b"[[1, 2", {}), ("bad-body", b"", {}), ("bad-body", good, {"content_type": "application/x-python-serialize"}),
                                   ("not-registered", good, {"task": "no.such"}), ("bad-header", good, {"eta": "tomorrow"}),
                                   ("garbled", good, {"retries": "many"}), ("deaths", b"[[11], {}, {}]", {"task": "crash.signal"})):
            task_id = str(uuid.uuid4())
            self.publish(body, **{"task": "math.add", "id": task_id, **more})
            expected[task_id] = reason
        callback = signature("math.add", (1,), app=self.app)
        expected[self.app.send_task("math.add", (1, 2), link=callback, queue=self.queue).id] = "unsupported"
        rows = self.wait_rows(len(expected))
        self.assertEqual({task_id: re.search(r"T\d\d:\d\d:\d\d  ([a-z-]+)", row).group(1) for task_id, row in rows.items()}, expected)
        for task_id in expected:
            self.assertIn("umbel-reason", self.done("show", task_id))
        self.assertIn("%d of %d" % (len(expected), len(expected)), self.done("drop", "--all"))

    def test_a_body_that_cannot_be_read_is_told_by_its_size_and_beginning(self):
        self.worker("-c", "1")
        self.publish(b"[[1, 2 and so on", task="math.add", id="broken-" + self.queue)
        self.wait_rows(1)
        self.assertIn("16 bytes that cannot be read: [[1, 2 and so on", self.done("show", "--all"))

    def test_a_compressed_body_is_shown_as_it_was_meant(self):
        self.worker("-c", "1")
        task_id = self.app.send_task("no.such", ("packed", 1), queue=self.queue, compression="gzip").id
        self.wait_rows(1)
        shown = self.done("show", task_id)
        self.assertRegex(shown, r"compression +application/x-gzip\n")
        self.assertIn('body             [["packed", 1], {}', shown)

    def test_what_has_no_id_is_named_by_a_dash(self):
        self.worker("-c", "1")
        self.publish(b"[[1, 2], {}, {}]", task="math.add")
        self.wait_rows(1)
        self.park("no.such")
        self.assertIn("-", self.wait_rows(2))
        self.assertRegex(self.done("show", "-"), r"umbel-reason +no-id\n")
        self.assertEqual(self.done("drop", "-"), "1 of 2 dead letters dropped\n")
        self.assertNotIn("-", self.rows())

    def test_nothing_in_a_letter_can_steer_the_terminal(self):
        self.worker("-c", "1")
        evil = "\x1b]0;owned\x07\x1b[2J\r\x9b31m"
        self.publish(evil.encode("utf-8"), task="no" + evil, id="id" + evil + self.queue, **{"x" + evil: evil, "list": [evil]})
        self.wait_parked(1)
        for out in (self.done("list"), self.done("show", "--all")):
            self.assertIn("owned", out)
            for byte in "\x1b\x07\r\x9b":
                self.assertNotIn(byte, out)

    def test_two_letters_of_one_id_are_both_meant(self):
        self.worker("-c", "1")
        for _ in range(2):
            self.publish(b"[[], {}, {}]", task="no.such", id="twin-" + self.queue)
        eventually(lambda: len(self.parked()) == 2, "both are parked")
        answer = self.dead("drop", "twin-" + self.queue, "other")
        self.assertEqual((answer.code, answer.out), (1, "2 of 2 dead letters dropped\n"), answer)
        self.assertIn("'other'", answer.err)

    def test_letters_of_a_worker_whose_urls_hold_a_password_do_not_repeat_it(self):
        self.worker("-c", "1", broker="amqp://me:%s@127.0.0.1:1//;%s" % (SECRET, self.broker))
        task_id = self.park("crash.signal", (6,))
        for out in (self.done("list"), self.done("show", task_id), self.done("replay", task_id)):
            self.assertNotIn(SECRET, out)
