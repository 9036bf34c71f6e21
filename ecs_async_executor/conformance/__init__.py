"""Checks whether an ECS API behaves as the executor assumes: AWS itself, the local ECS, or another one.

`run.run` asks, `report` writes what came back; everything between is pure, or state without I/O.
"""
