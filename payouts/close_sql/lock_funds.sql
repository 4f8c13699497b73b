-- The funds of the chunk, in id order, so that what the shares are computed from is what the
-- transfers take.
SELECT funds_lock_accounts(ARRAY(
    SELECT funds_account_id FROM payouts_monthpatron
    WHERE month_id = %(month)s AND patron_id BETWEEN %(first_id)s AND %(last_id)s
))
