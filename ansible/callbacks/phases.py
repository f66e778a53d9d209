"""Tells an operator in one line for each role what came of it and how long it took, and of a failure what to do."""

from __future__ import annotations

import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: phases
type: notification
short_description: one line per role, and the messages of failed tasks
description:
  - The whole output of Ansible is for its log. This is what a person reads meanwhile.
  - Results of tasks with C(no_log) hold no secret by the time that Ansible hands them to a callback.
options:
  descriptor:
    description: The number of the open file to write to.
    type: int
    env:
      - name: HEROLO_PHASES_FD
    required: true
"""


class CallbackModule(CallbackBase):
    """Counts what each role changes, from its first task to the first of the next."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "phases"
    CALLBACK_NEEDS_ENABLED = True

    role = None
    check_mode = False
    changes = 0
    failure = None

    def v2_playbook_on_play_start(self, play):
        self.check_mode = play.check_mode

    def v2_playbook_on_task_start(self, task, is_conditional):
        role = task._role.get_name() if task._role else None
        if role != self.role:
            self._end_role()
            self._begin_role(role)

    def v2_playbook_on_stats(self, stats):
        self._end_role()

    def v2_runner_on_ok(self, result):
        self.changes += result.is_changed()

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._fail(result, self._words_of(result.result))

    def v2_runner_on_unreachable(self, result):
        self._fail(result, f"SSH does not reach the host: {result.result.get('msg', '')}")

    def _begin_role(self, role):
        self.role, self.begin, self.changes, self.failure = role, time.monotonic(), 0, None
        if role:
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
        else:
            outcome = "nothing to change"
        self._write(f"{outcome:<52} {time.monotonic() - self.begin:5.0f} s\n")
        if self.failure:
            self._write(f"error: {self.failure}\n")
        self.role = None

    def _fail(self, result, words):
        # What is tidied up after a failure may fail for the same reason.
        self.failure = self.failure or f"{result.task_name}: {words}"

    def _words_of(self, values):
        """What went wrong, in the words of the task or of its command; in a loop, of the first item that failed."""
        for part in values.get("results") or []:
            if part.get("failed"):
                return self._words_of(part)
        said = " ".join(str(values.get(key) or "").strip() for key in ("stdout", "stderr"))
        return " ".join(f"{values.get('msg', '')} {said}".split())[:2000]

    def _write(self, text):
        os.write(self.get_option("descriptor"), text.encode())
