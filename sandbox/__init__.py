"""What stands in for the outside world on one machine; never part of a public instance."""
