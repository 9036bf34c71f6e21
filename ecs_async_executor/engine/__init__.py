"""The engine: launches, watches and stops ECS tasks on an asyncio loop of its own. It knows ECS, not Airflow.

`thread.py` is the way in: give an `EngineThread` orders (`Launch`, `Watch`, `Stop`) and drain its reports;
`messages.py` is the whole vocabulary. See examples/engine_only.py.
"""
