"""Job names and their arguments: the only door to the queue.

Jobs are enqueued by dotted name, with ids as arguments, so that whoever asks for work
need not import the worker. The worker comes with a later issue; the names stay here.
"""
