"""``RabbitMQ``: a RabbitMQ server for one ``with`` block, which survives a restart."""

import os
import signal
import subprocess
from contextlib import ExitStack

from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept
from pindb.testing.servers.processes.ports import HOST, free_port, start_on_free_port
from pindb.testing.servers.processes.started import Started

from .binaries import rabbitmq_bin

READY = "Server startup complete"
NAMES_READY = "entering the main select() loop"
START_TIMEOUT = 120.0
"""A busy machine takes its time to load all of it."""
CONTROL_TIMEOUT = 60.0


class RabbitMQ(Started):
    """A server on a free port of 127.0.0.1, its data in a temporary directory.

    Erlang's register of names is one of its own as well: the system's knows nothing of it, and does not stay behind.
    """

    process: Kept
    port: int

    def _start_all(self, stack: ExitStack) -> None:
        self._bin = rabbitmq_bin()
        self._directory = stack.enter_context(KeptDirectory("pindb-rabbitmq-"))
        names, names_port = start_on_free_port(self._start_names, NAMES_READY)
        stack.callback(names.stop)
        self._environment = self._make_environment(names_port)
        self.process, self.port = start_on_free_port(self._start, READY, timeout=START_TIMEOUT)
        stack.callback(self._stop)

    def url(self) -> str:
        """Return its URL, as Celery's settings and Dramatiq's broker take it."""
        return f"amqp://guest:guest@{HOST}:{self.port}"

    def restart(self) -> None:
        """Kill the server, and start it again on its port; return when it answers, with all that it had confirmed."""
        self.process.kill()
        self.process.stop()
        self.process, _ = start_on_free_port(self._start, READY, lambda: self.port, timeout=START_TIMEOUT)

    def cut_connections(self) -> None:
        """Close all connections to it."""
        command = [self._bin / "rabbitmqctl", "close_all_connections", "cut by the tests"]
        subprocess.run(command, env=self._environment, check=True, capture_output=True, timeout=CONTROL_TIMEOUT)

    def _stop(self) -> None:
        self.process.stop()

    def _start_names(self, port: int) -> Kept:
        return Kept(["epmd", "-d", "-d", "-address", HOST, "-port", str(port)])

    def _start(self, port: int) -> Kept:
        return Kept(
            [self._bin / "rabbitmq-server"],
            env=self._environment | {"RABBITMQ_NODE_PORT": str(port)},
            cwd=self._directory.path,
            # Nobody needs its data, and it takes its time to end.
            stop_signal=signal.SIGKILL,
            directory=self._directory,
        )

    def _make_environment(self, names_port: int) -> dict[str, str]:
        directory = self._directory.path
        (directory / "plugins").write_text("[].")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        return inherited | {
            "HOME": str(directory),  # where the secret is that servers and commands share
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(names_port),
            "RABBITMQ_NODENAME": "pindb@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(directory / "no-configuration"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "no-environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            # No busy waiting: it shares its cores with what is tested.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
        }
