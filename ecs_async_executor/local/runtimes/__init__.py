"""The runtimes: they run tasks as processes, or simulate them."""
