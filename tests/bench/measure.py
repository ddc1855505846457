# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements, all in turn, round by round."""

import pathlib
import sys
import time

import capture
import labs
import service
import tools
from daemon import Daemon, timed

# (shape, nodes): create and delete, floor and netlabd.
SIZES = [("chain", 10), ("chain", 50), ("chain", 200), ("chain", 1000), ("chain", 2000),
         ("star", 200), ("leaf-spine", 200), ("mesh", 40)]
# Where the other tools are measured too.
COMPARED = ("chain", 200)


def life(daemon, lab, path, note):
    """A lab's whole life under netlabd."""
    path.write_text(labs.for_netlab(lab, "bench"))
    changed = path.with_suffix(".changed.yaml")
    lab.forwarding ^= {lab.nodes - 1}
    changed.write_text(labs.for_netlab(lab, "bench"))
    lab.forwarding ^= {lab.nodes - 1}
    used = daemon.cpu()
    note("create", timed(lambda: daemon.ctl("create-lab", "--timeout", "5m", str(path))))
    note("create cpu", daemon.cpu() - used)
    time.sleep(tools.SETTLE)
    note("unchanged", timed(lambda: daemon.ctl("apply-lab", str(path))))
    note("get", timed(lambda: daemon.ctl("get-lab", "bench")))
    rss, files = daemon.memory()
    note("rss", rss)
    note("files", files)
    daemon.stop()
    note("restart", timed(daemon.start))
    time.sleep(tools.SETTLE)
    note("change", timed(lambda: daemon.ctl("apply-lab", str(changed))))
    note("delete", timed(lambda: daemon.ctl("delete-lab", "--timeout", "5m", "bench")))
    time.sleep(tools.SETTLE)


def by_others(floor, python, lab, note):
    """The other tools, each with a floor of its own right before it: the machine's speed changes."""
    for tool, work in (("ip -batch", tools.batch), ("by hand", tools.by_hand), ("Mininet", tools.mininet),
                       ("pyroute2", lambda lab: tools.pyroute2(python, lab))):
        create, delete = tools.floor(floor, lab)
        made, gone = work(lab)
        note(tool, (made, gone, made / create, gone / delete))


def captures(bin_dir, sender, rounds):
    """The figures of capture.py alone."""
    daemon = Daemon(bin_dir)
    try:
        return capture.all_of(daemon, sender, pathlib.Path("/run/bench.yaml"), rounds)
    finally:
        daemon.stop()


def everything(bin_dir, floor, sender, python, rounds):
    """All rounds: ({(shape, nodes, what): [seconds of each round]}, figures of service.py, of capture.py)."""
    result = {}
    path = pathlib.Path("/run/bench.yaml")
    daemon = Daemon(bin_dir)
    try:
        for number in range(rounds):
            for shape, nodes in SIZES:
                print(f"round {number + 1}: {shape} {nodes}", file=sys.stderr)
                note = lambda what, seconds: result.setdefault((shape, nodes, what), []).append(seconds)  # noqa: B023, E731
                lab = labs.SHAPES[shape](nodes)
                create, delete = tools.floor(floor, lab)
                note("floor create", create)
                note("floor delete", delete)
                life(daemon, lab, path, note)
                if (shape, nodes) == COMPARED:
                    by_others(floor, python, lab, note)
        print("in use", file=sys.stderr)
        in_use = service.all_of(daemon, bin_dir / "netlab-load", path)
        captured = capture.all_of(daemon, sender, path, rounds)
    finally:
        daemon.stop()
    return result, in_use, captured
