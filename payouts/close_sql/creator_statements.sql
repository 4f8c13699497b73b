-- What each thing earned in a currency, for one slice of the creators, and the statements of those
-- creators.
WITH by_thing AS MATERIALIZED (
    -- A thing has one creator in a month; to group by more than the thing costs a fifth.
    SELECT thing_id, min(creator_id) AS creator_id, funds_sum(amount_micros) AS gross_micros,
        count(*) AS flattrs, count(*) FILTER (WHERE is_first_of_creator) AS patrons
    FROM payouts_share
    WHERE month = %(month)s AND currency = %(currency)s
        AND (%(is_whole)s OR mod(creator_id, %(slices)s) BETWEEN %(first_id)s AND %(last_id)s)
    GROUP BY thing_id
), things AS (
    INSERT INTO payouts_thingstatement
        (month_id, creator_id, thing_id, currency, gross_micros, flattrs)
    SELECT %(month)s, creator_id, thing_id, %(currency)s, gross_micros, flattrs
    FROM by_thing
    -- Runs of keys.
    ORDER BY creator_id, thing_id
)
INSERT INTO payouts_creatorstatement
    (month_id, creator_id, currency, gross_micros, fee_micros, flattrs, patrons)
SELECT %(month)s, creator_id, %(currency)s, gross_micros,
    gross_micros * %(fee_basis_points)s / 10000, flattrs, patrons
FROM (
    SELECT creator_id, funds_sum(gross_micros) AS gross_micros,
        sum(flattrs) AS flattrs, sum(patrons) AS patrons
    FROM by_thing
    GROUP BY creator_id
) AS by_creator
ORDER BY creator_id
