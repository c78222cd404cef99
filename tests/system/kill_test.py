"""kill -9 at the worst moment: nothing that was accepted is lost, and a second run is always marked."""
import os
import signal
import subprocess

from stage import BUILD, eventually, lines_of, on_both

BURST = os.path.join(BUILD, "programs", "burst")


class Kills:
    limit = 120

    def burst(self, count, seconds):
        path = self.path("trace")
        argv = [BURST, self.broker, self.backend or "-", self.queue, str(count), path, str(seconds)]
        return self.start("burst", argv), path

    def ended(self, path):
        return sum(line.startswith("end") for line in lines_of(path))

    def check(self, burst, path, count):
        """P1 and P2: all answered, all ran, and each run after a first one carries the mark."""
        self.assertEqual(burst.wait(90), 0, burst.said()[-3000:])
        self.assertEqual(burst.said().count(" SUCCESS"), count)
        seen = {}
        for line in lines_of(path):
            step, word, mark, _ = line.split()
            if step == "begin":
                self.assertTrue(word not in seen or mark == "again", "an unmarked second run of " + word)
                seen[word] = seen.get(word, 0) + 1
        self.assertEqual(len(seen), count, "every task ran")
        return sum(runs - 1 for runs in seen.values())

    def test_a_child_killed_in_the_middle_of_a_task_loses_nothing(self):
        self.worker("-c", "2")
        burst, path = self.burst(60, 0.02)
        for wanted in (5, 15, 25):
            eventually(lambda: self.ended(path) >= wanted, "%d tasks are done" % wanted)
            pid = int(lines_of(path)[-1].split()[3])
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.assertLessEqual(self.check_ran(burst, path, 60), 3, "one death runs one task twice")

    def check_ran(self, burst, path, count):
        """As check, but a death of a child in the same worker is counted there and needs no broker's mark."""
        self.assertEqual(burst.wait(90), 0, burst.said()[-3000:])
        words = [line.split()[1] for line in lines_of(path) if line.startswith("begin")]
        self.assertEqual(len(set(words)), count)
        return len(words) - count

    def test_a_worker_killed_with_200_in_flight_loses_nothing(self):
        first = self.worker("-c", "2")
        burst, path = self.burst(200, 0.01)
        eventually(lambda: self.ended(path) >= 40, "40 tasks are done")
        os.kill(first.pid, signal.SIGKILL)
        first.popen.wait()
        before = self.ended(path)
        self.assertLess(before, 200, "it was killed in the middle")
        self.worker("-c", "2")
        self.check(burst, path, 200)

    def test_a_worker_killed_three_times_over_loses_nothing(self):
        burst, path = self.burst(200, 0.01)
        burst.wait_for("^sent")
        for wanted in (30, 70, 110):
            worker = self.worker("-c", "2")
            eventually(lambda: self.ended(path) >= wanted, "%d tasks are done" % wanted)
            os.kill(worker.pid, signal.SIGKILL)
            worker.popen.wait()
        self.worker("-c", "2")
        self.check(burst, path, 200)

    def test_the_fork_servers_death_stops_the_worker_and_nothing_is_lost(self):
        first = self.worker("-c", "2")
        burst, path = self.burst(100, 0.01)
        eventually(lambda: self.ended(path) >= 20, "20 tasks are done")
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first.pid)], stdout=subprocess.PIPE, text=True).stdout
        server = int(out.split()[0])
        os.kill(server, signal.SIGKILL)
        first.wait(15)
        self.worker("-c", "2")
        self.check_ran(burst, path, 100)


on_both(Kills)
