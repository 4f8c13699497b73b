"""What foreign pages load: badges, scripts and frames. Only `buttons/snippets.py` knows of it.

To run without it, delete it together with its lines in `buttons/urls.py` and in MIDDLEWARE, and the
page of snippets, which has nothing to show then.
"""
