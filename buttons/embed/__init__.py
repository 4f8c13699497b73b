"""What foreign pages load: badges and one script. Nothing else here knows of this folder.

To run without it, delete it together with its line in `buttons/urls.py` and the one in MIDDLEWARE.
"""
