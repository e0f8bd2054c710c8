"""The catalogue of faults: what goes wrong on a mail host, one file each.

A file says in its docstring what happens, in ``EXPECTED`` each (alert, severity) that the admin is told, and has two
functions: ``inject(world)`` breaks it and ``recover(world)`` mends it. That is all that is needed to add one.
"""
