"""Tasks that call tasks and wait for them: at any depth, with one slot, and whatever dies meanwhile."""
import os
import signal

from stage import OnCluster, eventually, on_both

FIB = {10: 55, 14: 377}


class Children:
    def children(self, worker):
        """Those that run tasks; the fork server is between."""
        return [pid for server in self.below(worker.pid) for pid in self.below(server)]

    def below(self, pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(word) for word in f.read().split()]


class Nested(Children):
    modules = ("nested",)
    limit = 120

    def test_a_tree_of_calls_ends_with_one_slot(self):
        worker = self.worker("-c", "1")
        self.assertEqual(self.value("nested.fib", (14,)), FIB[14])
        self.assertLessEqual(len(self.children(worker)), 1 + 14, "no more wait than the tree is deep")
        self.assertEqual(self.value("nested.tree", (6,)), 64)

    def test_solo_waits_for_what_it_called(self):
        self.worker("-P", "solo")
        self.assertEqual(self.value("nested.fib", (10,)), FIB[10])
        self.assertEqual(self.value("nested.chain", (20,)), 21)

    def crew(self, *options):
        worker = self.worker(*options)
        self.assertEqual(self.value("nested.fib", (10,)), FIB[10])
        self.assertEqual(self.value("nested.chain", (20,)), 21)
        self.assertEqual(len(self.children(worker)), 1, "the crew's one child is enough")
        return worker

    def test_a_thread_that_waits_lets_another_run(self):
        self.crew("-P", "threads", "-c", "1")

    def test_threads_that_wait_are_counted_too(self):
        self.worker("-P", "threads", "-c", "1", "--max-waiting", "4")
        self.assertEqual(self.value("nested.chain", (4,)), 5)
        answer = self.call("nested.chain", (5,))
        self.assertIn("raise its --max-waiting or use -P coroutines", answer.err + answer.out)

    def test_coroutines_wait_without_a_cap(self):
        self.crew("-P", "coroutines", "-c", "1", "--max-waiting", "4")

    def test_a_chain_is_as_long_as_may_wait(self):
        self.worker("-P", "coroutines", "-c", "1")
        self.assertEqual(self.value("nested.chain", (150,)), 151)

    def test_what_is_called_during_a_warm_stop_is_not_lost(self):
        worker = self.worker("-c", "1")
        root = self.send("nested.late", (1.5, "nested.chain", 0))
        worker.wait_for(r"Task nested.late\S+ received")
        worker.popen.send_signal(signal.SIGTERM)
        worker.popen.wait()
        self.assertEqual(self.result(root).value, 1)
        self.worker("-c", "1").wait_for(r"Task nested.chain\S+ succeeded")

    def test_coroutines_of_one_task_wait_at_once(self):
        for pool in ("prefork", "threads", "coroutines", "solo"):
            with self.subTest(pool=pool):
                worker = self.worker("-P", pool, *(() if pool == "solo" else ("-c", "1")))
                self.assertEqual(self.value("nested.pair"), 0)
                worker.end()

    def test_several_slots_and_two_workers_share_the_work(self):
        workers = [self.worker("-c", "2"), self.worker("-c", "2")]
        self.assertEqual(self.value("nested.tree", (7,)), 128)
        for worker in workers:
            self.assertLessEqual(len(self.children(worker)), 2 + 64)

    def test_a_call_knows_its_family(self):
        self.worker("-c", "1")
        first = self.value("nested.family", (3,))
        second, third = first["child"], first["child"]["child"]
        self.assertEqual((first["root"], first["parent"]), (first["id"], ""))
        self.assertEqual((second["root"], second["parent"]), (first["id"], first["id"]))
        self.assertEqual((third["root"], third["parent"]), (first["id"], second["id"]))
        self.assertEqual((first["queue"], third["queue"]), (self.queue, self.queue + ".nested"))

    def test_over_the_cap_a_wait_says_so_at_once(self):
        self.worker("-c", "1", "--max-waiting", "4")
        self.assertEqual(self.value("nested.chain", (4,)), 5)
        answer = self.call("nested.chain", (5,))
        self.assertNotEqual(answer.code, 0)
        self.assertIn("raise its --max-waiting or use -P coroutines", answer.err + answer.out)

    def test_how_a_call_failed_is_told_to_the_caller(self):
        self.worker("-c", "1")
        answer = self.call("nested.call", ("nested.fail", "", None))
        self.assertNotEqual(answer.code, 0)
        self.assertIn("ValueError", answer.err + answer.out)

    def test_what_a_task_calls_and_does_not_wait_for_is_run(self):
        worker = self.worker("-c", "1", "--max-tasks-per-child", "1")
        self.assertEqual(self.value("nested.spread", ("nested.chain", 3)), 3)
        worker.wait_for(r"Task nested.chain\S+ succeeded", count=3 + 3)

    def test_a_child_that_dies_while_it_waits_frees_its_place(self):
        worker = self.worker("-c", "1", "--max-waiting", "1")
        for deaths in (1, 2):
            waiting = self.send("nested.waiting_pid", (1.0,))
            pid = int(worker.wait_for(r"waiting in (\d+)", count=2 * deaths - 1).group(1))
            worker.wait_for(r"Task nested.nap\S+ received", count=2 * deaths - 1)
            os.kill(pid, signal.SIGKILL)
            answer = self.result(waiting)
            self.assertEqual((answer.code, answer.value), (0, 1), "its second run waited: the place was free")

    def test_a_cancelled_caller_does_not_keep_its_place(self):
        worker = self.worker("-c", "1", "--max-waiting", "1")
        waiting = self.send("nested.waiting_pid", (2.0,), "--time-limit", "0.5")
        answer = self.result(waiting)
        self.assertIn("TimeLimitExceeded", answer.err + answer.out)
        self.assertEqual(self.value("nested.chain", (1,)), 2)
        self.assertTrue(worker.running())

    def test_a_worker_killed_in_the_middle_loses_nothing(self):
        first = self.worker("-c", "1")
        root = self.send("nested.tree", (7,))
        first.wait_for(r"Task nested.tree\S+ succeeded", count=20)
        os.kill(first.pid, signal.SIGKILL)
        first.popen.wait()
        self.worker("-c", "2")
        answer = self.result(root, wait=60)
        self.assertEqual((answer.code, answer.value), (0, 128), answer)

    def test_solo_hands_back_what_waits_when_it_stops_at_once(self):
        first = self.worker("-P", "solo")
        root = self.send("nested.waiting_pid", (3.0,))
        first.wait_for(r"Task nested.nap\S+ received")
        first.signal(signal.SIGTERM)
        first.wait_for("warm stop")
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        self.worker("-P", "solo")
        answer = self.result(root)
        self.assertEqual((answer.code, answer.out.strip()), (0, "0"), answer)

    def test_spare_children_go(self):
        worker = self.worker("-c", "1")
        self.assertEqual(self.value("nested.chain", (8,)), 9)
        self.assertGreater(len(self.children(worker)), 4)
        eventually(lambda: len(self.children(worker)) == 1, "one child is left", 20)
        self.assertEqual(self.value("nested.chain", (2,)), 3)


on_both(Nested)


class Revoked(Children, OnCluster):
    """A caller is revoked while what it called runs. Remote control needs RabbitMQ; tests/matrix has umbel_cancel everywhere."""
    modules = ("nested",)
    limit = 120

    def revoke_callers(self, pool, signal_name):
        worker = self.worker("-P", pool, *(() if pool == "solo" else ("-c", "1", "--max-waiting", "2")))
        for run in (1, 2, 3):
            caller = self.send("nested.waiting_pid", (0.5,))
            worker.wait_for(r"Task nested.nap\S+ received", count=run)
            eventually(lambda: "terminate: " + caller in self.run_program("control", "terminate", signal_name, caller).out,
                       "it is asked to end")
            answer = self.result(caller)
            self.assertEqual(answer.code, 1, answer)
            self.assertIn("was revoked", answer.err)
            worker.wait_for(r"Task nested.nap\S+ succeeded", count=run)  # what it called runs on
        self.assertEqual(self.value("nested.chain", (2,)), 3)  # both that may wait do
        if pool != "solo":
            eventually(lambda: len(self.children(worker)) == 1, "one child is left", 20)
        worker.end()

    def test_its_call_runs_on_and_its_place_is_free_on_prefork(self):
        self.revoke_callers("prefork", "TERM")

    def test_its_call_runs_on_and_its_place_is_free_when_it_is_killed(self):
        self.revoke_callers("prefork", "KILL")

    def test_its_call_runs_on_and_its_place_is_free_on_threads(self):
        self.revoke_callers("threads", "TERM")

    def test_its_call_runs_on_and_its_place_is_free_on_coroutines(self):
        self.revoke_callers("coroutines", "TERM")

    def test_its_call_runs_on_and_its_place_is_free_in_solo(self):
        self.revoke_callers("solo", "TERM")
