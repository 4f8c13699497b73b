-- Who gives at least the smallest budget and has less than that in funds gives what they earned:
-- exactly the shortfall, only if revenue covers it, and only if they did not opt out. Who receives
-- without giving, or not at all, keeps it.
SELECT format('reuse:%%s:%%s:%%s', to_char(%(month)s::date, 'YYYY-MM'), u.id, u.currency),
    'reuse', r.id, f.id,
    %(budget_min_micros)s
        - (f.credits_posted_micros - f.debits_posted_micros - f.debits_pending_micros),
    %(month)s::date
FROM funds_monthlybudget AS b
JOIN accounts_user AS u ON u.id = b.user_id
JOIN funds_ledgeraccount AS f
    ON (f.user_id, f.code, f.currency) = (u.id, 'funds', u.currency)
JOIN funds_ledgeraccount AS r
    ON (r.user_id, r.code, r.currency) = (u.id, 'revenue', u.currency)
WHERE b.user_id BETWEEN %(first_id)s AND %(last_id)s
    AND %(give_to_receive)s AND NOT u.is_exempt_from_means AND u.is_active
    AND b.is_revenue_reused AND b.amount_micros >= %(budget_min_micros)s
    AND f.credits_posted_micros - f.debits_posted_micros - f.debits_pending_micros
        < %(budget_min_micros)s
    AND f.credits_posted_micros - f.debits_posted_micros - f.debits_pending_micros
        + r.credits_posted_micros - r.debits_posted_micros - r.debits_pending_micros
        >= %(budget_min_micros)s
