"""Runs a command to its end and says, as the last line on its error output, what it took.

A process begins with the peak memory of the one that started it, so what measures must be small: this imports nearly
nothing, and is run without site-packages.
"""

import os
import sys
import time

began = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
wall = time.perf_counter() - began
sys.stderr.write(f"\n{wall} {used.ru_utime + used.ru_stime} {used.ru_maxrss * 1024}\n")
sys.exit(os.waitstatus_to_exitcode(status))
