# SPDX-License-Identifier: MIT
"""The faults of the truth benchmark, one row each: how it is done to one request, and what a right answer is.

A fault's injected time is what the services' and injectors' own clocks say (CLOCK_MONOTONIC): of the
request's stage (between two stamps) that the fault hits, the part in which the injector did it, but no more
than the stage took longer than it normally does (truth_of). Where the fault is that somebody computes, the
time in which he had no CPU is not the fault's. Faults without an injector are measured by the stage alone.
"""
import os
import signal
import time
from dataclasses import dataclass, field

from world import ADDRESS, BACK_PORT, PORT, Client, must, write

DELAY_US = 60000
POOL = 4  # workers of the middle


def nothing(*_):
    return None


@dataclass
class Done:
    """When the injector did it, by its own clock."""
    ran: list = None  # (begin, end), …; None: it cannot tell
    idle_ns: int = 0  # of that it had no CPU


def once(begun, ended, cpu_ns=None):
    return Done([(begun, ended)], 0 if cpu_ns is None else ended - begun - cpu_ns)


@dataclass
class Fault:
    name: str
    stage: tuple                # stamps between which it delays
    right: callable             # World → what the first cause may be, see score.matches
    before: callable = nothing  # World → state; before the request is sent
    during: callable = nothing  # World, state; when it has been sent
    after: callable = nothing   # World, state, stamps → Done
    undo: callable = nothing    # World; whatever happened
    shape: dict = field(default_factory=dict)  # query of this one and of its normal requests
    extra: dict = field(default_factory=dict)  # of this one only
    needs: tuple = ()


def rest():
    time.sleep(DELAY_US / 1e6)


def by(pid_of, *kinds):
    return lambda w: [{"kind": kind, "pid": pid_of(w)} for kind in kinds]


def middle(w):
    return w.mid.pid


def back(w):
    return w.back.pid


# --- CPU ---

def ran(times):
    return Done(list(zip(times[::2], times[1::2])))


def take_cpu(hog_of, ms):
    return {"before": lambda w: hog_of(w).tell(ms, "begun"), "after": lambda w, *_: ran(hog_of(w).read("ran")),
            "right": by(lambda w: hog_of(w).pid, "run_queue")}


def hold_and_hog(w):
    for comm in ("mid-work", "mid-loop"):
        w.pin(comm, 0)
    w.mid.tell("hold_computing 1500", "begun")
    w.hog.tell(50, "begun")


def hog_ended(w, *_):
    done = ran(w.hog.read("ran"))
    w.mid.read("ended")
    return done


def throttles(w):
    with open(w.group("cpu/middle") + "/cpu.stat") as f:
        return int(next(line for line in f if line.startswith("nr_throttled")).split()[1])


def use_quota_up(w):
    """Twice: the second time it is known to be at the begin of a period."""
    before = throttles(w)
    write(w.group("cpu/middle") + "/cpu.cfs_quota_us", 10000)
    w.eater.tell(250, "begun")
    for _ in range(2000):
        if throttles(w) >= before + 2:
            return
        time.sleep(0.0002)


def give_quota(w):
    write(w.group("cpu/middle") + "/cpu.cfs_quota_us", -1)
    w.eater.read("ran")


# --- locks, stops ---

def order(line, computes=False):
    def after(w, begun, _):
        ended, cpu_ns = w.mid.read("ended")
        return once(begun[0], ended, cpu_ns if computes else None)

    return {"before": lambda w: w.mid.tell(line, "begun"), "after": after}


def swap_out(w):
    w.mid.tell("swap_out", "ended")
    time.sleep(0.2)
    # What is written is still in memory until somebody needs that.
    write(w.group("memory") + "/memory.force_empty", 0)


def swap_in(w):
    w.mid.tell("swap_in", "ended")


def stop_swapped(w):
    swap_out(w)
    return w.mid.tell("stop_world 1000 3000", "begun")


def stop(w):
    os.kill(w.mid.pid, signal.SIGSTOP)
    return time.monotonic_ns()


def go_on(w, begun):
    rest()
    end = time.monotonic_ns()
    os.kill(w.mid.pid, signal.SIGCONT)
    w.window = (begun, end)


def window(w, *_):
    return once(*w.window)


def freezer(controller, name, frozen, thawed, is_frozen):
    at = lambda w: w.group(controller)

    def freeze(w):
        write(f"{at(w)}/{name}", frozen)
        while True:
            with open(f"{at(w)}/{is_frozen[0]}") as f:
                if is_frozen[1] in f.read():
                    return time.monotonic_ns()

    def thaw(w, begun):
        rest()
        w.window = (begun, time.monotonic_ns())
        write(f"{at(w)}/{name}", thawed)

    return {"before": freeze, "during": thaw, "after": window, "undo": lambda w: write(f"{at(w)}/{name}", thawed),
            "needs": (controller,)}


# --- memory ---

def fill_group(w):
    at = w.group("memory")
    with open(at + "/memory.usage_in_bytes") as f:
        write(at + "/memory.limit_in_bytes", int(f.read()) + (1 << 18))


def free_group(w):
    write(w.group("memory") + "/memory.limit_in_bytes", -1)
    swap_in(w)


# --- network ---

def back_rules(w, *words):
    return must("ip", "netns", "exec", w.ns("back"), "iptables", "-w", *words)


def drop(times):
    def begin(w):
        # Each rule sees what those before it let pass: it takes one transmission, whichever it is.
        for _ in range(times):
            back_rules(w, "-A", "INPUT", "-s", ADDRESS["mid"], "-p", "tcp", "--dport", str(BACK_PORT), "-m", "length",
                       "--length", "120:", "-m", "statistic", "--mode", "nth", "--every", "1000000", "--packet", "0",
                       "-j", "DROP")

    def end(w, *_):
        dropped = [line.split()[0] for line in back_rules(w, "-nvxL", "INPUT").splitlines() if "DROP" in line]
        if dropped != ["1"] * times:
            raise RuntimeError(f"dropped {dropped}, wanted {times}")

    return Fault(f"drop_{times}", ("mid_ask", "back_rx"),
                 lambda w: [{"kind": "retransmit", "remote": ADDRESS["back"]},
                            {"kind": "retransmit", "remote": ADDRESS["mid"]}],
                 before=begin, after=end, undo=lambda w: back_rules(w, "-F", "INPUT"), needs=("iptables",))


# --- other requests ---

def fill_pool(w):
    w.others = [Client(w, "mid", PORT) for _ in range(POOL)]
    begun = time.monotonic_ns()
    for client in w.others:
        client.send(f"/wait?sleep={DELAY_US}")
    time.sleep(0.005)
    return begun


def pool_is_free(w, begun, _):
    ended = min(client.receive()["mid_tx"] for client in w.others)
    for client in w.others:
        client.socket.close()
    return once(begun, ended)


def fill_loop(w, _):
    time.sleep(0.004)
    w.other = Client(w, "edge", PORT)
    w.other.send("/loop?loop=40000")


def loop_is_free(w, *_):
    stamps = w.other.receive()
    w.other.socket.close()
    return ran(sorted(t for name, t in stamps.items() if name.startswith("ran")))


def computed(stamps, stage, cpu):
    return Done(None, span_of(stamps, stage) - stamps[cpu])


FAULTS = [
    Fault("none", (), lambda w: []),
    Fault("cpu_hog", ("edge_ask", "mid_burnt"), shape={"burn": 3000}, **take_cpu(lambda w: w.batch, 100)),
    Fault("rt_hog", ("edge_ask", "mid_rx"), **take_cpu(lambda w: w.hog, 60)),
    Fault("priority_inversion", ("mid_burnt", "mid_locked"), by(lambda w: w.hog.pid, "run_queue"),
          before=hold_and_hog, after=hog_ended,
          undo=lambda w: [w.pin(comm, 1) for comm in ("mid-work", "mid-loop")]),
    Fault("cpu_quota", ("edge_ask", "edge_told"), by(middle, "throttled"), before=use_quota_up, shape={"burn": 1000},
          undo=give_quota, needs=("cpu",)),
    Fault("futex_held", ("mid_burnt", "mid_locked"), by(middle, "timer"), **order(f"hold_sleeping {DELAY_US}")),
    Fault("lock_convoy", ("mid_burnt", "mid_locked"), by(middle, "timer"), **order("convoy 10000 6")),
    Fault("stop_world", ("edge_ask", "mid_rx"), by(middle, "on_cpu", "gc"), **order("stop_world 40000 0", True)),
    Fault("stop_swapped", ("edge_ask", "mid_rx"), by(middle, "fault", "gc"), undo=swap_in, needs=("memory", "swap"),
          **order("stop_world 1000 3000") | {"before": stop_swapped}),
    Fault("sigstop", ("edge_ask", "mid_rx"), by(lambda w: os.getpid(), "stopped"), before=stop, during=go_on,
          after=window, undo=lambda w: os.kill(w.mid.pid, signal.SIGCONT)),
    Fault("frozen_v1", ("edge_ask", "mid_rx"), lambda w: [{"kind": "stopped", "detail": "frozen"}],
          **freezer("freezer", "freezer.state", "FROZEN", "THAWED", ("freezer.state", "FROZEN"))),
    Fault("frozen_v2", ("edge_ask", "mid_rx"), by(lambda w: os.getpid(), "stopped"),
          **freezer("unified", "cgroup.freeze", 1, 0, ("cgroup.events", "frozen 1"))),
    drop(1),
    drop(2),
    drop(3),
    Fault("receiver_slow", ("back_rx", "back_read"), by(back, "timer"), shape={"bulk": 400000},
          extra={"pause": DELAY_US}),
    Fault("disk_delay", ("back_worked", "back_synced"), lambda w: [{"kind": "disk", "device": w.slow_disk}],
          before=lambda w: w.delayer.tell(DELAY_US, "armed"), after=lambda w, *_: once(*w.delayer.read("delayed")),
          shape={"slow": 1}, needs=("fuse",)),
    Fault("journal_commit", ("back_worked", "back_synced"), lambda w: [{"kind": "disk", "device": w.back_disk}],
          before=lambda w: w.bulk.tell(48, "begun"), after=lambda w, *_: w.bulk.read("ended") and Done()),
    Fault("memory_pressure", ("mid_locked", "mid_touched"), by(middle, "reclaim"), before=fill_group,
          undo=free_group, shape={"fill": 2000}, needs=("memory", "swap")),
    Fault("swap_in", ("mid_locked", "mid_touched"), by(middle, "fault"), before=swap_out, undo=swap_in,
          shape={"touch": 3000}, needs=("memory", "swap")),
    Fault("busy_pool", ("edge_ask", "mid_rx"), by(middle, "timer"), before=fill_pool, after=pool_is_free),
    Fault("busy_loop", ("mid_tx", "edge_told"), by(lambda w: w.edge.pid, "on_cpu"), during=fill_loop,
          after=loop_is_free, shape={"rest": 8000}),
    Fault("slow_downstream", ("back_read", "back_worked"), by(back, "timer"), extra={"rest": DELAY_US}),
    Fault("busy_downstream", ("back_read", "back_worked"), by(back, "on_cpu"), extra={"compute": 40000},
          after=lambda w, _, stamps: computed(stamps, ("back_read", "back_worked"), "back_cpu")),
    Fault("dns_wait", ("mid_touched", "mid_resolved"), by(lambda w: w.names.pid, "timer"), shape={"dns": 200},
          extra={"dns": DELAY_US}),
]


def span_of(stamps, stage):
    return stamps[stage[1]] - stamps[stage[0]]


def usual_of(normal, stage):
    return sorted(span_of(n, stage) for n in normal)[len(normal) // 2]


def truth_of(fault, stamps, normal, done):
    """Nanoseconds by which the fault delayed the request: stamps of it, a list of those of normal ones."""
    begin, end = stamps[fault.stage[0]], stamps[fault.stage[1]]
    late = end - begin - usual_of(normal, fault.stage)
    if done.ran:
        late = min(late, sum(max(0, min(end, t1) - max(begin, t0)) for t0, t1 in done.ran))
    return max(0, late - done.idle_ns)
