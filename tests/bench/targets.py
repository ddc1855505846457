# SPDX-License-Identifier: GPL-3.0-or-later
"""What is aimed at, and whether it is met.

A target that is missed tells the reason, which was measured once and is not measured by `make bench`.
"""

from dataclasses import dataclass
from statistics import StatisticsError, median

from markdown import table


@dataclass
class Target:
    """A figure is found by `figure(result, in_use)`, which fails with KeyError where it was not measured."""

    what: str
    most: float
    show: str  # a format
    figure: object
    reason: str


def ratio(result, lab, what, of):
    """The median of each round's ratio."""
    return median(a / b for a, b in zip(result[*lab, what], result[*lab, of]))


def flatness(result, _):
    """The dearest node over the cheapest, of sizes from 10 to 2,000, in times of the floor for the same size."""
    times = [ratio(result, ("chain", nodes), "create", "floor create") for nodes in (10, 50, 200, 1000, 2000)]
    return max(times) / min(times)


def capture_loss(_, in_use):
    """By how much more netlabctl loses than tcpdump at the same rate, at the rate and size where that is most."""
    found = in_use["captures"]
    if not found:
        raise KeyError("captures")
    lost = lambda tool, at: median(1 - kept / sent for sent, _, kept, _ in found[tool, *at])  # noqa: E731
    return max((lost("netlabctl", at) - lost("tcpdump", at) for tool, *at in found if tool == "tcpdump"))


def of_chain(nodes, what, of):
    """A ratio of a chain."""
    return lambda result, _: ratio(result, ("chain", nodes), what, of)


CREATE = ("pins, a durable store, a user namespace, the look that verifies all and status reports are on top of what the "
          "floor does")
DELETE = ("the client's start, two writes to the store that wait for the disk and the turns between client, daemon and "
          "actor are on top of what the kernel takes: see performance.md")
WHOLE = "a lab file is read, sent, checked, planned and kept as a whole: see the table of where the time goes"
FLAT = ("small labs bear fixed costs: the client's start, two writes to the store that wait for the disk, the user "
        "namespace, turns between client, daemon and actor")
IDLE = "the kernel tells late of carriers and addresses, and each event has its node looked at once"
MEMORY = "what was seen of each node is kept; the allocator keeps the room that an apply took"
START = "the time is the program's start"
EXEC = "a command starts a helper, four namespaces, mounts and a filter of system calls that `ip netns exec` does without"
CAPTURE = "packets pass the daemon and gRPC on their way to the file"
TARGETS = [
    *(Target(f"create, chain of {nodes:,}, times the floor", most, "{:.2f}",
             of_chain(nodes, "create", "floor create"), reason)
      for nodes, most, reason in ((10, 2.0, FLAT), (200, 1.2, CREATE), (1000, 1.2, CREATE), (2000, 1.2, CREATE),
                                  (4096, 1.3, CREATE))),
    Target("create, chain of 200 with impaired links, times the floor", 1.5, "{:.2f}",
           lambda result, _: ratio(result, ("impaired", 200), "create", "floor create"), CREATE),
    *(Target(f"delete until gone, chain of {nodes:,}, times the kernel's", 1.5, "{:.2f}",
             of_chain(nodes, "delete", "floor delete"), DELETE) for nodes in (200, 1000)),
    Target("apply unchanged, chain of 200, of create", 0.1, "{:.2f}", of_chain(200, "unchanged", "create"), WHOLE),
    Target("apply unchanged, chain of 1,000, of create", 0.1, "{:.2f}", of_chain(1000, "unchanged", "create"), WHOLE),
    Target("one change among 1,000 nodes, ms", 30, "{:.1f}",
           lambda result, _: median(result["chain", 1000, "change"]) * 1e3, WHOLE),
    Target("cost of a node from 10 to 2,000: dearest over cheapest, each in times of the floor", 1.5, "{:.2f}",
           flatness, FLAT),
    Target("idle with 1,000 nodes, share of one processor", 0.001, "{:.2%}",
           lambda _, in_use: in_use["idle", 1000], IDLE),
    Target("idle with 1,000 nodes, MiB", 64, "{:.0f}",
           lambda result, _: median(result["chain", 1000, "rss"]), MEMORY),
    Target("`netlabctl --version`, ms", 10, "{:.1f}",
           lambda _, in_use: in_use["starts"]["netlabctl --version"] * 1e3, START),
    Target("exec, times `ip netns exec`", 2, "{:.1f}",
           lambda _, in_use: in_use["starts"]["netlabctl exec"] / in_use["starts"]["ip netns exec"], EXEC),
    Target("capture: lost more than by tcpdump at the same rate", 0, "{:.2%}", capture_loss, CAPTURE),
]


def table_of(result, in_use):
    """All targets whose figures were measured."""
    rows = []
    for target in TARGETS:
        try:
            figure = target.figure(result, in_use)
        except (KeyError, StatisticsError):
            continue
        shown = target.show.format(figure)
        rows.append([target.what, target.show.format(target.most), shown,
                     "met" if figure <= target.most else f"missed: {target.reason}"])
    return "## Targets\n\n" + table(["target", "at most", "measured", ""], rows) if rows else ""
