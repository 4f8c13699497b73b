"""Demo data: a few people, what they made and flattred, one closed month and one open."""
