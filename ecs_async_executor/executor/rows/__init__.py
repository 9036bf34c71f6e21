"""The task instances' rows: read and written by a thread of their own."""
