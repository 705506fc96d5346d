"""`python -m voc_seg` is `voc-seg`."""

from voc_seg.cli import main

main()
