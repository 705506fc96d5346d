# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 3. The same answer in one pass
#
# **You will be able to**
#
# - turn a classifier of windows into a network that labels every pixel of an image in one pass,
#   with the same weights, and say why nothing changes in its answer;
# - replace a stride by a dilation, and a dense layer by a convolution;
# - compute the receptive field of a stack of layers, and check it by an experiment;
# - judge a patch classifier on whole images, in seconds.
#
# **Time:** about half an hour of reading; the code runs in less than a minute on two cores.
# **Stands on:** [chapter 2](02_sliding_window.md).

# %%
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from voc_seg import (
    SegmentationDataset,
    WindowDataset,
    build_patch_classifier,
    compile_model,
    evaluate,
    format_table,
    open_folder,
    predict_labels,
    set_classes,
    sliding_window,
    to_dense,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, plot_predictions

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

# %% [markdown]
# The line with `ROOT, SIZE` is the switch: with the values of its comment the chapter runs on
# photographs of PASCAL VOC, once these are in the folder `data`.
#
# ## What is computed again and again
#
# The sliding window cuts a window out of the image for each pixel and classifies it. The windows
# of two neighbours have all but one column of pixels in common, and the convolutions inside of
# them give, at the places that they share, the same numbers. The sliding window computes these
# numbers again for every window that contains them.
#
# A convolution does not care where its window ends: run over the whole image, it gives the values
# for all windows at once. Two kinds of layers stand in the way of running the whole network like
# that:
#
# - a **stride** skips places, and which places it skips depends on where the window begins;
# - a **dense layer** wants an input of one fixed size.
#
# Both can be turned into plain convolutions without touching a weight. We take them one after the
# other.
#
# ## A stride becomes a dilation
#
# In one dimension everything can be seen. This is a convolution in the sense of deep learning (the
# kernel is not reversed) with a stride, by which it moves from one output to the next, and a
# dilation, the distance between the inputs that neighbouring *taps* read (a tap is one number of the
# kernel):


# %%
def convolve(x, kernel, stride=1, dilation=1):
    reach = dilation * (len(kernel) - 1) + 1  # from the first tap to the last
    starts = range(0, len(x) - reach + 1, stride)
    return np.array([x[i : i + reach : dilation] @ kernel for i in starts])


# %% [markdown]
# A little classifier of windows: a first layer with three taps and stride 2, a ReLU, and a second
# layer with three taps. A window of 7 numbers becomes 3, and these become 1.

# %%
rng = np.random.default_rng(2)
signal = rng.normal(size=14)
first, second = rng.normal(size=(2, 3))


def relu(x):
    return np.maximum(x, 0)


def classify(window):
    return convolve(relu(convolve(window, first, stride=2)), second)[0]


windows = [signal[i : i + 7] for i in range(len(signal) - 6)]
one_by_one = np.array([classify(window) for window in windows])
print("window by window:", one_by_one.round(3))

# %% [markdown]
# The first attempt at one pass: the same two layers, with the same stride, over the whole signal.

# %%
coarse = convolve(relu(convolve(signal, first, stride=2)), second)
print("with the stride: ", coarse.round(3))

# %% [markdown]
# The numbers are right, but every second one is missing: they are those of the windows that begin
# at 0, 2, 4 and 6. The stride has thrown away what the windows in between need.
#
# So the first layer must not skip: it visits every place, with stride 1. Then the second layer
# finds the values that it used to read, one after the other, two places apart, with the values for
# the windows in between interleaved among them. It has to read every second place. That is a
# dilation of 2:

# %%
dense_signal = convolve(relu(convolve(signal, first)), second, dilation=2)
print("with a dilation: ", dense_signal.round(3))

# %% tags=["check"]
assert np.allclose(coarse, one_by_one[::2])
assert dense_signal.shape == one_by_one.shape
assert np.allclose(dense_signal, one_by_one)

# %% tags=["see"]
print(
    f"The pass with the dilation gives all {len(one_by_one)} numbers of the windows; the largest "
    f"difference is {np.abs(dense_signal - one_by_one).max():.1e}. The pass with the stride "
    f"gives only {len(coarse)} of them."
)

# %% [markdown]
# The picture follows outputs back to the signal; each value stands below the middle of what it
# reads. Window 0 and window 1 both read every second place of the first layer, but not the same
# ones: they share nothing there. Window 0 and window 2 share two of their three places, and in the
# dense pass these are computed once.

# %% alt="Two panels, each with three rows of dots joined by lines: the signal on top, the first layer, the output below. Left: from the output of window 0 (solid lines, circles) and that of window 1 (dashed lines, squares) lines lead to three places each of the first layer, two apart; the places of the two windows alternate. Right: windows 0 and 2 (dotted lines, triangles), which have two places of the first layer and five numbers of the signal in common."
styles = [(BLUE, "-", "o"), (VERMILLION, "--", "s"), ("#009E73", ":", "^")]
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
for ax, pair in zip(axes, [(0, 1), (0, 2)], strict=True):
    for y, n, offset in [(2, 14, 0), (1, 12, 1), (0, 8, 3)]:  # an output stands below its middle
        ax.plot(np.arange(n) + offset, np.full(n, y), "o", color="0.8", ms=5)
    for start in pair:
        colour, line, marker = styles[start]
        style = {"color": colour, "linestyle": line, "marker": marker, "ms": 8, "fillstyle": "none"}
        for i in range(3):
            place = start + 2 * i  # the second layer reads every second place
            ax.plot(
                [start + 3, place + 1], [0, 1], **style, label=f"window {start}" if i == 0 else ""
            )
            for j in range(3):
                ax.plot([place + 1, place + j], [1, 2], **style)
    ax.set(xlabel="place in the signal", xticks=range(14), ylim=(-0.3, 2.3))
    ax.set_yticks([0, 1, 2], ["output", "first layer\n(stride 1)", "signal"])
    ax.legend(loc="right", bbox_to_anchor=(1, 0.31))
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False)
plt.show()

# %% [markdown]
# The rule for a whole network: a layer of stride $s$ becomes a layer of stride 1, and the taps of
# **all layers after it** move $s$ times as far apart. Several strides multiply. If $s_l$ is the
# stride of layer $l$, its dilation in the dense network is
#
# $$d_l = s_1 \cdot s_2 \cdots s_{l-1},$$
#
# the product of the strides **before** it, and 1 for the first layer. The stride of a layer itself
# has no effect on its own taps. The same holds for max pooling, which is a layer with a kernel and
# a stride, too (Giusti et al. 2013).
#
# There is another way to the same numbers: run the network with its strides several times, over an
# image that is shifted by one pixel more each time, and interleave the coarse outputs. Long et al.
# (2015) call it "shift-and-stitch" and show that it is the dilated network in another order.
#
# ## A dense layer becomes a convolution
#
# At the end of the window classifier a small map, $h \times w$ places with $c$ channels, is
# flattened to a vector of $h w c$ numbers, and a dense layer computes each of its outputs as a
# weighted sum of all of them. A convolution with a kernel of $h \times w$ computes at each place a
# weighted sum of all numbers under the kernel. On a map of $h \times w$ places there is exactly
# one place where such a kernel fits, and the two sums are the same, if the weights are sorted in
# the same way.
#
# `Flatten` goes through the map row by row, in each row place by place, and at each place through
# the channels. A Keras kernel has the shape $(h, w, c, \text{outputs})$, which is that order: one
# `reshape` will do.

# %%
small_map = rng.normal(size=(1, 3, 3, 32)).astype("float32")  # one map, as a batch
dense_layer = keras.layers.Dense(10)
as_dense = np.asarray(dense_layer(small_map.reshape(1, -1)))

weights, bias = dense_layer.get_weights()
convolution = keras.layers.Conv2D(10, kernel_size=3)
convolution.build(small_map.shape)
convolution.set_weights([weights.reshape(3, 3, 32, 10), bias])
as_convolution = np.asarray(convolution(small_map))
print("weights", weights.shape, "->", convolution.kernel.shape)
print("outputs", as_dense.shape, "and", as_convolution.shape)

# %% tags=["check"]
assert np.abs(as_dense - as_convolution[:, 0, 0]).max() < 1e-5

# %% tags=["see"]
print(
    f"The same {as_dense.size} outputs, once as a vector and once as a map of one place; the "
    f"largest difference is {np.abs(as_dense - as_convolution[:, 0, 0]).max():.1e}. (Numbers of 32 "
    "bits have about seven digits; sums whose terms are added in another order may differ in the "
    "last of them.)"
)

# %% [markdown]
# What is gained is that the convolution also takes a larger map, and answers at each place of it.
# A second dense layer, which sees one place only, becomes a convolution of 1 × 1.
#
# ## A classifier to work with
#
# We train a patch classifier with a window of 17 pixels for a short time, as in the chapter
# before.

# %%
TRAIN = 1000  # fast: 60
EPOCHS = 2  # fast: 1
WINDOW = 17
training = WindowDataset(folder, folder.ids("train")[:TRAIN], WINDOW, SIZE, windows_per_image=64)
classifier = build_patch_classifier(len(folder.classes), window=WINDOW, filters=16)
set_classes(classifier, folder.classes, SIZE)
compile_model(classifier, learning_rate=3e-3)
history = classifier.fit(training, epochs=EPOCHS, verbose=2)

# %% [markdown]
# These are its layers with weights, and the maps that they give:

# %%
convolutions = [layer for layer in classifier.layers if hasattr(layer, "strides")]
dense_layers = [layer for layer in classifier.layers if isinstance(layer, keras.layers.Dense)]
for layer in convolutions:
    print(
        f"{layer.name:7} kernel {layer.kernel_size[0]}, stride {layer.strides[0]}:"
        f"  a map of {layer.output.shape[1]} x {layer.output.shape[2]}, {layer.filters} channels"
    )
for layer in dense_layers:
    print(f"{layer.name:7} dense layer, {layer.kernel.shape[0]} -> {layer.units}")

# %% [markdown]
# The builder has chosen the kernels so that each of them, with its stride, covers its map to the
# last pixel: $17 \to 15 \to 7 \to 3$. If a pixel were left over at the border of the window,
# nothing would be wrong with the classifier, but its receptive field would not be the window any
# more, and its output would not belong to the pixel in the middle.
#
# ## The dense network
#
# `to_dense` does what we have just done by hand. It is short, and worth reading:
# `voc_seg/models/dense.py`.

# %%
dense = to_dense(classifier)
kernels = [layer for layer in dense.layers if hasattr(layer, "dilation_rate")]
for layer in kernels:
    print(
        f"{layer.name:7} kernel {layer.kernel_size[0]}, stride {layer.strides[0]},"
        f" dilation {layer.dilation_rate[0]}:  {layer.kernel.shape}"
    )
print("parameters:", classifier.count_params(), "before,", dense.count_params(), "after")

# %% tags=["check"]
assert dense.count_params() == classifier.count_params()
for before, after in zip(classifier.get_weights(), dense.get_weights(), strict=True):
    assert np.array_equal(before.ravel(), after.ravel())
strides = [layer.strides[0] for layer in convolutions]
assert [layer.dilation_rate[0] for layer in kernels[:4]] == [1, *np.cumprod(strides)]

# %% [markdown]
# Two strides of 2, so the layer after the first has dilation 2, and the one after the second
# dilation 4. (The last layer has it, too, but a kernel of 1 has no second tap to move.) There are
# as many parameters as before, and they are the same numbers.
#
# One thing is left: the border. The window of a pixel in the corner hangs over the edge of the
# image, and the sliding window fills it up with the image's reflection. The dense network
# therefore begins with a layer that reflects the **whole image** by 8 pixels on each side, and
# none of its convolutions pads. (Convolutions with `padding="same"` would put zeros around each of
# the maps in between. The sliding window has no such zeros, so the answers near the border would
# differ.)
#
# ## Equal at every pixel
#
# Both ways over one image of the validation set, every pixel, the borders included:

# %%
validation = SegmentationDataset(folder, folder.ids("val"), SIZE)
images, masks = validation[0]
image = images[1]  # (SIZE, SIZE, 3)
by_window = sliding_window(classifier, image, progress=False)  # (SIZE, SIZE, classes)
by_pass = dense.predict(image[None], verbose=0)[0]  # (SIZE, SIZE, classes)
difference = np.abs(by_window - by_pass).max(axis=-1)  # the largest over the classes

# %% [markdown]
# And, for comparison, what padding with black would have done: the image gets a frame of zeros as
# wide as a window reaches, goes through the network, and the frame is cut off again.

# %%
radius = WINDOW // 2
frame = [(radius, radius), (radius, radius), (0, 0)]
framed = dense.predict(np.pad(image, frame)[None], verbose=0)[0]
by_pass_framed = framed[radius:-radius, radius:-radius]
difference_framed = np.abs(by_window - by_pass_framed).max(axis=-1)

# %% alt="Five panels: the image; the probability of background at each pixel by the sliding window; the same by one pass, which looks identical; the absolute difference of the two, evenly dark on a colour bar that ends at 0.000001; and the absolute difference when the image is padded with black, which is as dark in the middle, and large in a frame along the border."
background = next(iter(folder.classes))
fig, axes = plt.subplots(1, 5, figsize=(15, 3.2), layout="constrained")
axes[0].imshow(image.astype("uint8"))
axes[0].set_title("image")
for ax, probabilities, title in zip(
    axes[1:3], (by_window, by_pass), ("sliding window", "one pass"), strict=True
):
    shown = ax.imshow(probabilities[..., 0], cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
fig.colorbar(shown, ax=axes[1:3], label=f"probability of {background}", shrink=0.8)
for ax, values, largest, title in (
    (axes[3], difference, 1e-6, "difference,\npadded by reflection"),
    (axes[4], difference_framed, None, "difference,\npadded with black"),
):
    shown = ax.imshow(values, cmap="cividis", vmin=0, vmax=largest)
    ax.set_title(title)
    fig.colorbar(shown, ax=ax, shrink=0.8)
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% tags=["check"]
assert by_window.shape == by_pass.shape == by_pass_framed.shape
assert difference.max() < 1e-5
assert difference_framed[radius:-radius, radius:-radius].max() < 1e-5
assert np.ptp(by_pass, axis=(0, 1)).max() > 0.01  # the pixels do differ from each other

# %% tags=["claim"]
if ROOT == SHAPES:
    assert difference_framed.max() > 0.1

# %% tags=["see"]
print(
    f"The largest difference over {difference.size:,} pixels and {by_pass.shape[-1]} classes is "
    f"{difference.max():.2g}: rounding at most, at the border as in the middle. With a black frame "
    f"it would be {difference_framed.max():.2f}, at pixels that are less than {radius} away from "
    "the border, and nothing in the middle."
)

# %% [markdown]
# ## Which places a pixel's answer is made of
#
# Why this works can be seen in two dimensions, too. We begin at one pixel of the output and go
# back layer by layer: which places of the map below does each of them read? The taps of a kernel
# of $k$ with dilation $d$ stand $d$ apart, around the middle.


# %%
def places_read(places, kernel, dilation):
    """The places, along one axis, that a layer reads to compute its output at these places."""
    taps = dilation * (np.arange(kernel) - (kernel - 1) / 2)
    return np.unique(np.add.outer(places, taps))


read = {}  # by the map that is read
places = np.zeros(1)
maps = ["image", *(layer.name for layer in convolutions)]
for layer, name in reversed(list(zip(kernels, maps, strict=False))):
    places = places_read(places, layer.kernel_size[0], layer.dilation_rate[0])
    read[name] = places

# %% alt="Four panels of dots on a grid of 17 by 17 places, around one output pixel marked by a cross. In the map of the last convolution 3 by 3 dots that stand four places apart; one layer below 7 by 7 dots, two places apart; below that 15 by 15 dots side by side; and in the image all 17 by 17 pixels."
fig, axes = plt.subplots(1, len(read), figsize=(12, 3.4), layout="constrained")
for ax, (name, places) in zip(axes, read.items(), strict=True):
    x, y = np.meshgrid(places, places)
    ax.plot(x.ravel(), y.ravel(), "s", color=BLUE, ms=7.5)
    ax.plot(0, 0, "x", color=VERMILLION, ms=10, mew=2.5)
    ax.set_title(f"{name}: {len(places)} × {len(places)} places", fontsize=10)
    half = WINDOW // 2 + 1
    ax.set(xlim=(-half, half), ylim=(half, -half), aspect="equal")
    ax.set(xticks=[-8, -4, 0, 4, 8], yticks=[-8, -4, 0, 4, 8])
    ax.grid(alpha=0.3)
plt.show()

# %% tags=["check"]
sizes = {layer.name: layer.output.shape[1] for layer in convolutions}
assert {name: len(places) for name, places in read.items()} == {**sizes, "image": WINDOW}

# %% [markdown]
# Compare with the maps of the classifier above: 3 × 3, 7 × 7, 15 × 15, and a window of 17 × 17.
# These are the same numbers. What the dense network reads for one pixel **is** the classifier's
# computation on that pixel's window, place for place, spread out over maps that keep the full
# resolution. The gaps in between are not empty. They hold what the neighbours read.
#
# ## The receptive field
#
# The last panel is the **receptive field** of an output pixel: the part of the image on which its
# value depends. It can be computed without drawing, from kernel $k_l$, stride $s_l$ and dilation
# $d_l$ of the layers. Let $r$ be the size of the receptive field, and $j$ ("jump") the distance in
# the image between two neighbouring places of the map. In the image itself both are 1: $r_0 = j_0
# = 1$. Each layer makes of them
#
# $$r_l = r_{l-1} + (k_l - 1) \, d_l \, j_{l-1}, \qquad j_l = j_{l-1} \, s_l.$$
#
# The second of these says again what the rule of the strides said: a stride moves everything
# **after** it apart. So two factors stand beside $k_l - 1$: the dilation of the layer itself, and
# $j_{l-1}$, the strides of the layers before it. In the dense network all strides and so all jumps
# are 1, and what remains is a sum:

# %%
field = 1
for layer in kernels:
    kernel, dilation = layer.kernel_size[0], layer.dilation_rate[0]
    field += (kernel - 1) * dilation
    print(f"{layer.name:7} kernel {kernel}, dilation {dilation}:  receptive field {field}")

# %% tags=["check"]
assert field == WINDOW

# %% [markdown]
# Computed is not yet measured. The experiment: cut a piece of 27 × 27 pixels out of the image,
# change each of its pixels in turn, by half of the range, and look how far the output in the
# middle moves. That is 729 copies of the piece, each with one changed pixel; for a network that
# labels a piece in a moment this is no trouble. We look at the logits, the numbers before the
# softmax, since probabilities near 0 or 1 hardly move, whatever happens.

# %%
REACH = 13  # the piece ends so many pixels from its middle
side = 2 * REACH + 1
middle = SIZE // 2
piece = image[middle - REACH : middle + REACH + 1, middle - REACH : middle + REACH + 1]
changed = np.repeat(piece[None], side**2, axis=0)  # (729, 27, 27, 3)
for i in range(side**2):
    row, column = divmod(i, side)
    changed[i, row, column] = (piece[row, column] + 128) % 256

logits = keras.Model(dense.inputs, dense.get_layer("logits").output)
before = logits.predict(piece[None], verbose=0)[0, REACH, REACH]
after = logits.predict(changed, batch_size=81, verbose=0)[:, REACH, REACH]  # (729, classes)
influence = np.abs(after - before).max(axis=-1).reshape(side, side)

# %% alt="Three panels. Left: the image with a square of 17 by 17 pixels drawn around a pixel in the middle, which is marked by a cross. Middle: the square alone, enlarged: all that the network knows about this pixel. Right: a map of how far the output moves when a pixel is changed; it is black outside of the drawn square and grey to white inside of it."
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
axes[0].imshow(image.astype("uint8"))
axes[0].set_title("image and receptive field")
inside = piece[REACH - radius : REACH + radius + 1, REACH - radius : REACH + radius + 1]
axes[1].imshow(inside.astype("uint8"))
axes[1].set_title("what the network sees of it")
shown = axes[2].imshow(influence, cmap="gray")
axes[2].set_title("influence on the pixel in the middle")
fig.colorbar(shown, ax=axes[2], label="largest change of a logit", shrink=0.8)
for ax, centre in zip(axes, (middle, radius, REACH), strict=True):
    ax.plot(centre, centre, "x", color=VERMILLION, ms=9, mew=2)
    ax.set(xticks=[], yticks=[])
for ax, centre in ((axes[0], middle), (axes[2], REACH)):
    corner = centre - radius - 0.5
    ax.add_patch(Rectangle((corner, corner), WINDOW, WINDOW, fill=False, ec=VERMILLION, lw=2))
plt.show()

# %% tags=["check"]
outside = np.ones_like(influence, bool)
outside[REACH - radius : REACH + radius + 1, REACH - radius : REACH + radius + 1] = False
assert influence[outside].max() < 1e-4
rows, columns = np.nonzero(influence > 1e-4)
assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == field

# %% tags=["see"]
print(
    f"The largest change of a logit by a pixel outside of the square of {field} × {field} is "
    f"{influence[outside].max():.2g}; inside, the largest change is "
    f"{influence.max():.1f}, and the pixels with an influence reach to all four sides of the "
    "square."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert influence.max() > 2 * np.median(influence[~outside])

# %% [markdown]
# The receptive field is a limit: what lies outside **cannot** count. How much the pixels inside do
# count is a matter of the weights, and far from even, as the map shows (Luo et al. 2016 study this
# for deep networks).
#
# ## What it saves
#
# First on paper. A convolution multiplies with each number of its kernel once at each place of its
# output. For one window these are the places of the classifier's maps. In the dense pass there is,
# per pixel of the image, one place in each map (the borders left aside): every weight is used
# exactly once per pixel.


# %%
def multiplications(classifier):
    """Per pixel of an image: with a window of its own, and in one dense pass."""
    layers = [layer for layer in classifier.layers if layer.weights]
    weights = [int(np.prod(layer.kernel.shape)) for layer in layers]
    places = [int(np.prod(layer.output.shape[1:-1])) for layer in layers]  # 1 for a dense layer
    return int(np.dot(weights, places)), sum(weights)


counts = {}
for side in (9, 17, 33, 65):
    counts[side] = multiplications(build_patch_classifier(len(folder.classes), side, filters=16))
    per_window, per_pixel = counts[side]
    print(
        f"window {side:2}: {per_window:9,} per window, {per_pixel:6,} per pixel of the dense pass"
    )

# %% tags=["check"]
assert counts[WINDOW] == multiplications(classifier)
assert counts[WINDOW][1] == sum(int(np.prod(layer.kernel.shape)) for layer in kernels)
saved = {side: per_window / per_pixel for side, (per_window, per_pixel) in counts.items()}
assert list(saved.values()) == sorted(saved.values())
assert saved[WINDOW] > 10

# %% [markdown]
# What is saved grows with the window, but less than the number of its pixels: the windows that share a
# place use the first layer's result there many times, that of the last layer only once.
#
# And now with a clock. Three ways over the same image: each window alone, batches of 256 windows,
# one dense pass. The first call compiles and is not counted; of several runs the median counts,
# since other programs on the computer disturb single ones. One window at a time takes long, so
# this way gets the top two rows of the image only, and its time is **extrapolated** from them to
# the whole image.

# %%
RUNS = 7  # fast: 2


def median_seconds(function):
    function()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


rows = 2
seconds = {
    "one window at a time\n(extrapolated)": SIZE
    / rows
    * median_seconds(lambda: sliding_window(classifier, image[:rows], 1, progress=False)),
    "batches of 256 windows": median_seconds(
        lambda: sliding_window(classifier, image, progress=False)
    ),
    "one dense pass": median_seconds(lambda: dense.predict_on_batch(image[None])),
}
alone, batches, once = seconds.values()

# %% alt="Three horizontal bars on a logarithmic axis of seconds for one image: one window at a time has by far the longest, batches of windows a shorter one, the dense pass the shortest. The seconds are written beside the bars."
fig, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
bars = ax.barh(list(seconds), list(seconds.values()), color=BLUE)
ax.bar_label(bars, [f"{value:.3g} s" for value in seconds.values()], padding=4)
ax.set_xscale("log")
ax.set_xlim(once / 3, alone * 4)
ax.invert_yaxis()
ax.set_xlabel(f"seconds for one image of {SIZE} × {SIZE} pixels (logarithmic)")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% tags=["see"]
print(
    f"On paper the dense pass needs {counts[WINDOW][0] / counts[WINDOW][1]:.1f} times fewer "
    f"multiplications. By the clock it was {batches / once:.0f} times faster than batches of "
    f"windows, and {alone / once:.0f} times faster than one window at a time."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert alone > batches
    assert batches > 5 * once
    assert alone > 50 * once

# %% [markdown]
# The multiplications are a property of the network; the seconds are one of this computer, too, on
# this day. One window at a time suffers most from what each call costs before it multiplies
# anything. Batches share that cost, and what remains between them and the dense pass is the work
# done again and again.
#
# ## All of the validation set
#
# To judge a segmentation one has to label whole images, many of them. With the dense network that
# is a matter of seconds. `evaluate` takes any model that labels every pixel; this one knows its
# classes, since `to_dense` has copied them with the rest.

# %%
VAL = 200  # fast: 20
ids = folder.ids("val")[:VAL]
start = time.perf_counter()
result = evaluate(dense, folder, ids)
judged_in = time.perf_counter() - start
print(format_table(result))

# %% alt="Four validation images, one a row: the image, its true mask, the prediction, and where it is wrong. The predictions show objects in most of the right places, but not always with the right class."
labels = predict_labels(dense, list(images[:4].astype("uint8")), SIZE)
plot_predictions(images[:4].astype("uint8"), masks[:4], labels, folder.classes)

# %% [markdown]
# Two questions to the confusion matrix (truth by row, background first): of the pixels that belong
# to an object, how many were taken for one, of whichever class? And how many got the right class?

# %%
confusion = np.array(result["confusion"])
objects = confusion[1:]
found = objects[:, 1:].sum() / objects.sum()
named = np.trace(confusion[1:, 1:]) / objects.sum()

# %% tags=["see"]
print(
    f"Labelling and judging {result['images']} images took {judged_in:.1f} s; with batches of "
    f"windows the labelling alone would have taken about {result['images'] * batches:.0f} s. The "
    f"mean IoU is {result['mean_iou']:.2f}. Of the pixels of objects {found:.0%} were found to "
    f"be an object's, but only {named:.0%} got the right class."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert found > named + 0.1
    assert judged_in < result["images"] * batches

# %% [markdown]
# The dense pass has made the answers cheap. It has not made them better: they are the same
# answers, and they come from 17 × 17 pixels. On the shapes that is enough to see that there is
# something, and often not enough to see what it is: inside of a large object a window meets no
# outline.
#
# A larger window would see more, and the dense network has its price for that, too: all its maps
# keep the full resolution, although neighbouring places in deep layers have seen almost the
# same. [Chapter 4](04_encoder_decoder.md) gives the resolution up on purpose, in order to see the
# whole image, and then has to get it back.
#
# One more use of what you have now: the dense network has trainable weights like any other, and
# can be trained on whole images and masks directly. Long et al. (2015) do that: an image is then a
# batch of all its windows, computed for the price of one pass.
#
# ## Summary
#
# 1. The sliding window repeats for each pixel most of what it has computed for the neighbour;
#    convolutions over the whole image compute it once.
# 2. Stride becomes dilation: every layer visits every place, and its taps stand as far apart as
#    the product of the strides before it.
# 3. A dense layer on a map of h × w is a convolution with a kernel of h × w: reshape its weights,
#    keep their order.
# 4. With the image reflected once, at the entrance, the answer is the same at every pixel, up to
#    rounding, and many times faster.
# 5. The receptive field follows from kernels, strides and dilations; changing single pixels shows
#    that it is right, and that what lies outside cannot count.
#
# ## Further reading
#
# - A. Giusti, D. Cireşan, J. Masci, L. Gambardella, J. Schmidhuber, "Fast Image Scanning with Deep
#   Max-Pooling Convolutional Neural Networks", ICIP 2013,
#   [arXiv:1302.1700](https://arxiv.org/abs/1302.1700): the sliding window of chapter 2 in one
#   pass, with pooling, by keeping all shifted versions of a map.
# - P. Sermanet, D. Eigen, X. Zhang, M. Mathieu, R. Fergus, Y. LeCun, "OverFeat: Integrated
#   Recognition, Localization and Detection using Convolutional Networks", ICLR 2014,
#   [arXiv:1312.6229](https://arxiv.org/abs/1312.6229): dense layers as convolutions, for
#   detection.
# - J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation",
#   CVPR 2015, [arXiv:1411.4038](https://arxiv.org/abs/1411.4038): classifiers made fully
#   convolutional, trained on whole images.
# - F. Yu, V. Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016,
#   [arXiv:1511.07122](https://arxiv.org/abs/1511.07122): dilation as a means of its own, to see
#   more without losing resolution.
# - W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the Effective Receptive Field in Deep
#   Convolutional Neural Networks", NIPS 2016,
#   [arXiv:1701.04128](https://arxiv.org/abs/1701.04128).
#
# ## Exercises
#
# ### 1. Dilate a kernel
#
# A convolution with a dilation is a plain one with a larger kernel that has zeros between its
# taps. Make that kernel.
# Complete `tutorials/exercises/dilate_kernel.py`, then run
# `python tutorials/check.py dilate_kernel`.
#
# ### 2. From strides to dilations
#
# Given the strides of a classifier's layers, say which dilation each of them has in the dense
# network. This is the heart of `to_dense`.
# Complete `tutorials/exercises/dilations_for_strides.py`, then run
# `python tutorials/check.py dilations_for_strides`.
#
# ### 3. A dense layer as a convolution
#
# Turn the weights of a dense layer into a kernel, for maps that need not be square.
# Complete `tutorials/exercises/dense_to_convolution.py`, then run
# `python tutorials/check.py dense_to_convolution`.
#
# ### 4. The receptive field of any stack
#
# The chapter has summed it up for a network without strides. Write the function for kernels,
# strides and dilations of any kind; the classifier with its strides must get 17, too.
# Complete `tutorials/exercises/receptive_field.py`, then run
# `python tutorials/check.py receptive_field`.
