"""A small server that speaks Stripe's wire format for exactly the calls the gateway makes.

`python -m sandbox.stripe` runs it on the loopback interface. It moves no real money: cards are
Stripe's documented test cards, and everything it knows lies in one SQLite file.
"""
