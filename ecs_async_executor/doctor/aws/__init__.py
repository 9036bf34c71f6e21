"""Asks AWS: read-only calls, over the executor's connection, with short time-outs. One file a service."""
