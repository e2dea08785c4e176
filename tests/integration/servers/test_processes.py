"""``Kept`` processes: their logs, their ports, their ends."""

import signal
import socket
import sys

import pytest

from pindb.testing.servers.processes.ports import start_on_free_port
from tests.servers import Kept, ProcessEndedError, free_port, wait_until
from tests.servers.binaries import redis_server
from tests.servers.victim import living

pytestmark = pytest.mark.heavy


def test_a_server_moves_to_another_port_when_its_own_was_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        taken = occupant.getsockname()[1]
        free = free_port()
        ports = iter([taken, free])
        process, port = start_on_free_port(
            lambda port: Kept([redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]),
            "Ready to accept connections",
            choose_port=lambda: next(ports),
        )
        process.stop()
    assert port == free


def test_the_log_of_a_process_can_be_read_while_it_runs_and_after_it_was_stopped() -> None:
    with Kept([sys.executable, "-c", "print('ready', flush=True); import time; time.sleep(600)"]) as kept:
        kept.wait_for_log("ready")
        assert kept.returncode is None
        assert kept.log_text() == "ready\n"
    assert kept.returncode == 128 + signal.SIGTERM
    assert kept.log_text() == "ready\n"


def test_waiting_for_the_log_of_a_process_that_died_raises_with_its_last_words() -> None:
    with (
        Kept(["sh", "-c", "echo last words; exit 3"]) as kept,
        pytest.raises(ProcessEndedError, match=r"status 3.*\n.*last"),
    ):
        kept.wait_for_log("ready")


def test_a_command_that_fails_raises_with_its_last_words_and_one_that_succeeds_does_not() -> None:
    with Kept(["true"]) as kept:
        kept.wait_for_success(10)
    with (
        Kept(["sh", "-c", "echo last words; exit 3"]) as kept,
        pytest.raises(ProcessEndedError, match=r"status 3.*\n.*last"),
    ):
        kept.wait_for_success(10)


def test_waiting_in_vain_for_a_log_raises_with_what_it_says() -> None:
    with Kept(["sh", "-c", "echo busy; exec sleep 600"]) as kept:
        kept.wait_for_log("busy")
        with pytest.raises(TimeoutError, match=r"has not logged 'ready'.*\nbusy"):
            kept.wait_for_log("ready", timeout=0.1)


def test_a_command_that_does_not_exist_raises_at_once() -> None:
    with pytest.raises(ProcessEndedError, match="no-such-command"):
        Kept(["no-such-command"])


def test_a_process_that_ignores_its_stop_signal_is_killed_after_the_timeout() -> None:
    with Kept(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]) as kept:
        kept.wait_for_log("ready")
        kept.stop(timeout=0.2)
    assert kept.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_children_of_a_process_end_with_it(end: str) -> None:
    stubborn_child = "(trap '' TERM; exec sleep 600) & echo child $!; wait"
    with Kept(["sh", "-c", stubborn_child]) as kept:
        kept.wait_for_log("\n")
        child = int(kept.log_text().split()[1])
        assert {kept.pid, child} <= living().keys()
        kept.stop() if end == "stop" else kept.kill()
    wait_until(lambda: not {kept.pid, child} & living().keys(), timeout=10, what="both processes are gone")
