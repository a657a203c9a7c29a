# SPDX-License-Identifier: MIT
"""How right a report is: pure functions over a truth row and what `analyze --format json` said.

A truth row: name; right, a list of what the first cause may be; injected_ns (0: no fault); normal_ns, the
span's median without the fault in the same run.
"""
from statistics import median

FALSE_BLAME_NS = 1_000_000
NEAR_NS = 2_000_000
NEAR_SHARE = 0.10
# Thresholds that begin so ask for a whole run.
COUNTED = ("injected incidents", "fault-free runs >=")


def matches(cause, wanted):
    """kind and detail are the cause's own, pid, remote and device who or what did it."""
    who = cause["cause"] or {}
    return all({"kind": lambda v: cause["kind"] == v, "detail": lambda v: cause.get("detail") == v,
                "pid": lambda v: who.get("pid") == v, "device": lambda v: who.get("device") == v,
                "remote": lambda v: str(who.get("remote", "")).startswith(v + ":")}[key](value)
               for key, value in wanted.items())


def without(report, cause, normal_ns):
    """How far the counterfactual is from what the span takes without the fault, at its worse end; None: none is
    told, since the end without the cause could be as late as it was."""
    told = cause["without_it"]
    if told["end_max_ns"] >= report["t1_ns"]:
        return None
    return max(abs(told[end] - report["t0_ns"] - normal_ns) for end in ("end_min_ns", "end_max_ns"))


def score(truth, report):
    first = report["causes"][0]
    injected = truth["injected_ns"]
    row = {"name": truth["name"], "first": first["text"], "confidence": first["confidence"],
           "excess_ns": first["excess_ns"], "duration_ns": report["duration_ns"], "complete": report["complete"],
           "unknown": sum(b["ns"] for b in report["buckets"] if b["kind"] == "unknown") / report["duration_ns"]}
    if not injected:
        return row | {"right": first["excess_ns"] <= FALSE_BLAME_NS}
    far = without(report, first, truth["normal_ns"])
    return row | {"right": any(matches(first, wanted) for wanted in truth["right"]), "injected_ns": injected,
                  "error": abs(first["excess_ns"] - injected) / injected, "without_ns": far,
                  "without_near": far is not None and far <= max(NEAR_NS, NEAR_SHARE * truth["normal_ns"])}


def share(part, whole):
    return part / whole if whole else 1.0


def told_with(rows, letter):
    of = [r for r in rows if r["confidence"] == letter]
    return sum(r["right"] for r in of), len(of)


# --- the table ---

def middle_of(values):
    return median(values) if values else None


def percent(value, digits=1):
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def ms(ns):
    return "none" if ns is None else f"{ns / 1e6:.2f} ms"


def table(rows, skipped):
    """A line for each fault, in the order in which they come."""
    lines = ["| fault | n | right | wrong with A | with B | with C, D | injected | blame error | unknown "
             "| without it: off by |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for name in dict.fromkeys(r["name"] for r in rows if "injected_ns" in r):
        of = [r for r in rows if r["name"] == name]
        wrong = [r["confidence"] for r in of if not r["right"]]
        lines.append("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |".format(
            name, len(of), len(of) - len(wrong), wrong.count("A"), wrong.count("B"),
            sum(c > "B" for c in wrong), ms(median(r["injected_ns"] for r in of)),
            percent(middle_of([r["error"] for r in of if r["right"]])), percent(median(r["unknown"] for r in of)),
            ms(middle_of([r["without_ns"] for r in of if r["without_ns"] is not None]))))
    return lines + [f"| {name} | 0 | skipped: {why} | | | | | | | |" for name, why in skipped.items()]


def verdicts(rows):
    """(what, its value as text, whether it is met) for each threshold."""
    incidents = [r for r in rows if "injected_ns" in r]
    free = [r for r in rows if "injected_ns" not in r]
    right = [r for r in incidents if r["right"]]
    errors = [r["error"] if r["right"] else 1.0 for r in incidents]
    unknown = median(r["unknown"] for r in incidents) if incidents else 0
    told = [r for r in right if r["without_ns"] is not None]
    near = sum(r["without_near"] for r in told)
    a, b = told_with(incidents, "A"), told_with(incidents, "B")
    blamed = sum(not r["right"] for r in free)
    return [
        ("injected incidents >= 120", str(len(incidents)), len(incidents) >= 120),
        ("first cause right >= 95 %", f"{len(right)} of {len(incidents)}, {percent(share(len(right), len(incidents)))}",
         share(len(right), len(incidents)) >= 0.95),
        ("median blame error <= 5 %", percent(middle_of(errors), 2), not errors or median(errors) <= 0.05),
        ("median unknown <= 5 %", percent(unknown), unknown <= 0.05),
        ("without it within 10 % or 2 ms at the median", f"{near} of {len(told)} told, none told for "
         f"{len(right) - len(told)} right ones", near * 2 >= len(told)),
        ("fault-free runs >= 30", str(len(free)), len(free) >= 30),
        ("fault-free runs with a first cause over 1 ms: 0", str(blamed), blamed == 0),
        ("told with A, right >= 99 %", f"{a[0]} of {a[1]}, {percent(share(*a))}", share(*a) >= 0.99),
        ("told with B, right >= 90 %", f"{b[0]} of {b[1]}, {percent(share(*b))}", share(*b) >= 0.90),
        ("wrong with A: 0", str(a[1] - a[0]), a[1] == a[0]),
    ]


def wrong_lines(rows):
    for r in rows:
        if not r["right"]:
            yield "wrong: {} ({}{}), {}: {} {}, excess {} of {}{}".format(
                r["name"], "with neighbours" if r.get("neighbours") else "alone", f", round {r.get('round')}",
                r.get("id", ""), r["first"], r["confidence"], ms(r["excess_ns"]), ms(r["duration_ns"]),
                "" if r["complete"] else ", events were lost")
