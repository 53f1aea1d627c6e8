"""What is wanted: policies read from a git revision or a working tree, each value with its file and line."""
