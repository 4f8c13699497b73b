-- Made by the owner's function, since the role that closes a month owns nothing.
SELECT payouts_index_shares(%(month)s)
