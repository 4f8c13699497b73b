"""A foreign site for the sandbox: a blog with embed buttons, and the mail that was sent.

It runs under another host name than the site (cookies ignore ports), so a browser treats it as the
stranger that every embedding page is.
"""
