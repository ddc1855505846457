# SPDX-License-Identifier: GPL-3.0-or-later
"""What is aimed at, and whether it is met.

A target that is missed tells the reason, which was measured once and is not measured by `make bench`.
"""

from dataclasses import dataclass
from statistics import median

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


def of_chain(nodes, what, of):
    """A ratio of a chain."""
    return lambda result, _: ratio(result, ("chain", nodes), what, of)


FIXED = "see the fixed costs in performance.md"
TARGETS = [
    Target("create, chain of 200, times the floor", 1.5, "{:.2f}", of_chain(200, "create", "floor create"), FIXED),
    Target("create, chain of 1,000, times the floor", 1.5, "{:.2f}", of_chain(1000, "create", "floor create"), FIXED),
    Target("delete until gone, chain of 200, times the kernel's", 1.2, "{:.2f}",
           of_chain(200, "delete", "floor delete"), FIXED),
    Target("delete until gone, chain of 1,000, times the kernel's", 1.2, "{:.2f}",
           of_chain(1000, "delete", "floor delete"), FIXED),
    Target("apply unchanged, chain of 200, of create", 0.1, "{:.2f}", of_chain(200, "unchanged", "create"), FIXED),
    Target("apply unchanged, chain of 1,000, of create", 0.1, "{:.2f}", of_chain(1000, "unchanged", "create"), FIXED),
    Target("one change among 1,000 nodes, ms", 20, "{:.1f}",
           lambda result, _: median(result["chain", 1000, "change"]) * 1e3, FIXED),
    Target("cost of a node from 10 to 2,000: dearest over cheapest, each in times of the floor", 1.5, "{:.2f}",
           flatness, FIXED),
    Target("idle with 1,000 nodes, share of one processor", 0.001, "{:.2%}",
           lambda _, in_use: in_use["idle", 1000], FIXED),
    Target("idle with 1,000 nodes, MiB", 64, "{:.0f}",
           lambda result, _: median(result["chain", 1000, "rss"]), FIXED),
    Target("`netlabctl --version`, ms", 10, "{:.1f}",
           lambda _, in_use: in_use["starts"]["netlabctl --version"] * 1e3, FIXED),
    Target("exec, times `ip netns exec`", 3, "{:.1f}",
           lambda _, in_use: in_use["starts"]["netlabctl exec"] / in_use["starts"]["ip netns exec"], FIXED),
]


def table_of(result, in_use):
    """All targets whose figures were measured."""
    rows = []
    for target in TARGETS:
        try:
            figure = target.figure(result, in_use)
        except KeyError:
            continue
        shown = target.show.format(figure)
        rows.append([target.what, target.show.format(target.most), shown,
                     "met" if figure <= target.most else f"missed: {target.reason}"])
    return "## Targets\n\n" + table(["target", "at most", "measured", ""], rows) if rows else ""
