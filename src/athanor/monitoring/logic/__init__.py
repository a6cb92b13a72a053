"""Pure statistics of monitoring: histograms, measures, their calibration, and what they mean.

Everything here but `evidence` and `words` needs NumPy: it runs in a worker, never in the server.
"""
