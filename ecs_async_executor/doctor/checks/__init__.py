"""The checks: pure functions of the set-up and the facts. One file a subject; `table.py` lists them."""
