"""`umbel bench` measures what is there, and leaves nothing behind."""
import json
import sqlite3

from stage import OnCluster, OnSqlite, on_both


class Bench:
    def bench(self, *options):
        return self.run_program("bench", "-Q", self.queue, *options)

    def test_every_worker_answers_it_even_one_without_modules(self):
        self.worker(modules=())
        answer = self.bench("-n", "400", "-c", "20", "-j")
        self.assertEqual(answer.code, 0, answer)
        told = json.loads(answer.out)
        self.assertEqual(told["task"], "umbel.ping")
        self.assertEqual(told["many"]["calls"], 400)
        self.assertEqual(sum(count for _, count in told["many"]["histogram"]), 400)
        self.assertLessEqual(told["one"]["p50_ms"], told["one"]["p99_ms"])
        self.assertGreater(told["many"]["calls_per_s"], 0)

    def test_a_person_gets_two_charts(self):
        self.worker(modules=())
        answer = self.bench("-n", "40", "--size", "1000")
        self.assertEqual(answer.code, 0, answer)
        self.assertEqual(answer.out.count("p50"), 2, answer)
        self.assertIn("up to", answer.out)

    def test_a_task_of_ones_own_in_chunks(self):
        self.worker()
        answer = self.bench("-n", "1000", "--chunk", "100", "-j", "math.add", "[2, 3]")
        self.assertEqual(answer.code, 0, answer)
        self.assertEqual(json.loads(answer.out)["many"]["calls"], 1000)
        self.assertEqual(sum(count for _, count in json.loads(answer.out)["many"]["histogram"]), 10)

    def test_the_ping_in_chunks(self):
        self.worker(modules=())
        answer = self.bench("-n", "100", "--chunk", "10", "--size", "5", "-j")
        self.assertEqual(answer.code, 0, answer)

    def test_a_task_that_fails_says_why(self):
        self.worker()
        answer = self.bench("math.add", "[2]")
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("missing 1 required argument", answer.err)

    def test_without_a_worker_it_ends_with_a_question(self):
        self.worker().stop()
        answer = self.bench("-t", "0.5")
        self.assertEqual(answer.code, 3, answer)
        self.assertIn("is a worker consuming the queue '%s'?" % self.queue, answer.err)

    def test_a_wrong_line_is_refused(self):
        for options in (("-n", "0"), ("-n", "many"), ("--size", "1", "math.add"), ("math.add", "{}"), ("a", "[]", "b")):
            answer = self.bench(*options)
            self.assertEqual(answer.code, 2, (options, answer))


on_both(Bench)


class Traces(OnSqlite):
    def test_its_results_are_gone_afterwards(self):
        self.worker()
        self.value("math.add", (2, 3))
        answer = self.bench("-n", "100", "-c", "10")
        self.assertEqual(answer.code, 0, answer)
        with sqlite3.connect("file:%s?mode=ro" % self.path("umbel.db"), uri=True) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM results").fetchone()[0], 1)

    def bench(self, *options):
        return self.run_program("bench", "-Q", self.queue, *options)
