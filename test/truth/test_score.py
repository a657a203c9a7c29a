# SPDX-License-Identifier: MIT
"""score.py over reports made by hand. Run by scripts/test.sh: python3 -m unittest discover -s test/truth"""
import unittest

from score import matches, score, table, verdicts, without

MS = 1_000_000


def cause(kind="run_queue", pid=7, excess=60 * MS, letter="A", end_max=None, **more):
    end = 62 * MS - excess
    return {"kind": kind, "excess_ns": excess, "ns": excess, "confidence": letter, "text": f"{kind} of {pid}",
            "cause": {"pid": pid, "comm": "hog"} | more, "without_it":
            {"end_min_ns": 1000 + end, "end_max_ns": 1000 + (end if end_max is None else end_max)}}


def report(*causes, unknown=0):
    return {"t0_ns": 1000, "t1_ns": 1000 + 62 * MS, "duration_ns": 62 * MS, "complete": True, "causes": list(causes),
            "buckets": [{"kind": "unknown", "ns": unknown}, {"kind": "run_queue", "ns": 62 * MS - unknown}]}


def truth(injected=60 * MS, right=None, name="rt_hog"):
    return {"name": name, "injected_ns": injected, "normal_ns": 2 * MS,
            "right": [{"kind": "run_queue", "pid": 7}] if right is None else right}


class Matches(unittest.TestCase):
    def test_every_key_counts(self):
        self.assertTrue(matches(cause(), {"kind": "run_queue", "pid": 7}))
        self.assertFalse(matches(cause(), {"kind": "run_queue", "pid": 8}))
        self.assertFalse(matches(cause(), {"kind": "timer", "pid": 7}))
        self.assertFalse(matches(cause() | {"cause": None}, {"kind": "run_queue", "pid": 7}))

    def test_objects(self):
        self.assertTrue(matches(cause("disk", device="7:0"), {"kind": "disk", "device": "7:0"}))
        self.assertFalse(matches(cause("disk", device="7:1"), {"kind": "disk", "device": "7:0"}))
        self.assertTrue(matches(cause(remote="10.0.0.3:80"), {"remote": "10.0.0.3"}))
        self.assertFalse(matches(cause(remote="10.0.0.31:80"), {"remote": "10.0.0.3"}))

    def test_an_unknown_key_is_an_error(self):
        with self.assertRaises(KeyError):
            matches(cause(), {"colour": "red"})


class Score(unittest.TestCase):
    def test_right(self):
        row = score(truth(), report(cause(), cause("timer", 9, MS)))
        self.assertTrue(row["right"])
        self.assertEqual((row["error"], row["unknown"], row["without_ns"]), (0, 0, 0))
        self.assertTrue(row["without_near"])

    def test_only_the_first_counts(self):
        row = score(truth(), report(cause("timer", 9, 50 * MS), cause()))
        self.assertFalse(row["right"])
        self.assertAlmostEqual(row["error"], 1 / 6)

    def test_blame_too_small_and_unknown(self):
        row = score(truth(), report(cause(excess=30 * MS), unknown=31 * MS))
        self.assertEqual((row["error"], row["unknown"]), (0.5, 0.5))
        self.assertFalse(row["without_near"])

    def test_no_counterfactual(self):
        self.assertIsNone(without(report(), cause(end_max=62 * MS), 2 * MS))
        self.assertEqual(without(report(), cause(end_max=42 * MS), 2 * MS), 40 * MS)

    def test_fault_free(self):
        self.assertTrue(score(truth(0), report(cause(excess=MS)))["right"])
        self.assertFalse(score(truth(0), report(cause(excess=MS + 1)))["right"])


class Verdicts(unittest.TestCase):
    def judge(self, rows):
        return {what: met for what, _, met in verdicts(rows)}

    def test_a_whole_run(self):
        rows = [score(truth(), report(cause())) for _ in range(120)]
        rows += [score(truth(0), report(cause(excess=0))) for _ in range(30)]
        self.assertTrue(all(self.judge(rows).values()), self.judge(rows))

    def test_one_wrong_with_a_fails(self):
        rows = [score(truth(), report(cause())) for _ in range(120)] + [score(truth(), report(cause(pid=8)))]
        met = self.judge(rows)
        self.assertTrue(met["first cause right >= 95 %"])
        self.assertTrue(met["told with A, right >= 99 %"])
        self.assertFalse(met["wrong with A: 0"])

    def test_calibration_of_b(self):
        rows = [score(truth(), report(cause(letter="B", pid=7 + (i == 0)))) for i in range(9)]
        self.assertFalse(self.judge(rows)["told with B, right >= 90 %"])
        rows.append(score(truth(), report(cause(letter="B"))))
        self.assertTrue(self.judge(rows)["told with B, right >= 90 %"])

    def test_table(self):
        rows = [score(truth(), report(cause())), score(truth(), report(cause(pid=8, letter="B")))]
        lines = table(rows, {"swap_in": "no swap"})
        self.assertIn("| rt_hog | 2 | 1 | 0 | 1 | 0 |", lines[2])
        self.assertIn("skipped: no swap", lines[3])


if __name__ == "__main__":
    unittest.main()
