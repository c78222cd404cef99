"""The checker itself: each promise broken once on paper."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checker import check  # noqa: E402

GOOD = "submit a 1.0\naccepted a 2.0\nstart a 1.5 first 7\nend a 1.6 first 7\nresult a 1.7 OK v1\n"
STORED = {"a": ("SUCCESS", "v1")}


class TheChecker(unittest.TestCase):
    def verdict(self, text, stored, **more):
        with tempfile.NamedTemporaryFile("w", delete=False) as f:
            f.write(text)
        self.addCleanup(os.unlink, f.name)
        return check(f.name, stored, **more)

    def test_accepts_a_good_history(self):
        self.assertEqual(self.verdict(GOOD, STORED).complaints, [])

    def test_sees_a_lost_call(self):
        self.assertEqual(self.verdict("submit a 1\naccepted a 2\nresult a 9 TIMEOUT -\n", {}).lost, 1)

    def test_does_not_call_a_call_lost_that_was_never_accepted(self):
        self.assertEqual(self.verdict("submit a 1\nunsent a 2 BROKER_AWAY\nresult a 2 BROKER_AWAY -\n", {}).lost, 0)

    def test_sees_a_call_that_was_not_accepted_unless_that_may_be(self):
        text = "submit a 1\nunsent a 2 BROKER_AWAY\nresult a 2 BROKER_AWAY -\n"
        self.assertTrue(self.verdict(text, {}).complaints)
        self.assertFalse(self.verdict(text, {}, may_be_unsent=True).complaints)

    def test_sees_that_nothing_was_played(self):
        self.assertTrue(self.verdict("", {}).complaints)

    def test_sees_a_second_run_without_a_mark(self):
        self.assertEqual(self.verdict(GOOD + "start a 1.55 first 8\n", STORED).unmarked, 1)

    def test_lets_a_marked_second_run_pass_and_counts_it(self):
        verdict = self.verdict(GOOD + "start a 1.55 marked 8\n", STORED)
        self.assertEqual((verdict.complaints, verdict.doubled), ([], 1))

    def test_sees_a_result_that_changed_after_it_was_seen(self):
        self.assertEqual(self.verdict(GOOD, {"a": ("SUCCESS", "v2")}).contradictory, 1)

    def test_sees_a_wait_past_its_deadline(self):
        self.assertEqual(self.verdict(GOOD + "late a 0.5\n", STORED).late, 1)

    def test_sees_a_call_that_was_never_answered(self):
        self.assertTrue(self.verdict("submit a 1\naccepted a 2\n", STORED).complaints)

    def test_sees_an_accepted_call_without_a_result(self):
        text = GOOD.replace("OK v1", "TIMEOUT -")
        self.assertTrue(self.verdict(text, STORED).complaints)
        self.assertFalse(self.verdict(text, STORED, results_may_vanish=True).complaints)

    def test_lets_no_other_answer_than_the_timeout_pass_when_results_vanish(self):
        text = GOOD.replace("OK v1", "CLOSED -")
        self.assertTrue(self.verdict(text, STORED, results_may_vanish=True).complaints)

    def test_sees_more_second_runs_than_the_fault_explains(self):
        text = GOOD + "start a 1.55 marked 8\n"
        self.assertFalse(self.verdict(text, STORED, doubled_at_most=1).complaints)
        self.assertTrue(self.verdict(text, STORED, doubled_at_most=0).complaints)

    def test_sees_a_client_that_closes_late(self):
        self.assertTrue(self.verdict(GOOD + "late close 0.5\n", STORED).complaints)


if __name__ == "__main__":
    unittest.main()
