"""Operation from the command line: what runs, what waits, stop one, clean up, a shell inside."""
