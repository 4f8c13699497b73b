-- What was written is read from now on: without this, as if there were hardly any. By the owner's
-- function, since the role that closes a month owns nothing.
SELECT payouts_analyze_closed()
