"""Prints the outcome and duration of each role in one line, below the name of its host if there are several, and the
fix after a failure."""

from __future__ import annotations

import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: phases
type: notification
short_description: one line per role, and the messages of failed tasks
description:
  - The summary for the operator; the complete output of Ansible goes to its log.
  - Ansible removes secrets from the results of tasks with C(no_log) before it passes them to a callback.
options:
  descriptor:
    description: The file descriptor to write to.
    type: int
    env:
      - name: HEROLO_PHASES_FD
    required: true
"""


class CallbackModule(CallbackBase):
    """Counts the changes of each role."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "phases"
    CALLBACK_NEEDS_ENABLED = True

    role = None
    next_role = None  # until its first task has a host
    host = None
    several = False
    check_mode = False
    changes = 0
    tasks = 0
    failure = None

    def v2_playbook_on_play_start(self, play):
        self.check_mode = play.check_mode
        self.several = len(play.get_variable_manager().get_vars(play=play)["groups"].get("hosts", [])) > 1

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.next_role = task._role.get_name() if task._role else None
        if self.role and self.next_role != self.role:
            self._end_role()

    def v2_runner_on_start(self, host, task):
        if host.get_name() != self.host:
            self._end_role()  # the same role may be the last on one host and the first on the next
            self.host = host.get_name()
            if self.next_role and self.several:
                self._write(f"{self.host}:\n")
        if self.next_role and not self.role:
            self._begin_role(self.next_role)

    def v2_playbook_on_stats(self, stats):
        self._end_role()

    def v2_runner_on_ok(self, result):
        self.tasks += 1
        self.changes += result.is_changed()

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._fail(result, self._message(result.result))

    def v2_runner_on_unreachable(self, result):
        self._fail(result, f"SSH does not reach the host: {result.result.get('msg', '')}")

    def _begin_role(self, role):
        self.role, self.begin, self.changes, self.tasks, self.failure = role, time.monotonic(), 0, 0, None
        self._write(f"  {role:<12} ")

    def _end_role(self):
        if not self.role:
            if self.failure:
                self._write(f"error: {self.failure}\n")
            return
        if self.failure:
            outcome = "FAILED"
        elif self.changes:
            outcome = (
                f"{self.changes} {'change' if self.changes == 1 else 'changes'}{' to come' if self.check_mode else ''}"
            )
        elif self.tasks:
            outcome = "nothing to change"
        else:
            outcome = "not on this host"
        self._write(f"{outcome:<52} {time.monotonic() - self.begin:5.0f} s\n")
        if self.failure:
            self._write(f"error: {self.failure}\n")
        self.role = None

    def _fail(self, result, message):
        # Keeps the first failure: a cleanup task may fail for the same reason.
        self.failure = self.failure or f"{result.task_name}: {message}"

    def _message(self, values):
        """The error message of a task and the output of its command; in a loop, of the first item that failed."""
        for part in values.get("results") or []:
            if part.get("failed"):
                return self._message(part)
        output = " ".join(str(values.get(key) or "").strip() for key in ("stdout", "stderr"))
        return " ".join(f"{values.get('msg', '')} {output}".split())[:2000]

    def _write(self, text):
        os.write(self.get_option("descriptor"), text.encode())
