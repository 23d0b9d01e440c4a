"""Seconds that scipy.linalg.eigh takes on random symmetric float64 matrices, by width: one JSON object, the best of some runs."""
import json
import sys
import time

import numpy as np
import scipy.linalg

seconds = {}
for n in map(int, sys.argv[2:]):
    matrix = np.random.default_rng(n).random((n, n)) - 0.5
    matrix += matrix.T
    runs = []
    for _ in range(int(sys.argv[1])):
        started = time.perf_counter()
        scipy.linalg.eigh(matrix)
        runs.append(time.perf_counter() - started)
    seconds[n] = min(runs)
print(json.dumps(seconds))
