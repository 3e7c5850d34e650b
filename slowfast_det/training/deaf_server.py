"""Imported by the process that starts the reading workers, and by no other: it and they do not hear SIGTERM.

A terminal and a batch system signal all processes of a training. The training itself decides what happens then;
its readers must live until the state is saved. They end with the training, however that ends.
"""

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
