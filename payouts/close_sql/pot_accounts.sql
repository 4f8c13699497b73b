-- One pot for each currency in which money ever came in, or may: who gives has it from there.
SELECT 'pot', currency, NULL::bigint, %(month)s::date
FROM unnest(%(currencies)s::text[]) AS currency
UNION
SELECT 'pot', currency, NULL::bigint, %(month)s::date
FROM funds_ledgeraccount WHERE user_id IS NULL
