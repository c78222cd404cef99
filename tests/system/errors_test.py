"""What cannot work is told in a sentence, at once, with a non-zero exit."""
import time

from stage import OnSqlite, PATIENCE


class Errors(OnSqlite):
    def refused(self, *words, **options):
        worker = self.worker(ready=False, **options)
        code = worker.wait(PATIENCE)
        self.assertNotEqual(code, 0)
        self.assertGreater(code, 0, "it ended by itself, not by a signal")
        said = worker.said()
        for word in words:
            self.assertIn(word, said)
        complaint = [line for line in said.splitlines() if words[0] in line]
        self.assertEqual(len(complaint), 1, said)
        self.assertLess(len(said.splitlines()), 6, "a sentence, not a page:\n" + said)

    def test_a_module_that_is_missing(self):
        self.refused("nowhere.so", modules=("/tmp/nowhere.so",))

    def test_a_file_that_is_no_shared_object(self):
        with open(self.path("text.so"), "w") as f:
            f.write("hello\n")
        self.refused("text.so", modules=(self.path("text.so"),))

    def test_a_shared_object_that_is_no_module(self):
        self.refused("no_module.so", "umbel_module", modules=("no_module",))

    def test_a_module_of_another_abi(self):
        self.refused("other_abi.so", "42", modules=("other_abi",))

    def test_two_tasks_of_one_name(self):
        self.refused("math.add", modules=("math", "again"))

    def test_a_url_of_an_unknown_scheme_names_the_known_ones(self):
        self.refused("carrier-pigeon", "amqp", "sqlite", broker="carrier-pigeon://home")

    def test_a_url_that_is_none(self):
        self.refused("scheme", broker="http//")

    def test_a_pool_that_does_not_exist_names_those_that_do(self):
        worker = self.worker("-P", "gevent", ready=False)
        self.assertNotEqual(worker.wait(), 0)
        self.assertIn("prefork", worker.said())
        self.assertIn("solo", worker.said())

    def test_no_url_at_all(self):
        answer = self.bare("call", "math.add", "[1, 2]", env={"UMBEL_BROKER_URL": "", "UMBEL_RESULT_BACKEND": ""})
        self.assertEqual(answer.code, 2, answer)
        self.assertIn("UMBEL_BROKER_URL", answer.err)

    def test_arguments_that_are_no_json(self):
        answer = self.run_program("call", "math.add", "[1, 2")
        self.assertEqual(answer.code, 2, answer)

    def test_an_unknown_command_and_option_point_to_the_help(self):
        for argv in (("frobnicate",), ("worker", "--frobnicate")):
            answer = self.run_program(*argv)
            self.assertEqual(answer.code, 2, answer)
            self.assertIn("--help", answer.err)

    def test_help_names_every_command_and_exit_code(self):
        answer = self.bare("--help")
        self.assertEqual(answer.code, 0)
        for word in ("worker", "call", "result", "UMBEL_BROKER_URL"):
            self.assertIn(word, answer.out)
        for command in ("worker", "call", "result"):
            answer = self.bare(command, "--help")
            self.assertEqual(answer.code, 0, answer)
            self.assertIn("usage", answer.out.lower())

    def test_a_call_that_nobody_serves_ends_at_its_timeout(self):
        began = time.monotonic()
        answer = self.call("math.add", (1, 2), wait=0.5)
        self.assertIn(answer.code, (3, 4), answer)
        self.assertLess(time.monotonic() - began, 0.5 + 1.0)

    def test_a_broker_that_refuses_connections_is_named_without_its_password(self):
        answer = self.run_program("call", "math.add", "[1, 2]", "--wait=1",
                                  broker="amqp://me:secret@127.0.0.1:1//", backend="redis://:secret@127.0.0.1:1/0")
        self.assertIn(answer.code, (3, 4), answer)
        self.assertIn("127.0.0.1", answer.err)
        self.assertNotIn("secret", answer.err + answer.out)
