"""What the engine measures: launches, starts, how late it sees what happens, what it has in hand."""
