# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmarks.svg."""

import math
from statistics import median


def plot(result, measured):
    """Cost per node over the sizes of chains that were measured, as SVG; sizes on a logarithmic scale."""
    sizes = [nodes for shape, nodes in measured if shape == "chain"]
    series = {"floor": "floor create", "netlabd create": "create", "netlabd delete": "delete"}
    cost = {name: [median(result["chain", nodes, what]) / nodes * 1e3 for nodes in sizes]
            for name, what in series.items()}
    top = max(max(values) for values in cost.values()) * 1.1
    span = math.log(sizes[-1] / sizes[0]) or 1
    x = lambda nodes: 60 + 500 * math.log(nodes / sizes[0]) / span  # noqa: E731
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
