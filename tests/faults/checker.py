"""Reads the history of one case and holds it against the promises (docs/guarantees.md).

A history has lines of the client (submit, accepted, unsent, result, late) and of the tasks (start, end); see
tests/programs/history.c and tests/modules/fault.c. What the backend holds at the end is given beside it."""
import collections

TERMINAL = ("SUCCESS", "FAILURE", "REVOKED")
ENDED = ("OK", "FAILED", "REVOKED")  # what umbel_get answers once there is a terminal state
Verdict = collections.namedtuple(
    "Verdict", "submitted accepted started lost doubled unmarked contradictory late slowest complaints")
CLOSE = "close"  # stands where an id would: umbel_close outlived its grace


class Call:
    def __init__(self):
        self.submitted = None
        self.accepted = False
        self.unsent = None
        self.starts = []  # (time, marked?)
        self.ends = 0
        self.answer = None  # (code, value) the waiter saw
        self.waited = 0.0
        self.late = 0.0


def read(path):
    calls = collections.defaultdict(Call)
    with open(path) as f:
        for line in f:
            word, call_id, *rest = line.split()
            call = calls[call_id]
            if word == "submit":
                call.submitted = float(rest[0])
            elif word == "accepted":
                call.accepted = True
            elif word == "unsent":
                call.unsent = rest[1]
            elif word == "start":
                call.starts.append((float(rest[0]), rest[1] == "marked"))
            elif word == "end":
                call.ends += 1
            elif word == "result":
                call.answer = (rest[1], rest[2])
                call.waited = float(rest[0]) - (call.submitted or float(rest[0]))
            elif word == "late":
                call.late = float(rest[0])
    return calls


def lost(call, stored):
    """P1: accepted, but neither a terminal state is recorded nor did it run to its end."""
    return call.accepted and not (stored and stored[0] in TERMINAL) and not call.ends


def unmarked(call):
    """P2: every run after the first carries a mark."""
    return sum(1 for _, marked in sorted(call.starts)[1:] if not marked)


def contradictory(call, stored):
    """P3: what a waiter saw as the end is what stands in the backend."""
    if not call.answer or not stored or call.answer[0] not in ENDED:
        return False
    code, value = call.answer
    return value != stored[1] or (code == "OK") != (stored[0] == "SUCCESS")


def check(path, stored, results_may_vanish=False, doubled_at_most=None, may_be_unsent=False):
    """`stored`: {id: (status, value or exception type)} for every id that the backend holds at the end.

    results_may_vanish: the backend forgot; a wait may end at its deadline, with UMBEL_TIMEOUT and nothing else.
    may_be_unsent: the broker takes nothing for so long that calls may end by their timeouts.
    doubled_at_most: so many runs the fault of this case can have cut short; None: any number."""
    everything = read(path)
    calls = {i: c for i, c in everything.items() if c.submitted is not None}
    gone = [i for i, c in calls.items() if lost(c, stored.get(i))]
    twice = [i for i, c in calls.items() if len(c.starts) > 1]
    silent = [i for i, c in calls.items() if unmarked(c)]
    contrary = [i for i, c in calls.items() if contradictory(c, stored.get(i))]
    late = [i for i, c in calls.items() if c.late]
    missing = [i for i, c in calls.items() if c.answer is None]
    waiting = [i for i, c in calls.items() if c.accepted and c.answer and c.answer[0] not in ENDED]
    unsent = [] if may_be_unsent else [i for i, c in calls.items() if not c.accepted]
    wrong = [i for i in waiting if calls[i].answer[0] != "TIMEOUT"]
    complaints = ["%d %s, e.g. %s" % (len(ids), what, ids[0]) for what, ids in (
        ("lost", gone), ("ran again unmarked", silent), ("contradictory", contrary), ("waited past the deadline", late),
        ("never answered", missing), ("not accepted", unsent)) if ids]
    if results_may_vanish:
        waiting = wrong
    if waiting:
        complaints.append("%d accepted calls ended without a result, e.g. %s: %s" %
                          (len(waiting), waiting[0], calls[waiting[0]].answer[0]))
    if doubled_at_most is not None and len(twice) > doubled_at_most:
        complaints.append("%d calls ran more than once, where the fault explains %d, e.g. %s" %
                          (len(twice), doubled_at_most, twice[0]))
    if not calls:
        complaints.append("nothing was submitted")
    if everything[CLOSE].late:
        complaints.append("closing the client took %.3f s longer than it may" % everything[CLOSE].late)
    return Verdict(len(calls), sum(c.accepted for c in calls.values()), sum(bool(c.starts) for c in calls.values()),
                   len(gone), len(twice), len(silent), len(contrary), len(late),
                   max([c.waited for c in calls.values()] or [0]), complaints)
