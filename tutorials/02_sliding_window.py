# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 2. The sliding window
#
# **You will be able to**
#
# - turn an image and its mask into examples for an ordinary classifier;
# - train that classifier on balanced classes, and label an image with it pixel by pixel;
# - say what a window of nine pixels knows, and measure what it cannot know;
# - count the multiplications of a network, and say how many of them are done again and again.
#
# **Time:** about half an hour of reading; the code runs in about half a minute on two cores.
# **Stands on:** [chapter 1](01_pixels_and_masks.md).

# %%
import math
import time
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from voc_seg import (
    SegmentationDataset,
    WindowDataset,
    build_patch_classifier,
    compile_model,
    confusion_matrix,
    iou_from_confusion,
    open_folder,
    sliding_window,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, plot_confusion, plot_predictions

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
names = list(folder.classes)
called = dict(enumerate(names)) | {255: "void"}
keras.utils.set_random_seed(0)

# %% [markdown]
# The line with `ROOT` is the switch: it says which data the chapter works on, and changing it is
# all that is needed to run the chapter on photographs.
#
# ## One image is N² examples
#
# Chapter 1 left us with a task: a class for every pixel. The network that you know answers another
# question. It takes an image and names one class, by way of a dense layer at its end.
#
# The first idea that worked was not to change the network but the question. Take one pixel, cut a
# square **window** out of the image with the pixel in its middle, and ask: *what is the pixel in
# the middle of this window?* That is a classification like any other. An image of $N \times N$
# pixels becomes $N^2$ examples, and to label an image is to classify $N^2$ windows.
#
# We take some validation images to look at and to judge by.

# %%
JUDGED = 40  # fast: 4
WINDOW = 9

judged = SegmentationDataset(folder, folder.ids("val")[:JUDGED], SIZE, batch_size=JUDGED)
images, masks = judged[0]
print("images:", images.shape, "masks:", masks.shape)

# %% [markdown]
# At the border the window hangs over the edge. It has to be filled with something, and what it is
# filled with is seen by the network: black would look like an outline that is not there. The common
# choice is the **reflection** of the image at its border. It continues colours and textures, and
# claims nothing new. NumPy has it as `pad(mode="reflect")`; the border pixel is the mirror and is
# not repeated.
#
# With a window of $w$ pixels, $r = (w - 1) / 2$ is its radius, and the image is padded by $r$ on
# each side. The padding moves the pixel $(i, j)$ to $(i + r, j + r)$, so that the window around it
# begins at row $i$ and column $j$ of the padded image.

# %%
image, mask = images[2].astype("uint8"), masks[2]
radius = WINDOW // 2
padded = np.pad(image, [(radius, radius), (radius, radius), (0, 0)], mode="reflect")


def cut(row, column):
    """The window around a pixel: (WINDOW, WINDOW, 3)."""
    return padded[row : row + WINDOW, column : column + WINDOW]


on_objects = np.argwhere((mask > 0) & (mask != 255))  # (row, column) of each, from the top
pixels = {
    "A": (0, 0),
    "B": tuple(on_objects[np.abs(on_objects - on_objects.mean(axis=0)).sum(axis=1).argmin()]),
    "C": tuple(on_objects[on_objects[:, 1].argmax()]),
}
for letter, pixel in pixels.items():
    print(f"{letter}: pixel {tuple(map(int, pixel))} is {called[mask[pixel]]}")

# %% [markdown]
# Three of the image's windows: A around the pixel in the corner, which is mostly reflection; B
# around the object pixel nearest to the middle of them all; C around the rightmost one, at the edge
# of an object. The small frame in each window is the pixel that the question is about.

# %% alt="Left: an image with a padded margin; a dotted line marks where the image itself ends. Three squares lie on it: A over the top left corner, half in the margin; B on an object; C at an object's right edge. Right: the three windows enlarged, nine pixels wide, each with a frame around its central pixel. The margin of A mirrors what is inside the image."
figure = plt.figure(figsize=(9, 5.6), layout="constrained")
grid = figure.add_gridspec(3, 2, width_ratios=(3, 1))
large = figure.add_subplot(grid[:, 0])
large.imshow(padded)
large.add_patch(
    Rectangle((radius - 0.5, radius - 0.5), SIZE, SIZE, fill=False, edgecolor="white", ls=":")
)
large.set_title(f"padded by {radius} on each side; dotted: the image itself", fontsize=10)
for k, (letter, (row, column)) in enumerate(pixels.items()):
    style = ["-", "--", "-."][k]
    corner = column - 0.5, row - 0.5  # x, y in the padded image
    for color, width in (("black", 4), ("white", 2)):
        large.add_patch(
            Rectangle(corner, WINDOW, WINDOW, fill=False, edgecolor=color, lw=width, ls=style)
        )
    large.text(  # at the window's lower right corner
        column + 2 * radius, row + 2 * radius, letter, color="white", ha="center", va="center",
        bbox={"fc": "black", "lw": 0, "pad": 2},
    )  # fmt: skip
    small = figure.add_subplot(grid[k, 1])
    small.imshow(cut(row, column))
    small.add_patch(Rectangle((radius - 0.5, radius - 0.5), 1, 1, fill=False, ec="black", lw=4))
    small.add_patch(Rectangle((radius - 0.5, radius - 0.5), 1, 1, fill=False, ec="white", lw=2))
    small.set_title(f"{letter}: {called[mask[row, column]]}", fontsize=10)
    small.set_axis_off()
large.set_axis_off()
plt.show()

# %% tags=["check"]
for row, column in pixels.values():
    assert cut(row, column).shape == (WINDOW, WINDOW, 3)
    assert (cut(row, column)[radius, radius] == image[row, column]).all()
assert (cut(0, 0)[radius - 1, radius - 1] == image[1, 1]).all()

# %% [markdown]
# ## Why the window is odd
#
# A window of 9 has four pixels on each side of the middle one. A window of 8 has no middle: its
# centre is the point where four pixels meet, and whichever of the four is chosen, the answers are
# shifted by half a pixel. The library refuses it.

# %%
try:
    build_patch_classifier(len(names), window=8)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Which windows to learn from
#
# The training images hold far more examples than we can use, and they are very unequal. If windows
# were drawn blindly, each class would come as often as it has pixels. So we count pixels; void
# pixels (255) have no class and are no examples.

# %%
TRAIN = 1000  # fast: 60

ids = folder.ids("train")[:TRAIN]
counts = np.zeros(len(names), int)
for id in ids:
    labels = folder.pair(id)[1]
    counts += np.bincount(labels[labels != 255], minlength=len(names))
shares = counts / counts.sum()

# %% alt="Horizontal bars, one for each class: the share of all training pixels. The bar of the background is many times as long as any other. A dashed vertical line marks the equal share, which all other bars stay below."
figure, ax = plt.subplots(figsize=(7, 1 + 0.3 * len(names)), layout="constrained")
bars = ax.barh(names, shares, color=BLUE)
ax.bar_label(bars, [f"{share:.1%}" for share in shares], padding=3)
ax.axvline(1 / len(names), color=VERMILLION, ls="--", label="equal shares")
ax.invert_yaxis()
ax.set(xlabel="share of windows, drawn blindly", xlim=(0, 1))
ax.legend(frameon=False)
plt.show()

# %% tags=["see"]
rarest = int(np.argmin(np.where(counts, shares, 1)))
print(
    f"Drawn blindly, {shares[0]:.0%} of all windows would be {names[0]}, and {shares[rarest]:.1%} "
    f"would be {names[rarest]}: about {256 * shares[rarest]:.0f} in a batch of 256. "
    f"Balanced, each class has {1 / len(names):.1%}, about {256 / len(names):.0f} windows."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert shares[0] > 0.5  # nearly all of a blind draw is background
    assert shares[1:].max() < 1 / len(names)

# %% [markdown]
# A network that sees background nearly all the time has a cheap way to a low loss: always say
# background. Cireşan et al. (2012), who labelled cell membranes in this way, drew as many windows
# of one class as of the other. `WindowDataset` does the same for any number of classes. For each
# window it draws first a class, each with the same probability; then an image that shows this
# class; then a pixel of this class in that image. That is **balanced sampling**.
#
# Of each image it takes only 64 windows an epoch. Neighbouring windows are almost the same example,
# so that all windows of an image would teach little more than some of them.

# %%
data = WindowDataset(folder, ids, window=WINDOW, size=SIZE, windows_per_image=64, seed=0)
windows, labels = data[0]
print("one batch:", windows.shape, labels.shape)
print("windows by class:", np.bincount(labels, minlength=len(names)))

# %% tags=["check"]
assert windows.shape == (256, WINDOW, WINDOW, 3) and labels.shape == (256,)
assert len(data) == max(1, len(ids) * 64 // 256)

# %% [markdown]
# Look at what the network will get, and try for yourself: could you name the classes?

# %% alt="A table of windows, each nine pixels wide: one row a class, eight windows in each. Most windows of object classes show a piece of a light area and of its edge; some are plain from border to border, and look the same in every row."
shown = [c for c in range(len(names)) if (labels == c).any()][:6]
figure, axes = plt.subplots(len(shown), 8, figsize=(8, 1.1 * len(shown)), layout="constrained")
for row, c in zip(axes, shown, strict=True):
    for ax in row:
        ax.set(xticks=[], yticks=[], frame_on=False)
    for ax, window in zip(row, windows[labels == c], strict=False):
        ax.imshow(window.astype("uint8"))
    row[0].set_ylabel(names[c], rotation=0, ha="right", va="center")
plt.show()

# %% [markdown]
# ## A classifier of windows
#
# The network is small. Its first layers are convolutions. A **convolution** lays a small kernel of
# weights on its input, multiplies each number below it, in all channels, by a weight, and adds the
# products and a bias: one number. Moved from place to place, the same kernel gives a map of such
# numbers; several kernels, called filters, give a map with as many channels. Negative numbers
# become zero (ReLU). The **stride** is how many pixels the kernel moves from one place to the next.
#
# Convolutions without padding ("valid") shrink the window: a kernel of $k \times k$ on a map of
# $n \times n$ fits at
#
# $$\left\lfloor \frac{n - k}{s} \right\rfloor + 1$$
#
# places in each direction, where $s$ is the stride. When the map is at most $4 \times 4$, it is
# flattened, and two dense layers name the class.

# %%
model = build_patch_classifier(len(names), window=WINDOW, filters=16)
for layer in model.layers:
    print(f"{layer.name:15}{layer.output.shape[1:]!s:14}{layer.count_params():6,} parameters")
print(f"{'together':29}{model.count_params():6,} parameters")

# %% [markdown]
# Read it from the top. `rescale` maps 0..255 to -1..1. `conv1` has a kernel of 3 and stride 1: 9
# pixels become 7 places. `conv2` has a kernel of 3 and stride 2: 7 places become 3. `flatten` makes
# one vector of the $3 \times 3 \times 16$ numbers; `hidden` and `logits` are dense layers. The last
# layer is a softmax, which turns the logits into a probability for each class.
#
# The output has no height and no width: one window, one answer.

# %% tags=["check"]
assert model.output_shape == (None, len(names))
assert model.get_layer("conv1").output.shape[1:3] == (7, 7)
assert model.get_layer("conv2").output.shape[1:3] == (3, 3)

# %% [markdown]
# ## Training
#
# From here on nothing is special to segmentation: examples, labels, cross-entropy. The learning
# rate begins at 0.003 and falls to zero along half a cosine. The data set shuffles by itself, from
# its own seed, so Keras need not.

# %%
EPOCHS = 2  # fast: 1

rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(data))
compile_model(model, rate)
history = model.fit(data, epochs=EPOCHS, shuffle=False, verbose=2)

# %% [markdown]
# The metric is the mean IoU over the windows of the training, which are balanced and from which the
# network learns. It says nothing yet about whole images.
#
# First the three windows from above, with the likeliest classes that the network names for each.

# %%
batch = np.stack([cut(*pixel) for pixel in pixels.values()]).astype("float32")
for letter, probabilities in zip(pixels, model.predict(batch, verbose=0), strict=True):
    best = np.argsort(probabilities)[::-1][:3]
    answers = ", ".join(f"{names[c]} {probabilities[c]:.2f}" for c in best)
    print(f"{letter} is {called[mask[pixels[letter]]]}; the network says: {answers}")

# %% [markdown]
# ## Sliding over an image
#
# Now all of them. `sliding_window` does what its name says: it pads the image by reflection, cuts a
# window around every pixel, and has the classifier name them, 256 at a time. The result has the
# image's height and width, and a probability for each class.

# %%
probabilities = sliding_window(model, images[2], progress=False)
print(probabilities.shape)

# %% tags=["check"]
assert probabilities.shape == (SIZE, SIZE, len(names))
by_hand = model.predict(batch, verbose=0)
for answer, pixel in zip(by_hand, pixels.values(), strict=True):
    np.testing.assert_allclose(probabilities[pixel], answer, atol=1e-4)

# %% alt="A row of grey maps, the first being the image, then one map for each class: the lighter, the likelier is the class at this pixel. The object stands out from the background clearly; among the object classes several are grey or white in different parts of one and the same object."
maps = np.argsort(-probabilities.max(axis=(0, 1)))[:5]
figure, axes = plt.subplots(1, 1 + len(maps), figsize=(10, 2.2), layout="constrained")
axes[0].imshow(image)
axes[0].set_title("image", fontsize=10)
for ax, c in zip(axes[1:], sorted(maps), strict=True):
    picture = ax.imshow(probabilities[..., c], cmap="gray", vmin=0, vmax=1)
    ax.set_title(names[c], fontsize=10)
for ax in axes:
    ax.set(xticks=[], yticks=[])
figure.colorbar(picture, ax=axes, shrink=0.7, label="probability")
plt.show()

# %% [markdown]
# The label map takes the largest probability at each pixel. We label all the images that we judge
# by, and measure the time.

# %%
start = time.perf_counter()
predictions = [sliding_window(model, image, progress=False).argmax(axis=-1) for image in images]
seconds = time.perf_counter() - start
predictions = np.stack(predictions)  # (JUDGED, SIZE, SIZE)

# %% alt="Four rows: an image, its true label map, the predicted one, and the errors. The objects are found with their outlines, but one object may be cut into areas of different classes: most of the inside of the large square is wrong, its rim is mostly right. In one image some stripes of the background are taken for objects."
rows = slice(0, 4)
plot_predictions(images[rows].astype("uint8"), masks[rows], predictions[rows], folder.classes)

# %% [markdown]
# Judged by the mean IoU: for each class, of all pixels that are of it or are labelled so, the share
# that is both; then the mean over the classes. Beside it a simpler question, *object or
# background*, for which all object classes count as one. For this second number nothing is trained
# anew; the same label maps are read more coarsely.

# %%
confusion = sum(
    confusion_matrix(mask, labels, len(names))
    for mask, labels in zip(masks, predictions, strict=True)
)
iou = iou_from_confusion(confusion)
coarse = np.array(
    [
        [confusion[0, 0], confusion[0, 1:].sum()],
        [confusion[1:, 0].sum(), confusion[1:, 1:].sum()],
    ]
)
object_iou = iou_from_confusion(coarse)[1]
for name, value in zip(names, iou, strict=True):
    print(f"{name:12} {value:.2f}")

# %% tags=["see"]
print(
    f"On these {len(images)} images the mean IoU is {np.nanmean(iou):.2f}. For *object or "
    f"background* the IoU of the object is {object_iou:.2f}; the mean over the classes of "
    f"objects, each for itself, is only {np.nanmean(iou[1:]):.2f}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert object_iou > np.nanmean(iou[1:]) + 0.2  # it knows that, and often not which

# %% [markdown]
# So the network knows *that* there is an object. *Which* one, it often does not know. Why?
#
# ## What nine pixels can know
#
# The window is all that the network gets: nothing outside of it can have any influence on the
# answer. This part of the image is called the **receptive field** of the output.
#
# Our objects differ by their outlines alone. A pixel whose distance to the outline is more than the
# radius of the window has no outline in its window. There the window shows a plain light area, and
# such windows are the same for a disc and for a square; no training, and no larger number of
# filters, can tell them apart. If that is right, errors should depend on the depth of a pixel, that
# is on its distance to the nearest pixel of something else.
#
# (In photographs, colour and texture are evidence, too. But a window full of brown fur is a cow as
# well as a dog.)
#
# The distance that suits a square window counts a diagonal step as one, as the king moves in chess.


# %%
def depths(mask):
    """The distance of each object pixel to the nearest pixel of another label; 0 elsewhere."""
    result = np.zeros(mask.shape, int)
    for label in np.unique(mask[(mask > 0) & (mask != 255)]):
        here = (mask == label).astype("uint8")
        result += cv2.distanceTransform(here, cv2.DIST_C, 3).astype(int)
    return result


depth = np.stack([depths(mask) for mask in masks])  # (JUDGED, SIZE, SIZE)
deep = depth > radius  # the window lies wholly inside of an object
near = (depth > 0) & ~deep

# %% alt="Left: a line with round markers for object or background stays at the top at every depth. Lines for single classes, with other markers, begin between half and nine tenths near the contour. To the right of a dotted line, which marks the radius of the window, one of them rises to the top and the others fall to the bottom. Right: an image on which hatching marks the pixels deeper than the radius."
deepest = int(depth.max(axis=(1, 2)).argmax())
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9.5, 4), width_ratios=(3, 2), layout="constrained"
)
enough = [d for d in range(1, depth.max() + 1) if (depth == d).sum() >= 50]
found = [(predictions[depth == d] > 0).mean() for d in enough]
left.plot(enough, found, "o-", color="black", ms=9, mfc="white", label="object, whichever")
frequent = 1 + np.argsort(-confusion[1:].sum(axis=1))[:4]
styles = zip(frequent, "s^Dv", (BLUE, VERMILLION, "#009E73", "#CC79A7"), strict=False)
for c, marker, color in styles:
    at = [d for d in enough if ((depth == d) & (masks == c)).sum() >= 10]
    if not at:
        continue
    right_share = [(predictions[(depth == d) & (masks == c)] == c).mean() for d in at]
    left.plot(at, right_share, marker=marker, ls="--", color=color, label=names[c])
left.axvline(radius + 0.5, color="0.4", ls=":")
left.text(radius + 0.6, 0.5, "from here on\nno outline in\nthe window", fontsize=9, va="center")
left.set(xlabel="depth: distance to the contour in pixels", ylabel="share labelled right")
left.set(ylim=(-0.04, 1.04))
figure.legend(loc="outside lower left", ncols=5, frameon=False, fontsize=9)
right.imshow(images[deepest].astype("uint8"))
right.contourf(deep[deepest], levels=(0.5, 1.5), colors="none", hatches=["xx"])
right.contour(deep[deepest], levels=(0.5,), colors="black", linewidths=1.5)
right.set_title("hatched: windows without an outline", fontsize=10)
right.set_axis_off()
plt.show()

# %% [markdown]
# Near the contour the classes are told apart, not well, but better than by guessing: a piece of a
# straight edge, of a bend or of a corner is evidence. Deep inside, one class wins, whatever the
# object is. The confusion matrix of the deep pixels alone shows it: the rows are the true classes,
# and they all look the same.


# %% alt="A confusion matrix of the deep pixels. In every row that has pixels, nearly all of them are in one and the same column: whatever the object is, the prediction is the same class."
def mean_recall(counts):
    """The share labelled right, class by class, then the mean over the classes that occur."""
    total = counts.sum(axis=1)
    return np.mean(np.diag(counts)[total > 0] / total[total > 0])


of_deep = confusion_matrix(masks[deep], predictions[deep], len(names))
of_near = confusion_matrix(masks[near], predictions[near], len(names))
plot_confusion(of_deep, names)


# %% tags=["see"]
answer = int(of_deep.sum(axis=0).argmax())
present = int((of_deep.sum(axis=1) > 0).sum())
same = of_deep[:, answer].sum() / of_deep.sum()
found = 1 - of_deep[:, 0].sum() / of_deep.sum()
print(
    f"Of the pixels with no outline in their window {found:.1%} are labelled as some object. "
    f"{same:.0%} get the same class, {names[answer]}. As a mean over the true classes "
    f"{mean_recall(of_deep):.0%} are labelled right; always naming one of the {present} classes "
    f"that occur would give {1 / present:.0%}. Near the contour it is {mean_recall(of_near):.0%}."
)
accuracy = np.trace(of_deep) / of_deep.sum()
print(
    f"\nThe pixel accuracy of the deep pixels, {accuracy:.0%}, hides this: "
    f"{of_deep[answer].sum() / of_deep.sum():.0%} of them happen to be {names[answer]}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert found > 0.95
    assert same > 0.85
    assert mean_recall(of_deep) < 1 / present + 0.1
    assert mean_recall(of_near) > 0.4 and mean_recall(of_near) > mean_recall(of_deep) + 0.15

# %% [markdown]
# A larger window would see the outline from deeper inside. To see all of an object that fills half
# of the image, the window would have to be as large as the image. What would that cost?
#
# ## What it costs
#
# First the seconds of this run, then what they mean for a photograph. PASCAL VOC's images are
# typically $500 \times 375$ pixels, and each pixel is a window.

# %% tags=["see"]
each = seconds / predictions.size
photo = 500 * 375
print(
    f"In this run {len(images)} images of {SIZE} x {SIZE} pixels took {seconds:.1f} s: "
    f"{each * 1e6:.0f} microseconds a window. At this pace a photograph of 500 x 375 pixels, "
    f"{photo:,} windows, takes {photo * each:.0f} s, and 750 of them, as many as VOC 2009 has for "
    f"validation, {750 * photo * each / 3600:.1f} hours; with a window of 9 pixels, which is tiny."
)

# %% [markdown]
# Seconds depend on the machine and on what else it is doing. Multiplications do not, and they can
# be counted without running anything. A convolution multiplies, at each place that the kernel fits,
# once with each of its weights. So a layer has
#
# $$\text{places} \times \text{weights} = \text{side}^2 \times k^2 \, c_{\text{in}} \, c_{\text{out}}$$
#
# multiplications (the biases are added), where the side is that of the map that it puts out. A
# dense layer uses each weight once; it has one place.

# %%
one_window = {}
for layer in model.layers:
    if layer.weights:
        places = math.prod(layer.output.shape[1:-1])  # 7 * 7 for conv1, 1 for a dense layer
        weights = math.prod(layer.kernel.shape)
        one_window[layer.name] = places * weights
        print(f"{layer.name:8}{places:4} places x{weights:6,} = {places * weights:7,}")
total = sum(one_window.values())
print(f"one window: {total:,}; all {SIZE**2:,} windows of an image: {SIZE**2 * total:,}")

# %% tags=["check"]
if ROOT == SHAPES:
    assert one_window == {"conv1": 21168, "conv2": 20736, "hidden": 4608, "logits": 160}

# %% [markdown]
# ## The work that is done again
#
# Two neighbouring windows are almost the same window. If one lies a single column to the right of
# the other, they share $w (w - 1)$ of their $w^2$ pixels.

# %% alt="Three drawings of two squares of nine pixels, one with solid lines, one dashed. In the first the squares are one column apart and overlap almost wholly; in the second they are two rows and three columns apart; in the third they are nine columns apart and only touch. Above each: how many of the 81 pixels are shared."
figure, axes = plt.subplots(
    1, 3, figsize=(9, 3), width_ratios=[WINDOW + step + 1 for step in (1, 3, WINDOW)],
    layout="constrained",
)  # fmt: skip
for ax, (rows, columns) in zip(axes, [(0, 1), (2, 3), (0, WINDOW)], strict=True):
    covered = np.zeros((WINDOW + 2, WINDOW + columns), int)  # how many windows read each pixel
    covered[:WINDOW, :WINDOW] += 1
    covered[rows : rows + WINDOW, columns : columns + WINDOW] += 1
    covered = np.ma.masked_equal(covered, 0)
    ax.pcolormesh(covered, cmap="Blues", vmin=0, vmax=4, edgecolors="white", linewidth=0.5)
    ax.add_patch(Rectangle((0, 0), WINDOW, WINDOW, fill=False, ec=BLUE, lw=3))
    ax.add_patch(
        Rectangle((columns, rows), WINDOW, WINDOW, fill=False, ec=VERMILLION, lw=3, ls="--")
    )
    ax.set_title(f"{int((covered == 2).sum())} of {WINDOW**2} shared", fontsize=10)
    ax.set(aspect="equal", xlim=(-0.5, WINDOW + columns + 0.5), ylim=(WINDOW + 2.5, -0.5))
    ax.set_axis_off()
plt.show()

# %% [markdown]
# Sharing pixels is sharing work. What `conv1` computes at a place depends on the $3 \times 3$
# pixels below the kernel, not on the window that asks. So the maps of two neighbouring windows
# should hold the same numbers, moved by one column. We look at the maps themselves: those of a
# window in the middle of the image, of the window one column to the right, and of the one two
# columns to the right.

# %%
inside = keras.Model(model.input, [model.get_layer(name).output for name in ("conv1", "conv2")])
row, column = SIZE // 2, SIZE // 2
batch = np.stack([cut(row, column + step) for step in (0, 1, 2)]).astype("float32")
conv1, conv2 = (np.asarray(maps) for maps in inside.predict(batch, verbose=0))
print("conv1, one column apart: ", np.abs(conv1[0][:, 1:] - conv1[1][:, :-1]).max())
print("conv2, one column apart: ", np.abs(conv2[0][:, 1:] - conv2[1][:, :-1]).max())
print("conv2, two columns apart:", np.abs(conv2[0][:, 1:] - conv2[2][:, :-1]).max())

# %% tags=["check"]
assert np.abs(conv1[0][:, 1:] - conv1[1][:, :-1]).max() < 1e-4
assert np.abs(conv2[0][:, 1:] - conv2[2][:, :-1]).max() < 1e-4

# %% tags=["claim"]
if ROOT == SHAPES:
    assert np.abs(conv2[0][:, 1:] - conv2[1][:, :-1]).max() > 1e-2

# %% [markdown]
# `conv1` computes the same numbers for both windows, up to rounding: six of its seven columns are
# done again. For `conv2`, whose stride is 2, the window one column to the right reads other places
# than the first; with the window two columns to the right it has two of its three columns in
# common.
#
# So how much work is there, if each number is computed once and kept? For each layer, count the
# different places that all windows together ask for:
#
# - A window asks for places that are as far apart as the strides so far say, that of the layer
#   itself included: $j = 1$ pixel in the map of `conv1`, $j = 2$ in that of `conv2`. A map of $m$
#   places in each direction spans $(m - 1) j$ pixels and one place.
# - The windows begin at $N$ rows, one after the other, and fill the gaps that the stride leaves.
#   Together they ask for $N + (m - 1) j$ rows, and for as many columns.
#
# For `conv1` these are $40 + 6$, for `conv2` $40 + 2 \cdot 2$, for the dense layers, with one place
# a window, $40$.


# %%
def count(model, height, width):
    """Multiplications of each layer: window by window, and with every place computed once."""
    separate, shared, apart = {}, {}, 1
    for layer in model.layers:
        if layer.weights:
            weights, side = math.prod(layer.kernel.shape), 1
            if isinstance(layer, keras.layers.Conv2D):
                side, apart = layer.output.shape[1], apart * layer.strides[0]
            more = (side - 1) * apart
            separate[layer.name] = height * width * side**2 * weights
            shared[layer.name] = (height + more) * (width + more) * weights
    return separate, shared


separate, shared = count(model, SIZE, SIZE)
for name in separate:
    print(f"{name:8}{separate[name]:14,} {shared[name]:14,}")
print(f"together{sum(separate.values()):14,} {sum(shared.values()):14,}")

# %% tags=["check"]
assert separate == {name: SIZE**2 * number for name, number in one_window.items()}
for name, side, apart in (("conv1", 7, 1), ("conv2", 3, 2)):
    rows = {start + place * apart for start in range(SIZE) for place in range(side)}
    weights = math.prod(model.get_layer(name).kernel.shape)
    assert shared[name] == len(rows) ** 2 * weights

# %% [markdown]
# And with larger windows? The same count for classifiers of other windows, on one photograph of
# $500 \times 375$ pixels. They need not be trained to be counted.

# %%
SIDES = 9, 17, 33, 65
table = []
for side in SIDES:
    larger = build_patch_classifier(len(names), window=side, filters=16)
    table.append([sum(numbers.values()) for numbers in count(larger, 375, 500)])
table = np.array(table)  # (4, 2)
for side, (slow, fast) in zip(SIDES, table, strict=True):
    print(f"window {side:2}: {slow / 1e9:7.1f} billion, shared {fast / 1e9:5.1f}")

# %% alt="Left: for each layer two bars, window by window and shared. For the two convolutions the first bar is many times as long as the second; for the dense layers both are equal. Right: multiplications for one photograph over the size of the window, on logarithmic axes. The line of window by window rises steeply, that of shared work slowly."
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
place = np.arange(len(separate))
for shift, numbers, color, hatch, label in (
    (-0.2, separate, VERMILLION, "//", "window by window"),
    (0.2, shared, BLUE, "", "each place once"),
):
    millions = [number / 1e6 for number in numbers.values()]
    bars = left.barh(
        place + shift, millions, 0.38, color=color, hatch=hatch, ec="white", label=label
    )
    left.bar_label(bars, [f"{number:.1f}" for number in millions], padding=3, fontsize=9)
left.set_yticks(place, separate)
left.invert_yaxis()
left.margins(x=0.15)
left.set_title(f"window {WINDOW}, one image of {SIZE} x {SIZE}", fontsize=10)
left.set_xlabel("million multiplications")
left.legend(frameon=False)
right.loglog(SIDES, table[:, 0] / 1e9, "s--", color=VERMILLION, label="window by window")
right.loglog(SIDES, table[:, 1] / 1e9, "o-", color=BLUE, label="each place once")
right.set_ylim(bottom=1)
right.set_xticks(SIDES, SIDES)
right.minorticks_off()
right.set_title("one photograph of 500 x 375", fontsize=10)
right.set(xlabel="window in pixels", ylabel="billion multiplications")
right.legend(frameon=False)
plt.show()

# %% tags=["see"]
ratio = sum(separate.values()) / sum(shared.values())
ratios = table[:, 0] / table[:, 1]
print(
    f"For one image of {SIZE} x {SIZE} the sliding window multiplies "
    f"{sum(separate.values()) / 1e6:.1f} million times; {sum(shared.values()) / 1e6:.1f} million "
    f"would be enough, {ratio:.1f} times fewer. On a photograph it is {ratios[0]:.1f} times with a "
    f"window of {SIDES[0]}, and {ratios[-1]:.0f} times with one of {SIDES[-1]}."
)

# %% tags=["check"]
assert (np.diff(ratios) > 0).all()  # the larger the window, the more is done again
assert table[-1, 0] / table[0, 0] > 10 * table[-1, 1] / table[0, 1]

# %% [markdown]
# The dense layers have nothing to share: their one place is the window itself. What is done again
# is the convolutions, and the larger the window, the more of it. That is the dilemma of the sliding
# window: it has to be large to know what it looks at, and large windows are what it can least
# afford.
#
# But the count also shows the way out. Shared, the work grows slowly with the window. What has to
# be found is an order of computation that does every place once, and gives the same answer at every
# pixel. It exists, it needs no new training, and it is [chapter 3](03_one_pass.md).
#
# ## Summary
#
# 1. One image of $N \times N$ pixels is $N^2$ examples: a window, with the class of its central
#    pixel.
# 2. The window is odd, so that it has a middle; at the border it sees the image's reflection.
# 3. Windows are drawn with equal probability for each class, or most of them would be background.
# 4. A window knows what is in it and nothing else: deep inside of a large object one class looks
#    like another.
# 5. Neighbouring windows overlap almost wholly, and the sliding window does the common work again
#    for each of them, the more so the larger the window is.
#
# ## Further reading
#
# - Dan Cireşan, Alessandro Giusti, Luca Gambardella and Jürgen Schmidhuber, "Deep Neural Networks
#   Segment Neuronal Membranes in Electron Microscopy Images", NIPS 2012. The sliding window with a
#   deep network.
# - Clément Farabet, Camille Couprie, Laurent Najman and Yann LeCun, "Learning Hierarchical Features
#   for Scene Labeling", IEEE TPAMI 2013, <https://doi.org/10.1109/TPAMI.2012.231>. Windows at
#   several scales, to see more of the image.
# - Pierre Sermanet, David Eigen, Xiang Zhang, Michaël Mathieu, Rob Fergus and Yann LeCun,
#   "OverFeat: Integrated Recognition, Localization and Detection using Convolutional Networks",
#   ICLR 2014, <https://arxiv.org/abs/1312.6229>. On sharing the work of overlapping windows.
# - Olaf Ronneberger, Philipp Fischer and Thomas Brox, "U-Net: Convolutional Networks for Biomedical
#   Image Segmentation", MICCAI 2015, <https://arxiv.org/abs/1505.04597>. Its introduction names
#   both drawbacks of the sliding window that you have measured here.
#
# ## Exercises
#
# ### 1. Cut a window out of an image
#
# Cut the window around any pixel, reflected at the border: the step on which everything here rests.
# Complete `tutorials/exercises/extract_window.py`, then run
# `python tutorials/check.py extract_window`.
#
# ### 2. Draw all classes equally
#
# Give each pixel of a mask the probability with which it has to be drawn, so that every class is as
# likely as any other and void is never drawn.
# Complete `tutorials/exercises/sampling_weights.py`, then run
# `python tutorials/check.py sampling_weights`.
#
# ### 3. Count the multiplications
#
# Count the multiplications of any such network from its list of layers, as the chapter does for
# one.
# Complete `tutorials/exercises/count_multiplications.py`, then run
# `python tutorials/check.py count_multiplications`.
#
# ### 4. What two windows share
#
# Compute the share of the pixels that two windows have in common, whichever way they are shifted.
# Complete `tutorials/exercises/shared_work.py`, then run `python tutorials/check.py shared_work`.
