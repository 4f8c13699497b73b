"""`make run` as a person meets it: started, stopped, and refused with one sentence."""

import ast
import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sandbox.children import wait_until
from sandbox.environment import ROOT
from tests.running_site import running_sandbox, sandbox_environment

pytestmark = pytest.mark.e2e


def sandbox(environment, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of the processes whose environment or arguments name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            what = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if os.fsencode(folder) in what and state != "Z" and int(process.name) != os.getpid():
            found.append(what.replace(b"\0", b" ").decode(errors="replace")[:120])
    return found


def page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return str(answer.read().decode())


def test_every_part_answers_and_the_worker_proves_itself(running_site):
    assert "Flattr" in page(running_site.web)
    assert "/submit/auto?" in page(f"{running_site.blog}/posts/the-hour-before-the-birds/")
    assert "Mail this instance sent" in page(f"{running_site.blog}/mail/")
    assert wait_until(lambda: is_healthy(running_site.web), 30)


def is_healthy(web: str) -> bool:
    try:
        return '"status": "ok"' in page(f"{web}/healthz")
    except urllib.error.HTTPError:
        return False


def test_the_blog_refuses_another_name_for_itself(running_site):
    request = urllib.request.Request(f"{running_site.blog}/mail/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 421


def test_a_command_joins_the_sandbox_that_runs(running_site):
    assert "[X] 0001_initial" in running_site.manage("showmigrations", "funds")


def test_a_second_run_from_the_same_folder_is_refused(running_site):
    second = sandbox_environment(running_site.folder)
    refused = sandbox(second, "run")
    assert refused.returncode == 1
    assert "already runs from" in refused.stderr


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """One folder for each way of stopping: every start after the first also finds what the last
    one left, the killed one included."""
    return Path(tmp_path_factory.mktemp("with a space"))


def test_a_killed_supervisor_takes_its_children_along(stopped):
    with running_sandbox(stopped) as site:
        site.process.kill()
        site.process.wait(30)
        assert wait_until(lambda: processes_of(stopped) == [], 30), processes_of(stopped)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_way_of_stopping_leaves_no_process(stopped, number):
    with running_sandbox(stopped) as site:
        assert processes_of(stopped)
        site.process.send_signal(number)
        site.process.wait(30)
        assert processes_of(stopped) == []


def test_a_closed_window_leaves_no_process(stopped):
    """The window's own program is make: it hears of the hang-up and does not pass it on."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execvpe("make", ["make", "run"], sandbox_environment(stopped))
    seen = b""
    while b"Ctrl-C stops everything" not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)
    assert wait_until(lambda: processes_of(stopped) == [], 30), processes_of(stopped)
    os.waitpid(pid, 0)


def test_a_taken_port_is_one_sentence(tmp_path):
    environment = sandbox_environment(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["BLOG_PORT"])))
        taken.listen()
        refused = sandbox(environment, "run")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Port {environment['BLOG_PORT']} is taken")
    assert len(refused.stderr.splitlines()) == 1


def test_one_port_for_two_is_one_sentence(tmp_path):
    environment = sandbox_environment(tmp_path)
    refused = sandbox({**environment, "BLOG_PORT": environment["PORT"]}, "run")
    assert refused.returncode == 1
    assert refused.stderr.startswith("PORT and BLOG_PORT are both")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "not an address", "DATABASE_URL must look like postgres://"),
        ("DATABASE_URL", "postgres://a:b@127.0.0.1:1/c", "DATABASE_URL does not lead to"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "REDIS_URL does not lead to"),
        ("REDIS_URL", "not an address", "REDIS_URL does not lead to"),
        ("PORT", "eighty", "PORT must be a port"),
        ("SANDBOX_DATA", "/proc/flattr", "The folder /proc/flattr cannot be made"),
    ],
)
def test_a_broken_setting_is_one_sentence(tmp_path, name, value, sentence):
    refused = sandbox({**sandbox_environment(tmp_path), name: value}, "run")
    assert refused.returncode == 1
    assert refused.stderr.startswith(sentence)
    assert len(refused.stderr.splitlines()) == 1


def test_a_command_before_the_first_run_makes_the_tables_it_needs(tmp_path):
    closed = sandbox(sandbox_environment(tmp_path), "manage", "close_month", "--now")
    assert closed.returncode == 0, closed.stderr
    assert closed.stdout.endswith(" is closed.\n")


def test_two_commands_before_the_first_run_take_turns(tmp_path):
    environment = sandbox_environment(tmp_path)
    # As a killed run leaves it: nobody may take it for the word of whoever holds the lock now.
    (tmp_path / "ready").touch()
    command = [sys.executable, "-m", "sandbox", "manage", "showmigrations", "payouts"]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    shown = [one.communicate(timeout=100)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert all("[X] 0001_initial" in text and "[ ]" not in text for text in shown)


def test_a_run_waits_for_a_command_that_came_first(tmp_path):
    command = [sys.executable, "-m", "sandbox", "manage", "close_month", "--now"]
    environment = sandbox_environment(tmp_path)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as first:
        assert wait_until(lambda: (tmp_path / "secrets.json").exists(), 30)
        with running_sandbox(tmp_path) as site:
            assert first.wait(0) == 0
            assert "[X] 0001_initial" in site.manage("showmigrations", "payouts")


@pytest.fixture
def fresh_folder(tmp_path: Path) -> Path:
    """A folder with the bootstrap and nothing to install."""
    bootstrap = tmp_path / "sandbox" / "bootstrap.py"
    bootstrap.parent.mkdir()
    bootstrap.write_text((ROOT / "sandbox" / "bootstrap.py").read_text())
    (tmp_path / "requirements-dev.txt").write_text("# Nothing.\n")
    return tmp_path


def bootstrap(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, folder / "sandbox" / "bootstrap.py"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_commands_in_a_fresh_folder_install_once(fresh_folder):
    """Both wait for a third first, so that neither is done before the other begins."""
    with (fresh_folder / "requirements-dev.txt").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        both = [bootstrap(fresh_folder) for _ in range(2)]
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline().startswith("Waiting for another command")
    said = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sorted(text.count("Installing") for text in said) == [0, 1]


def command_of(children: Path) -> str:
    pid = children.read_text().strip()
    return Path(f"/proc/{pid}/cmdline").read_text() if pid else ""


def test_what_a_killed_set_up_left_running_is_waited_for(fresh_folder):
    killed = bootstrap(fresh_folder)
    assert killed.stdout is not None
    assert killed.stdout.readline().startswith("Installing")
    children = Path(f"/proc/{killed.pid}/task/{killed.pid}/children")
    # Before that it is still a copy of its parent.
    assert wait_until(lambda: "--clear" in command_of(children), 10)
    [left] = [int(pid) for pid in children.read_text().split()]
    # So that it is surely at work while the next one comes.
    os.kill(left, signal.SIGSTOP)
    killed.kill()
    killed.wait()
    following = bootstrap(fresh_folder)
    assert following.stdout is not None
    try:
        assert following.stdout.readline().startswith("Waiting for another command")
    finally:
        os.kill(left, signal.SIGCONT)
    said = following.communicate(timeout=60)[0]
    assert (following.returncode, said.count("Installing")) == (0, 1)


def test_an_old_python_is_told_what_it_needs(tmp_path):
    """Runs the bootstrap with a version it refuses, since no such Python is at hand."""
    script = (
        "import sys, collections; sys.version_info = (3, 9, 2); "
        "sys.argv = ['bootstrap.py']; "
        f"exec(open({str(ROOT / 'sandbox' / 'bootstrap.py')!r}).read(), "
        f"{{'__name__': '__main__', '__file__': {str(ROOT / 'sandbox' / 'bootstrap.py')!r}}})"
    )
    refused = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Flattr needs Python 3.11 or newer and found 3.9")


def test_the_bootstrap_is_written_so_that_python_2_can_read_it():
    """Where it could not, `make run` would end with a syntax error instead of the sentence."""
    tree = ast.parse((ROOT / "sandbox" / "bootstrap.py").read_text())
    too_new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal)
    found = [node for node in ast.walk(tree) if isinstance(node, too_new)]
    lists = [node for node in ast.walk(tree) if isinstance(node, ast.List | ast.Tuple)]
    assert (
        found + [node for node in lists if any(isinstance(e, ast.Starred) for e in node.elts)] == []
    )
    assert "print_function" in [
        name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names
    ]
