"""What stops a sandbox command with one sentence and exit code 1."""


class SandboxError(Exception):
    """The machine or its settings do not allow what was asked; the message says what to do."""
