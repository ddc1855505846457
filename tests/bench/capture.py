# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets a second: `netlabctl capture -w` against `tcpdump -w`, at the same rates, in turn.

The capture is at the sender's own interface, where the kernel shows it every packet that is sent before anything else
can lose one: what is not in the file was lost by the capture.
"""

import pathlib
import re
import subprocess
import sys
import time

import labs
import service

RATES = [25_000, 50_000, 100_000, 200_000, 400_000]
SECONDS = 2  # of sending
SIZES = [64, 1400]  # bytes of payload
MOST = 160 << 20  # bytes of one file at most: it is in memory
NODE = "bench.n0"
TARGET = "10.0.0.2"
FILTER = "udp dst port 9"
FILE = pathlib.Path("/run/capture.pcap")
STILL = 1.5  # seconds without a byte after which all is taken for written; libpcap waits up to 1 s for more


def by_netlab(daemon):
    """Our own."""
    return [daemon.bin / "netlabctl", "capture", "bench", "n0:eth2", "-f", FILTER, "-w", FILE]


def by_tcpdump(*options):
    """tcpdump in the same node."""
    return ["ip", "netns", "exec", NODE, "tcpdump", "-n", "-Z", "root", "-i", "eth2", *options, "-w", FILE, FILTER]


def tools(daemon):
    """What is compared; tcpdump also with as much memory as netlabd takes."""
    return {"netlabctl": by_netlab(daemon), "tcpdump": by_tcpdump(), "tcpdump -B 16384": by_tcpdump("-B", "16384")}


def settled():
    """Waits until the file grows no more."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < STILL:
        if FILE.stat().st_size != size:
            size, since = FILE.stat().st_size, time.monotonic()
        time.sleep(0.05)


def taken(words, sender, rate, size):
    """Runs one capture: (packets sent, seconds that took, packets in the file, packets said to be lost)."""
    FILE.unlink(missing_ok=True)
    capture = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    said = capture.stderr.readline()
    while "listening on" not in said:
        said = capture.stderr.readline()
        if not said:
            raise RuntimeError(f"{words} does not listen")
    packets = min(rate * SECONDS, MOST // (size + 100))
    done = subprocess.run(["ip", "netns", "exec", NODE, sender, TARGET, str(rate), str(packets), str(size)],
                          capture_output=True, text=True, check=True)
    sent, micros = (int(word) for word in done.stdout.split())
    settled()
    capture.send_signal(2)
    said = capture.communicate()[1]
    FILE.unlink()
    captured = int(re.search(r"(\d+) packets? captured", said)[1])
    dropped = re.search(r"(\d+) (?:lost|packets? dropped by kernel)", said)
    lost = int(dropped[1]) if dropped else 0
    return sent, micros / 1e6, captured, lost


def all_of(daemon, sender, path, rounds):
    """{(tool, payload, rate): [(sent, seconds, captured, said to be lost) of each round]}."""
    found = {}
    service.up(daemon, path, labs.chain(2))
    for number in range(rounds):
        for size in SIZES:
            for rate in RATES:
                print(f"captures, round {number + 1}: {size} bytes, {rate} a second", file=sys.stderr)
                for tool, words in tools(daemon).items():
                    found.setdefault((tool, size, rate), []).append(taken(words, sender, rate, size))
    service.down(daemon)
    return found
