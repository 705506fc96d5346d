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
# - replace a stride by a dilation, and a fully connected layer by a convolution;
# - compute the receptive field of a stack of layers, and check it by an experiment;
# - judge a patch classifier on whole images, in seconds.
#
# **Time:** about an hour of reading and half an hour for the exercises. The code runs in less than a
# minute on two cores.
# **Prerequisite:** [chapter 2](02_sliding_window.md).

# %%
import inspect
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
from voc_seg.plots import BLUE, VERMILLION, colorize, plot_predictions
from voc_seg.scoreboard import add_row, format_rows

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

# %% [markdown]
# The line with `ROOT, SIZE` says which data the chapter works on. With the values of its comment it
# runs on photographs of PASCAL VOC, if they are in the folder `data`.
#
# ## What is computed again and again
#
# The sliding window cuts a window out of the image for each pixel and classifies it. The windows
# of two neighbouring pixels share all but one column, and there `conv1` gives the same numbers for
# both. `conv2`, with its stride of 2, repeats its numbers in every second window. The sliding
# window computes all of these again for every window that needs them.
#
# A convolution doesn't care where its window ends. Run it over the whole image, and it gives the
# values for all windows in one go. Can we run the whole network like that? Two kinds of layers are in
# the way:
#
# - a **stride** skips positions, and which ones it skips depends on where the window begins;
# - a **fully connected layer** wants an input of one fixed size.
#
# We can turn both into plain convolutions without touching a weight. The result is called a **dense**
# network: it has an answer at *every* pixel. Watch out, the word has two meanings. Keras calls a fully
# connected layer `Dense`, and a dense network is just the one that has none. From now on *dense*
# means "an answer at every pixel".
#
# ## A stride becomes a dilation
#
# It's easiest to see in one dimension. Here is a convolution with two knobs: the *stride*, how far the
# kernel moves between outputs, and the *dilation*, how far apart its taps are. (A tap is one number of
# the kernel.)


# %%
def convolve(x, kernel, stride=1, dilation=1):
    reach = dilation * (len(kernel) - 1) + 1  # from the first tap to the last
    starts = range(0, len(x) - reach + 1, stride)
    return np.array([x[i : i + reach : dilation] @ kernel for i in starts])


# %% [markdown]
# Next, a little classifier of windows: a first layer with three taps and stride 2, a ReLU, and a
# second layer with three taps. A window of 7 numbers becomes 3, and these become 1.

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
# First attempt at a single pass: let's run the same two layers, with the same stride, over the whole
# signal.
#
# ??? question "The sliding window gave 8 numbers. How many will this pass give?"
#
#     Four. The stride of 2 moves the kernel by two positions, so it only meets the windows that begin
#     at 0, 2, 4 and 6.

# %%
coarse = convolve(relu(convolve(signal, first, stride=2)), second)
print("with the stride: ", coarse.round(3))

# %% [markdown]
# The numbers are right, but every second one is missing. The stride threw away exactly what the
# windows in between need.
#
# So the first layer must not skip: we give it stride 1. Now look at the picture. Each value is drawn
# below the middle of what it reads; window 0 covers the numbers 0 to 6, so its output is below number
# 3. Follow the lines of window 0 from its output upwards.

# %% tags=["figure"] alt="Two panels, each with three rows of dots joined by lines: the signal on top, the first layer, the output below. Left: from the output of window 0 (solid lines, circles) and that of window 1 (dashed lines, squares) lines lead to three places each of the first layer, two apart; the places of the two windows alternate. Right: windows 0 and 2 (dotted lines, triangles), which have two places of the first layer and five numbers of the signal in common."
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
    ax.set(xlabel="position in the signal", xticks=range(14), ylim=(-0.3, 2.3))
    ax.set_yticks([0, 1, 2], ["output", "first layer\n(stride 1)", "signal"])
    ax.legend(loc="right", bbox_to_anchor=(1, 0.31))
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False)
plt.show()

# %% [markdown]
# The second layer used to read three values that were next to each other. Now these three are at every
# second position, and the values in between belong to the windows in between. Window 0 and window 1
# share nothing in the first layer. Window 0 and window 2 share two of their three values, and these
# are now computed only once.
#
# So the second layer has to read every second position. That is a dilation of 2:

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
# What about a whole network? A layer of stride $s$ becomes a layer of stride 1, and the taps of **all
# layers after it** move $s$ times as far apart. Several strides multiply. If $s_l$ is the stride of
# layer $l$, its dilation in the dense network is
#
# $$d_l = s_1 \cdot s_2 \cdots s_{l-1},$$
#
# the product of the strides **before** it, and 1 for the first layer. A layer's own stride has no
# effect on its own taps.
#
# ??? note "Going further: pooling, and another way to the same numbers"
#
#     The rule also holds for max pooling, which is a layer with a kernel and a stride (Giusti et al.
#     2013). And there is another way: run the network with its strides several times, over an image
#     that is shifted by one pixel more each time, and interleave the coarse outputs. Long et al.
#     (2015) call it "shift-and-stitch" and show that it is the dilated network in another order.
#
# ## A fully connected layer becomes a convolution
#
# At the end of the patch classifier there is a small map: $h \times w$ positions with $c$ channels. It
# is flattened to a vector of $h w c$ numbers, and each output of the fully connected layer is a
# weighted sum of all of them. A convolution with a kernel of $h \times w$ also computes a weighted sum
# of all numbers under the kernel. On a map of $h \times w$ such a kernel fits at exactly one position.
# So both sums are the same if the weights are in the same order.
#
# `Flatten` goes through the map row by row, in each row position by position, and at each position
# through the channels. A Keras kernel has the shape $(h, w, c, \text{outputs})$, which is just that
# order. One `reshape` is enough.

# %%
small_map = rng.normal(size=(1, 3, 3, 32)).astype("float32")  # a batch of one
fully_connected = keras.layers.Dense(10)
as_vector = np.asarray(fully_connected(small_map.reshape(1, -1)))

weights, bias = fully_connected.get_weights()
convolution = keras.layers.Conv2D(10, kernel_size=3)
convolution.build(small_map.shape)
convolution.set_weights([weights.reshape(3, 3, 32, 10), bias])
as_convolution = np.asarray(convolution(small_map))
print("weights", weights.shape, "->", convolution.kernel.shape)
print("outputs", as_vector.shape, "and", as_convolution.shape)
print("difference", np.abs(as_vector - as_convolution[:, 0, 0]).max())

# %% tags=["check"]
assert np.abs(as_vector - as_convolution[:, 0, 0]).max() < 1e-5

# %% tags=["see"]
print(
    f"The same {as_vector.size} outputs, once as a vector and once as a map of one position. They "
    f"differ by at most {np.abs(as_vector - as_convolution[:, 0, 0]).max():.1e}. (Numbers of 32 "
    "bits have about seven digits. If you add the same terms in another order, the last digit may "
    "change.)"
)

# %% [markdown]
# What did we gain? The convolution also accepts a larger map and gives an answer at every position. A
# second fully connected layer sees only one position, so it becomes a convolution of 1 × 1.
#
# ## A classifier to work with
#
# As in chapter 2, we train a patch classifier for a short time, now with a window of 17 pixels.
# `set_classes` writes the names of the classes and the size of the training images into the model, for
# the evaluation at the end.

# %%
TRAIN = 1000  # fast: 60
EPOCHS = 2  # fast: 1
WINDOW = 17
ids = folder.ids("train")[:TRAIN]
training = WindowDataset(folder, ids, WINDOW, SIZE, windows_per_image=64)
classes = len(folder.classes)
classifier = build_patch_classifier(classes, window=WINDOW, filters=16)
set_classes(classifier, folder.classes, SIZE)
compile_model(classifier, learning_rate=3e-3)
history = classifier.fit(training, epochs=EPOCHS, verbose=2)

# %% [markdown]
# These are its layers with weights, and the maps they give:

# %%
layers = [layer for layer in classifier.layers if layer.weights]
convolutions = [layer for layer in layers if hasattr(layer, "strides")]
for layer in convolutions:
    side, channels = layer.output.shape[2:]
    kernel, stride = layer.kernel_size[0], layer.strides[0]
    print(
        f"{layer.name:7} kernel {kernel}, stride {stride}:",
        f" a map of {side} x {side}, {channels} channels",
    )
for layer in layers[len(convolutions) :]:
    inputs, outputs = layer.kernel.shape
    print(f"{layer.name:7} fully connected, {inputs} -> {outputs}")

# %% [markdown]
# The builder chooses the kernels so that each of them, with its stride, covers its map to the last
# pixel: $17 \to 15 \to 7 \to 3$. Why does this matter? Take a map of 8, a kernel of 3 and stride 2.
# The kernel fits at 0, 2 and 4, and the last column is never read. The classifier would still work,
# but its receptive field would be smaller than the window, and its answer would no longer belong to
# the pixel in the middle.
#
# ## The dense network
#
# `to_dense` does what we have just done by hand. It goes through the layers, and keeps the product of
# the strides in `dilation`:

# %% tags=["source"]
print(inspect.getsource(to_dense))

# %%
dense = to_dense(classifier)
kernels = [layer for layer in dense.layers if hasattr(layer, "dilation_rate")]
for layer in kernels:
    kernel, stride = layer.kernel_size[0], layer.strides[0]
    dilation = layer.dilation_rate[0]
    print(
        f"{layer.name:7} kernel {kernel}, stride {stride},",
        f"dilation {dilation}:  {layer.kernel.shape}",
    )
print("parameters before:", classifier.count_params())
print("parameters after: ", dense.count_params())

# %% tags=["check"]
assert dense.count_params() == classifier.count_params()
for before, after in zip(classifier.get_weights(), dense.get_weights(), strict=True):
    assert np.array_equal(before.ravel(), after.ravel())
strides = [layer.strides[0] for layer in convolutions]
assert [layer.dilation_rate[0] for layer in kernels[:4]] == [1, *np.cumprod(strides)]

# %% [markdown]
# There are two strides of 2. So the layer after the first has dilation 2, and the one after the second
# has dilation 4. (The last layer also has it, but a kernel of 1 has no second tap to move.) There are
# as many parameters as before, and they are the same numbers.
#
# One thing is left: the border. The window of a pixel in the corner hangs over the edge of the image,
# and the sliding window fills it with the image's reflection. So the dense network begins with a layer
# that reflects the **whole image** by 8 pixels on each side, and none of its convolutions pads.
# (Convolutions with `padding="same"` would put zeros around each of the maps in between. The sliding
# window has no such zeros, so the answers near the border would differ.)
#
# ## Equal at every pixel
#
# Let's run both on a validation image and compare every pixel, borders included.
#
# ??? question "How large will the largest difference between the two be?"
#
#     Zero, or a rounding error in the seventh digit. The dense network adds and multiplies the same
#     numbers as the sliding window.

# %%
validation = SegmentationDataset(folder, folder.ids("val"), SIZE)
images, masks = validation[0]
image = images[1]  # (SIZE, SIZE, 3)
by_window = sliding_window(classifier, image, progress=False)
by_pass = dense.predict(image[None], verbose=0)[0]
print(by_window.shape, by_pass.shape)  # (SIZE, SIZE, classes)

difference = np.abs(by_window - by_pass).max(axis=-1)  # of all classes
print("largest difference:", difference.max())

# %% [markdown]
# For comparison, what would happen if we padded with black? We give the image a frame of zeros as wide
# as a window reaches, run it through the network, and cut the frame off again.

# %%
radius = WINDOW // 2
frame = [(radius, radius), (radius, radius), (0, 0)]
framed = dense.predict(np.pad(image, frame)[None], verbose=0)[0]
by_pass_framed = framed[radius:-radius, radius:-radius]
difference_framed = np.abs(by_window - by_pass_framed).max(axis=-1)
print("largest difference:", difference_framed.max())

# %% tags=["figure"] alt="Five panels: the image; the probability of background at each pixel by the sliding window; the same by one pass, which looks identical; the absolute difference of the two, evenly dark on a colour bar that ends at 0.000001; and the absolute difference when the image is padded with black, which is as dark in the middle, and large in a frame along the border."
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
    (
        axes[3],
        difference,
        1e-6,
        f"difference, padded by reflection\nat most {difference.max():.0e}",
    ),
    (axes[4], difference_framed, None, "difference,\npadded with black"),
):
    shown = ax.imshow(values, cmap="cividis", vmin=0, vmax=largest)
    ax.set_title(title, fontsize=10)
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
    f"{difference.max():.2g}: rounding at most, at the border as well as in the middle. With a "
    f"black frame it would be {difference_framed.max():.2f}, at pixels that are less than "
    f"{radius} away from the border, and nothing in the middle."
)

# %% [markdown]
# ## What a pixel's answer is made of
#
# We can follow the computation in two dimensions as well. Let's begin at one pixel of the output
# and go back layer by layer: which positions of the map below does each layer read? The taps of a
# kernel of $k$ with dilation $d$ are $d$ apart, around the middle.


# %%
def positions_read(positions, kernel, dilation):
    """What a layer reads, along one axis, for outputs at `positions`."""
    taps = dilation * (np.arange(kernel) - (kernel - 1) / 2)
    return np.unique(np.add.outer(positions, taps))


read = {}  # by the map that is read
positions = np.zeros(1)  # the output pixel itself
# conv1 reads the image, conv2 reads the map of conv1, and so on. (logits has
# a kernel of 1 and reads just one position, so zip may leave it out.)
maps = ["image", *(layer.name for layer in convolutions)]
pairs = list(zip(kernels, maps, strict=False))
for layer, name in reversed(pairs):
    kernel, dilation = layer.kernel_size[0], layer.dilation_rate[0]
    positions = positions_read(positions, kernel, dilation)
    read[name] = positions
    print(f"{name:6} {len(positions):2} x {len(positions)} positions")

# %% tags=["figure"] alt="Four panels of dots on a grid of 17 by 17 positions, around one output pixel marked by a cross. In the map of the last convolution 3 by 3 dots that are four positions apart; one layer below 7 by 7 dots, two positions apart; below that 15 by 15 dots side by side; and in the image all 17 by 17 pixels."
fig, axes = plt.subplots(1, len(read), figsize=(12, 3.4), layout="constrained")
for ax, (name, positions) in zip(axes, read.items(), strict=True):
    x, y = np.meshgrid(positions, positions)
    ax.plot(x.ravel(), y.ravel(), "s", color=BLUE, ms=7.5)
    ax.plot(0, 0, "x", color=VERMILLION, ms=10, mew=2.5)
    ax.set_title(f"{name}: {len(positions)} × {len(positions)} positions", fontsize=10)
    half = WINDOW // 2 + 1
    ax.set(xlim=(-half, half), ylim=(half, -half), aspect="equal")
    ax.set(xticks=[-8, -4, 0, 4, 8], yticks=[-8, -4, 0, 4, 8])
    ax.grid(alpha=0.3)
plt.show()

# %% tags=["check"]
sizes = {layer.name: layer.output.shape[1] for layer in convolutions}
assert {name: len(found) for name, found in read.items()} == {**sizes, "image": WINDOW}

# %% [markdown]
# Compare with the maps of the classifier above: 3 × 3, 7 × 7, 15 × 15, and a window of 17 × 17. These
# are the same numbers. What the dense network reads for one pixel **is** the classifier's computation
# on that pixel's window, spread out over maps that keep the full resolution. The gaps in between
# aren't empty. They hold what the neighbours read.
#
# ## The receptive field
#
# The last panel is the **receptive field** of an output pixel: the part of the image that its value
# depends on. We can compute it without drawing. Let $R$ be the side of the receptive field, and $j$
# the **jump** of chapter 2: the distance in the image between two neighbouring positions of the map.
# In the image itself both are 1, so $R_0 = j_0 = 1$. A layer with kernel $k_l$, stride $s_l$ and
# dilation $d_l$ changes them to
#
# $$R_l = R_{l-1} + (k_l - 1) \, d_l \, j_{l-1}, \qquad j_l = j_{l-1} \, s_l.$$
#
# In words: a kernel of $k$ adds $k - 1$ steps to the receptive field. Each step is $d_l$ positions of
# the map below, and each of these is $j_{l-1}$ pixels. The second formula is the rule of the strides
# again: a stride moves apart everything **after** it. In the dense network all strides are 1, so all
# jumps are 1, and only a sum remains:

# %%
field = 1
for layer in kernels:
    kernel, dilation = layer.kernel_size[0], layer.dilation_rate[0]
    field += (kernel - 1) * dilation
    print(f"{layer.name:7} kernel {kernel}, dilation {dilation}: ", end="")
    print(f"receptive field {field}")

# %% tags=["check"]
assert field == WINDOW

# %% [markdown]
# So much for theory. Let's measure it. We cut a piece of 27 × 27 pixels out of the image, change each
# of its pixels in turn by 128 (half of the range), and see how much the output in the middle changes.
# That makes 729 copies of the piece, each with one changed pixel. We look at the logits, the numbers
# before the softmax, since probabilities near 0 or 1 hardly move, whatever happens.
#
# ??? question "What will the map of these changes look like?"
#
#     It is exactly 0 outside a square of 17 × 17 around the middle: those pixels are not part of the
#     computation. Inside, it depends on the weights.

# %%
REACH = 13  # from the middle of the piece to its border
side = 2 * REACH + 1
middle = SIZE // 2
part = slice(middle - REACH, middle + REACH + 1)
piece = image[part, part]
changed = np.repeat(piece[None], side**2, axis=0)  # (729, 27, 27, 3)
for i in range(side**2):
    row, column = divmod(i, side)
    changed[i, row, column] = (piece[row, column] + 128) % 256

logits = keras.Model(dense.inputs, dense.get_layer("logits").output)
before = logits.predict(piece[None], verbose=0)[0, REACH, REACH]
after = logits.predict(changed, batch_size=81, verbose=0)
after = after[:, REACH, REACH]  # (729, classes)
influence = np.abs(after - before).max(axis=-1).reshape(side, side)

outside = np.ones_like(influence, bool)
window = slice(REACH - radius, REACH + radius + 1)
outside[window, window] = False
print("largest change by a pixel outside:", influence[outside].max())
print("largest change by a pixel inside: ", influence[~outside].max())

# %% tags=["figure"] alt="Three panels. Left: the image with a square of 17 by 17 pixels drawn around a pixel in the middle, which is marked by a cross. Middle: the square alone, enlarged: all that the network knows about this pixel. Right: a map of how far the output moves when a pixel is changed; it is black outside of the drawn square and grey to white inside of it."
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
assert influence[outside].max() < 1e-4
rows, columns = np.nonzero(influence > 1e-4)
assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == field

# %% tags=["see"]
print(
    f"The largest change of a logit by a pixel outside the square of {field} × {field} is "
    f"{influence[outside].max():.2g}. Inside, the largest change is {influence.max():.1f}, and "
    "the pixels with an influence reach all four sides of the square."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert influence.max() > 2 * np.median(influence[~outside])

# %% [markdown]
# The receptive field is a limit: pixels outside it **cannot** count. How much the pixels inside count
# depends on the weights, and is far from even, as the map shows (Luo et al. 2016 study this for deep
# networks).
#
# ## What it saves
#
# First on paper. A convolution multiplies once with each number of its kernel, at each position of its
# output. For one window these are the positions of the classifier's maps. In the dense pass there is
# one position per pixel in each map (if we ignore the borders), so every weight is used exactly once
# per pixel.


# %%
def multiplications(classifier):
    """Per pixel of an image: (with a window of its own, in a dense pass)."""
    layers = [layer for layer in classifier.layers if layer.weights]
    weights = [int(np.prod(layer.kernel.shape)) for layer in layers]
    # A fully connected layer has one position.
    positions = [int(np.prod(layer.output.shape[1:-1])) for layer in layers]
    return int(np.dot(weights, positions)), sum(weights)


counts = {}
print("multiplications per pixel, by window and in one pass")
for side in (9, 17, 33, 65):
    larger = build_patch_classifier(classes, side, filters=16)
    counts[side] = multiplications(larger)
    per_window, per_pixel = counts[side]
    print(f"window {side:2}: {per_window:9,} {per_pixel:6,}")

# %% tags=["check"]
assert counts[WINDOW] == multiplications(classifier)
assert counts[WINDOW][1] == sum(int(np.prod(layer.kernel.shape)) for layer in kernels)
saved = {side: per_window / per_pixel for side, (per_window, per_pixel) in counts.items()}
assert list(saved.values()) == sorted(saved.values())
assert saved[WINDOW] > 10

# %% [markdown]
# Savings grow with the window, though more slowly than its area. Early results are reused by many
# windows, late ones by few.
#
# And now with a clock. We time three ways over the same image: each window alone, batches of 256
# windows, and one dense pass. The first call compiles, so we don't count it. Of several runs we take
# the median, since other programs disturb single ones. One window at a time takes long, so we only
# time the top two rows of the image this way, and **extrapolate** to the whole image.
#
# ??? question "How many times faster will the dense pass be than batches? And than one window at a time?"
#
#     On paper it multiplies 16 times less (260,944 against 16,720, above). By the clock the
#     gain can be larger or smaller: cutting windows and starting each call cost time as well. One
#     window at a time pays this price for every pixel.

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
alone = median_seconds(
    lambda: sliding_window(classifier, image[:rows], 1, progress=False)
)  # fmt: skip
alone *= SIZE / rows
batches = median_seconds(
    lambda: sliding_window(classifier, image, progress=False)
)  # fmt: skip
once = median_seconds(lambda: dense.predict_on_batch(image[None]))
seconds = {
    "one window at a time\n(extrapolated)": alone,
    "batches of 256 windows": batches,
    "one dense pass": once,
}
print(f"one by one: {alone:.2f} s, {alone / once:.0f} times the dense pass")
print(f"batches: {batches:.3f} s, {batches / once:.0f} times the dense pass")
print(f"dense pass: {once:.4f} s")

# %% tags=["figure"] alt="Three horizontal bars on a logarithmic axis of seconds for one image: one window at a time has by far the longest, batches of windows a shorter one, the dense pass the shortest. The seconds are written beside the bars."
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
# The multiplication count belongs to the network. The seconds also depend on this computer, and on
# what else it was doing. One window at a time suffers most from what each call costs before it
# multiplies anything. Batches share that cost. What remains between them and the dense pass is mostly
# the repeated work.
#
# Now let your own computer run the race. On the site, the next figure has our classifier in both
# forms. You can also paint over the image, and watch the answer at one pixel, which we *pin*. We take the
# pixel of which the network is least sure: its probabilities have the most room to move.
#
# ??? question "You paint a single pixel. Which answers can change?"
#
#     Those whose receptive field contains it: the 17 × 17 pixels around it. If the pinned pixel isn't
#     one of them, its probabilities stay the same to the last digit.

# %%
unsure = by_pass[radius:-radius, radius:-radius].max(axis=-1)
pin = np.unravel_index(unsure.argmin(), unsure.shape)
pin = int(pin[0]) + radius, int(pin[1]) + radius
print(f"row {pin[0]}, column {pin[1]}")
for name, probability in zip(folder.classes, by_pass[pin], strict=True):
    print(f"{name:12} {probability:.2f}")

# %% tags=["check"]
spotted = image.copy()
spotted[12, 9] = 255 - spotted[12, 9]
moved = np.abs(dense.predict(spotted[None], verbose=0)[0] - by_pass).max(axis=-1) > 1e-5
assert moved.any()
assert np.abs(np.argwhere(moved) - (12, 9)).max() <= radius

# %% tags=["figure"] live="field" caption="Paint over the image, inside the large frame and outside it. The frame is the pinned pixel's receptive field: when do its probabilities move? Then start the race, and compare the label maps and the times." alt="Three panels: an image with a large frame around a small one, the pinned pixel in the middle of its receptive field; and two label maps that look the same, one by a single pass and one window by window. Their titles give the seconds of each."
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(image.astype("uint8"))
axes[0].set_title("image, with the pinned pixel", fontsize=10)
for size in (1, WINDOW):
    corner = pin[1] - size / 2, pin[0] - size / 2
    axes[0].add_patch(Rectangle(corner, size, size, fill=False, ec="white", lw=2))
for ax, answers, title in (
    (axes[1], by_pass, f"one pass: {once:.3g} s"),
    (axes[2], by_window, f"window by window: {alone:.3g} s"),
):
    ax.imshow(colorize(answers.argmax(axis=-1), folder.classes))
    ax.set_title(title, fontsize=10)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% tags=["live"]
live = {
    "model": classifier,
    "window": WINDOW,
    "image": image.astype("uint8"),
    "pin": pin,
    "names": list(folder.classes),
    "values": list(folder.classes.values()),
}

# %% [markdown]
# ## All of the validation set
#
# To judge a segmentation we have to label whole images, many of them. With the dense network that is a
# matter of seconds. `evaluate` takes any model that labels every pixel. This one knows its
# classes, since `to_dense` copied them with the rest. For now, read the column `IoU` and the line
# `pixel accuracy`. Chapter 8 explains the other scores.

# %%
VAL = 200  # fast: 20
ids = folder.ids("val")[:VAL]
start = time.perf_counter()
result = evaluate(dense, folder, ids)
judged_in = time.perf_counter() - start
print(format_table(result))

# %% tags=["figure"] alt="Four validation images, one a row: the image, its true mask, the prediction, and where it is wrong. The predictions show objects in most of the right places, but not always with the right class."
labels = predict_labels(dense, list(images[:4].astype("uint8")), SIZE)
plot_predictions(images[:4].astype("uint8"), masks[:4], labels, folder.classes)

# %% [markdown]
# What kind of errors are these? Let's count the two kinds of chapter 2 in the confusion matrix
# (truth by row, background first). *Where* errors confuse object and background, in either
# direction. *What* errors are object pixels that were given the name of another object.
#
# ??? question "Which of the two will be more frequent?"
#
#     Remember chapter 2: the network finds objects, and often doesn't know which. A window of 17 sees
#     more than one of 9, but not a whole object. So *what* errors should be more frequent by far.

# %%
confusion = np.array(result["confusion"])
objects = confusion[1:]  # the rows of object pixels
where = confusion[0, 1:].sum() + objects[:, 0].sum()
right = np.trace(objects[:, 1:])
what = objects[:, 1:].sum() - right
found = objects[:, 1:].sum() / objects.sum()
named = right / objects.sum()
print(f"where errors: {where:,}, what errors: {what:,}")
print(f"{found:.1%} of object pixels found, {named:.1%} named right")

# %% tags=["see"]
print(
    f"Labelling and judging {result['images']} images took {judged_in:.1f} s. With batches of "
    f"windows the labelling alone would have taken about {result['images'] * batches:.0f} s. The "
    f"mean IoU is {result['mean_iou']:.3f}. The network recognised {found:.1%} of the object "
    f"pixels as some object, but only {named:.1%} as the right one: {where:,} *where* errors "
    f"against {what:,} *what* errors."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert found > named + 0.1
    assert what > 2 * where
    assert judged_in < result["images"] * batches

# %% [markdown]
# ## The scoreboard
#
# Time for the second row. Our classifier has a window of 17, that of chapter 2 had 9.
#
# ??? question "Which columns change because of the dense pass, and which because of the window?"
#
#     The dense pass changes the last two, what an image costs. It can't change any other column,
#     because its answers are those of the sliding window. The larger window changes all columns.
#     It costs more, but it sees more of an object, so it should mix up fewer names: fewer *what*
#     errors.

# %%
rows = add_row("3 dense pass", dense, folder, ids, SIZE)
print(format_rows(rows))

# %% tags=["see"]
row, before = rows["3 dense pass"], rows.get("2 sliding window")
if before:  # chapter 2 was run before
    print(
        f"An image takes {before['multiplications'] / row['multiplications']:.1f} times fewer "
        f"multiplications than with the sliding window of chapter 2, and "
        f"{1000 * row['seconds']:.0f} ms instead of {1000 * before['seconds']:.0f}, although the "
        f"window is larger. *What* errors change from {before['what']:,} to {row['what']:,}, *where* "
        f"errors from {before['where']:,} to {row['where']:,}."
    )

# %% tags=["check"]
assert (row["where"], row["what"]) == (where, what)
assert row["multiplications"] > SIZE**2 * counts[WINDOW][1]

# %% tags=["claim"]
if ROOT == SHAPES and before:
    assert row["multiplications"] < before["multiplications"] / 2
    assert row["what"] < before["what"] and row["mean_iou"] > before["mean_iou"]

# %% [markdown]
# (*Where* errors vary a lot from one training to the next; chapter 4 shows why. The board also
# counts what the reflected borders cost, which we ignored above.)
#
# The dense pass has made the answers cheap. Only the larger window has made them better, and it
# has 17 × 17 pixels. On the shapes that is nearly always enough to see that there is something,
# but not always enough to see what it is. Deep inside a large object a window still meets no
# outline.
#
# A larger window would see more, but that isn't free for the dense network either. All its maps keep
# the full resolution, although neighbouring positions in deep layers have seen almost the same.
# [Chapter 4](04_encoder_decoder.md) gives the resolution up on purpose, in order to see the whole
# image, and then has to get it back.
#
# ??? note "Going further: training the dense network directly"
#
#     The dense network has trainable weights like any other, and you can train it on whole images and
#     masks. Long et al. (2015) do that: an image is then a batch of all its windows, computed for the
#     price of one pass.
#
# ## Summary
#
# 1. The sliding window repeats, for each pixel, most of what it has computed for the neighbour.
#    Convolutions over the whole image compute it once.
# 2. Stride becomes dilation: every layer visits every position, and its taps are as far apart as the
#    product of the strides before it.
# 3. A fully connected layer on a map of h × w is a convolution with a kernel of h × w: reshape its
#    weights, keep their order.
# 4. If you reflect the image once, at the entrance, the answer is the same at every pixel, up to
#    rounding, and many times faster.
# 5. The receptive field follows from kernels, strides and dilations. Changing single pixels shows that
#    the formula is right, and that pixels outside cannot count.
#
# ## Three questions
#
# ??? question "1. A network has the strides 2, 1, 2, 1. What are the dilations of its dense version?"
#
#     1, 2, 2, 4: the products of the strides *before* each layer. The stride of 1 changes nothing.
#
# ??? question "2. Why does the dense network need no new training?"
#
#     It computes the same sums with the same weights. Only the order of the computation is different.
#
# ??? question "3. Your dense network and the sliding window differ by 0.3 near the border. Why?"
#
#     Somewhere zeros were padded: a black frame around the image, or `padding="same"` in a
#     convolution. The classifier has learned from reflections.
#
# ## Further reading
#
# - A. Giusti, D. Cireşan, J. Masci, L. Gambardella, J. Schmidhuber, "Fast Image Scanning with Deep
#   Max-Pooling Convolutional Neural Networks", ICIP 2013,
#   [arXiv:1302.1700](https://arxiv.org/abs/1302.1700): the sliding window of chapter 2 in one
#   pass, with pooling, by keeping all shifted versions of a map.
# - P. Sermanet, D. Eigen, X. Zhang, M. Mathieu, R. Fergus, Y. LeCun, "OverFeat: Integrated
#   Recognition, Localization and Detection using Convolutional Networks", ICLR 2014,
#   [arXiv:1312.6229](https://arxiv.org/abs/1312.6229): fully connected layers as convolutions, for
#   detection.
# - J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation",
#   CVPR 2015, [arXiv:1411.4038](https://arxiv.org/abs/1411.4038): classifiers made fully
#   convolutional, trained on whole images.
# - F. Yu, V. Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016,
#   [arXiv:1511.07122](https://arxiv.org/abs/1511.07122): dilation used on purpose, to see more
#   without losing resolution.
# - W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the Effective Receptive Field in Deep
#   Convolutional Neural Networks", NIPS 2016,
#   [arXiv:1701.04128](https://arxiv.org/abs/1701.04128).
#
# ## Exercises
#
# ### 1. Dilate a kernel
#
# A convolution with a dilation is a plain one with a larger kernel that has zeros between its taps.
# Make that kernel.
# Complete `tutorials/exercises/dilate_kernel.py`, then run
# `python tutorials/check.py dilate_kernel`.
#
# ### 2. From strides to dilations
#
# Given the strides of a classifier's layers, compute the dilation of each of them in the dense
# network. This is the heart of `to_dense`.
# Complete `tutorials/exercises/dilations_for_strides.py`, then run
# `python tutorials/check.py dilations_for_strides`.
#
# ### 3. A fully connected layer as a convolution
#
# Turn the weights of a `Dense` layer into a kernel, for maps that need not be square.
# Complete `tutorials/exercises/dense_to_convolution.py`, then run
# `python tutorials/check.py dense_to_convolution`.
#
# ### 4. The receptive field of any stack
#
# The chapter has summed it up for a network without strides. Write the function for kernels, strides
# and dilations of any kind. For the classifier with its strides it must also give 17.
# Complete `tutorials/exercises/receptive_field.py`, then run
# `python tutorials/check.py receptive_field`.
