"""What `make bench` runs: each module also runs alone and prints one JSON line last."""
