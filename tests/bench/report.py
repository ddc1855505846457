# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmarks.md and its plot."""

import os
import platform
from statistics import median

from measure import SIZES, SMALL_LABS

INTRO = """# Benchmarks

Written by `make bench`. Every row's measurements were made in turn in one run, {rounds} rounds, on
{cores} cores, Linux {kernel}; the load average was {load} at the end, and the worst of a round's
times was {noise:.1f} times the median for the same work of the floor. So take the ratios, which are
medians of each round's own, not the times.

The floor is [`tests/bench/floor.c`](../tests/bench/floor.c): the fewest system calls that make the same
interfaces, addresses, routes and forwarding, without checks, names, pins or a store. netlabd is asked
through `netlabctl`, whose start and reading of the lab file count, and create waits for READY: all was
looked at again. Delete is until the kernel has taken everything apart, for both.

"""


def ms(seconds):
    """Milliseconds for a table."""
    return f"{seconds * 1e3:,.1f}" if seconds < 0.1 else f"{seconds * 1e3:,.0f}"


def ratio(result, shape, nodes, what, of):
    """The median of each round's ratio."""
    pairs = zip(result[shape, nodes, what], result[shape, nodes, of])
    return median(a / b for a, b in pairs)


def table(head, rows):
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n\n"


def plot(result):
    """Cost per node over sizes, as SVG; sizes on a logarithmic scale."""
    import math
    sizes = [nodes for shape, nodes in SIZES if shape == "chain"]
    series = {"floor": "floor create", "netlabd create": "create", "netlabd delete": "delete"}
    cost = {name: [median(result["chain", nodes, what]) / nodes * 1e3 for nodes in sizes]
            for name, what in series.items()}
    top = max(max(values) for values in cost.values()) * 1.1
    x = lambda nodes: 60 + 500 * math.log(nodes / sizes[0]) / math.log(sizes[-1] / sizes[0])  # noqa: E731
    y = lambda value: 280 - 250 * value / top  # noqa: E731
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 330" font-family="sans-serif" font-size="12">',
             '<rect width="700" height="330" fill="white"/>',
             '<path d="M60 30V280H570" fill="none" stroke="black"/>',
             '<text x="60" y="18">milliseconds for each node of a chain</text>',
             '<text x="315" y="322" text-anchor="middle">nodes</text>']
    parts += [f'<text x="{x(nodes):.0f}" y="298" text-anchor="middle">{nodes:,}</text>' for nodes in sizes]
    parts += [f'<text x="52" y="{y(top * part / 4) + 4:.0f}" text-anchor="end">{top * part / 4:.1f}</text>'
              for part in range(5)]
    for colour, (name, values) in zip(("#777", "#06c", "#c40"), cost.items()):
        points = " ".join(f"{x(nodes):.1f},{y(value):.1f}" for nodes, value in zip(sizes, values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        row = 40 + 18 * list(cost).index(name)
        parts.append(f'<text x="580" y="{row}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def lives(result):
    """The table of creating and deleting."""
    rows = []
    for shape, nodes in SIZES:
        get = lambda what: median(result[shape, nodes, what])  # noqa: B023, E731
        rows.append([shape, f"{nodes:,}", ms(get("floor create")), ms(get("create")),
                     f"{ratio(result, shape, nodes, 'create', 'floor create'):.2f}",
                     ms(get("floor delete")), ms(get("delete")),
                     f"{ratio(result, shape, nodes, 'delete', 'floor delete'):.2f}",
                     ms(get("unchanged")), f"{ratio(result, shape, nodes, 'unchanged', 'create'):.2f}",
                     ms(get("change"))])
    return table(["shape", "nodes", "floor create, ms", "netlabd", "ratio", "floor delete", "netlabd", "ratio",
                  "apply unchanged", "of create", "apply one change"], rows)


def rest(result):
    """Other tools, memory, load."""
    rows = [[tool, ms(median(result["chain", 200, tool])),
             f"{ratio(result, 'chain', 200, tool, 'floor create'):.1f}"]
            for tool in ("create", "ip -batch", "by hand")]
    rows[0][0] = "netlabd"
    text = "## A chain of 200 by other means\n\n" + table(["by", "ms", "times the floor"], rows)
    rows = [[f"{nodes:,}", f"{median(result['chain', nodes, 'rss']):.0f}",
             f"{median(result['chain', nodes, 'files']):.0f}", ms(median(result["chain", nodes, "get"])),
             ms(median(result["chain", nodes, "restart"]))]
            for shape, nodes in SIZES if shape == "chain"]
    text += "## The daemon with a chain up\n\n" + table(
        ["nodes", "resident, MiB", "open files", "get-lab, ms", "restart until it answers, ms"], rows)
    text += "## Others\n\n" + table(["what", "ms"], [
        [f"{SMALL_LABS} labs of two nodes, one after the other: create", ms(median(result["small", SMALL_LABS, "create"]))],
        ["the same: delete, one command", ms(median(result["small", SMALL_LABS, "delete"]))],
        ["`get-lab` by 100 new netlabctl at once, until the last is done", ms(median(result["load", 100, "get"]))],
        ["`netlabctl --version`, from start to end", ms(median(result["load", 1, "version"]))]])
    return text


def write(out, result):
    """Writes both files."""
    floors = [values for (_, _, what), values in result.items() if what == "floor create"]
    noise = max(max(values) / median(values) for values in floors)
    intro = INTRO.format(rounds=len(floors[0]), cores=os.cpu_count(), kernel=platform.release(),
                         load=f"{os.getloadavg()[0]:.1f}", noise=noise)
    plotted = "## Cost per node\n\n![Cost per node over sizes](benchmarks.svg)\n\n"
    (out / "benchmarks.md").write_text((intro + lives(result) + plotted + rest(result)).rstrip() + "\n")
    (out / "benchmarks.svg").write_text(plot(result))
