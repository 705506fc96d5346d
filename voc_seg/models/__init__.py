"""The networks, in the order of the lesson.

1. `patch_classifier.py`: classify the middle pixel of a window; slide the window over the image.
2. `dense.py`: the same network over the whole image in one pass.
3. `encoder_decoder.py`: down to a coarse map, and up again.
4. `unet.py`: the same with skip connections. Compare the two files: three lines differ.
5. `vgg_transfer.py`: a decoder on an encoder pretrained on ImageNet.

They share the building blocks in `blocks.py`; `saving.py` is what a saved model remembers.
"""
