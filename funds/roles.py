"""The two database roles: the owner migrates, the site connects as one that owns nothing.

The site's role may add transfers and accounts, and nothing else in the ledger: it cannot change or
delete a transfer, set a counter, or disable a trigger. Source: shared reasons in
docs/architecture.md, The ledger.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

GRANTS = """
GRANT USAGE ON SCHEMA public TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app};
REVOKE ALL ON django_migrations, funds_transfer, funds_ledgeraccount FROM {app};
GRANT SELECT ON django_migrations, funds_transfer, funds_ledgeraccount TO {app};
GRANT INSERT (
    id, fact, code, phase, debit_account_id, credit_account_id, amount_micros, month, pending_id,
    reason
) ON funds_transfer TO {app};
GRANT INSERT (code, currency, user_id, month) ON funds_ledgeraccount TO {app};
GRANT EXECUTE ON FUNCTION funds_lock_accounts(bigint[]) TO {app};
"""


@contextmanager
def as_owner(alias: str = "default") -> Iterator[BaseDatabaseWrapper]:
    """Reconnect as the role that owns the tables, and back again afterwards."""
    connection = connections[alias]
    login = ("USER", "PASSWORD", "HOST", "PORT")
    before = {key: connection.settings_dict[key] for key in login}
    connection.close()
    connection.settings_dict.update({key: settings.DATABASE_OWNER[key] for key in login})
    try:
        yield connection
    finally:
        connection.close()
        connection.settings_dict.update(before)


def grant_to_app_role(connection: BaseDatabaseWrapper) -> None:
    """Grant the site's role what it needs and nothing else; a repeat changes nothing.

    Where one role does both (an instance with a single DATABASE_URL), there is nothing to grant;
    a deployment check warns.
    """
    app = settings.DATABASE_APP_ROLE
    if app == settings.DATABASE_OWNER["USER"]:
        return
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(GRANTS).format(app=sql.Identifier(app)).as_string(cursor.cursor))
