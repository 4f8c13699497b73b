-- The first month that anybody flattred in. Ids are nearly in the order of months, and there is no
-- index by month, so that only the first flattrs are looked at.
SELECT min(month) FROM (SELECT month FROM buttons_flattr ORDER BY id LIMIT 10000) AS first
