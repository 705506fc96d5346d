"""How much faster is the dense network than the sliding window? `python benchmarks/dense_speed.py`

Labels one 128 x 128 image in three ways and times each: one pass of the network by `to_dense`, the
sliding window in batches of 256 windows, and the sliding window one window at a time (1,024 of the
16,384 pixels, times 16). Each way runs once to warm up; after that the median of its runs counts.
"""

import statistics
import time

import keras
import numpy as np

from voc_seg import build_patch_classifier, sliding_window, to_dense


def seconds(function, repeats):
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
print(f"Keras {keras.__version__} on {keras.backend.backend()}, 21 classes, 128 x 128 pixels\n")
print("window   dense pass   in batches   one by one   largest difference in probability")
for window in (17, 33, 65):
    classifier = build_patch_classifier(window=window)
    dense = to_dense(classifier)
    once = seconds(lambda d=dense: d.predict_on_batch(image[None]), 9)
    batches = seconds(lambda c=classifier: sliding_window(c, image, progress=False), 3)
    single = 16 * seconds(lambda c=classifier: sliding_window(c, image[:8], 1, progress=False), 1)
    exact = sliding_window(classifier, image, progress=False)
    error = np.abs(exact - np.asarray(dense.predict_on_batch(image[None]))[0]).max()
    print(
        f"{window:6}   {once:8.4f} s   {batches / once:6.0f} times  {single / once:6.0f} times"
        f"   {error:.1e}"
    )
