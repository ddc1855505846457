# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmarks.md, of what was measured."""

import os
import platform
from statistics import median

import capture
import plot
import targets
from markdown import ms, table
from measure import COMPARED, IMPAIRED, SIZES
from service import CLIENTS, SMALL_LABS

INTRO = """# Benchmarks

Written by `make bench`. Every row's measurements were made in turn in one run, {rounds} rounds, on
{cores} cores, Linux {kernel}; the load average was {load} at the end{noise}. So take the ratios, which are
medians of each round's own, not the times.

The floor is [`tests/bench/floor.c`](../tests/bench/floor.c): the fewest system calls that make the same
interfaces, addresses, routes and forwarding, without checks, names, pins or a store. netlabd is asked
through `netlabctl`, whose start and reading of the lab file count, and create waits for READY: all was
observed again. Delete is until the kernel has taken everything apart, for both.

Where the time goes: [performance.md](performance.md).

"""


def measured(result):
    """The labs that were measured."""
    return [lab for lab in [*SIZES, IMPAIRED] if (*lab, "create") in result]


def lives(result):
    """Creating, applying, deleting."""
    rows = []
    for lab in measured(result):
        get = lambda what: median(result[*lab, what])  # noqa: B023, E731
        ratio = lambda what, of: f"{targets.ratio(result, lab, what, of):.2f}"  # noqa: B023, E731
        shape, nodes = lab
        rows.append([shape, f"{nodes:,}", ms(get("floor create")), ms(get("create")), ratio("create", "floor create"),
                     ms(get("floor delete")), ms(get("delete")), ratio("delete", "floor delete"),
                     ms(get("unchanged")), ratio("unchanged", "create"), ms(get("change"))])
    head = ["shape", "nodes", "floor create, ms", "netlabd", "ratio", "floor delete", "netlabd", "ratio",
            "apply unchanged", "of create", "apply one change"]
    if not rows:
        return ""
    kernel = result.get((*IMPAIRED, "kernel"))
    told = ("impaired: a chain with a delay of 1 ms on each link in both directions, by netem, and one segment a packet, by the\n"
            f"floor too; on a booted Debian 12 with its kernel {kernel} under emulation, where all takes longer: this\n"
            "machine's kernel has no netem.\n\n") if kernel else ""
    return "## Labs\n\n" + table(head, rows) + told


def others(result):
    """The same lab by other tools."""
    rows = []
    for tool in ("ip -batch", "Mininet", "pyroute2", "by hand"):
        if (*COMPARED, tool) in result:
            made, gone, create, delete = (median(figures) for figures in zip(*result[*COMPARED, tool]))
            rows.append([tool, ms(made), f"{create:.1f}", ms(gone), f"{delete:.1f}"])
    if not rows:
        return ""
    if COMPARED in measured(result):
        ratio = lambda what: f"{targets.ratio(result, COMPARED, what, f'floor {what}'):.1f}"  # noqa: E731
        create, delete = (ms(median(result[*COMPARED, what])) for what in ("create", "delete"))
        rows.insert(0, ["netlabd", create, ratio("create"), delete, ratio("delete")])
    shape, nodes = COMPARED
    return (f"## A {shape} of {nodes} by other means\n\n" +
            table(["by", "create, ms", "times the floor", "delete, ms", "times the floor"], rows) +
            "Each in turn with a floor of its own. The delete of `ip -batch`, by hand and pyroute2 returns before the\n"
            "kernel is done; by hand deletes by `ip -batch` too. By hand: one command a step, as the notebook has it.\n\n")


def daemon(result, in_use):
    """What netlabd takes while a lab is up."""
    rows = []
    for lab in measured(result):
        if lab[0] == "chain":
            get = lambda what: median(result[*lab, what])  # noqa: B023, E731
            share = in_use.get(("idle", lab[1]))
            rows.append([f"{lab[1]:,}", f"{get('rss'):.0f}", f"{get('files'):.0f}",
                         *(ms(get(f"{what} cpu")) for what in ("create", "unchanged", "change", "delete")),
                         ms(get("get")), ms(get("restart")), "" if share is None else f"{share:.2%}"])
    head = ["nodes", "resident, MiB", "open files", "CPU of create, ms", "of apply unchanged", "of one change",
            "of delete", "get-lab, ms", "restart until it answers, ms", "CPU while idle"]
    return "## The daemon with a chain up\n\n" + table(head, rows) if rows else ""


def shares(result):
    """Where the time of a chain's life goes."""
    parts = ("netlabctl", "netlabd user", "netlabd kernel", "helpers")
    rows = []
    for lab in measured(result):
        if lab not in (("chain", 200), ("chain", 1000)):
            continue
        for what, name in (("create", "create"), ("unchanged", "apply unchanged"), ("change", "apply one change"),
                           ("delete", "delete")):
            took = median(result[*lab, what])
            used = [median(result[*lab, f"{what} {part}"]) for part in parts]
            rows.append([name, f"{lab[1]:,}", ms(took), *map(ms, used), ms(max(0, took - sum(used)))])
    if not rows:
        return ""
    return ("## Where the time goes\n\n" + table(["chain", "nodes", "took, ms", *parts, "nobody's, at least"], rows) +
            "CPU by who used it, in steps of 10 ms; helpers are those processes of netlabd that make namespaces. What is\n"
            "nobody's is waiting: for the disk (fsync), for the kernel's own threads, which take namespaces apart, and for\n"
            "grace periods of RCU. Two processors work at a time, so that there may be more of it.\n\n")


def use(in_use):
    """Commands, repairs, clients."""
    rows = []
    if starts := in_use.get("starts"):
        bare = starts["ip netns exec"]
        rows += [["`netlabctl exec LAB NODE -- true`",
                  f"{ms(starts['netlabctl exec'])}, {starts['netlabctl exec'] / bare:.1f} times `ip netns exec`"],
                 ["`ip netns exec NODE true`", ms(bare)],
                 ["`netlabctl --version`, from start to end", ms(starts["netlabctl --version"])]]
    for nodes in (200, 1000):
        if found := in_use.get(("repairs", nodes)):
            rows.append([f"repair of a deleted address among {nodes:,} nodes, from the kernel's event to its event: "
                         "median", f"{ms(median(found))} (worst {ms(max(found))})"])
    if gets := in_use.get("gets"):
        watches = in_use["watches"]
        rows += [[f"GetLab of 200 nodes by {CLIENTS} clients at once, {gets['calls_per_second']:,.0f} calls a "
                  "second: median", f"{ms(gets['median_us'] / 1e6)} (99 of 100 within {ms(gets['p99_us'] / 1e6)})"],
                 [f"WatchLab by {watches['watchers']} clients: from the first that hears of a repair to the last",
                  ms(watches["spread_us"] / 1e6)]]
    if small := in_use.get("small"):
        rows += [[f"{SMALL_LABS} labs of two nodes, one after the other: create", ms(small[0])],
                 ["the same: delete, one command", ms(small[1])]]
    return "## In use\n\n" + table(["what", "ms"], rows) if rows else ""


def captures(found):
    """Captures: what of each rate ends up in the file, and what of it is told to be lost."""
    tools = list(dict.fromkeys(tool for tool, _, _ in found))
    rows, best = [], {}
    for size in capture.SIZES:
        for rate in capture.RATES:
            runs = {tool: found[tool, size, rate] for tool in tools}
            share = {tool: median(kept / sent for sent, _, kept, _ in runs[tool]) for tool in tools}
            real = median(sent / seconds for tool in tools for sent, seconds, _, _ in runs[tool])
            for tool in tools:
                if all(kept == sent for sent, _, kept, _ in runs[tool]):
                    best[tool, size] = real
            pairs = zip(*(runs[tool] for tool in tools[:2]))
            ratio = median(kept / sent * other_sent / other_kept
                           for (sent, _, kept, _), (other_sent, _, other_kept, _) in pairs)
            rows.append([f"{size:,}", f"{rate:,}", f"{real:,.0f}", *(f"{1 - share[tool]:.2%}" for tool in tools),
                         f"{ratio:.2f}"])
    ours = [run for (tool, _, _), runs in found.items() if tool == tools[0] for run in runs]
    counted = sum(kept + lost == sent for sent, _, kept, lost in ours)
    most = [[tool, *(f"{best[tool, size]:,.0f}" if (tool, size) in best else "none" for size in capture.SIZES)]
            for tool in tools]
    return ("## Captures\n\n"
            "Packets of one sender, into a file in memory; `netlabctl` through netlabd, `tcpdump -w` in the same node.\n\n" +
            table(["bytes of payload", "asked for a second", "sent a second", *(f"lost by {tool}" for tool in tools),
                   f"kept, to {tools[1]}"], rows) +
            "The highest rate, sent a second, of which nothing was lost in any round:\n\n" +
            table(["by", *(f"{size:,} bytes" for size in capture.SIZES)], most) +
            f"What netlabctl kept and what it said it had lost add up to what was sent in {counted} of {len(ours)} captures.\n\n")


def intro(rounds, result):
    """How it was measured, and how noisy the machine was."""
    floors = [values for (_, _, what), values in result.items() if what == "floor create"]
    noise = max((max(values) / median(values) for values in floors), default=None)
    told = "" if noise is None else (", and the worst of a round's\ntimes was "
                                     f"{noise:.1f} times the median for the same work of the floor")
    return INTRO.format(rounds=rounds, cores=os.cpu_count(), kernel=platform.release().split("-")[0],
                        load=f"{os.getloadavg()[0]:.1f}", noise=told)


def write(out, rounds, result, in_use, captured):
    """Writes both files."""
    text = intro(rounds, result) + targets.table_of(result, in_use | {"captures": captured}) + lives(result)
    if any(shape == "chain" for shape, _ in measured(result)):
        text += "## Cost per node\n\n![Cost per node over sizes](benchmarks.svg)\n\n"
        (out / "benchmarks.svg").write_text(plot.plot(result, measured(result)))
    text += others(result) + shares(result) + daemon(result, in_use) + use(in_use)
    if captured:
        text += captures(captured)
    (out / "benchmarks.md").write_text(text.rstrip() + "\n")
