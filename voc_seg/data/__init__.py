"""Everything between the disk and a batch.

- `images.py`: read and write photographs and masks, resize them.
- `palette.py`: the colours of VOC's masks.
- `decoding.py`: decode image files strictly.
- `voc.py`: the classes and folders of PASCAL VOC.
- `shapes.py`: the built-in data set, drawn rather than downloaded.
- `download.py`: fetch PASCAL VOC.
- `augmentation.py`: random augmentation.
- `datasets.py`: batches of images, or of windows.
"""
