"""A task takes its child with it: the worker goes on, the caller is told what happened."""
import re
import shutil
import subprocess

from stage import BUILD, OnSqlite, lines_of, module, on_both


class Crashes:
    def crashed(self, task, arguments=(), *options):
        answer = self.call(task, arguments, *options)
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("WorkerLostError", answer.err)
        return answer.err

    def test_a_task_that_kills_three_children_is_parked_and_names_the_signal(self):
        worker = self.worker()
        self.assertIn("SIGSEGV", self.crashed("crash.segv"))
        self.wait_parked(1)
        self.assertEqual(worker.said().count("crash.segv[") > 0, True)
        self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_a_crash_that_passes_is_tried_again(self):
        self.worker()
        self.assertEqual(self.value("crash.once", (self.path("once"),)), 1, "one death is counted")

    def test_at_most_once_is_not_tried_again(self):
        self.worker()
        path = self.path("fleeting")
        self.assertIn("WorkerLostError", self.call("crash.at_most_once", (path,)).err)
        self.assertEqual(lines_of(path), ["run"])

    def test_a_crash_does_not_touch_its_neighbours(self):
        self.worker("-c", "2")
        ids = [self.send("crash.signal", (11,)) if i % 4 == 0 else self.send("math.add", (i, i)) for i in range(20)]
        for i, task_id in enumerate(ids):
            answer = self.result(task_id)
            if i % 4:
                self.assertEqual((answer.code, answer.out.strip()), (0, str(2 * i)), answer)
            else:
                self.assertEqual(answer.code, 1, answer)


class Kinds(OnSqlite):
    def died(self, word, task, arguments=()):
        answer = self.call(task, arguments)
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("WorkerLostError", answer.err)
        self.assertIn(word, answer.err)
        self.assertEqual(self.value("math.add", (2, 3)), 5)

    def test_abort(self):
        self.worker("-c", "1")
        self.died("SIGABRT", "crash.abort")

    def test_exit_inside_a_task(self):
        self.worker("-c", "1")
        self.died("exit", "crash.exit")

    def test_the_traceback_names_static_functions_and_places_that_addr2line_takes(self):
        self.worker("-c", "1")
        answer = self.call("crash.segv")
        self.assertRegex(answer.err, r"Segmentation fault at address \(nil\), innermost call first:\n"
                         r"(  #0 libc\.so\.6\+0x[0-9a-f]+\n)?  #\d crash\.so\+0x[0-9a-f]+ write_nowhere\+0x")  # the signal's own frame, under a sanitizer
        if "san" in BUILD or not shutil.which("addr2line"):
            return
        offset = re.search(r"#0 crash\.so\+(0x[0-9a-f]+)", answer.err).group(1)
        told = subprocess.run(["addr2line", "-f", "-e", module("crash"), offset], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(told.splitlines()[0], "write_nowhere")

    def test_what_befalls_a_copy_that_a_task_forked_is_no_crash_of_the_child(self):
        self.worker("-c", "1")
        answer = self.call("crash.copy")
        self.assertIn("SIGKILL", answer.err)
        self.assertNotIn("innermost call", answer.err)

    def test_stack_overflow(self):
        self.worker("-c", "1")
        self.died("SIGSEGV", "crash.stack")

    def test_every_deadly_signal_is_named(self):
        self.worker("-c", "1")
        for number, name in ((4, "SIGILL"), (7, "SIGBUS"), (8, "SIGFPE"), (9, "SIGKILL"), (15, "SIGTERM")):
            self.died(name, "crash.signal", (number,))

    def test_an_exception_that_leaves_a_cpp_task_is_a_failure_with_its_type(self):
        self.worker("-c", "1", modules=("throw", "math"))
        self.assertEqual(self.value("cpp.add", (2, 3)), 5)
        self.assertEqual(self.value("cpp.greet", (), kwargs={"name": "you"}), "hello you")
        pid_lost = self.call("cpp.throw", ("index 9",))
        self.assertEqual(pid_lost.code, 1, pid_lost)
        self.assertIn("out_of_range", pid_lost.err)
        self.assertIn("index 9", pid_lost.err)
        self.assertEqual(self.call("cpp.throw_int").code, 1)


on_both(Crashes)
