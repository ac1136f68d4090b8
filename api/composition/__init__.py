"""The composition root: the one place that names stores and drivers and puts the processes together.

One module a process, so that none imports the libraries of another.
"""
