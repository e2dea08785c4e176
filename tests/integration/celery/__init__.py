"""One contract suite for Celery: way to send x broker x backend x pool, each worker in processes of its own.

Built on pytest-celery's setup, worker, broker and backend, with nodes that run local processes instead of containers
(`nodes.py`): a team with Docker can run the same tests on containers by giving `celery_setup` other nodes.
"""
