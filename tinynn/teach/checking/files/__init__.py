"""What `python -m tinynn check` takes from a file or a folder, and what it draws where a file does not define it.

command.py     the command: options, files and folders, the exit status
processes.py   each file in a process of its own, within a time limit
printing.py    verdicts as text, tables and JSON
verdicts.py    the verdict on each thing of a file, with points
reports.py     the report on one name of a file
choosing.py    which things are checked, and what is said of the others
loading.py     runs the file; what kind a thing is
written.py     the file as it is written: lines, methods that are empty or return nothing
loops.py       training loops, run for a few steps
places.py      the lines where a wrong gradient is written
together.py    which functions belong together: forward, backward, and the cost between them
arguments.py   arguments of functions and classes, drawn by their names
steps.py       a loss and its gradients at module level
samples.py     rows x and targets, tried until forward and backward run
"""
