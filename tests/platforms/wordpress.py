"""A real WordPress in a temporary folder: MariaDB on a socket, and PHP's own web server."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox.children import Child, wait_until
from sandbox.ports import LOOPBACK, answers
from tests.platforms.parts import SEARCHED, WORDPRESS

ADMIN, PASSWORD = "editor", "a quiet hour before the birds"
START_SECONDS = 60

CONFIG = """<?php
define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:%(socket)s' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
define( 'WP_HOME', '%(home)s' );
define( 'WP_SITEURL', '%(home)s' );
define( 'FS_METHOD', 'direct' );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'DISABLE_WP_CRON', true );
define( 'WP_DEBUG', true );
define( 'WP_DEBUG_DISPLAY', false );
define( 'WP_DEBUG_LOG', '%(folder)s/debug.log' );
$table_prefix = 'wp_';
defined( 'ABSPATH' ) || define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
"""
# Every request that WordPress itself would make is written down, and answered as if offline.
OFFLINE = """<?php
add_filter( 'pre_http_request', function ( $answer, $told, $url ) {
	file_put_contents( '%(folder)s/asked.log', $url . "\\n", FILE_APPEND );
	return new WP_Error( 'offline', 'No network in this test.' );
}, 10, 3 );
"""
INSTALL = """
define( 'WP_INSTALLING', true );
require 'wp-load.php';
require 'wp-admin/includes/upgrade.php';
wp_install( 'Tea & more', %(name)s, 'editor@blog.example', true, '', %(password)s );
update_option( 'permalink_structure', '/%%postname%%/' );
update_option( 'show_avatars', 0 );
flush_rewrite_rules();
"""


@dataclass(frozen=True)
class WordPress:
    home: str
    folder: Path

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def php(self, code: str) -> str:
        """Run code inside WordPress, and return what it prints."""
        return self.run(f"require 'wp-load.php';\n{code}")

    def run(self, code: str) -> str:
        host = self.home.removeprefix("http://")
        server = f"$_SERVER['HTTP_HOST'] = '{host}'; $_SERVER['REQUEST_METHOD'] = 'GET';\n"
        command = ["php", "-d", "display_errors=stderr", "-r", server + code]
        done = subprocess.run(command, cwd=self.files, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_post(self, title: str, content: str, slug: str) -> str:
        """Publish a post and return its address."""
        post = json.dumps({"post_title": title, "post_content": content, "post_name": slug})
        code = f"""
            $post = json_decode( {php_text(post)}, true ) + array( 'post_status' => 'publish' );
            echo get_permalink( wp_insert_post( wp_slash( $post ), false ) );
        """
        return self.php(code)

    def log(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []


def php_text(text: str) -> str:
    """Write a text as PHP does."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@contextmanager
def running_wordpress(port: int) -> Iterator[WordPress]:
    """Install and serve WordPress, and leave nothing of it: its processes end by their ids."""
    with TemporaryDirectory(prefix="wp-") as name, ExitStack() as ended:
        site = WordPress(f"http://{LOOPBACK}:{port}", Path(name))
        database = Child("MariaDB", site.folder / "mariadb.log")
        ended.callback(database.stop)
        _start_database(site.folder, database)
        _place_files(site)
        site.run(INSTALL % {"name": php_text(ADMIN), "password": php_text(PASSWORD)})
        server = Child("PHP", site.folder / "php.log")
        ended.callback(server.stop)
        environment = {**os.environ, "PHP_CLI_SERVER_WORKERS": "4"}
        address = f"{LOOPBACK}:{port}"
        server.start(["php", "-S", address, "-t", str(site.files)], environment, site.files)
        assert wait_until(lambda: answers(port), START_SECONDS), server.last_words()
        yield site


def _start_database(folder: Path, database: Child) -> None:
    """Serve an empty folder without users: only who may enter it reaches the socket."""
    data, socket = folder / "data", folder / "db.sock"
    (data / "wordpress").mkdir(parents=True)
    program = shutil.which("mariadbd", path=SEARCHED)
    assert program, "it was found before"
    options = [f"--datadir={data}", f"--socket={socket}", f"--pid-file={folder / 'db.pid'}"]
    options += ["--skip-grant-tables", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    database.start([program, "--no-defaults", *options, *as_root], os.environ, folder)
    assert wait_until(socket.exists, START_SECONDS), database.last_words()


def _place_files(site: WordPress) -> None:
    shutil.copytree(WORDPRESS, site.files, ignore_dangling_symlinks=True)
    told = {"socket": site.folder / "db.sock", "home": site.home, "folder": site.folder}
    (site.files / "wp-config.php").write_text(CONFIG % told)
    (site.files / "wp-content" / "mu-plugins").mkdir()
    (site.files / "wp-content" / "mu-plugins" / "offline.php").write_text(OFFLINE % told)
