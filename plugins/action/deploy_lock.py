"""Keeps other runs away from a host for as long as this one lives."""

from __future__ import annotations

import getpass
import os
import platform
import re
import shlex
import subprocess
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display

DOCUMENTATION = r"""
name: deploy_lock
short_description: Keep other runs away from a host until this one ends
description:
  - Holds a lock of the host's kernel (flock) by a process on the host that lives as long as this run does. However the
    run ends, the lock ends with it, so that none is ever left behind; a controller that loses its power or its network
    is noticed by the host's ssh server.
  - The holder may end once every process of the run has ended. What a killed run still has under way on a host is
    finished under its lock, and a new run from the same controller waits for that.
  - A run that only says what it would change (C(--check)) takes it as well. What it said while another changes the
    hosts would not be true.
  - Fails when another run holds the lock, and says whose it is, since when, from where, and what to do.
  - Runs no module. The host needs no Python.
options:
  path:
    description: File that is locked, and tells others who holds it. Gone with a restart of the host.
    type: path
    default: /run/shopfleet-deploy.lock
"""

# The main process loads this file before it starts the worker processes that tasks run in. It never writes to the pipe,
# nor closes it: the end of file that the holder waits for comes when the kernel closes the last copy.
_MAIN_PROCESS = os.getpid()
_ALIVE, _KEPT_OPEN = os.pipe()

# Arguments: the file, how many seconds to wait for it, who wants it. Where sudo made it root, sudo knows from where.
_HOLDER = """
umask 022
from=${SSH_CONNECTION:-$(tr '\\0' '\\n' <"/proc/$PPID/environ" | sed -n 's/^SSH_CONNECTION=//p')}
exec 9>>"$1" || exit
if flock --wait "$2" 9; then
    echo "$3 from ${from%% *} since $(date -u '+%F %T') UTC" >"$1"
    echo held
    exec cat >/dev/null
fi
echo "busy $(cat "$1")"
"""
# Runs a command that reads a password first, from the file of this number, and then what it would read without one.
_ASKED = 'exec "$@" < <(cat <&"$0"; exec cat)'
_ANSWER = re.compile(r"^(?:(held)|busy (.*))$", re.MULTILINE)
_ENDED = re.compile(r"@(?P<machine>\S+) \(process (?P<process>\d+)\)")
# Seconds that what a killed run has under way may take.
_PATIENCE = 600


def _is_ended(holder: str) -> bool:
    """Tell whether the holder is a run of this machine whose main process is gone."""
    found = _ENDED.search(holder)
    if not found or found["machine"] != platform.node():
        return False
    with suppress(PermissionError):
        try:
            os.kill(int(found["process"]), 0)
        except ProcessLookupError:
            return True
    return False


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ansible's entry point to the lock."""

    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset({"path"})

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Take the lock.

        Args:
            tmp: Unused; part of the plugin interface.
            task_vars: Variables of the host.

        Returns:
            That nothing was changed.

        Raises:
            AnsibleActionFail: Another run has it; the message names the remedy.
        """
        super().run(tmp, task_vars)
        if os.getppid() != _MAIN_PROCESS:
            raise AnsibleActionFail("the lock would not last: its plugin was not loaded by the main process")
        holder = self._take(0, task_vars)
        if holder and _is_ended(holder):
            host = task_vars["inventory_hostname"]
            Display().display(f"  Waiting for what a run that was killed has under way on {host}")
            holder = self._take(_PATIENCE, task_vars)
        if holder:
            raise AnsibleActionFail(
                f"Another run is at work here: {holder}. Wait until it is done and type the same command again; or end "
                "that process where it runs, and the lock goes with it."
            )
        return {"changed": False}

    def _take(self, wait: int, task_vars: dict[str, Any]) -> str:
        """Try to get the lock.

        Args:
            wait: Seconds to wait for it.
            task_vars: Variables of the host.

        Returns:
            Who has it instead, or nothing.

        Raises:
            AnsibleActionFail: The host cannot lock the file.
            AnsibleConnectionFailure: The host cannot be reached.
        """
        process = self._start(wait, task_vars)
        assert process.stdout  # noqa: S101  for the type checker
        become = self._connection.become
        said = ""
        while line := process.stdout.readline():
            said += line
            if answer := _ANSWER.search(said):
                return answer[2] or ""
            if become and become.check_incorrect_password(line.encode()):
                process.kill()
                raise AnsibleActionFail(f"{become.name} does not take the password: correct ansible_become_password")
            if become and become.check_missing_password(line.encode()):
                raise AnsibleActionFail(
                    f"{become.name} asks for a password: type --ask-become-pass, or give ansible_become_password"
                )
        if process.wait() == 255 and not self._is_local:
            raise AnsibleConnectionFailure(f"Failed to connect to the host via ssh: {said.strip()}")
        raise AnsibleActionFail(f"the lock cannot be had: {said.strip()}")

    def _start(self, wait: int, task_vars: dict[str, Any]) -> subprocess.Popen[str]:
        """Start what holds the lock; a password that becoming root takes is the first that it reads."""
        command = self._command(wait, task_vars)
        become = self._connection.become
        password = become.get_option("become_pass", playcontext=self._play_context) if become else None
        files = []
        if password:
            reader, writer = os.pipe()
            os.write(writer, f"{password}\n".encode())
            os.close(writer)
            files.append(reader)
            command = ["bash", "-c", _ASKED, str(reader), *command]
        # A session of its own, so that Ctrl-C ends it no sooner than the run.
        process = subprocess.Popen(
            command,
            stdin=_ALIVE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=files,
            text=True,
            start_new_session=True,
        )
        for file in files:
            os.close(file)
        return process

    @property
    def _is_local(self) -> bool:
        return str(self._play_context.connection) == "local"

    def _command(self, wait: int, task_vars: dict[str, Any]) -> list[str | bytes]:
        """Put together what holds the lock: a shell on the host, at the end of an ssh connection."""
        who = f"{getpass.getuser()}@{platform.node()} (process {_MAIN_PROCESS})"
        path = str(self._task.args.get("path", "/run/shopfleet-deploy.lock"))
        shell = ["sh", "-c", _HOLDER, "sh", path, str(wait), who]
        if self._is_local:
            return ["env", "SSH_CONNECTION=here", *shell]
        # Ansible's own ssh, whatever the strategy replaces it with: a process of its own is what is wanted here.
        ssh = connection_loader.get("ansible.builtin.ssh", self._play_context)
        keys = self._task.dump_attrs() | {"timeout": self._play_context.timeout}
        del keys["retries"]
        ssh.set_options(task_keys=keys, var_options=ssh._resolve_option_variables(task_vars, self._templar))
        ssh.host = ssh.get_option("host") or self._play_context.remote_addr
        command = f"exec {shlex.join(shell)}"
        if self._connection.become:
            command = self._connection.become.build_become_command(command, self._connection._shell)
        return [*ssh._build_command(ssh.get_option("ssh_executable"), "ssh"), ssh.host, command]
