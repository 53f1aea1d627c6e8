"""What decides: pure functions over values.  No clock, network, file or logger is ever imported here."""
