-- Made by the owner's function, since the role that closes a month owns nothing.
SELECT payouts_key_shares(%(month)s)
