"""Galaxies of many files measured by several processes, with one network for all of them.

One Python interpreter reads files and makes tables for some three cores' worth of network. Here processes do that part
(`worker`): each reads its own files, puts batches of pixels into shared memory (`network`), gets the network's answers
and sends finished profiles back (`crew`), a few kilobytes each. An image never leaves its process but for the network.

`concurrent.futures` and joblib hand out tasks and take back results, and a second task of the same galaxy runs in any
process: images, with their headers and WCS, would have to be sent back and forth between reading, network and tables
(2.5 ms a galaxy for the WCS alone). So the processes here are `multiprocessing`'s own, which ask for work and keep what
they have read.
"""

from p2p_keras.measure.workers.crew import Crew, default_workers

__all__ = ["Crew", "default_workers"]
