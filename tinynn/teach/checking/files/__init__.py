"""What `python -m tinynn check FILE.py[:NAME]` takes from a file, and what it draws where the file does not define it.

loading.py     runs the file, and finds what in it can be checked
together.py    which functions belong together: forward, backward, and the cost between them
arguments.py   arguments of functions and classes, drawn by their names
reports.py     the report on one name of a file
samples.py     rows x and targets, tried until forward and backward run
"""
