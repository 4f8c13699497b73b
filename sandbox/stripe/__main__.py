"""Run the sandbox: `python -m sandbox.stripe [--data FOLDER]`."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.stripe.server import Server
from sandbox.stripe.store import Store
from sandbox.stripe.world import Endpoint, World


def world_of(environment: dict[str, str], data: Path | None) -> World:
    """Return a world from the environment that the site reads, its secrets included."""
    site = environment.get("BASE_URL", "http://localhost:8000").rstrip("/")
    return World(
        store=Store(data / "stripe.sqlite3" if data else None),
        secret_key=environment["STRIPE_SECRET_KEY"],
        endpoints={
            "account": Endpoint(f"{site}/stripe/webhook/", environment["STRIPE_WEBHOOK_SECRET"]),
            "connect": Endpoint(
                f"{site}/stripe/webhook/connect/", environment["STRIPE_CONNECT_WEBHOOK_SECRET"]
            ),
        },
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.stripe", description=__doc__)
    parser.add_argument("--data", default=os.environ.get("STRIPE_DATA", ".data/stripe"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("STRIPE_PORT", "8002")))
    arguments = parser.parse_args()
    try:
        server = Server(world_of(dict(os.environ), Path(arguments.data)), arguments.port)
    except KeyError as error:
        sys.stderr.write(f"The Stripe sandbox needs {error.args[0]} in the environment.\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"The Stripe sandbox cannot start on port {arguments.port}: {error}\n")
        return 1
    # Shutting down from the thread that serves would wait for itself.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"Stripe sandbox on {server.world.base_url}/\n")
    sys.stdout.flush()
    server.courier.start()
    server.serve_forever(0.2)
    server.courier.stop()
    server.server_close()
    server.world.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
