# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 4. Encode, then decode
#
# **You will be able to**
#
# - say why a network lowers the resolution of its maps in order to see more, and what that costs;
# - compute a transposed convolution by hand, as the transpose of a matrix and with stamps, and
#   tell the size that comes out;
# - say where checkerboards come from, and choose a kernel that avoids them;
# - train an encoder-decoder, and measure what it gets wrong: *where* an object ends, or *what* it is.
#
# **Time:** about an hour and a quarter of reading and 45 minutes for the exercises. The code runs in
# about three minutes on two cores.
# **Prerequisite:** [chapter 3](03_one_pass.md).

# %% [markdown]
# The next cell draws the shapes, if they are not there yet. With the other values of `ROOT` and `SIZE`
# the whole chapter runs on PASCAL VOC instead.

# %%
import inspect
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from voc_seg import (
    SegmentationDataset,
    WindowDataset,
    build_encoder_decoder,
    build_patch_classifier,
    compile_model,
    confusion_matrix,
    conv_block,
    evaluate,
    format_table,
    iou_from_confusion,
    open_folder,
    predict_labels,
    set_classes,
    to_dense,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, colorize, plot_predictions
from voc_seg.scoreboard import add_row, format_rows

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

TRAIN = 1000  # fast: 60
VAL = 200  # fast: 20
CLASSES = len(folder.classes)
train_ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:VAL]
validation = SegmentationDataset(folder, val_ids, SIZE)

# %% [markdown]
# ## Less resolution, more context
#
# We have a network that labels every pixel in a single pass. It often doesn't know *what* it sees: a
# pixel in the middle of a large object looks the same whatever the object is. To name the object, the
# network has to see its outline, so its receptive field has to be as large as the object. Chapter 3
# kept it small, because large windows are expensive.
#
# How much does context cost? Let's count multiplications for four ways of getting it. All maps have
# $F$ channels, so one 3 × 3 convolution at full resolution costs $9F^2$ multiplications for each pixel
# of the image (input and output have $F$ channels each). Two rules are enough:
#
# - A layer with kernel $k$ widens the receptive field by $(k - 1)$ times its dilation times the jump
#   $j$ of its input map.
# - Pooling by 2 doubles the jump. From there on a map has a quarter of the positions, so each layer
#   costs a quarter.
#
# ??? question "Which way will be cheapest: one large kernel, many small ones, dilation, or pooling?"
#
#     Pooling. Each pooling doubles what every later layer adds to the receptive field, and makes these
#     layers four times cheaper. Dilation also doubles what a layer adds, but it isn't any cheaper.


# %%
def measure(stack):
    """(side of the receptive field, multiplications per pixel in F²).

    `stack` is a list of (kind, kernel, dilation). The kind is "conv" or
    "pool"; taking a maximum is free.
    """
    field, jump, cost = 1, 1, 0
    for kind, kernel, dilation in stack:
        field += (kernel - 1) * dilation * jump
        if kind == "pool":
            jump *= kernel
        else:
            cost += kernel**2 / jump**2
    return field, cost


conv, pool = ("conv", 3, 1), ("pool", 2, 1)
WAYS = {
    "one large kernel": [[("conv", k, 1)] for k in (5, 9, 17, 33, 63)],
    "many 3 x 3": [[conv] * n for n in (2, 4, 8, 16, 31)],
    "3 x 3, dilated": [
        [("conv", 3, 2**i) for i in range(n)] for n in (2, 3, 4, 5)
    ],
    "3 x 3 and pooling": [
        [conv, conv, pool] * depth + [conv, conv] for depth in (0, 1, 2, 3)
    ],
}  # fmt: skip
print("way                  layers  receptive field     cost")
for way, stacks in WAYS.items():
    field, cost = measure(stacks[-1])
    print(f"{way:19}{len(stacks[-1]):8}{field:14} px {cost:8.1f} F²")

# %% tags=["figure"] alt="Cost against receptive field, both on logarithmic axes: four lines that start at small costs. One large kernel rises most steeply, to about 4000; many 3 by 3 layers rise to about 300; dilated layers to 45; with pooling the line is almost flat and ends at 24."
styles = ("s:", "0.4"), ("^--", "#009E73"), ("D-.", BLUE), ("o-", VERMILLION)
for (way, stacks), (style, color) in zip(WAYS.items(), styles, strict=True):
    plt.loglog(*zip(*map(measure, stacks), strict=True), style, color=color, label=way)
plt.xlabel("receptive field (pixels)")
plt.ylabel("multiplications for each pixel (in F²)")
plt.xticks([5, 9, 17, 33, 63], [5, 9, 17, 33, 63])
plt.yticks([18, 45, 100, 300, 1000, 4000], [18, 45, 100, 300, 1000, 4000])
plt.minorticks_off()
plt.legend(loc="upper left")
plt.show()

# %% [markdown]
# For a receptive field of side $R$, a single kernel costs $R^2$ per pixel, and so does a sliding
# window. A stack of small kernels costs in proportion to $R$. Dilation doubles the field with each
# layer, pooling with each scale, and pooling is the cheapest of all. The two layers of the first scale
# cost $2 \cdot 9 F^2 = 18 F^2$, each further scale a quarter of the one above, and
# $1 + \frac14 + \frac1{16} + \dots$ never exceeds $\frac43$. So however deep it is, such a network
# costs at most $24 F^2$.
#
# That holds if all maps have $F$ channels. Our encoder doubles its channels whenever it halves the
# resolution, since it takes more numbers to describe what is in a region than what is at a pixel. Then
# each scale costs about as much as the first: with four scales up to $4 \cdot 18 F^2 = 72 F^2$, and
# the decoder about as much again. That is still far below the $3969 F^2$ of one large kernel.
#
# Dilation keeps the resolution, and is a serious rival; networks for segmentation have been built on
# it (Yu and Koltun 2016). But it pays for every layer at full resolution, in multiplications and in
# memory.
#
# Here is what this means for an image. At each scale, the small square is one position of the map. The
# large one is all that this position can have seen.


# %% tags=["figure"] alt="The same image four times, each time with half the resolution of the one before, and with one position of the map and its receptive field drawn as squares. From left to right the positions become coarser, and the receptive field grows from 5 pixels until it is larger than the image."
def square(ax, low, high, **style):
    ax.add_patch(plt.Rectangle((low, low), high - low, high - low, fill=False, **style))


image = validation[0][0][0] / 255  # (SIZE, SIZE, 3), 0..1
figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
for depth, (ax, stack) in enumerate(zip(axes, WAYS["3 x 3 and pooling"], strict=True)):
    jump, (field, _) = 2**depth, measure(stack)
    side = SIZE // jump
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    ax.imshow(small, extent=(0, SIZE, SIZE, 0))
    start = (side // 2) * jump  # where the position in the middle begins
    seen = start + (jump - field) / 2
    square(ax, start, start + jump, color="black", linewidth=3)
    square(ax, start, start + jump, color="white", linewidth=1)
    square(ax, seen, seen + field, color=VERMILLION, linewidth=2, linestyle="--")
    ax.set(xlim=(-16, SIZE + 16), ylim=(SIZE + 16, -16), xticks=[], yticks=[])
    ax.set_title(f"{side} × {side} positions, each sees {field} px", fontsize=10)
plt.show()

# %% tags=["check"]
# The real encoder: which pixels of a row change what a position of the bottleneck says?
probe = build_encoder_decoder(2, filters=1, depth=3)
for layer in probe.layers:
    if isinstance(layer, layers.Conv2D):
        layer.set_weights([np.ones_like(weight) for weight in layer.get_weights()])
bottleneck = keras.Model(probe.input, probe.get_layer("bottleneck_relu2").output)
blank = np.full((1, 112, 112, 3), 255.0, "float32")
pixels = np.repeat(blank, 112, axis=0)
pixels[np.arange(112), 56, np.arange(112)] = 1e7  # in image i, pixel i of the middle row
before, after = bottleneck.predict(blank, verbose=0), bottleneck.predict(pixels, verbose=0)
seen = np.flatnonzero(after[:, 7, 7, 0] > before[0, 7, 7, 0] * 1.0001)
assert len(seen) == seen[-1] - seen[0] + 1 == measure(WAYS["3 x 3 and pooling"][3])[0] == 68

# %% [markdown]
# ### What a coarse map forgets
#
# We pay the price in *where*. Pooling keeps what is there and forgets where:

# %% tags=["figure"] alt="Four grids of two by two numbers. Each has a nine in another corner and zeros elsewhere. Under each: max pooling gives 9."
figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), layout="constrained")
for corner, ax in enumerate(axes):
    cell = np.zeros((2, 2))
    cell.flat[corner] = 9
    ax.imshow(cell, cmap="Blues", vmin=0, vmax=15)
    for (row, column), value in np.ndenumerate(cell):
        ax.text(column, row, f"{value:g}", ha="center", va="center")
    ax.set(xticks=[], yticks=[], xlabel=f"max pooling gives {cell.max():g}")
plt.show()

# %% [markdown]
# After pooling, these four inputs are the same. How bad is that? Each position of the coarse map
# covers a square of pixels, its *cell*. Suppose the map held nothing but one label for each cell,
# the most frequent one, and we painted the whole cell with it. How good would such an answer be?
#
# ??? question "The image has 40 × 40 pixels, the map 5 × 5 positions. Guess the mean IoU."
#
#     Each label paints a cell of 8 × 8 pixels, so outlines become staircases and thin parts
#     disappear. The code below computes the answer for cells of 1, 2, 4 and 8 pixels.


# %%
def coarse(mask, cells):
    """One class for each cell, the most frequent; void has no vote.

    mask is (H, W); the grid has `cells` cells along its long side.
    """
    scale = cells / max(mask.shape)
    height, width = mask.shape
    grid = round(width * scale), round(height * scale)
    shares = [
        cv2.resize(np.float32(mask == c), grid, interpolation=cv2.INTER_AREA)
        for c in range(CLASSES)
    ]
    labels = np.argmax(shares, axis=0).astype("uint8")
    nearest = cv2.INTER_NEAREST
    return cv2.resize(labels, (width, height), interpolation=nearest)


JUMPS = 1, 2, 4, 8
painted = {}  # jump -> mean IoU of the map with that jump
for jump in JUMPS:
    confusion = 0
    for id in val_ids:
        _, mask = folder.pair(id)
        labels = coarse(mask, SIZE // jump)
        confusion += confusion_matrix(mask, labels, CLASSES)
    painted[jump] = np.nanmean(iou_from_confusion(confusion))
    side = SIZE // jump
    print(f"{side:3} x {side:<3} positions: mean IoU {painted[jump]:.3f}")

# %% tags=["figure"] alt="A label map four times: at full resolution, then with cells of 2, 4 and 8 pixels. The outlines become staircases; with cells of 8 pixels the thin parts are gone."
_, mask = folder.pair(val_ids[0])
figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
for ax, jump in zip(axes, JUMPS, strict=True):
    labels = coarse(mask, SIZE // jump)
    ax.imshow(colorize(labels, folder.classes), interpolation="nearest")
    ax.set(title=f"cells of {jump} × {jump}", xticks=[], yticks=[])
plt.show()

# %% tags=["see"]
print(
    f"Even if you knew every label, writing only one per cell of 8 × 8 (the jump after three "
    f"poolings) would limit you to a mean IoU of {painted[8]:.2f}; cells of 4 × 4 allow "
    f"{painted[4]:.2f}. With cells of 2 × 2 it is still {painted[2]:.2f}: void isn't judged, and "
    f"it hides what happens in a cell that a contour crosses."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert painted[2] > 0.99 and painted[2] > painted[4] + 0.05 > painted[8] + 0.15

# %% [markdown]
# A network doesn't have this limit. In the network that we will train, a position of the coarse map
# holds not one label but 128 numbers, and these can say along which line a contour runs through the
# cell. Something then has to read them and draw the line. That is a **decoder**: it goes up again,
# scale by scale, with layers that learn how to enlarge a map.

# %% [markdown]
# ## Transposed convolution
#
# We need a layer that enlarges a map. The usual choice, since Long, Shelhamer and Darrell (2015), is
# the transposed convolution. Let's build it from nothing, in one dimension first.
#
# ### A convolution is a matrix
#
# A convolution with stride 2 turns 7 numbers into 3. (Networks don't reverse the kernel, as the
# convolution of mathematics does; nor do we.)


# %%
def convolve(signal, kernel, stride):
    """One-dimensional convolution, without padding: (N,) -> (M,)."""
    starts = range(0, len(signal) - len(kernel) + 1, stride)
    return np.array([signal[i : i + len(kernel)] @ kernel for i in starts])


signal = np.array([0.0, 1, 4, 2, 0, 3, 1])
kernel = np.array([1.0, 2, 3])
print(convolve(signal, kernel, stride=2))

# %% [markdown]
# If you double the inputs, the outputs double; if you add inputs, the outputs add. The convolution is
# linear, so it is a matrix. To find the matrix of any linear map, feed it with unit vectors. What it
# makes of the first, (1, 0, 0, ...), is the first column, and so on.

# %%
columns = [convolve(unit, kernel, stride=2) for unit in np.eye(7)]
matrix = np.stack(columns, axis=1)  # (3, 7)
print(matrix @ signal)

# %% tags=["check"]
assert np.allclose(matrix @ signal, convolve(signal, kernel, 2))


# %% tags=["figure"] alt="Two matrices as grids with their numbers. Left, three rows and seven columns: each row holds the kernel 1, 2, 3, two columns further right than in the row above, and zeros. Right its transpose: seven rows and three columns, with the kernel in each column."
def show(ax, numbers, title, top=None):
    """Draws a matrix as a grid with its numbers; `top` is the number of the darkest blue."""
    ax.imshow(numbers, cmap="Blues", vmin=0, vmax=1.6 * (top or numbers.max()))
    for (row, column), value in np.ndenumerate(numbers):
        ax.text(column, row, f"{value:g}", ha="center", va="center", alpha=1 if value else 0.35)
    ax.set_xticks(np.arange(-0.5, numbers.shape[1]), [])
    ax.set_yticks(np.arange(-0.5, numbers.shape[0]), [])
    ax.tick_params(length=0)
    ax.grid(color="0.6")
    ax.set_title(title, fontsize=10)


figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
show(left, matrix, "convolution, stride 2: 7 numbers to 3")
show(right, matrix.T, "its transpose: 3 numbers to 7")
plt.show()

# %% [markdown]
# ### Its transpose stamps
#
# The transpose of the matrix goes the other way, from 3 numbers to 7. That is all there is to the
# name: a **transposed convolution** multiplies by the transpose of a convolution's matrix.
# (Backpropagation through a convolution multiplies by just this transpose, so every library already
# had it, long before anyone used it in a decoder.)
#
# Read the transpose by columns. Column $i$ holds the kernel, beginning at row $2i$. Multiplying by a
# vector takes a weighted sum of the columns. So each input **stamps** the kernel onto the output,
# times its own value, and where stamps overlap, they add.
#
# ??? question "The kernel is 1, 2, 3 and the stride 2. What do the inputs 2, 1, 3 give?"
#
#     The stamps are 2, 4, 6 at 0 to 2; then 1, 2, 3 at 2 to 4; then 3, 6, 9 at 4 to 6. At 2 and at 4
#     two of them meet: 2, 4, 7, 2, 6, 6, 9.

# %% tags=["figure"] alt="Three panels of bars and a fourth with their sum, over the seven positions of the output. Each of the three inputs puts down the kernel: at 0 to 2, at 2 to 4 and at 4 to 6. At the positions 2 and 4 two stamps meet and add up."
small = np.array([2.0, 1.0, 3.0])
enlarged = matrix.T @ small
figure, axes = plt.subplots(1, 4, figsize=(11, 2.6), sharey=True, layout="constrained")
for i, ax in enumerate(axes[:3]):
    bars = ax.bar(range(7), matrix[i] * small[i], color=BLUE)
    ax.set_title(f"stamp of input {i}, value {small[i]:g}", fontsize=10)
axes[3].bar_label(axes[3].bar(range(7), enlarged, color=VERMILLION, hatch="//"))
axes[3].set_title("their sum, the output", fontsize=10)
axes[3].set_ylim(0, 1.15 * enlarged.max())
plt.show()

# %% tags=["check"]
assert enlarged.tolist() == [2, 4, 7, 2, 6, 6, 9]

# %% [markdown]
# In two dimensions each input pixel stamps a square. This is the whole algorithm:


# %%
def stamp(image, kernel, stride):
    """Transposed convolution, one channel, no padding: (H, W) -> (H', W')."""
    (height, width), k = image.shape, len(kernel)
    out = np.zeros(((height - 1) * stride + k, (width - 1) * stride + k))
    for y in range(height):
        for x in range(width):
            top, left = y * stride, x * stride
            out[top : top + k, left : left + k] += image[y, x] * kernel
    return out


pixels = np.array([[1.0, 2.0], [3.0, 4.0]])
kernel = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 5.0]])

# %% tags=["figure"] alt="Three grids of numbers: two by two pixels, a kernel of three by three, and the output of five by five. The four corners of the output hold parts of one stamp each; the middle row and column hold sums of two, and the centre the sum of all four."
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
show(axes[0], pixels, "input")
show(axes[1], kernel, "kernel")
show(axes[2], stamp(pixels, kernel, stride=2), "output, stride 2")
plt.show()

# %% [markdown]
# Keras' `Conv2DTranspose` does the same. Its kernels have two more axes, output channels and input
# channels, in this order. Here both have one entry.


# %%
def with_keras(image, kernel, stride, padding="valid"):
    """The same by Keras: (H, W) -> (H', W')."""
    layer = layers.Conv2DTranspose(
        1,
        len(kernel),
        strides=stride,
        padding=padding,
        use_bias=False,
    )
    layer.build((None, None, None, 1))
    layer.set_weights([kernel[:, :, None, None]])
    batch = np.float32(image)[None, :, :, None]
    return keras.ops.convert_to_numpy(layer(batch))[0, :, :, 0]


rng = np.random.default_rng(0)
for k, stride in (2, 2), (3, 2), (4, 2), (5, 3):
    image, kernel = rng.normal(size=(6, 4)), rng.normal(size=(k, k))
    ours = stamp(image, kernel, stride)
    theirs = with_keras(image, kernel, stride)
    difference = np.abs(ours - theirs).max()
    print(f"kernel {k}, stride {stride}: largest difference {difference:.1e}")

# %% tags=["check"]
assert np.allclose(with_keras(pixels, np.ones((3, 3)), 2), stamp(pixels, np.ones((3, 3)), 2))
for k, stride in (1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (4, 2), (5, 2), (5, 3), (3, 3):
    image, kernel = rng.normal(size=(6, 4)), rng.normal(size=(k, k))
    assert np.abs(stamp(image, kernel, stride) - with_keras(image, kernel, stride)).max() < 1e-5

# %% [markdown]
# ### Is it the inverse of convolution?
#
# No. People often call it deconvolution, and in mathematics a deconvolution undoes a convolution. The
# transposed convolution restores the *size*, and nothing else. Let's go down with the matrix and up
# with its transpose:

# %%
back = matrix.T @ (matrix @ signal)
print("signal                ", signal)
print("down, then up         ", back)

# %% tags=["figure"] alt="Two lines over seven positions. The signal rises and falls between 0 and 4. What comes back from convolution and transposed convolution, scaled to the same largest value, has other ups and downs."
plt.figure(figsize=(6, 3))
plt.plot(signal, "o-", color=BLUE, label="signal")
plt.plot(back / back.max() * signal.max(), "s--", color=VERMILLION, label="down and up, scaled")
plt.xlabel("position")
plt.legend()
plt.show()

# %% tags=["check"]
assert not np.allclose(back / back.max() * signal.max(), signal, atol=0.5)
assert np.linalg.matrix_rank(matrix) == 3  # of 7: no inverse exists

# %% [markdown]
# No other matrix can undo it either. 7 numbers have become 3, and infinitely many signals share the
# same 3. But a decoder doesn't need an inverse. The kernels of its transposed convolutions are learned,
# as all others are, and they don't have to draw the image but its label map.

# %% [markdown]
# ### The size that comes out
#
# A kernel of 2 with stride 2, which our decoder uses, turns $n$ inputs into exactly $2n$ outputs. The
# last of $n$ stamps of length $k$ begins at $(n - 1) s$. So in general, for $k \ge s$, there are
# $(n - 1) s + k = n s + (k - s)$ outputs. With `padding="same"` Keras cuts $k - s$ of them off, so
# $n s$ are left. The code below the note compares the formulas with Keras, for $n = 5$.
#
# ??? note "All sizes, for the exercises"
#
#     For $n$ inputs along a side, kernel $k$ and stride $s$, without dilation:
#
#     | layer | padding "valid" | padding "same" |
#     | --- | --- | --- |
#     | convolution, pooling | $\lfloor (n - k) / s \rfloor + 1$ | $\lceil n / s \rceil$ |
#     | transposed convolution | $n s + \max(k - s, 0)$ | $n s$ |
#
#     If the kernel is smaller than the stride, Keras leaves zeros behind the last stamp as it does
#     between the others, hence the maximum. With "same" the $k - s$ that hang over are cut off: half
#     of them in front (rounded down), the others at the end.

# %%
print("kernel stride  padding   formula    Keras")
for k, s, padding in (
    (2, 2, "valid"),
    (3, 2, "valid"),
    (3, 2, "same"),
    (4, 2, "same"),
    (2, 3, "valid"),
):
    formula = 5 * s + (max(k - s, 0) if padding == "valid" else 0)
    found = len(with_keras(np.ones((5, 5)), np.ones((k, k)), s, padding))
    print(f"{k:6}{s:7}  {padding:8}  5 to {formula:2}  5 to {found:2}")

# %% tags=["check"]
for n in (1, 5):
    for k in (1, 2, 3, 4, 5):
        for s in (1, 2, 3):
            image, kernel = rng.normal(size=(n, n)), rng.normal(size=(k, k))
            valid = with_keras(image, kernel, s)
            assert valid.shape == (n * s + max(k - s, 0),) * 2
            same = with_keras(image, kernel, s, "same")
            assert same.shape == (n * s,) * 2
            if k >= s:
                cut = (k - s) // 2
                assert np.abs(valid[cut : cut + n * s, cut : cut + n * s] - same).max() < 1e-5
            for padding, size in ("valid", (n - k) // s + 1), ("same", -(-n // s)):
                if size > 0:
                    down = layers.Conv2D(1, k, strides=s, padding=padding)
                    assert down.compute_output_shape((1, n, n, 1))[1] == size

# %% [markdown]
# Sizes that the encoder has rounded don't come back: 41 pixels are halved to 20, and 20 doubled are 40.
# This is why `build_encoder_decoder` pads an image at its entrance until 2 to the power of `depth`
# divides its sides, and crops the result at its exit.

# %% [markdown]
# ## Checkerboards
#
# How many stamps does each output pixel get? Let an input of ones stamp a kernel of ones.
#
# ??? question "Kernel 3, stride 2: will every output pixel get the same number of stamps?"
#
#     No. Stamps that are 3 long and 2 apart overlap at every second position only. Along each axis the
#     count goes 1, 2, 1, 2, and in the plane 1, 2 and 4.

# %% tags=["figure"] live="stamps" caption="Choose a kernel and a stride, and look for the pairs that give every position inside the dashed line the same number of stamps. Drag the frame over the input, or move it with the arrow keys, to see where its stamp lands." alt="Three grids of counts. Kernel 3, stride 2: rows of ones and twos alternate with rows of twos and fours, like a checkerboard. Kernel 4, stride 2: fours all over the inside. Kernel 2, stride 2: ones everywhere."
figure, axes = plt.subplots(1, 3, figsize=(10, 3.7), layout="constrained")
for ax, k in zip(axes, (3, 4, 2), strict=True):
    show(ax, stamp(np.ones((4, 4)), np.ones((k, k)), stride=2), f"kernel {k}, stride 2", top=4)
plt.show()

# %% tags=["check"]
inside = np.s_[2:-2, 2:-2]
assert set(np.unique(stamp(np.ones((4, 4)), np.ones((3, 3)), 2)[inside])) == {1, 2, 4}
assert set(np.unique(stamp(np.ones((4, 4)), np.ones((4, 4)), 2)[inside])) == {4}
assert set(np.unique(stamp(np.ones((4, 4)), np.ones((2, 2)), 2))) == {1}

# %% [markdown]
# With kernel 3 the stride does not divide the kernel, and the counts are uneven. Where four stamps
# add, the output tends to be larger than where there is one. Odena, Dumoulin and Olah (2016) show that
# networks often fail to make up for this, and that their images carry the pattern of a checkerboard. If
# $s$ divides $k$, every position inside gets $(k/s)^2$ stamps.
#
# Equal counts don't rule the pattern out. When does a uniform input give a uniform output? Whenever the
# weights that land on each position add up to the same number. Training can achieve that with any
# kernel, but it has to start somewhere: from random weights. Let's look at the typical size (the
# standard deviation) of four neighbouring outputs, over many random kernels:

# %%
rng = np.random.default_rng(4)
ones = np.ones((5, 5))
for k in (3, 4, 2):
    kernels = [rng.normal(size=(k, k)) for _ in range(2000)]
    outputs = [stamp(ones, kernel, 2) for kernel in kernels]
    spread = np.std(outputs, axis=0)[4:6, 4:6]  # one period of the pattern
    print(f"kernel {k}: four neighbours {spread.round(1).ravel()}")

# %% tags=["check"]
for k, ratio in (3, 2), (4, 1), (2, 1):
    outputs = [stamp(np.ones((5, 5)), rng.normal(size=(k, k)), 2) for _ in range(2000)]
    middle = np.std(outputs, axis=0)[4:6, 4:6]
    assert abs(middle.max() / middle.min() - ratio) < 0.2
linear = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])
assert np.allclose(stamp(np.ones((4, 4)), linear, 2)[inside], 1)

# %% [markdown]
# With kernel 3 the layer starts uneven, and has to learn to be even. With kernels 2 and 4 it starts
# without a favourite position.
#
# **Our decoder** has kernel 2 and stride 2. It doubles exactly, has the fewest weights, and each output
# pixel gets one stamp. Two 3 × 3 convolutions follow, which smooth over the seams between the stamps.
# Odena et al. recommend another way: enlarge by interpolation, then convolve.

# %% [markdown]
# ## The network
#
# Now we have all the parts. Here is the whole network:

# %% tags=["source"]
print(inspect.getsource(build_encoder_decoder))

# %% [markdown]
# On the way down there are two convolutions and a pooling at each scale. At the bottom, two more
# convolutions work on the coarsest map, the *bottleneck*. On the way up there is a transposed
# convolution and two convolutions at each scale. Finally a 1 × 1 convolution gives the classes. This is
# `conv_block`:

# %% tags=["source"]
print(inspect.getsource(conv_block))

# %% [markdown]
# Batch normalisation keeps the numbers in a steady range. `padding="same"` puts zeros around the maps.
# Chapter 3 avoided that, because it had to match a sliding window exactly. Here there is nothing to
# match: the network learns with these zeros.
#
# This symmetric design goes back to Noh, Hong and Han (2015) and SegNet (Badrinarayanan, Kendall and
# Cipolla 2017). Their decoders also remember the positions of the maxima from the poolings; ours
# remembers nothing.

# %%
keras.utils.set_random_seed(0)
model = build_encoder_decoder(CLASSES, filters=16, depth=3)
names = [f"encoder{i}_relu2" for i in (1, 2, 3)] + ["bottleneck_relu2"]
names += [f"decoder{i}_relu2" for i in (3, 2, 1)] + ["logits"]
outputs = [model.get_layer(name).output for name in names]
inner = keras.Model(model.input, outputs)
maps = inner.predict(validation[0][0][:1], verbose=0)
for name, feature_map in zip(names, maps, strict=True):
    print(f"{name:17} {feature_map.shape[1:]}")

# %% tags=["figure"] alt="A row of bars, one for each map of the network. Their heights, the sides of the maps, fall in three steps to an eighth and rise again; their widths, the channels, grow from 16 to 128 and shrink again to the number of classes."
plt.figure(figsize=(11, 3.6))
x = 0
for name, (_, height, _, channels) in zip(names, (m.shape for m in maps), strict=True):
    width = channels / 4
    color = BLUE if name.startswith("enc") else VERMILLION if name.startswith("dec") else "0.6"
    hatch = "//" if name.startswith("dec") else None
    plt.bar(x, height, width, bottom=-height / 2, color=color, hatch=hatch, align="edge")
    label = f"{name.split('_')[0]}\n{height} × {height}\n× {channels}"
    plt.text(x + width / 2, -SIZE / 2 - 1, label, ha="center", va="top", fontsize=8)
    x += width + 13
plt.ylim(-SIZE * 0.85, SIZE / 2 + 1)
plt.axis("off")
plt.show()

# %% tags=["check"]
assert [m.shape[1] for m in maps] == [SIZE // s for s in (1, 2, 4, 8, 4, 2, 1, 1)]
assert [m.shape[3] for m in maps] == [16, 32, 64, 128, 64, 32, 16, CLASSES]

# %% [markdown]
# The loss is that of a classifier at each pixel, the cross-entropy. We average it over the set $V$ of
# all pixels of a batch that are not void. $y_p$ is the true class of pixel $p$, and $q_p$ the
# probability that the network gives to each class there:
#
# $$L = -\frac{1}{|V|} \sum_{p \in V} \log q_p(y_p)$$
#
# We don't have to draw windows any more: one image is more than a thousand examples, all from one
# pass.

# %%
EPOCHS = 7  # fast: 1
training = SegmentationDataset(
    folder,
    train_ids,
    SIZE,
    shuffle=True,
    cache=True,
)
steps = EPOCHS * len(training)
rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
compile_model(model, rate)
model.fit(training, epochs=EPOCHS, shuffle=False, verbose=2)
set_classes(model, folder.classes, SIZE)

# %% [markdown]
# The mean IoU in this log is a running mean over the epoch, while the network is still improving. So the
# validation images below can score better than the training images of the last line. (`shuffle=False`
# is for Keras: the data set shuffles by itself.)

# %%
result = evaluate(model, folder, val_ids)
print(format_table(result))

# %% tags=["figure"] alt="Four validation images in rows: image, true label map, prediction, and the errors. The objects are found and mostly named rightly; most wrong pixels lie along their outlines and at corners; here and there a whole part of an object is wrong."
images, masks = zip(*map(folder.pair, val_ids[4:8]), strict=True)
plot_predictions(images, masks, predict_labels(model, images), folder.classes)

# %% tags=["see"]
print(
    f"The encoder-decoder reaches a mean IoU of {result['mean_iou']:.2f}. The answer with one true "
    f"label in each cell of 8 × 8 has {painted[8]:.2f}. So the coarse map does hold more than "
    f"labels."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert result["mean_iou"] > painted[8]

# %% [markdown]
# ## What it smears
#
# Is the encoder-decoder better than the patch classifier of chapter 3? And is it better at everything?
# Let's train that classifier again, from other random weights than in chapter 3, and make it dense.

# %%
PATCH_EPOCHS = 2  # fast: 1
windows = WindowDataset(folder, train_ids, 17, SIZE, windows_per_image=64)


def train_patch(seed):
    """The patch classifier of chapter 3, as a dense network."""
    keras.utils.set_random_seed(seed)
    classifier = build_patch_classifier(CLASSES, window=17, filters=16)
    compile_model(classifier, learning_rate=3e-3)
    classifier.fit(windows, epochs=PATCH_EPOCHS, verbose=0)
    return to_dense(classifier)


dense = train_patch(seed=0)

# %% [markdown]
# Before we compare, we have to be fair. The patch classifier learned from balanced windows, so it
# expects to see each class equally often. In an image most pixels are background, and it calls too
# many of them objects (chapter 2 asked you about that). We can correct this without training: multiply
# each probability by how frequent its class really is, and take the largest product. That is Bayes'
# rule. We show both, with and without this correction.

# %%
frequency = np.zeros(256)
for id in train_ids:
    frequency += np.bincount(folder.pair(id)[1].ravel(), minlength=256)
frequency = frequency[:CLASSES] / frequency[:CLASSES].sum()

batches = [validation[i] for i in range(len(validation))]
images, truth = map(np.concatenate, zip(*batches, strict=True))
patch = dense.predict(images, batch_size=8, verbose=0)
probabilities = {
    "patch classifier": patch,
    "patch, corrected": patch * np.float32(frequency),
    "encoder-decoder": model.predict(images, batch_size=8, verbose=0),
}
answers = {name: p.argmax(axis=-1) for name, p in probabilities.items()}

print(f"{'IoU':12}", *(f"{name:>17}" for name in answers))
matrices = [confusion_matrix(truth, x, CLASSES) for x in answers.values()]
ious = [iou_from_confusion(matrix) for matrix in matrices]
for name, row in zip(folder.classes, zip(*ious, strict=True), strict=True):
    print(f"{name:12}", *(f"{value:17.3f}" for value in row))
print(f"{'mean':12}", *(f"{np.nanmean(row):17.3f}" for row in ious))

# %% [markdown]
# These numbers mix the two kinds of errors of chapter 2. *Where* errors confuse object and
# background. *What* errors are object pixels with the name of another object class.
#
# ??? question "The encoder-decoder sees whole objects on a coarse map. Which errors will rise?"
#
#     It knows *what* better, since it sees an object from outline to outline. It knows *where* worse:
#     everything it draws has passed through a map of 5 × 5 positions.


# %%
def where_and_what(truth, labels):
    """Two masks of errors: wrong place, and wrong name."""
    judged = truth != 255
    where = judged & ((truth > 0) != (labels > 0))
    what = judged & (truth > 0) & (labels > 0) & (truth != labels)
    return where, what


errors = {}
print(f"{'':17} where errors  what errors")
for name, labels in answers.items():
    errors[name] = where_and_what(truth, labels)
    where, what = (int(wrong.sum()) for wrong in errors[name])
    print(f"{name:17} {where:12,} {what:12,}")

# %% tags=["check"]
for (where, what), labels in zip(errors.values(), answers.values(), strict=True):
    judged = truth != 255
    assert (where | what).sum() == (labels != truth)[judged].sum()
    assert not (where & what).any()

# %% tags=["see"]
where, what = errors["patch, corrected"]
where_after, what_after = errors["encoder-decoder"]
print(
    f"From the (corrected) patch classifier to the encoder-decoder, *what* errors change from "
    f"{what.sum():,} to {what_after.sum():,}, and *where* errors from {where.sum():,} to "
    f"{where_after.sum():,}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert what_after.sum() < 0.85 * what.sum()
    assert where_after.sum() > 1.4 * where.sum()

# %% [markdown]
# Compare with the corrected row. Many *where* errors in the first row come from balanced sampling,
# not from rough outlines, since the correction removes them. So the two networks have opposite
# weaknesses. The encoder-decoder names objects better and draws them worse. It **smears**: it
# knows roughly where an object ends, not exactly.
#
# Or were we just lucky with the random weights? Let's train the patch classifier again, from other
# random weights, and count again:

# %%
SEEDS = 1, 2  # fast: 1,
print("seed  where errors  corrected  what errors  corrected")
counted = []
for seed in SEEDS:
    patch_again = train_patch(seed).predict(images, batch_size=8, verbose=0)
    counts = []
    for p in (patch_again, patch_again * np.float32(frequency)):
        where, what = where_and_what(truth, p.argmax(axis=-1))
        counts.append((int(where.sum()), int(what.sum())))
    (where, what), (where_c, what_c) = counts
    counted.append((where_c, what_c))
    print(f"{seed:4} {where:13,} {where_c:10,} {what:12,} {what_c:10,}")

# %% tags=["claim"]
if ROOT == SHAPES:
    for where, what in counted:
        assert where_after.sum() > 1.4 * where and what_after.sum() < 0.85 * what

# %% [markdown]
# Without the correction the *where* errors vary a lot from one training run to the next. With it they
# stay well below those of the encoder-decoder.
#
# If the encoder-decoder smears, its *where* errors are near the contours. A pixel is within $d$ pixels of a
# contour if the square of side $2d + 1$ around it holds more than one value of the mask. OpenCV's
# `dilate` and `erode` find the largest and the smallest value in such a square. (This dilation comes
# from morphology. It has nothing to do with that of chapter 3.)


# %%
def near_contour(mask, distance):
    """Is another label, or void, so near? (H, W) -> (H, W) of bool."""
    square = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    return cv2.dilate(mask, square) != cv2.erode(mask, square)


band = np.stack([near_contour(mask.astype("uint8"), 2) for mask in truth])
share = band[truth != 255].mean()
print(f"within 2 pixels of a contour: {share:.0%} of the pixels")
for name, (where, what) in errors.items():
    near = [e[band].sum() / e.sum() for e in (where, what)]
    print(f"{name:17} where errors {near[0]:4.0%}, what {near[1]:4.0%}")

# %% tags=["figure"] alt="An image, its label map, and the label map with the pixels near a contour painted pale. The pale band follows all outlines, is about five pixels wide, and covers narrow parts entirely."
pale = np.where(band[7][..., None], np.uint8(210), colorize(truth[7], folder.classes))
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
titles = "image", "label map", "pale: within 2 pixels"
pictures = images[7].astype("uint8"), colorize(truth[7], folder.classes), pale
for ax, picture, title in zip(axes, pictures, titles, strict=True):
    ax.imshow(picture, interpolation="nearest")
    ax.set(xticks=[], yticks=[], title=title)
plt.show()

# %% tags=["see"]
print(
    f"{where_after[band].sum() / where_after.sum():.0%} of the *where* errors of the "
    f"encoder-decoder are within 2 pixels of a contour. The band holds only "
    f"{band[truth != 255].mean():.0%} of the pixels."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert where_after[band].sum() > 0.9 * where_after.sum()
    assert band[truth != 255].mean() < 0.5

# %% [markdown]
# Now we can look at it. Here is the probability of "object" (one minus that of background) in the image
# where the encoder-decoder makes the most *where* errors. Grey means "not sure". Look at the
# points, at the corners, and at any narrow gap between two objects.

# %% tags=["figure"] alt="Four panels of one image: the image; its true label map; the probability of object by the patch classifier, which follows the outline closely; and by the encoder-decoder, where points and corners are rounded, the rim is soft, and narrow gaps between objects are filled."
worst = int(errors["encoder-decoder"][0].sum(axis=(1, 2)).argmax())
figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
axes[0].imshow(images[worst].astype("uint8"))
axes[1].imshow(colorize(truth[worst], folder.classes), interpolation="nearest")
corrected = patch * np.float32(frequency)
corrected /= corrected.sum(axis=-1, keepdims=True)
for ax, p in zip(axes[2:], (corrected, probabilities["encoder-decoder"]), strict=True):
    shown = ax.imshow(1 - p[worst, ..., 0], cmap="gray", vmin=0, vmax=1)
titles = "image", "label map", "patch classifier (corrected)", "encoder-decoder"
for ax, title in zip(axes, titles, strict=True):
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10)
figure.colorbar(shown, ax=axes, shrink=0.8, label="probability of object")
plt.show()

# %%
for name in ("patch, corrected", "encoder-decoder"):
    p = probabilities[name]
    p = 1 - p[..., 0] / p.sum(axis=-1)  # of "object"
    unsure = (p > 0.1) & (p < 0.9)
    share = unsure[truth != 255].mean()
    print(f"{name:17} between 0.1 and 0.9 at {share:.1%} of the pixels")

# %% [markdown]
# So the encoder-decoder is unsure at several times as many pixels: the grey rims in the figure.
#
# Which classes gain by the encoder-decoder? Look at the last two columns of the table. Disc and
# square gain most. They are wide, and a small window saw nothing but a plain surface deep inside
# them. Star and ring don't gain. They are thin: a small window sees enough of them already, and
# they suffer most when outlines are drawn roughly.

# %% tags=["check"]
assert where_after.sum() + what_after.sum() == (np.array(matrices[2]).sum() - np.trace(matrices[2]))
if ROOT == SHAPES:
    assert np.abs(matrices[2] - np.array(result["confusion"])).sum() < 20

# %% tags=["claim"]
if ROOT == SHAPES:
    gain = dict(zip(folder.classes, ious[2] - ious[1], strict=True))
    assert min(gain["disc"], gain["square"]) > max(gain["star"], gain["ring"])

# %% [markdown]
# ## The scoreboard
#
# Here is the row of the encoder-decoder, below those of chapters 2 and 3.
#
# ??? question "You have seen its errors. Will it multiply more than the dense pass, or less?"
#
#     More, since it has many more weights. But not by much: most of its weights work on the small
#     maps, where a kernel has few positions.

# %%
rows = add_row("4 encoder-decoder", model, folder, val_ids, SIZE)
print(format_rows(rows))

# %% tags=["see"]
row, before = rows["4 encoder-decoder"], rows.get("3 dense pass")
if before:  # chapter 3 was run before
    print(
        f"From the dense pass to the encoder-decoder, *what* errors change from {before['what']:,} "
        f"to {row['what']:,}, *where* errors from {before['where']:,} to {row['where']:,}, and the "
        f"multiplications from {before['multiplications'] / 1e6:.0f} to "
        f"{row['multiplications'] / 1e6:.0f} million."
    )

# %% tags=["claim"]
if ROOT == SHAPES and before:
    assert row["mean_iou"] > before["mean_iou"] and row["what"] < 0.8 * before["what"]
    assert row["where"] > 0.9 * before["where"] > errors["patch, corrected"][0].sum()

# %% [markdown]
# (The row of chapter 3 is without the correction for frequencies. With it, a patch classifier makes
# fewer *where* errors, as you have seen above.)
#
# The remedy is visible in the drawing of the network above. On the way down, the encoder had a map of
# the very size that the decoder needs on its way up, from before the poolings. It was used once, and
# thrown away. [Chapter 5](05_unet.md) keeps it.

# %% [markdown]
# ## Summary
#
# 1. Halving the resolution doubles what each further layer adds to the receptive field, at a quarter
#    of the cost: context is cheap on coarse maps.
# 2. A transposed convolution multiplies by the transpose of a convolution's matrix: each input stamps
#    the kernel, and overlapping stamps add. It restores sizes, not values.
# 3. Without padding, $n$ inputs become $ns + \max(k - s, 0)$ outputs. Kernel 2 with stride 2 doubles
#    exactly.
# 4. If the stride does not divide the kernel, positions get unequal numbers of stamps, and
#    checkerboards are built in.
# 5. The encoder-decoder sees a whole object, so it names it better than a small window can. It draws
#    the outline worse, because everything passes through a coarse map.
#
# ## Three questions
#
# ??? question "1. Why not simply use four poolings, or five?"
#
#     With three, the receptive field is already larger than the image. Each further pooling only
#     makes the coarsest map coarser: 40 pixels, padded to 48 or 64, would become 3 or 2.
#
# ??? question "2. A decoder doubles a map with kernel 3 and stride 2. What would you look for?"
#
#     A checkerboard, since 2 does not divide 3. Look at the output over a uniform area.
#
# ??? question "3. Would more training remove the smearing?"
#
#     Some of it: the 128 numbers of a position can learn to describe the contour in its cell. Chapter 5
#     asks how far a skip connection gets with the same training.
#
# ## Further reading
#
# - Vincent Dumoulin and Francesco Visin,
#   [A guide to convolution arithmetic for deep learning](https://arxiv.org/abs/1603.07285), 2016:
#   all sizes, with pictures.
# - Augustus Odena, Vincent Dumoulin and Chris Olah,
#   [Deconvolution and Checkerboard Artifacts](https://doi.org/10.23915/distill.00003), Distill, 2016.
# - Jonathan Long, Evan Shelhamer and Trevor Darrell,
#   [Fully Convolutional Networks for Semantic Segmentation](https://arxiv.org/abs/1411.4038),
#   CVPR 2015.
# - Hyeonwoo Noh, Seunghoon Hong and Bohyung Han,
#   [Learning Deconvolution Network for Semantic Segmentation](https://arxiv.org/abs/1505.04366),
#   ICCV 2015.
# - Vijay Badrinarayanan, Alex Kendall and Roberto Cipolla,
#   [SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image
#   Segmentation](https://arxiv.org/abs/1511.00561), IEEE Transactions on Pattern Analysis and Machine
#   Intelligence, 2017.
# - Fisher Yu and Vladlen Koltun,
#   [Multi-Scale Context Aggregation by Dilated Convolutions](https://arxiv.org/abs/1511.07122),
#   ICLR 2016.
#
# ## Exercises
#
# ### 1. A convolution as a matrix
#
# Above, unit vectors found the matrix. Write it down directly, and with padding. You will see what
# stride and padding do: they decide where the kernel begins in each row.
# Complete `tutorials/exercises/convolution_matrix.py`, then run
# `python tutorials/check.py convolution_matrix`.
#
# ### 2. Transposed convolution with channels
#
# `stamp` knows one channel. Write the transposed convolution for any number of input and output
# channels; the check compares it with Keras.
# Complete `tutorials/exercises/transposed_convolution.py`, then run
# `python tutorials/check.py transposed_convolution`.
#
# ### 3. The size that comes out
#
# Follow the side of a map through a stack of layers, down and up.
# Complete `tutorials/exercises/output_size.py`, then run `python tutorials/check.py output_size`.
#
# ### 4. How many stamps
#
# Count how many stamps reach each output, through one layer and through several. The unevenness of one
# layer is multiplied by the next.
# Complete `tutorials/exercises/overlap_counts.py`, then run `python tutorials/check.py overlap_counts`.
#
# ### 5. One training step
#
# `fit` hides the step that it repeats. Write it: loss, gradients, new weights. Each backend has its own
# way to the gradients, and you only need yours.
# Complete `tutorials/exercises/train_step.py`, then run `python tutorials/check.py train_step`.
