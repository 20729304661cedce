"""Galaxies of many files measured by several processes.

One Python interpreter reads files and makes tables for some three cores' worth of network, and threads of one process
take each other's time: two processes take 0.87 of it for the same galaxies (docs/speed.md, "More cores"). So processes
read their own files, make tables (`worker`) and send finished profiles back (`crew`), a few kilobytes each. Where the
network survives a fork (ONNX Runtime with one thread, on Linux), each is forked with it and runs it on its own core.
Elsewhere (a GPU, TensorFlow, macOS) one network in the first process serves all of them (`network`): batches of pixels
go there through shared memory.

`concurrent.futures` and joblib hand out tasks and take back results, and a second task of the same galaxy runs in any
process: images, with their headers and WCS, would have to be sent back and forth between reading, network and tables
(2.5 ms a galaxy for the WCS alone). So the processes here are `multiprocessing`'s own, which ask for work and keep what
they have read.
"""

from p2p_keras.measure.workers.crew import Crew, default_workers

__all__ = ["Crew", "default_workers"]
