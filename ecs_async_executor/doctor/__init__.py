"""`ecs-async doctor`: finds what is wrong with a set-up before the first task.

Questions (`questions.py`, pure) are answered by AWS (`aws/`) and by this host (`host.py`); `gather.py` asks them in threads,
each within a time limit. The answers are facts; the checks (`checks/`, pure) turn facts into findings; `report.py` shows them.
`launch/` runs one real ECS task that looks from the inside.
"""
