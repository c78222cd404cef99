"""`umbel bench seeds --quick`: the form of its tables and of its chart, never the times."""
import os
import re
import signal
import xml.etree.ElementTree as ElementTree

from stage import OnCluster, OnSqlite, PROGRAM

WAYS = ("serial", "4 threads", "4 processes", "4 processes, sqlite", "4 processes, RabbitMQ", "4 coroutines", "930 coroutines")
SEEDS = (("1.00", "1.60", "1.61", "1.57", "1.57", "2.03", "2.03"), ("1.00", "1.06", "1.84", "1.70", "1.70", "1.05", "1.05"))


class Seeds:
    def seeds(self, *options, **more):
        return self.run_program("bench", "seeds", "--quick", *options, seconds=60, env={"TMPDIR": self.folder}, **more)

    def rows(self, out):
        """Each table as a list of (way, what its row says)."""
        tables = re.split(r"^(?:I/O|CPU)-bound: .*$", out, flags=re.M)[1:]
        self.assertEqual(len(tables), 2, out)
        return [[(row[:24].strip(), row[24:]) for row in table.splitlines() if row.startswith("  ") and row[2] != " "]
                for table in tables]

    def chart(self, name="umbel-seeds.svg"):
        return ElementTree.parse(self.path(name)).getroot()

    def bars(self, of):
        return [path for path in self.chart().iter("{http://www.w3.org/2000/svg}path") if path.get("class") == of]


class OnOneMachine(Seeds, OnSqlite):
    def test_both_tables_and_the_chart(self):
        answer = self.seeds()
        self.assertEqual(answer.code, 0, answer)
        for rows, seeds in zip(self.rows(answer.out), SEEDS):
            self.assertEqual(tuple(way for way, _ in rows), WAYS)
            for (way, told), seed in zip(rows, seeds):
                if way == "4 processes, RabbitMQ":
                    self.assertIn("not run: name an amqp:// URL", told)
                else:
                    self.assertRegex(told, r"^ +\d+\.\d{3} s +\d+\.\d\d +%s$" % seed)
        self.assertEqual(len(self.bars("umbel")), 12)
        self.assertEqual(len(self.bars("seeds")), 14)

    def test_it_leaves_nothing_but_the_chart_behind(self):
        self.assertEqual(self.seeds("--chart", "mine.svg").code, 0)
        self.assertEqual(os.listdir(self.folder), ["mine.svg"])

    def test_an_interruption_ends_it_and_keeps_the_old_chart(self):
        with open(self.path("umbel-seeds.svg"), "w") as f:
            f.write("old")
        bench = self.start("bench", [PROGRAM, "bench", "seeds"])
        bench.wait_for("time  speed-up")
        bench.signal(signal.SIGINT)
        self.assertEqual(bench.wait(), 130)
        self.assertIn("failed: interrupted", bench.said())
        with open(self.path("umbel-seeds.svg")) as f:
            self.assertEqual(f.read(), "old")
        self.assertEqual(sorted(os.listdir(self.folder)), ["bench.log", "umbel-seeds.svg"])

    def test_a_broker_that_is_away_fails_its_rows_alone(self):
        answer = self.seeds(broker="amqp://127.0.0.1:1//", backend="redis://127.0.0.1:1/0")
        self.assertEqual(answer.code, 4, answer)
        for rows in self.rows(answer.out):
            self.assertEqual([way for way, told in rows if "failed: " in told], ["4 processes, RabbitMQ"], answer)

    def test_a_wrong_line_is_refused_before_anything_is_run(self):
        for options in (("more",), ("--slow",), ("--chart",), ("--chart", "/nowhere/x.svg")):
            answer = self.seeds(*options)
            self.assertEqual((answer.code, answer.out), (2, ""), (options, answer))
            self.assertTrue(answer.err.startswith("umbel bench seeds: "), answer)

    def test_its_help_is_its_own(self):
        self.assertIn("usage: umbel bench seeds", self.bare("bench", "seeds", "--help").out)
        self.assertIn("usage: umbel bench [NAME", self.bare("bench", "--help").out)


class BehindRabbitMQ(Seeds, OnCluster):
    def test_every_row_is_run(self):
        answer = self.seeds()
        self.assertEqual(answer.code, 0, answer)
        self.assertNotIn("not run", answer.out)
        self.assertEqual(len(self.bars("umbel")), 14)
