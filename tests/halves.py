"""Runs the suite in two halves side by side, for its tests mostly wait: `python -m tests.halves [options of pytest]`.

The tests marked heavy are one half; what it prints is shown when it has ended. Each half makes servers and queues of
its own. Coverage is measured.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile


def main() -> int:
    """Return 0 if both halves have passed."""
    command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", *sys.argv[1:]]
    with tempfile.TemporaryFile() as output:
        heavy = subprocess.Popen([*command, "-m", "heavy"], stdout=output, stderr=subprocess.STDOUT)
        light = subprocess.Popen([*command, "-m", "not heavy"])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both as well, which then clean up
        light.wait()
        print("\nThe heavy half, which runs meanwhile:", flush=True)
        heavy.wait()
        output.seek(0)
        shutil.copyfileobj(output, sys.stdout.buffer)
    return light.returncode or heavy.returncode


if __name__ == "__main__":
    sys.exit(main())
