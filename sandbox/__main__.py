"""The sandbox's commands, behind `make run`, `make close` and `make test`."""

import subprocess
import sys

from sandbox.environment import ROOT, attached_parts, data_folder
from sandbox.errors import SandboxError
from sandbox.run import run
from sandbox.stopping import StopRequested, say, stop_on_signals

USAGE = """\
python -m sandbox run                 start the whole site and what stands in for the outside
python -m sandbox manage ARGUMENTS    run manage.py with the sandbox's environment and database
"""


def main(arguments: list[str]) -> int:
    try:
        stop_on_signals()
        if arguments == ["run"]:
            run()
            return 0
        if arguments[:1] == ["manage"]:
            return manage(arguments[1:])
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    except StopRequested as request:
        say("Stopped.")
        return request.exit_code
    print(USAGE, file=sys.stderr)
    return 2


def manage(arguments: list[str]) -> int:
    """Run a management command beside a running sandbox, or with its parts started for it."""
    with attached_parts(data_folder()) as parts:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.call(command, cwd=ROOT, env=parts.environment())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
