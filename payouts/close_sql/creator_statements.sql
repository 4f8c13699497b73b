-- What the chunks gave, by creator and currency, for one slice of the creators.
INSERT INTO payouts_creatorstatement
    (month_id, creator_id, currency, gross_micros, fee_micros, flattrs, patrons)
SELECT %(month)s, creator_id, currency, gross_micros,
    gross_micros * %(fee_basis_points)s / 10000, flattrs, patrons
FROM (
    SELECT creator_id, currency, sum(gross_micros)::bigint AS gross_micros,
        sum(flattrs) AS flattrs, sum(patrons) AS patrons
    FROM payouts_chunkcreator
    WHERE month_id = %(month)s AND mod(creator_id, %(slices)s)
        BETWEEN %(first_id)s AND %(last_id)s
    GROUP BY creator_id, currency
) AS by_creator
ORDER BY creator_id, currency
