# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements, all in turn, round by round."""

import contextlib
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
         ("chain", 4096), ("star", 200), ("leaf-spine", 200), ("mesh", 40)]
# The same where the kernel has netem: as a rule that of the tests, not that of the machine.
IMPAIRED = ("impaired", 200)
# What the other tools make too.
COMPARED = ("chain", 200)
# What can be measured by itself.
PARTS = [*(f"{shape}:{nodes}" for shape, nodes in SIZES), "others", *service.PARTS, "captures"]
# What can be measured under another kernel, to be told of in the same report.
ELSEWHERE = [":".join(map(str, IMPAIRED))]


def life(daemon, lab, path, note):
    """A lab's whole life under netlabd."""
    path.write_text(labs.for_netlab(lab, "bench"))
    changed = path.with_suffix(".changed.yaml")
    lab.forwarding ^= {lab.nodes - 1}
    changed.write_text(labs.for_netlab(lab, "bench"))
    lab.forwarding ^= {lab.nodes - 1}
    with note.cpu("create"):
        note("create", timed(lambda: daemon.ctl("create-lab", "--timeout", "5m", str(path))))
    time.sleep(max(tools.SETTLE, lab.nodes / 500))
    for what, file in (("unchanged", path), ("change", changed)):
        with note.cpu(what):
            note(what, timed(lambda: daemon.ctl("apply-lab", "--timeout", "5m", str(file))))  # noqa: B023
    note("get", timed(lambda: daemon.ctl("get-lab", "bench")))
    rss, files = daemon.memory()
    note("rss", rss)
    note("files", files)
    daemon.stop()
    note("restart", timed(daemon.start))
    time.sleep(tools.SETTLE)
    with note.cpu("delete"):
        note("delete", timed(lambda: daemon.ctl("delete-lab", "--timeout", "5m", "bench")))
    time.sleep(tools.SETTLE)


class Notes:
    """Figures of one lab, kept under (shape, nodes, what)."""

    def __init__(self, result, shape, nodes, daemon):
        self.result, self.of, self.daemon = result, (shape, nodes), daemon

    def __call__(self, what, figure):
        """Keeps a figure of this round."""
        self.result.setdefault((*self.of, what), []).append(figure)

    @contextlib.contextmanager
    def cpu(self, what):
        """Keeps the CPU time of what is done meanwhile: the daemon's, and whose else."""
        used, parts = self.daemon.cpu(), self.daemon.parts()
        yield
        self(f"{what} cpu", self.daemon.cpu() - used)
        for part, seconds in self.daemon.parts().items():
            self(f"{what} {part}", seconds - parts[part])


def by_others(floor, python, lab, note):
    """The other tools, each with a floor of its own right before it: the machine's speed changes."""
    for tool, work in (("ip -batch", tools.batch), ("by hand", tools.by_hand), ("Mininet", tools.mininet),
                       ("pyroute2", lambda lab: tools.pyroute2(python, lab))):
        create, delete = tools.floor(floor, lab)
        made, gone = work(lab)
        note(tool, (made, gone, made / create, gone / delete))


def everything(bin_dir, floor, sender, python, rounds, parts):
    """All rounds: ({(shape, nodes, what): [seconds of each round]}, figures of service.py, of capture.py)."""
    result = {}
    path = pathlib.Path("/run/bench.yaml")
    daemon = Daemon(bin_dir)
    try:
        for number in range(rounds):
            for shape, nodes in [*SIZES, IMPAIRED]:
                if f"{shape}:{nodes}" not in parts:
                    continue
                print(f"round {number + 1}: {shape} {nodes}", file=sys.stderr)
                note, lab = Notes(result, shape, nodes, daemon), labs.SHAPES[shape](nodes)
                create, delete = tools.floor(floor, lab)
                note("floor create", create)
                note("floor delete", delete)
                life(daemon, lab, path, note)
            if "others" in parts:
                print(f"round {number + 1}: other tools", file=sys.stderr)
                shape, nodes = COMPARED
                by_others(floor, python, labs.SHAPES[shape](nodes), Notes(result, shape, nodes, daemon))
        in_use = service.all_of(daemon, bin_dir / "netlab-load", path, parts)
        captured = capture.all_of(daemon, sender, path, min(rounds, 2)) if "captures" in parts else {}
    finally:
        daemon.stop()
    return result, in_use, captured
