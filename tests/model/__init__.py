"""A model of pindb: all interleavings of small worlds, explored on the shipped code.

A world has a master with two or three replicas, the requests of one browser, tasks, and what happens to servers and
clocks. `worlds.py` lists them. `explore.py` visits every state that a world can reach, breadth first, so that the first
violation of a guarantee is one with the shortest path. It is printed as a story.

The code that decides is the shipped one: the routers, `decide`, units of work, the join, the wire format, what a unit
of work hands on, messages, results, cookies and their names, the questions about log positions and the cache of their
answers. `seam.py` names the few functions that are replaced: those that reach a server, look at a clock or roll dice.
`mutants.py` breaks the shipped code on purpose, one line at a time; the model notices each time.
"""
