-- Shares by creator and currency, for one slice of the creators. Grouped by patron first, since
-- counting distinct patrons would sort every share.
INSERT INTO payouts_creatorstatement
    (month_id, creator_id, currency, gross_micros, fee_micros, flattrs, patrons)
SELECT %(month)s, creator_id, currency, gross_micros,
    gross_micros * %(fee_basis_points)s / 10000, flattrs, patrons
FROM (
    SELECT creator_id, currency, sum(gross_micros)::bigint AS gross_micros,
        sum(flattrs) AS flattrs, count(*) AS patrons
    FROM (
        SELECT creator_id, currency, patron_id, sum(amount_micros) AS gross_micros,
            count(*) AS flattrs
        FROM payouts_share
        WHERE month = %(month)s AND mod(creator_id, %(slices)s)
            BETWEEN %(first_id)s AND %(last_id)s
        GROUP BY creator_id, currency, patron_id
    ) AS by_patron
    GROUP BY creator_id, currency
) AS by_creator
ORDER BY creator_id, currency
