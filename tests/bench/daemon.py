# SPDX-License-Identifier: GPL-3.0-or-later
"""netlabd under measurement."""

import os
import pathlib
import re
import resource
import subprocess
import tempfile
import time


def timed(work):
    """Seconds that `work` takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


class Daemon:
    """netlabd with its store on the disk."""

    SOCKET = "/run/netlabd/netlabd.sock"

    def __init__(self, bin_dir):
        self.bin = bin_dir
        self.state = tempfile.TemporaryDirectory(dir="/var/tmp")
        self.start()

    def start(self):
        """Starts it, and waits until it answers."""
        log = open("/run/netlabd.log", "a", encoding="utf-8")
        self.process = subprocess.Popen([self.bin / "netlabd", "--state-dir", self.state.name],
                                        stderr=log, env={"RUST_LOG": os.environ.get("RUST_LOG", "warn")})
        while subprocess.run([self.bin / "netlabctl", "list-labs"], capture_output=True).returncode:
            time.sleep(0.01)

    def stop(self):
        """Ends it; labs run on."""
        self.process.terminate()
        self.process.wait()

    def ctl(self, *words):
        """Runs netlabctl."""
        done = subprocess.run([self.bin / "netlabctl", *words], capture_output=True, text=True)
        if done.returncode:
            log = pathlib.Path("/run/netlabd.log").read_text(encoding="utf-8")[-4096:]
            raise RuntimeError(f"netlabctl {' '.join(words)}: {done.stdout}{done.stderr}netlabd's log:\n{log}")
        return done.stdout

    def memory(self):
        """Resident MiB and open files."""
        proc = pathlib.Path(f"/proc/{self.process.pid}")
        rss = int(re.search(r"VmRSS:\s+(\d+)", (proc / "status").read_text())[1])
        return rss / 1024, len(list((proc / "fd").iterdir()))

    def cpu(self):
        """Seconds of CPU used so far, user and kernel, by all threads that it has or had.

        By the process's own clock, whose number follows from its id (clock_getcpuclockid(3)).
        """
        scheduled = 2  # CPUCLOCK_SCHED of linux/posix-timers_types.h
        return time.clock_gettime(~self.process.pid << 3 | scheduled)

    def parts(self):
        """Seconds of CPU so far by who used them: {part: seconds}. What proc(5) tells comes in steps of 10 ms."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        user, kernel, *helpers = (int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in stat[11:15])
        clients = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"netlabctl": clients.ru_utime + clients.ru_stime, "netlabd user": user, "netlabd kernel": kernel,
                "helpers": sum(helpers)}
