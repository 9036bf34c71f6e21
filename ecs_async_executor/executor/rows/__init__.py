"""Reads and writes task instances' rows, in a thread of its own."""
