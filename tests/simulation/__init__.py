"""A simulation of pindb: long random histories of a whole site, on the shipped code.

`tests/model` visits every state of small worlds. This visits few states of a large one: several browsers with several
tabs, web and worker threads in several processes, tasks, chords, results, tokens, crashes, failovers, clocks that jump,
a switch that is turned. It stands on the model: `tests/model/seam.py` names what is replaced, the model's steps say
what requests and tasks do and check each read. But nothing is taken apart here: units of work, connections and caches
are the shipped objects, which live as long as they would.

`site.py` keeps what is going on, `tasks.py` the queue. `machine.py` has the rules: Hypothesis draws which one is next.
So a failure shrinks to a short story, and a seed tells the same story each time.
"""
