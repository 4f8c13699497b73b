"""The usual press, recorded by a function: its plan is kept, and making it took half the time."""

from django.db import migrations

# On a proven thing of somebody else, by a patron with a confirmed mail address and means, who has
# not flattred it yet. Its nonce is spent with it; one that was spent records nothing. Whatever else
# there is to say about a press, `record_flattr` says. NULL where nothing was recorded.
#
# The lock comes first, and the statement behind it looks at the time and the months anew. It runs
# with the rights of who calls it.
RECORD_USUAL = """
CREATE FUNCTION buttons_record_usual(
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
    ), spent AS (
        INSERT INTO buttons_spentnonce (digest, spent_at)
        SELECT nonce_digest, statement_timestamp() FROM pressed
        ON CONFLICT DO NOTHING
        RETURNING digest
    )
    INSERT INTO buttons_flattr (patron_id, thing_id, month, state, created_at)
    SELECT by_patron, pressed.id, held.month, 'made', held.at FROM held, pressed, spent
    RETURNING id INTO made_id;
    RETURN made_id;
END $$
"""

RECORD_USUAL_REVERSE = """
DROP FUNCTION buttons_record_usual(bigint, bigint, text, text, bytea)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("account", "0001_initial"),
        ("buttons", "0009_readers"),
        ("funds", "0002_ledger"),
    ]

    operations = [migrations.RunSQL(RECORD_USUAL, RECORD_USUAL_REVERSE)]
