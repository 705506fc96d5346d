"""How much memory does a photo of 24 megapixels take? `python benchmarks/memory.py`

Labels a small and then a large image with the same 21-class U-Net and prints the peak memory of
the process after each. The difference is the cost of the large image.
"""

import resource
import sys
import time

import numpy as np

from voc_seg import VOC_CLASSES, build_unet, predict_labels, set_classes

model = build_unet(filters=16)
set_classes(model, {name: i for i, name in enumerate(VOC_CLASSES)}, image_size=224)
unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux kilobytes
for shape in ((300, 400), (4000, 6000)):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    start = time.perf_counter()
    (labels,) = predict_labels(model, [image])
    assert labels.shape == shape
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"{shape[1]} x {shape[0]}: peak {peak:,.0f} MiB, {time.perf_counter() - start:.1f} s")
