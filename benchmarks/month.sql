-- A month of flattrs: ten for each patron, on the things of creators whose popularity has
-- a long tail.

SELECT setseed(0.5);

INSERT INTO accounts_user (id, password, is_superuser, is_staff, is_active, date_joined, username,
    email, display_name, about, kind, currency, flattr_id, is_exempt_from_means,
    publishes_income)
SELECT n, '', false, false, true, now(), 'u' || n, 'u' || n || '@bench.example', '', '',
    'individual', 'EUR', lpad(to_hex(n), 6, '0'), n > %(patrons)s, false
FROM generate_series(1, %(patrons)s + %(creators)s) AS n;

INSERT INTO funds_monthlybudget (user_id, amount_micros, is_revenue_reused, created_at, updated_at)
SELECT n, 10000000, true, now(), now() FROM generate_series(1, %(patrons)s) AS n;

INSERT INTO funds_ledgeraccount (code, currency, user_id, month)
VALUES ('stripe_balance', 'EUR', NULL, NULL);
INSERT INTO funds_ledgeraccount (code, currency, user_id, month)
SELECT 'funds', 'EUR', n, NULL FROM generate_series(1, %(patrons)s) AS n;

INSERT INTO funds_topup (id, currency, amount_micros, state, failure, return_to, returned_micros,
    created_at, paid_at, user_id)
SELECT gen_random_uuid(), 'EUR', 12000000, 'paid', '', '', 0, now(), now(), n
FROM generate_series(1, %(patrons)s) AS n;

INSERT INTO buttons_thing (id, url, owner_id, title, description, language, category, tags,
    is_hidden, is_edited, shows_readers, created_at)
SELECT n, 'https://bench.example/' || n, %(patrons)s + 1 + (n - 1) / %(things_each)s, '', '', '',
    '', '{}', false, false, false, now()
FROM generate_series(1, %(creators)s * %(things_each)s) AS n;

-- The power makes the first creator get a twentieth of all flattrs.
INSERT INTO buttons_flattr (patron_id, thing_id, month, state, created_at)
SELECT patron_id, thing_id, %(month)s, 'made', created_at
FROM (
    SELECT patron_id, thing_id, created_at,
        row_number() OVER (PARTITION BY patron_id ORDER BY created_at) AS place
    FROM (
        SELECT DISTINCT ON (patron_id, thing_id) patron_id, thing_id,
            %(month)s::timestamp AT TIME ZONE 'UTC' + random() * interval '27 days' AS created_at
        FROM (
            SELECT p AS patron_id, 1
                + floor(%(creators)s * power(random(), ln(%(creators)s) / ln(20)))::bigint
                    * %(things_each)s
                + floor(%(things_each)s * random())::bigint AS thing_id
            FROM generate_series(1, %(patrons)s) AS p, generate_series(1, 30)
        ) AS picked
    ) AS once
) AS placed
WHERE place <= 10
ORDER BY created_at;

-- What the floor writes anew: rows in the shape of shares, read in id order.
CREATE TABLE floor_source AS
SELECT f.id AS flattr_id, f.patron_id, t.owner_id AS creator_id, f.thing_id,
    1000000::bigint AS amount_micros
FROM buttons_flattr AS f JOIN buttons_thing AS t ON t.id = f.thing_id
ORDER BY f.id;
