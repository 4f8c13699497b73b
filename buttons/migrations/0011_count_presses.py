"""Presses are counted where they are recorded: the count was a tenth of a press, in Redis."""

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# `buttons_record_usual` as it was, and it counts what it is about to record: no more than sixty in a
# minute, which begins with its first. What it leaves, and so the sixty-first, `buttons/limits.py`
# counts in the same row. The row is taken after the months' lock and before the nonce, so that a
# nonce is not spent on a press too many; a form that is sent again at once may count twice.
RECORD_USUAL = """
CREATE OR REPLACE FUNCTION buttons_record_usual(
    months_lock bigint, by_patron bigint, in_currency text, at_url text, nonce_digest bytea
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    made_id bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(months_lock);
    WITH held AS MATERIALIZED (
        SELECT at, greatest(
            date_trunc('month', at AT TIME ZONE 'UTC')::date, (last_opened + interval '1 month')::date
        ) AS month
        FROM (SELECT clock_timestamp() AS at, max(month) AS last_opened FROM buttons_month) AS clock
    ), pressed AS MATERIALIZED (
        SELECT t.id
        FROM buttons_thing AS t CROSS JOIN held
        WHERE t.url = at_url AND t.owner_id <> by_patron
            AND NOT EXISTS (
                SELECT FROM buttons_claim AS c
                WHERE (c.thing_id, c.user_id) = (t.id, by_patron)
                    AND c.state IN ('proven', 'frozen')
            )
            AND NOT EXISTS (
                SELECT FROM buttons_flattr AS f
                WHERE (f.month, f.patron_id, f.thing_id) = (held.month, by_patron, t.id)
                    AND f.state <> 'undone'
            )
            AND NOT EXISTS (
                SELECT FROM buttons_flattr AS f
                WHERE (f.patron_id, f.thing_id) = (by_patron, t.id) AND f.state = 'waiting'
            )
            AND EXISTS (
                SELECT FROM account_emailaddress AS e WHERE e.user_id = by_patron AND e.verified
            )
            AND EXISTS (
                SELECT FROM funds_monthlybudget AS b
                JOIN funds_ledgeraccount AS a
                    ON (a.user_id, a.code, a.currency) = (b.user_id, 'funds', in_currency)
                WHERE b.user_id = by_patron AND b.amount_micros > 0
                    AND a.credits_posted_micros - a.debits_posted_micros - a.debits_pending_micros > 0
            )
    ), counted AS (
        INSERT INTO buttons_presscount AS c (patron_id, began_at, presses)
        SELECT by_patron, held.at, 1 FROM held, pressed
        ON CONFLICT (patron_id) DO UPDATE SET (began_at, presses) = (
            SELECT CASE WHEN goes_on THEN c.began_at ELSE excluded.began_at END,
                CASE WHEN goes_on THEN c.presses + 1 ELSE 1 END
            FROM (SELECT c.began_at > excluded.began_at - interval '1 minute' AS goes_on) AS minute
        )
        WHERE c.presses < 60 OR c.began_at <= excluded.began_at - interval '1 minute'
        RETURNING patron_id
    ), spent AS (
        INSERT INTO buttons_spentnonce (digest, spent_at)
        SELECT nonce_digest, statement_timestamp() FROM counted
        ON CONFLICT DO NOTHING
        RETURNING digest
    )
    INSERT INTO buttons_flattr (patron_id, thing_id, month, state, created_at)
    SELECT by_patron, pressed.id, held.month, 'made', held.at FROM held, pressed, spent
    RETURNING id INTO made_id;
    RETURN made_id;
END $$
"""

BEFORE = import_module("buttons.migrations.0010_record_usual").RECORD_USUAL


class Migration(migrations.Migration):
    dependencies = [
        ("buttons", "0010_record_usual"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PressCount",
            fields=[
                (
                    "patron",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("began_at", models.DateTimeField()),
                ("presses", models.PositiveIntegerField()),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE buttons_presscount SET UNLOGGED",
            "ALTER TABLE buttons_presscount SET LOGGED",
        ),
        migrations.RunSQL(
            RECORD_USUAL, BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        ),
    ]
