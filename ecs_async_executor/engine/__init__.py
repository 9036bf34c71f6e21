"""The engine: launches, watches and stops ECS tasks in its own asyncio loop. It knows ECS, not Airflow.

Start at `thread.py`: submit orders (`Launch`, `Watch`, `Stop`) to an `EngineThread` and drain its reports;
`messages.py` defines them all. See examples/engine_only.py.
"""
