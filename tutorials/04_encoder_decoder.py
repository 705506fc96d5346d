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
# - say where checkerboards come from, and choose a kernel that has no part in them;
# - train an encoder-decoder, and measure where it goes wrong: along the contours.
#
# **Time:** about half an hour of reading; the code runs in about two minutes on two cores.
# **Stands on:** [chapter 3](03_one_pass.md).

# %% [markdown]
# The next cell draws the shapes on which the chapters train, if they are not there yet; with the
# other values of `ROOT` and `SIZE` the whole chapter runs on PASCAL VOC instead.

# %%
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from voc_seg import (
    SegmentationDataset,
    build_encoder_decoder,
    compile_model,
    confusion_matrix,
    evaluate,
    format_table,
    iou_from_confusion,
    open_folder,
    predict_labels,
    set_classes,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, colorize, plot_predictions

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

TRAIN = 1000  # fast: 60
CLASSES = len(folder.classes)
train_ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:200]

# %% [markdown]
# ## Less resolution, more context
#
# A pixel in the middle of a large object looks the same whatever the object is. To name it, a network
# has to see as far as the outline: its receptive field has to be as large as the object. The network
# of chapter 3 had a receptive field of one window, and kept it small because a window costs.
#
# How much does context cost? We count multiplications for four ways of getting it. All have maps of
# $F$ channels, so that one 3 × 3 convolution at full resolution costs $9F^2$ multiplications for each
# pixel of the image (input and output have $F$ channels each). Two rules are enough:
#
# - A layer with kernel $k$ widens the receptive field by $(k - 1)$ times its dilation times the
#   *step*, the distance in the image between two neighbours of its input map.
# - Pooling by 2 doubles the step. From there on a map has a quarter of the places, so that each layer
#   costs a quarter.


# %%
def measure(stack):
    """The receptive field of a stack of layers, in pixels, and its cost: (pixels, cost).

    The cost is in multiplications for each pixel of the image, in units of F². `stack` is a list
    of (kind, kernel, dilation), kind being "conv" or "pool"; taking a maximum is free.
    """
    context, step, cost = 1, 1, 0
    for kind, kernel, dilation in stack:
        context += (kernel - 1) * dilation * step
        if kind == "pool":
            step *= kernel
        else:
            cost += kernel**2 / step**2
    return context, cost


conv, pool = ("conv", 3, 1), ("pool", 2, 1)
WAYS = {
    "one large kernel": [[("conv", k, 1)] for k in (5, 9, 17, 33, 63)],
    "many 3 x 3": [[conv] * n for n in (2, 4, 8, 16, 31)],
    "3 x 3, dilated": [[("conv", 3, 2**i) for i in range(n)] for n in (2, 3, 4, 5)],
    "3 x 3 and pooling": [[conv, conv, pool] * depth + [conv, conv] for depth in (0, 1, 2, 3)],
}
print("way                  layers  receptive field     cost")
for way, stacks in WAYS.items():
    context, cost = measure(stacks[-1])
    print(f"{way:19}{len(stacks[-1]):8}{context:14} px {cost:8.1f} F²")

# %% alt="Cost against receptive field, both on logarithmic axes: four lines that start at small costs. One large kernel rises most steeply, to about 4000; many 3 by 3 layers rise to about 300; dilated layers to 45; with pooling the line is almost flat and ends at 24."
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
# For a receptive field of side $R$ a single kernel pays $R^2$, and so does, window for window, the
# sliding window. A stack of small kernels pays in proportion to $R$. Dilation doubles what is seen
# with each layer, pooling with each scale. Pooling is the cheapest of all: the two layers of the
# first scale pay $2 \cdot 9 F^2$, each further scale a quarter of the one above, and
# $1 + \frac14 + \frac1{16} + \dots$ never exceeds $\frac43$. However deep, the network pays at most
# $\frac43 \cdot 18 F^2 = 24 F^2$.
#
# Dilation, which keeps the resolution, is the honest rival; networks for segmentation have been
# built on it (Yu and Koltun 2016). It pays for every layer at full resolution, in multiplications
# and in memory. Pooling spends less, and what it saves can be spent on channels: our encoder
# doubles them whenever it halves the resolution, since what is in a region takes more numbers to
# describe than what is at a pixel. ($F^2$ then grows fourfold from scale to scale, so that each costs
# as much as the first; the decoder, on its way up, costs about as much again.)
#
# Here is what this means for an image. At each scale, the small square is one place of the map, the
# large one all that this place can have seen.


# %% alt="The same image four times, each time with half the resolution of the one before, and with one place of the map and its receptive field drawn as squares. From left to right the places become coarser, and the receptive field grows from 5 pixels until it is larger than the image."
def square(ax, low, high, **style):
    ax.add_patch(plt.Rectangle((low, low), high - low, high - low, fill=False, **style))


validation = SegmentationDataset(folder, val_ids, SIZE)
image = validation[0][0][0] / 255  # (SIZE, SIZE, 3), 0..1
figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
for depth, (ax, stack) in enumerate(zip(axes, WAYS["3 x 3 and pooling"], strict=True)):
    step, (context, _) = 2**depth, measure(stack)
    side = SIZE // step
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    ax.imshow(small, extent=(0, SIZE, SIZE, 0))
    place = (side // 2) * step  # where the place in the middle begins
    seen = place + (step - context) / 2
    square(ax, place, place + step, color="black", linewidth=3)
    square(ax, place, place + step, color="white", linewidth=1)
    square(ax, seen, seen + context, color=VERMILLION, linewidth=2, linestyle="--")
    ax.set(xlim=(-16, SIZE + 16), ylim=(SIZE + 16, -16), xticks=[], yticks=[])
    ax.set_title(f"{side} × {side} places, each sees {context} px", fontsize=10)
plt.show()

# %% tags=["check"]
# The real encoder: which pixels of a row change what a place of the bottleneck says?
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
# The price is paid in *where*. Suppose that the coarse map held nothing but a label for each of its
# places, the one most frequent there, and that each place were then painted with its label. How good
# would such an answer be?


# %%
def coarse(mask, places):
    """A label map that has one class, the most frequent, in each cell; void has no vote.

    mask is (H, W); the grid has `places` cells along the mask's long side.
    """
    scale = places / max(mask.shape)
    shares = [
        cv2.resize(np.float32(mask == c), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for c in range(CLASSES)
    ]
    cells = np.argmax(shares, axis=0).astype("uint8")
    return cv2.resize(cells, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)


STEPS = 1, 2, 4, 8
painted = {}  # step -> mean IoU of the map with that step
for step in STEPS:
    confusion = 0
    for id in val_ids:
        _, mask = folder.pair(id)
        confusion += confusion_matrix(mask, coarse(mask, SIZE // step), CLASSES)
    painted[step] = np.nanmean(iou_from_confusion(confusion))
    print(f"{SIZE // step:3} x {SIZE // step:<3} places: mean IoU {painted[step]:.3f}")

# %% alt="A label map four times: at full resolution, then with cells of 2, 4 and 8 pixels. The outlines become staircases; with cells of 8 pixels the thin parts are gone."
_, mask = folder.pair(val_ids[0])
figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
for ax, step in zip(axes, STEPS, strict=True):
    labels = coarse(mask, SIZE // step)
    ax.imshow(colorize(labels, folder.classes), interpolation="nearest")
    ax.set(title=f"cells of {step} × {step}", xticks=[], yticks=[])
plt.show()

# %% tags=["see"]
print(
    f"With cells of 8 × 8, the step of three poolings, one true label in each cell has a mean IoU of "
    f"only {painted[8]:.2f}, with cells of 4 × 4 {painted[4]:.2f}. With cells of 2 × 2 it is still "
    f"{painted[2]:.2f}: void, which is not judged, hides what happens in a cell that a contour crosses."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert painted[2] > 0.99 and painted[2] > painted[4] + 0.05 > painted[8] + 0.15

# %% [markdown]
# This is no limit for a network. A place of the coarse map holds not one label but, in the network
# that we shall train, 128 numbers, and these can say along which line a contour runs through the
# cell. Something then has to read them and draw the line: a **decoder**, that goes up again, from
# scale to scale, with layers that learn how to enlarge a map.

# %% [markdown]
# ## Transposed convolution
#
# A layer that enlarges: the one that Long, Shelhamer and Darrell (2015) used for it, and that has
# been used since, is the transposed convolution. We build it from nothing, in one dimension first.
#
# ### A convolution is a matrix
#
# A convolution with stride 2 takes 7 numbers to 3. (Networks do not reverse the kernel, as the
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
# Doubled inputs give doubled outputs, and sums of inputs give sums of outputs: the convolution is
# linear, hence a matrix. To find the matrix of any linear map, one feeds it with unit vectors. What
# it makes of the first, (1, 0, 0, ...), is the first column, and so on.

# %%
matrix = np.stack([convolve(unit, kernel, stride=2) for unit in np.eye(7)], axis=1)  # (3, 7)
print(matrix @ signal)

# %% tags=["check"]
assert np.allclose(matrix @ signal, convolve(signal, kernel, 2))


# %% alt="Two matrices as grids with their numbers. Left, three rows and seven columns: each row holds the kernel 1, 2, 3, two places further right than in the row above, and zeros. Right its transpose: seven rows and three columns, with the kernel in each column."
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
# name: a **transposed convolution** is the multiplication by the transpose of a convolution's matrix.
# (Backpropagation through a convolution multiplies by just this transpose, so that every library had
# the operation before anyone decoded with it.)
#
# Read the transpose by columns. Column $i$ holds the kernel, beginning at place $2i$. Multiplied by
# a vector, the columns are added up, each as often as its number says: each input **stamps** the
# kernel onto the output, times its own value, and where stamps overlap, they add.

# %% alt="Three panels of bars and a fourth with their sum, over the seven places of the output. Each of the three inputs puts the kernel in its place: at 0 to 2, at 2 to 4 and at 4 to 6. At the places 2 and 4 two stamps meet, and the sum is larger than either."
code = np.array([2.0, 1.0, 3.0])
enlarged = matrix.T @ code
figure, axes = plt.subplots(1, 4, figsize=(11, 2.6), sharey=True, layout="constrained")
for i, ax in enumerate(axes[:3]):
    bars = ax.bar(range(7), matrix[i] * code[i], color=BLUE)
    ax.set_title(f"stamp of input {i}, value {code[i]:g}", fontsize=10)
axes[3].bar_label(axes[3].bar(range(7), enlarged, color=VERMILLION, hatch="//"))
axes[3].set_title("their sum, the output", fontsize=10)
axes[3].set_ylim(0, 1.15 * enlarged.max())
plt.show()

# %% [markdown]
# In two dimensions each input pixel stamps a square. This is the whole algorithm:


# %%
def stamp(image, kernel, stride):
    """Transposed convolution of one channel, without padding: (H, W) -> (H', W')."""
    (height, width), k = image.shape, len(kernel)
    out = np.zeros(((height - 1) * stride + k, (width - 1) * stride + k))
    for y in range(height):
        for x in range(width):
            top, left = y * stride, x * stride
            out[top : top + k, left : left + k] += image[y, x] * kernel
    return out


pixels = np.array([[1.0, 2.0], [3.0, 4.0]])
kernel = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 5.0]])

# %% alt="Three grids of numbers: two by two pixels, a kernel of three by three, and the output of five by five. The four corners of the output hold parts of one stamp each; the middle row and column hold sums of two, and the centre the sum of all four."
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
show(axes[0], pixels, "input")
show(axes[1], kernel, "kernel")
show(axes[2], stamp(pixels, kernel, stride=2), "output, stride 2")
plt.show()

# %% [markdown]
# Keras' `Conv2DTranspose` does the same. Its kernels have two more axes, output channels and input
# channels, in this order; here both have one entry.


# %%
def with_keras(image, kernel, stride, padding="valid"):
    """The same by Keras: (H, W) -> (H', W')."""
    layer = layers.Conv2DTranspose(1, len(kernel), strides=stride, padding=padding, use_bias=False)
    layer.build((None, None, None, 1))
    layer.set_weights([kernel[:, :, None, None]])
    return keras.ops.convert_to_numpy(layer(np.float32(image)[None, :, :, None]))[0, :, :, 0]


rng = np.random.default_rng(0)
for k, stride in (2, 2), (3, 2), (4, 2), (5, 3):
    image, kernel = rng.normal(size=(6, 4)), rng.normal(size=(k, k))
    difference = np.abs(stamp(image, kernel, stride) - with_keras(image, kernel, stride)).max()
    print(f"kernel {k}, stride {stride}: largest difference {difference:.1e}")

# %% tags=["check"]
assert np.allclose(with_keras(pixels, np.ones((3, 3)), 2), stamp(pixels, np.ones((3, 3)), 2))
for k, stride in (1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (4, 2), (5, 2), (5, 3), (3, 3):
    image, kernel = rng.normal(size=(6, 4)), rng.normal(size=(k, k))
    assert np.abs(stamp(image, kernel, stride) - with_keras(image, kernel, stride)).max() < 1e-5

# %% [markdown]
# ### Is it the inverse of convolution?
#
# No. It is often called deconvolution, and a deconvolution in the sense of mathematics would undo a
# convolution. The transposed convolution restores the *size*, and nothing else. Let us go down with
# the matrix and up with its transpose:

# %% alt="Two lines over seven places. The signal rises and falls between 0 and 4. What comes back from convolution and transposed convolution, scaled to the same largest value, has other ups and downs."
back = matrix.T @ (matrix @ signal)
print("signal                ", signal)
print("down, then up         ", back)
plt.figure(figsize=(6, 3))
plt.plot(signal, "o-", color=BLUE, label="signal")
plt.plot(back / back.max() * signal.max(), "s--", color=VERMILLION, label="down and up, scaled")
plt.xlabel("place")
plt.legend()
plt.show()

# %% tags=["check"]
assert not np.allclose(back / back.max() * signal.max(), signal, atol=0.5)
assert np.linalg.matrix_rank(matrix) == 3  # of 7: no inverse exists

# %% [markdown]
# Nor can any other matrix undo it: 7 numbers have become 3, and infinitely many signals share the
# same 3. A decoder does not need an inverse. The kernels of its transposed convolutions are learned,
# as all others are, and what they are to draw is not the image but its label map.

# %% [markdown]
# ### The size that comes out
#
# For $n$ inputs along a side, kernel $k$ and stride $s$, without dilation:
#
# | layer | padding "valid" | padding "same" |
# | --- | --- | --- |
# | convolution, pooling | $\lfloor (n - k) / s \rfloor + 1$ | $\lceil n / s \rceil$ |
# | transposed convolution | $n s + \max(k - s, 0)$ | $n s$ |
#
# The last stamp begins at $(n - 1)s$ and is $k$ long, which makes $(n - 1) s + k$ or, written
# otherwise, $n s + (k - s)$. If the kernel is smaller than the stride, Keras leaves zeros behind the
# last stamp as it does between the others, hence the maximum. With "same" the $k - s$ that hang over
# are cut off: half of them in front (rounded down), the others at the end.

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
# Two things follow. A kernel of 2 with stride 2 doubles exactly, with nothing to cut. And sizes that
# the encoder has rounded do not come back: 41 pixels are halved to 20, and 20 doubled are 40. This
# is why `build_encoder_decoder` pads an image at its entrance until 2 to the power of `depth`
# divides its sides, and crops the result at its exit.

# %% [markdown]
# ## Checkerboards
#
# How many stamps does each output pixel get? Let an input of ones stamp a kernel of ones:

# %% alt="Three grids of counts. Kernel 3, stride 2: rows of ones and twos alternate with rows of twos and fours, like a checkerboard. Kernel 4, stride 2: fours all over the inside. Kernel 2, stride 2: ones everywhere."
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
# With kernel 3 and stride 2 the count goes 1, 2, 1, 2 along each axis, and 1, 2, 4 in the plane: the
# kernel is not divisible by the stride, and stamps that are 3 long and 2 apart overlap in every
# second place only. Where four stamps add, the output tends to be larger than where there is one.
# The network can learn to make up for it; Odena, Dumoulin and Olah (2016) show that in practice it
# often does not, and that its images carry the pattern of a checkerboard. If $s$ divides $k$,
# every place inside gets $(k/s)^2$ stamps.
#
# Equal counts make the pattern avoidable, not impossible. With kernel 2 the four pixels below one
# input get one stamp each, but from four different weights. So before training, with kernels of
# random numbers, all of them leave a pattern on a smooth input:

# %% alt="Four grey images. A smooth bright spot on the left; then what three random kernels with stride 2 make of it. All three outputs carry a pattern of alternating light and dark pixels over the spot."
ramp = np.exp(-(np.linspace(-2, 2, 10) ** 2))
spot = np.outer(ramp, ramp)  # (10, 10)
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
axes[0].imshow(spot, cmap="gray")
axes[0].set_title("input", fontsize=10)
rng = np.random.default_rng(4)
for ax, k in zip(axes[1:], (3, 4, 2), strict=True):
    ax.imshow(stamp(spot, rng.normal(size=(k, k)), 2)[: 2 * 10, : 2 * 10], cmap="gray")
    ax.set_title(f"random kernel {k}, stride 2", fontsize=10)
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# When is the output even, for an even input? Then the weights that meet at each place have to have
# the same sum. In one dimension, for stride 2 and weights $w_0, w_1, \dots$:
#
# - kernel 2: $w_0 = w_1$;
# - kernel 4: $w_0 + w_2 = w_1 + w_3$;
# - kernel 3: $w_0 + w_2 = w_1$, which is what linear interpolation has: $\frac12, 1, \frac12$.
#
# Each can be learned. But weights start at random, all with the same spread. Then both sides are of
# the same typical size with kernels 2 and 4, and not with kernel 3. Over many random kernels in the plane, the
# typical size of an output is the square root of its count:

# %%
for k in (3, 4, 2):
    outputs = [stamp(np.ones((5, 5)), rng.normal(size=(k, k)), 2) for _ in range(2000)]
    middle = np.std(outputs, axis=0)[4:6, 4:6]  # one period of the pattern, from the inside
    print(f"kernel {k}: typical size of four neighbouring pixels {middle.round(1).ravel()}")

# %% tags=["check"]
for k, ratio in (3, 2), (4, 1), (2, 1):
    outputs = [stamp(np.ones((5, 5)), rng.normal(size=(k, k)), 2) for _ in range(2000)]
    middle = np.std(outputs, axis=0)[4:6, 4:6]
    assert abs(middle.max() / middle.min() - ratio) < 0.2
linear = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])
assert np.allclose(stamp(np.ones((4, 4)), linear, 2)[inside], 1)

# %% [markdown]
# With kernel 3 the layer starts uneven, and has to learn to be even; with kernels 2 and 4 no place
# is favoured.
#
# **Our decoder** has kernel 2 and stride 2: it doubles exactly, has the fewest weights, and each
# output pixel gets one stamp. Two 3 × 3 convolutions follow, which smooth over the seams between the
# stamps. Another way, which Odena et al. recommend, is to enlarge by interpolation and then to
# convolve.

# %% [markdown]
# ## The network
#
# `build_encoder_decoder` in `voc_seg/models/encoder_decoder.py` puts it together in a dozen lines:
# going down, two convolutions and a pooling at each scale; at the bottom two convolutions more, on
# the coarsest map (the *bottleneck*); going up, a transposed convolution and two convolutions at
# each scale; last a 1 × 1 convolution to the classes. Each convolution is followed by a batch
# normalisation, which keeps the numbers in a steady range, and a ReLU. Noh, Hong and Han (2015) and,
# with SegNet, Badrinarayanan, Kendall and Cipolla (2017) brought this symmetric form. Their decoders also remember the places of the maxima from the poolings; ours remembers nothing.

# %% alt="A row of bars, one for each map of the network. Their heights, the sides of the maps, fall in three steps to an eighth and rise again; their widths, the channels, grow from 16 to 128 and shrink again to the number of classes."
keras.utils.set_random_seed(0)
model = build_encoder_decoder(CLASSES, filters=16, depth=3)
names = [f"encoder{i}_relu2" for i in (1, 2, 3)] + ["bottleneck_relu2"]
names += [f"decoder{i}_relu2" for i in (3, 2, 1)] + ["logits"]
inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
maps = inner.predict(validation[0][0][:1], verbose=0)  # a list of (1, H, W, channels)
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
# The loss is that of a classifier at each pixel, the cross-entropy, averaged over the set $V$ of all
# pixels of a batch that are not void; $y_p$ is the true class of pixel $p$, and $q_p$ the
# probability that the network gives to each class there:
#
# $$L = -\frac{1}{|V|} \sum_{p \in V} \log q_p(y_p)$$
#
# No windows have to be drawn: one image is a thousand examples and more, all from one pass. The
# learning rate falls to zero along half a cosine. The seed was set to 0 before the network was built.

# %%
EPOCHS = 7  # fast: 1
training = SegmentationDataset(folder, train_ids, SIZE, shuffle=True, cache=True)
rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(training))
compile_model(model, rate)
model.fit(training, epochs=EPOCHS, shuffle=False, verbose=2)
set_classes(model, folder.classes, SIZE)

# %% [markdown]
# `shuffle=False` is for Keras: the data set shuffles by itself. `set_classes` tells the model the names
# of its classes and the size of its training images, for what comes now.

# %%
result = evaluate(model, folder, val_ids)
print(format_table(result))

# %% alt="Four validation images in rows: image, true label map, prediction, and the errors. The objects are found and mostly named rightly; most wrong pixels lie along their outlines and at corners; here and there a whole part of an object is wrong."
images, masks = zip(*map(folder.pair, val_ids[4:8]), strict=True)
plot_predictions(images, masks, predict_labels(model, images), folder.classes)

# %% tags=["see"]
print(
    f"The encoder-decoder reaches a mean IoU of {result['mean_iou']:.2f}. The answer that has one "
    f"true label in each cell of 8 × 8 has {painted[8]:.2f}: whatever the network lacks, its coarse "
    f"map holds more than labels."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert result["mean_iou"] > painted[8]

# %% [markdown]
# ## What it smears
#
# In the last column of the picture many of the wrong pixels lie along outlines. Is that so, and how
# much of the error is it? We sort the pixels by their distance from the nearest contour.
#
# A pixel is within $d$ pixels of a contour if the square of side $2d + 1$ around it holds more than one
# value of the mask, that is if the largest and the smallest value in it differ. OpenCV's `dilate` and
# `erode` find these two. (In the language of morphology that is a dilation, too; it has nothing to do
# with that of chapter 3.) Void counts as a value here, as it lies between objects and background; it
# is not judged.


# %%
def near_contour(mask, distance):
    """Whether another label, or void, is within so many pixels: (H, W) -> (H, W) of bool."""
    square = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    return cv2.dilate(mask, square) != cv2.erode(mask, square)


# %% alt="An image, its label map, and the label map with the pixels near a contour painted pale. The pale band follows all outlines, is about five pixels wide, and covers narrow parts entirely."
image, mask = folder.pair(val_ids[7])
scale = max(mask.shape) / SIZE  # pixels of the image for each pixel that the network sees
band = near_contour(mask, round(2 * scale))
colours = colorize(mask, folder.classes)
pale = np.where(band[..., None], np.uint8(210), colours)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
titles = "image", "label map", "pale: within 2 pixels"
for ax, picture, title in zip(axes, (image, colours, pale), titles, strict=True):
    ax.imshow(picture, interpolation="nearest")
    ax.set(xticks=[], yticks=[], title=title)
plt.show()

# %% [markdown]
# `evaluate` calls a function of ours with each prediction. There we count into one confusion matrix for
# each distance: 1, 2, ..., 6, and everything beyond as 7.

# %%
FAR = 7
counts = {distance: np.zeros((CLASSES, CLASSES), int) for distance in range(1, FAR + 1)}


def sort_by_distance(id, labels):
    _, mask = folder.pair(id)
    scale = max(mask.shape) / SIZE
    rest = np.ones(mask.shape, bool)  # pixels that have not been counted yet
    for distance in counts:
        near = near_contour(mask, round(distance * scale)) if distance < FAR else True
        counts[distance] += confusion_matrix(mask[rest & near], labels[rest & near], CLASSES)
        rest &= ~np.asarray(near)


_ = evaluate(model, folder, val_ids, on_prediction=sort_by_distance)

# %% [markdown]
# From these follow the numbers for the band of 2 pixels around the contours, and for the rest:


# %%
def accuracy(confusion):
    return np.trace(confusion) / confusion.sum()


def wrong(confusion):
    return confusion.sum() - np.trace(confusion)


band = counts[1] + counts[2]
inside = sum(counts.values()) - band
band_iou, inside_iou = (np.nanmean(iou_from_confusion(c)) for c in (band, inside))
share_of_pixels = band.sum() / (band + inside).sum()
share_of_errors = wrong(band) / wrong(band + inside)

# %% alt="Share of wrong pixels against the distance from the nearest contour, 1 to 6 pixels and beyond, as bars: highest at distance 1, falling with the distance."
bars = plt.bar(list(counts), [100 * (1 - accuracy(c)) for c in counts.values()], color=BLUE)
plt.bar_label(bars, fmt="%.1f")
plt.margins(y=0.1)
plt.xticks(list(counts), [*range(1, FAR), "beyond"])
plt.xlabel("distance from the nearest contour (pixels)")
plt.ylabel("wrong pixels (%)")
plt.show()

# %% tags=["check"]
assert np.array_equal(band + inside, result["confusion"])

# %% tags=["see"]
print(
    f"Within 2 pixels of a contour {accuracy(band):.1%} of the pixels are right, elsewhere "
    f"{accuracy(inside):.1%}; the mean IoU is {band_iou:.2f} against {inside_iou:.2f}. "
    f"The band holds {share_of_pixels:.0%} of the pixels and {share_of_errors:.0%} of the errors."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert accuracy(band) < accuracy(inside) and band_iou < inside_iou
    assert share_of_errors > 1.5 * share_of_pixels
    assert accuracy(counts[1]) == min(accuracy(c) for c in counts.values())

# %% [markdown]
# ### Thin parts and corners
#
# The narrower an object, the more of it is contour: rings and stars are thin. And a square differs
# from a disc by its corners alone, which are as small as the points of a star. A disc, wide and without
# corners, should be the easiest. (The share in the band does not decide it alone: nearly all of a
# ring is contour, but every part of it shows that it is a ring.)

# %%
iou = dict(zip(result["classes"], result["iou"], strict=True))
for number, name in enumerate(folder.classes):
    near, all_of_it = band[number].sum(), (band + inside)[number].sum()
    if all_of_it:
        print(f"{name:14} {near / all_of_it:4.0%} of its pixels in the band, IoU {iou[name]:.3f}")

# %% tags=["see"]
if ROOT == SHAPES:
    print(
        f"The disc has the best IoU of the objects, {iou['disc']:.2f}; the ring has "
        f"{iou['ring']:.2f}, the star {iou['star']:.2f} and the square {iou['square']:.2f}."
    )

# %% tags=["claim"]
if ROOT == SHAPES:
    assert max(iou["ring"], iou["star"], iou["square"]) < iou["disc"]

# %% [markdown]
# ### Two networks, two weaknesses
#
# Compare, in thought, with the window classifier of chapters 2 and 3 (chapter 8 has the numbers). It looks
# at every pixel at full resolution. It can see exactly where an outline runs, but inside a large
# object its window shows a plain surface, and it has to guess. The encoder-decoder can see the
# object from outline to outline, and so can name its inside; but all that it draws has gone through the
# bottleneck, where a place stands for 8 × 8 pixels. Each pooling keeps how strong a feature was in a
# cell, and forgets in which corner, unless the network has learned a feature of its own for each
# corner. The one sees better *where*, the other *what*.
#
# Better, not well. What are its errors, places or names?

# %%
confusion = np.array(result["confusion"])
other_name = wrong(confusion[1:, 1:])  # on an object, and given the name of another
print(f"{other_name} of {wrong(confusion)} wrong pixels lie on an object and bear another's name")

# %% tags=["see"]
print(
    f"{other_name / wrong(confusion):.0%} of the wrong pixels lie on an object that was found and "
    "given the name of another class. The others are a matter of where the object ends."
)

# %% [markdown]
# The remedy can be seen in the drawing of the network above. On the way down, the encoder had a map
# of the very size that the decoder needs on its way up, from before the poolings. It was used once,
# and thrown away. [Chapter 5](05_unet.md) keeps it.

# %% [markdown]
# ## Summary
#
# 1. Halving the resolution doubles what each further layer adds to the receptive field, at a quarter
#    of the cost: context is cheap on coarse maps.
# 2. A transposed convolution multiplies by the transpose of a convolution's matrix: each input stamps
#    the kernel, and overlapping stamps add. It restores sizes, not values.
# 3. Without padding $n$ inputs become $ns + \max(k - s, 0)$ outputs; kernel 2 with stride 2 doubles
#    exactly.
# 4. If the stride does not divide the kernel, places get unequal numbers of stamps, and checkerboards
#    are built in.
# 5. The encoder-decoder can see a whole object, and errs along its contours, in place and in name;
#    thin parts and corners suffer.
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
# Above, unit vectors found the matrix. Write it down directly, and with padding. It shows what stride
# and padding are: where the kernel stands in each row.
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
# Count how many stamps reach each output, through one layer and through several: the unevenness of one
# layer is multiplied by the next.
# Complete `tutorials/exercises/overlap_counts.py`, then run `python tutorials/check.py overlap_counts`.
