"""Chapter 5: the size of the paper's answer.

Why: without padding the answer is smaller than the image, and most sizes do not fit at all. You
have to know both before you cut a large image into tiles.
"""


def valid_unet_size(size, depth):
    """Computes the side of the answer that the paper's U-Net gives for a square image.

    Along one side:

    - Each block has two 3 x 3 convolutions without padding; each of them takes 1 pixel off both
      ends.
    - Going down there are `depth` times a block and a max pooling, which halves the side. The paper
      allows it for an even side only.
    - At the bottom there is one block more.
    - Going up there are `depth` times a transposed convolution, which doubles the side, and a
      block. (The encoder's map is cropped to what the decoder has; it does not change the size.)

    For instance 572 pixels and depth 4 give 388. Depth 1 and 20 pixels: 20, block 16, pooling 8,
    block 4, doubled 8, block 4.

    Args:
        size: side of the image in pixels, a whole number from 1.
        depth: how many times the network halves the resolution, a whole number from 1.

    Returns:
        The side of the answer in pixels, an int; 0 if a side is odd before a pooling, or if no
        pixel is left.
    """
    raise NotImplementedError
