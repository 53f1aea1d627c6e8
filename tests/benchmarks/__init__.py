"""How fast it is, measured and never asserted: `make bench` prints tables and writes build/bench.json."""
