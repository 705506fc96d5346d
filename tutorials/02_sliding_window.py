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
# - count the multiplications of a network, and say how many of them are repeated.
#
# **Time:** about an hour of reading and half an hour for the exercises. The code runs in about half
# a minute on two cores.
# **Prerequisite:** [chapter 1](01_pixels_and_masks.md).

# %%
import inspect
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
from voc_seg.plots import (
    BLUE,
    VERMILLION,
    colorize,
    plot_confusion,
    plot_predictions,
)
from voc_seg.scoreboard import add_row, format_rows

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
names = list(folder.classes)
called = dict(enumerate(names)) | {255: "void"}
keras.utils.set_random_seed(0)

# %% [markdown]
# The line with `ROOT` says which data the chapter works on. Change it, and the chapter runs on
# photographs.
#
# ## One image is N² examples
#
# Chapter 1 left us with a task: name the class of every pixel. The networks you know answer a
# different question. They take an image and name one class.
#
# The first idea that worked was not to change the network but the question. Take one pixel, cut a
# square **window** out of the image with the pixel in its middle, and ask: *what is the pixel in the
# middle of this window?* That is a classification like any other. An image of $N \times N$ pixels
# becomes $N^2$ examples, and labelling an image means classifying $N^2$ windows.
#
# Let's take some validation images to look at and to judge by.

# %%
JUDGED = 50  # fast: 4
WINDOW = 9

ids = folder.ids("val")[:JUDGED]
judged = SegmentationDataset(folder, ids, SIZE, batch_size=JUDGED)
images, masks = judged[0]
print("images, height, width, RGB:", images.shape)
print("masks, height, width:      ", masks.shape)

# %% [markdown]
# At the border, the window hangs over the edge of the image. We have to fill it with something, and
# the network will see whatever we choose. Black would look like an edge that isn't there. The common
# choice is the **reflection** of the image at its border. It continues colours and textures, and
# claims nothing new. NumPy has it as `pad(mode="reflect")`: the border pixel is the mirror and isn't
# repeated.
#
# A window of $w$ pixels has the **radius** $r = (w - 1) / 2$. We pad the image by $r$ pixels on each
# side. This moves the pixel $(i, j)$ to $(i + r, j + r)$, so the window around it begins at row $i$
# and column $j$ of the padded image.

# %%
image, mask = images[2].astype("uint8"), masks[2]
radius = WINDOW // 2
sides = [(radius, radius), (radius, radius), (0, 0)]
padded = np.pad(image, sides, mode="reflect")


def cut(row, column):
    """The window around a pixel: (WINDOW, WINDOW, 3)."""
    return padded[row : row + WINDOW, column : column + WINDOW]


pixels = {"A": (0, 0), "B": (22, 11), "C": (30, 23)}  # (row, column)
for letter, pixel in pixels.items():
    print(f"{letter}: pixel {pixel} is {called[mask[pixel]]}")

# %% [markdown]
# Here are three windows of this image. A surrounds the pixel in the corner and is mostly reflection.
# B sits deep inside an object, C at its right edge. The small frame in each window is the pixel that
# the question is about.
#
# ??? question "Cover the titles. What would you say the framed pixel is, in A, B and C?"
#
#     A is easy: dark and striped, so background. C shows an edge: it must be an object, but which?
#     B is plain from border to border. It could be the inside of any large object.

# %% tags=["figure"] alt="Left: an image with a padded margin; a dotted line marks where the image itself ends. Three squares lie on it: A over the top left corner, half in the margin; B on an object; C at an object's right edge. Right: the three windows enlarged, nine pixels wide, each with a frame around its central pixel. The margin of A mirrors what is inside the image."
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
# centre is the point where four pixels meet. Whichever of the four you choose, all answers are
# shifted by half a pixel. The library refuses it.

# %%
try:
    build_patch_classifier(len(names), window=8)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Which windows to learn from
#
# The training images hold far more windows than we can use, and they are very unequal. If we drew
# windows blindly, each class would turn up in proportion to its pixels. So let's count pixels. Void
# pixels (255) have no class, so they are not examples.

# %%
TRAIN = 1000  # fast: 60

ids = folder.ids("train")[:TRAIN]
counts = np.zeros(len(names), int)
for id in ids:
    labels = folder.pair(id)[1]
    counts += np.bincount(labels[labels != 255], minlength=len(names))
shares = counts / counts.sum()
for name, share in zip(names, shares, strict=True):
    print(f"{name:12} {share:6.1%}, {256 * share:3.0f} of 256 windows")

# %% tags=["figure"] alt="Horizontal bars, one for each class: the share of all training pixels. The bar of the background is many times as long as any other. A dashed vertical line marks the equal share, which all other bars stay below."
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
# background. Cireşan et al. (2012) labelled cell membranes in this way, and drew as many windows of
# one class as of the other. `WindowDataset` does the same for any number of classes. For each window
# it first draws a class, each with the same probability; then an image that shows this class; then a
# pixel of this class in that image. That is **balanced sampling**.
#
# It takes only about 64 windows per image and epoch, 64,000 in all. Neighbouring windows are almost
# the same example, so all the windows of an image would teach little more than some of them.

# %%
data = WindowDataset(
    folder, ids, window=WINDOW, size=SIZE, windows_per_image=64, seed=0,
)  # fmt: skip
windows, labels = data[0]
print("one batch:", windows.shape, labels.shape)
print("windows by class:", np.bincount(labels, minlength=len(names)))

# %% tags=["check"]
assert windows.shape == (256, WINDOW, WINDOW, 3) and labels.shape == (256,)
assert len(data) == max(1, len(ids) * 64 // 256)

# %% [markdown]
# This is what the network will get. Try it yourself: could you name the classes if the labels on the
# left were covered?

# %% tags=["figure"] alt="A table of windows, each nine pixels wide: one row a class, eight windows in each. Most windows of object classes show a piece of a light area and of its edge; some are plain from border to border, and look the same in every row."
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
# The network is small. It begins with convolutions. A **convolution** moves a small kernel of
# weights over its input. At each position it multiplies the numbers below the kernel by the weights,
# in all channels, and adds them up. That makes one number for each position: a **feature map**.
# Several kernels, called filters, make a map with several channels. Negative numbers become zero
# (ReLU). The **stride** is how many pixels the kernel moves from one position to the next.
#
# These convolutions have no padding ("valid"), so the map shrinks. A kernel of $k \times k$ with
# stride $s$, on a map of $n \times n$, fits at
#
# $$\left\lfloor \frac{n - k}{s} \right\rfloor + 1$$
#
# positions in each direction. On 9 pixels, a kernel of 3 with stride 1 fits at 7 positions. On the
# map of 7 that results, a kernel of 3 with stride 2 fits at 3 positions: 0, 2 and 4. Stride 2
# halves the map, so even a large window needs few layers.
#
# When the map is at most $4 \times 4$, it is flattened to one vector, and two **fully connected
# layers** name the class. In such a layer each output is a weighted sum of *all* inputs. Keras calls
# it `Dense`. We keep the word *dense* for something else, which comes in chapter 3.
#
# Here is the code that builds the network:

# %% tags=["source"]
print(inspect.getsource(build_patch_classifier))

# %% [markdown]
# And this is what it builds for a window of 9:

# %%
model = build_patch_classifier(len(names), window=WINDOW, filters=16)
for layer in model.layers:
    shape = str(layer.output.shape[1:])
    print(f"{layer.name:15}{shape:14}{layer.count_params():6,} parameters")
print(f"{'together':29}{model.count_params():6,} parameters")

# %% [markdown]
# Read it from the top. `rescale` maps 0..255 to -1..1. `conv1` has a kernel of 3 and stride 1: 9
# pixels become 7 positions. `conv2` has a kernel of 3 and stride 2: 7 positions become 3. `flatten`
# makes one vector of the $3 \times 3 \times 16$ numbers. `hidden` and `logits` are the fully
# connected layers. The last layer is a softmax, which turns the logits into a probability for each
# class.
#
# The output has no height and no width: one window, one answer.

# %% tags=["check"]
assert model.output_shape == (None, len(names))
assert model.get_layer("conv1").output.shape[1:3] == (7, 7)
assert model.get_layer("conv2").output.shape[1:3] == (3, 3)

# %% [markdown]
# ## Training
#
# From here on there is nothing special about segmentation: examples, labels, cross-entropy. The
# learning rate begins at 0.003 and falls to zero along half a cosine. Large steps get us close
# quickly, and small ones at the end let the weights settle. `shuffle=False` is for Keras: the data
# set already draws its windows at random.

# %%
EPOCHS = 2  # fast: 1

rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(data))
compile_model(model, rate)
history = model.fit(data, epochs=EPOCHS, shuffle=False, verbose=2)

# %% [markdown]
# The mean IoU in this log is over the training windows, which are balanced, while the network is
# still learning. It doesn't tell us anything about whole images yet.
#
# Let's start with our three windows. What does the network think they are?
#
# ??? question "Guess first: how sure will it be about A, B and C?"
#
#     Of A it should be certain: background. C shows an edge, so it is an object, but a piece of
#     edge leaves the class open. B shows no edge at all: the network can only say what plain
#     windows mostly are. Look at B's window above: would you have done better?

# %%
batch = np.stack([cut(*pixel) for pixel in pixels.values()])
answers = model.predict(batch.astype("float32"), verbose=0)  # (3, classes)
for letter, probabilities in zip(pixels, answers, strict=True):
    truth = called[mask[pixels[letter]]]
    best = np.argsort(probabilities)[::-1][:3]
    guess = ", ".join(f"{names[c]} {probabilities[c]:.2f}" for c in best)
    print(f"{letter} is {truth}; the network says: {guess}")

# %% [markdown]
# It does what a person would do with B: it names the class that plain windows come from most often,
# without being sure.
#
# ## Sliding over an image
#
# Now all of them. `sliding_window` does what its name says. It pads the image by reflection, cuts a
# window around every pixel, and lets the classifier name them, 256 at a time. The result has the
# image's height and width, and a probability for each class.

# %% tags=["source"]
print(inspect.getsource(sliding_window))

# %%
probabilities = sliding_window(model, images[2], progress=False)
print(probabilities.shape)

# %% tags=["check"]
assert probabilities.shape == (SIZE, SIZE, len(names))
by_hand = model.predict(batch, verbose=0)
for answer, pixel in zip(by_hand, pixels.values(), strict=True):
    np.testing.assert_allclose(probabilities[pixel], answer, atol=1e-4)

# %% tags=["figure"] alt="A row of grey maps, the first being the image, then one map for each class: the lighter, the likelier is the class at this pixel. The object stands out from the background clearly; among the object classes several are grey or white in different parts of one and the same object."
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
# The label map takes the class with the largest probability at each pixel. We label all the images
# that we judge by, and measure the time.

# %%
start = time.perf_counter()
predictions = np.stack(
    [
        sliding_window(model, image, progress=False).argmax(axis=-1)
        for image in images
    ]
)  # fmt: skip
seconds = time.perf_counter() - start
print(predictions.shape, "labels")

# %% tags=["figure"] alt="Four rows: an image, its true label map, the predicted one, and the errors. The objects are found with their outlines, but one object may be cut into areas of different classes: most of the inside of the large square is wrong, its rim is mostly right. In one image some stripes of the background are taken for objects."
rows = slice(0, 4)
plot_predictions(images[rows].astype("uint8"), masks[rows], predictions[rows], folder.classes)

# %% [markdown]
# In the last column, the errors have the colour of the wrong class; where the answer is right you see
# the image in grey.
#
# Now do it yourself. On the site, the next figure runs the network that we have just trained.
#
# ??? question "Where will the answer change most if you move the window by a single pixel?"
#
#     Where an edge enters or leaves the window: all round the contours. Deep inside the large
#     square, window after window looks the same, and so does the answer, right or wrong.

# %% tags=["figure"] live="window" caption="Drag the window, or move it with the arrow keys. The network sees only the window, and names only the pixel in its middle. Then classify every window, and the answers become the label map." alt="Three panels: an image with a square window on it; the window enlarged, with a frame around its middle pixel; and the label map, in which each pixel has the colour of its class."
row, column = pixels["C"]
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(image)
corner = column - radius - 0.5, row - radius - 0.5
axes[0].add_patch(Rectangle(corner, WINDOW, WINDOW, fill=False, ec="white", lw=2))
axes[0].set_title("the image with a window", fontsize=10)
axes[1].imshow(cut(row, column))
axes[1].add_patch(Rectangle((radius - 0.5, radius - 0.5), 1, 1, fill=False, ec="black", lw=4))
axes[1].add_patch(Rectangle((radius - 0.5, radius - 0.5), 1, 1, fill=False, ec="white", lw=2))
axes[1].set_title("what the network sees", fontsize=10)
axes[2].imshow(colorize(predictions[2], folder.classes))
axes[2].set_title(f"the label map: here {names[predictions[2][row, column]]}", fontsize=10)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% tags=["live"]
live = {
    "model": model,
    "window": WINDOW,
    "images": images[:4].astype("uint8"),
    "masks": masks[:4].astype("uint8"),
    "names": names,
    "values": list(folder.classes.values()),
    "starts": [(10, 35), (20, 20), pixels["C"], (20, 20)],
}

# %% [markdown]
# We judge by the mean IoU: for each class, the overlap between the true and the predicted pixels,
# divided by everything either of them covers; then the mean over the classes. Next to it we ask a
# simpler question, *object or background*. We don't retrain for this; we just merge all object
# classes into one before scoring.
#
# ??? question "Which will be higher, the IoU of 'object', or the mean IoU of the object classes?"
#
#     The IoU of 'object'. It forgives every wrong name. The difference between the two numbers tells
#     you how often the network finds an object and then names it wrongly.

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
print(f"mean IoU             {np.nanmean(iou):.2f}")
print(f"mean of the objects  {np.nanmean(iou[1:]):.2f}")
print(f"all objects as one   {object_iou:.2f}")

# %% tags=["see"]
print(
    f"On these {len(images)} images the mean IoU is {np.nanmean(iou):.2f}. With all objects "
    f"merged into one class, the IoU of that class is {object_iou:.2f}. The mean over the single "
    f"object classes is only {np.nanmean(iou[1:]):.2f}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert object_iou > np.nanmean(iou[1:]) + 0.2  # it knows that, and often not which

# %% [markdown]
# So the network knows *that* there is an object. It often doesn't know *which* one. Why?
#
# ## What nine pixels can know
#
# The window is all that the network gets. Nothing outside of it can influence the answer. This part
# of the image is called the **receptive field** of the output.
#
# Our objects differ only in their outlines. A pixel that is further from the outline than the radius
# has no outline in its window. The window shows a plain light area, and it looks the same in a disc
# and in a square. No training and no larger number of filters can tell them apart. If that is right,
# errors should depend on the *depth* of a pixel, its distance to the nearest pixel of something else.
#
# (In photographs, colour and texture are evidence as well. But a window full of brown fur can be a
# cow or a dog.)
#
# Since our window is square, we count a diagonal step as one, like a king's move in chess.


# %%
def depths(mask):
    """Distance of each object pixel to another label; 0 elsewhere."""
    result = np.zeros(mask.shape, int)
    for label in np.unique(mask[(mask > 0) & (mask != 255)]):
        here = (mask == label).astype("uint8")
        result += cv2.distanceTransform(here, cv2.DIST_C, 3).astype(int)
    return result


depth = np.stack([depths(mask) for mask in masks])  # (JUDGED, SIZE, SIZE)
deep = depth > radius  # the window lies wholly inside an object
near = (depth > 0) & ~deep

# %% [markdown]
# Next we plot, for each depth, the share of the pixels that are labelled right: one curve for
# *object or background*, and one for each class.
#
# ??? question "What will the curves look like to the right of depth 4, the radius?"
#
#     *Object or background* should stay easy, since a plain light window is clearly an object. The
#     class should become a pure guess. A guess is always the same class, so one curve goes up to 1
#     and the others fall to 0.

# %% tags=["figure"] alt="Left: a line with round markers for object or background stays at the top at every depth. Lines for single classes, with other markers, begin between half and nine tenths near the contour. To the right of a dotted line, which marks the radius of the window, one of them rises to the top and the others fall to the bottom. Right: an image on which hatching marks the pixels deeper than the radius."
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
# Near the contour the network can tell the classes apart, not well, but better than by guessing: a
# piece of a straight edge, of a bend or of a corner is evidence. Deep inside, one class wins,
# whatever the object is.
#
# Why that class? We balanced the *classes*, but not the depths. Let's see how much of each class is
# deep:

# %%
for c, name in enumerate(names[1:], start=1):
    if (masks == c).any():
        share = deep[masks == c].mean()
        print(f"{name:12} {share:4.0%} of its pixels are deep")

# %% [markdown]
# So the same number of windows from each class does not mean the same number of *plain* windows
# from each class. Among the plain windows, the class with the largest deep part is the most
# frequent. Balancing the classes doesn't change that.
#
# (The dotted line is not quite sharp. At depth 5 the contour is one pixel outside the window, but it
# still tints the pixels next to it a little, and these are in the window.)
#
# The confusion matrix of the deep pixels shows it once more. The rows are the true classes, and they
# all look the same.


# %%
def mean_recall(counts):
    """The share labelled right in each class, then the mean."""
    total = counts.sum(axis=1)
    return np.mean(np.diag(counts)[total > 0] / total[total > 0])


of_deep = confusion_matrix(masks[deep], predictions[deep], len(names))
of_near = confusion_matrix(masks[near], predictions[near], len(names))
answer = int(of_deep.sum(axis=0).argmax())
same = of_deep[:, answer].sum() / of_deep.sum()
present = int((of_deep.sum(axis=1) > 0).sum())
print(f"deep: {same:.0%} of the pixels are called {names[answer]}")
print(f"deep: {mean_recall(of_deep):.0%} right, as a mean over classes")
print(f"near: {mean_recall(of_near):.0%} right")

# %% tags=["figure"] alt="A confusion matrix of the deep pixels. In every row that has pixels, nearly all of them are in one and the same column: whatever the object is, the prediction is the same class."
plot_confusion(of_deep, names)

# %% tags=["see"]
found = 1 - of_deep[:, 0].sum() / of_deep.sum()
print(
    f"Of the pixels with no outline in their window, {same:.0%} are called {names[answer]}. As a "
    f"mean over the {present} classes that occur there, {mean_recall(of_deep):.0%} are right: as "
    f"good as a guess, {1 / present:.0%}. Near the contour it is {mean_recall(of_near):.0%}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert found > 0.95
    assert same > 0.85
    assert mean_recall(of_deep) < 1 / present + 0.1
    assert mean_recall(of_near) > 0.4 and mean_recall(of_near) > mean_recall(of_deep) + 0.15

# %% [markdown]
# A larger window would see the outline from deeper inside. To see all of an object that fills half of
# the image, the window would have to be as large as the image. What would that cost?
#
# ## What it costs
#
# Seconds depend on the machine and on what else it is doing. Multiplications don't, and we can count
# them without running anything. At each position, a convolution multiplies once with each of its
# weights. So a layer has
#
# $$\text{positions} \times \text{weights} = \text{side}^2 \times k^2 \, c_{\text{in}} \, c_{\text{out}}$$
#
# multiplications (biases are added, not multiplied). The side is that of the map that the layer puts
# out. A fully connected layer uses each weight once; it has one position.

# %%
one_window = {}
for layer in model.layers:
    if layer.weights:
        # 7 * 7 for conv1, 1 for a fully connected layer
        positions = math.prod(layer.output.shape[1:-1])
        weights = math.prod(layer.kernel.shape)
        one_window[layer.name] = positions * weights
        work = one_window[layer.name]
        print(f"{layer.name:7}{positions:3} positions", end="")
        print(f" x {weights:5,} weights = {work:6,}")
total = sum(one_window.values())
print(f"one window: {total:,}")
print(f"all {SIZE**2:,} windows of an image: {SIZE**2 * total:,}")

# %% tags=["check"]
if ROOT == SHAPES:
    assert one_window == {"conv1": 21168, "conv2": 20736, "hidden": 4608, "logits": 160}

# %% [markdown]
# ## The work that is repeated
#
# Two neighbouring windows are almost the same window. If one lies a single column to the right of the
# other, they share $w (w - 1)$ of their $w^2$ pixels.

# %% tags=["figure"] alt="Three drawings of two squares of nine pixels, one with solid lines, one dashed. In the first the squares are one column apart and overlap almost wholly; in the second they are two rows and three columns apart; in the third they are nine columns apart and only touch. Above each: how many of the 81 pixels are shared."
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
# Sharing pixels is sharing work. What `conv1` computes at a position depends on the $3 \times 3$
# pixels below the kernel, not on the window that asks. So the maps of two neighbouring windows should
# hold the same numbers, moved by one column. Let's check this with three windows: one in the middle of
# the image, the window one column to the right, and the window two columns to the right.
#
# ??? question "`conv2` has stride 2. Which of the two shifts will it survive?"
#
#     Two columns. With stride 2, the kernel of `conv2` starts at every second position of the map
#     below. A window one column further on starts at the positions in between.

# %%
convolutions = [model.get_layer(name) for name in ("conv1", "conv2")]
inside = keras.Model(model.input, [layer.output for layer in convolutions])
row, column = SIZE // 2, SIZE // 2
batch = np.stack([cut(row, column + shift) for shift in (0, 1, 2)])
conv1, conv2 = inside.predict(batch.astype("float32"), verbose=0)
differences = {
    "conv1, one column apart: ": conv1[0][:, 1:] - conv1[1][:, :-1],
    "conv2, one column apart: ": conv2[0][:, 1:] - conv2[1][:, :-1],
    "conv2, two columns apart:": conv2[0][:, 1:] - conv2[2][:, :-1],
}
for text, difference in differences.items():
    print(text, np.abs(difference).max())

# %% tags=["check"]
assert np.abs(conv1[0][:, 1:] - conv1[1][:, :-1]).max() < 1e-4
assert np.abs(conv2[0][:, 1:] - conv2[2][:, :-1]).max() < 1e-4

# %% tags=["claim"]
if ROOT == SHAPES:
    assert np.abs(conv2[0][:, 1:] - conv2[1][:, :-1]).max() > 1e-2

# %% [markdown]
# `conv1` computes the same numbers for both windows, up to rounding: six of its seven columns are
# repeated. `conv2` shares nothing with the window one column to the right, but two of its three
# columns with the window two columns to the right.
#
# So how much work is there if we compute each number once and keep it? Let's do what any student
# would do with a list: write down which positions each window asks for, and count the different ones.
# Along one axis, within one window, neighbouring entries of a map are $j$ pixels apart. This $j$ is
# the product of all strides up to and including that layer, and is called the **jump**: 1 for
# `conv1`, 2 for `conv2`.


# %%
def positions_asked_for(pixels, side, jump):
    """How many different positions the windows of a row need."""
    asked = set()
    for start in range(pixels):  # one window begins at each pixel
        asked |= {start + jump * i for i in range(side)}
    return len(asked)


def count(model, height, width):
    """Multiplications of each layer: repeated, and each value once."""
    separate, shared, jump = {}, {}, 1
    for layer in model.layers:
        if layer.weights:
            weights, side = math.prod(layer.kernel.shape), 1
            if isinstance(layer, keras.layers.Conv2D):
                side = layer.output.shape[1]
                jump = jump * layer.strides[0]
            separate[layer.name] = height * width * side**2 * weights
            rows = positions_asked_for(height, side, jump)
            columns = positions_asked_for(width, side, jump)
            shared[layer.name] = rows * columns * weights
    return separate, shared


separate, shared = count(model, SIZE, SIZE)
print("         window by window     each once")
for name in separate:
    print(f"{name:8}{separate[name]:17,} {shared[name]:13,}")
print(f"together{sum(separate.values()):17,} {sum(shared.values()):13,}")

# %% tags=["check"]
assert separate == {name: SIZE**2 * number for name, number in one_window.items()}
for name, side, jump in (("conv1", 7, 1), ("conv2", 3, 2)):
    weights = math.prod(model.get_layer(name).kernel.shape)
    assert shared[name] == (SIZE + (side - 1) * jump) ** 2 * weights

# %% [markdown]
# For `conv1` the windows of a row ask for $40 + 6$ positions, for `conv2` for $40 + 4$, and for the
# fully connected layers, with one position per window, for 40.
#
# And with larger windows? Let's count the same for a photograph of $500 \times 375$ pixels, the
# typical size in PASCAL VOC. We can count without training anything. The time is an estimate:
# we take the seconds for a window of 9 pixels, as measured above, and assume that they grow with
# the multiplications.
#
# ??? question "A window of 65 pixels has 52 times the area of a window of 9. What will it cost?"
#
#     More than 52 times as many multiplications, since larger windows also get more layers, and
#     these have more filters. The last line below says how many.

# %%
SIDES = 9, 17, 33, 65
table = []
for side in SIDES:
    larger = build_patch_classifier(len(names), window=side, filters=16)
    separate_, shared_ = count(larger, 375, 500)
    table.append([sum(separate_.values()), sum(shared_.values())])
table = np.array(table)  # (4, 2)

photo = 500 * 375 * seconds / predictions.size  # seconds for 9 pixels
for side, (slow, fast) in zip(SIDES, table, strict=True):
    estimate = photo * slow / table[0, 0]
    slow, fast = slow / 1e9, fast / 1e9
    print(f"window {side:2}: {slow:6.1f} billion, ", end="")
    print(f"each once {fast:3.1f}", end="")
    print(f" ({slow / fast:.1f} times fewer)")
    print(f"  {estimate:5.0f} s; 750 photos: {750 * estimate / 3600:5.1f} h")

# %% tags=["figure"] alt="Left: for each layer two bars, window by window and shared. For the two convolutions the first bar is many times as long as the second; for the fully connected layers both are equal. Right: multiplications for one photograph over the size of the window, on logarithmic axes. The line of window by window rises steeply, that of shared work slowly."
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
place = np.arange(len(separate))
for shift, numbers, color, hatch, label in (
    (-0.2, separate, VERMILLION, "//", "window by window"),
    (0.2, shared, BLUE, "", "each value once"),
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
right.loglog(SIDES, table[:, 1] / 1e9, "o-", color=BLUE, label="each value once")
right.set_ylim(bottom=1)
right.set_xticks(SIDES, SIDES)
right.minorticks_off()
right.set_title("one photograph of 500 x 375", fontsize=10)
right.set(xlabel="window in pixels", ylabel="billion multiplications")
right.legend(frameon=False)
plt.show()

# %% tags=["see"]
hours = 750 * photo * table[-1, 0] / table[0, 0] / 3600
ratios = table[:, 0] / table[:, 1]
print(
    f"With a window of 9 pixels a photograph of 500 x 375 takes about {photo:.0f} s here. But 9 "
    f"pixels of a photograph show next to nothing. With a window of {SIDES[-1]} it is "
    f"{table[-1, 0] / table[0, 0]:.0f} times as many multiplications. If the time grows with them, "
    f"the 750 validation images of VOC 2009 take {hours:.0f} hours. With every value computed once, "
    f"it would be {ratios[0]:.1f} times fewer multiplications with a window of {SIDES[0]}, and "
    f"{ratios[-1]:.0f} times fewer with one of {SIDES[-1]}."
)

# %% tags=["check"]
assert (np.diff(ratios) > 0).all()  # the larger the window, the more is done again
assert table[-1, 0] / table[0, 0] > 10 * table[-1, 1] / table[0, 1]

# %% [markdown]
# The fully connected layers have nothing to share: their one position is the window itself. It's the
# convolutions that get repeated, and the larger the window, the more repetition. That is the dilemma
# of the sliding window. It has to be large to know what it looks at, and large windows are what it can
# least afford.
#
# But the count also shows the way out. If windows share work, it grows slowly with their size. Can
# we arrange the computation so that every value is computed once, and still get the same answer at
# every pixel? We can, without retraining anything. That's [chapter 3](03_one_pass.md).
#
# ## The scoreboard
#
# From now on we keep the score. Each network of this course gets a row, always on the same 200
# validation images. The mean IoU and the IoU of each class come first. Then we count the wrong pixels,
# by kind. *Where* errors confuse object and background: an object pixel is called background, or
# background is called an object. *What* errors give an object pixel the name of another object
# class. The last two columns say what one image costs: millions of multiplications, and
# milliseconds on this computer.
#
# (Above we judged on the first 50 of these images, so the scores were a little different. Sliding
# over all 200 takes a while, so the labels are computed in the way of chapter 3, which gives the
# same answers. The last two columns are those of the sliding window itself, on one image.)
#
# ??? question "Which errors will be more frequent, *where* or *what*?"
#
#     *What*. The network finds most objects, and often doesn't know which one it has found.

# %%
VAL = 200  # fast: 20
val_ids = folder.ids("val")[:VAL]
rows = add_row("2 sliding window", model, folder, val_ids, SIZE)
print(format_rows(rows))

# %% tags=["see"]
row = rows["2 sliding window"]
print(
    f"Of the wrong pixels, {row['what']:,} have the name of another object, and {row['where']:,} "
    f"confuse object and background. One image takes {row['multiplications'] / 1e6:.0f} million "
    f"multiplications and {1000 * row['seconds']:.0f} ms."
)

# %% tags=["check"]
if ROOT == SHAPES:
    assert row["multiplications"] == sum(separate.values())

# %% tags=["claim"]
if ROOT == SHAPES:
    assert row["what"] > row["where"]

# %% [markdown]
# One row is not a comparison yet. The next chapters add theirs.
#
# ## Summary
#
# 1. One image of $N \times N$ pixels is $N^2$ examples: a window, with the class of its central
#    pixel.
# 2. The window is odd, so it has a middle. At the border it sees the image's reflection.
# 3. We draw windows with equal probability for each class; otherwise most of them would be background.
# 4. A window knows what is in it and nothing else: deep inside a large object one class looks like
#    another.
# 5. Neighbouring windows overlap almost wholly, and the sliding window repeats the common work for
#    each of them. The larger the window, the more it repeats.
#
# ## Three questions
#
# ??? question "1. The network sees 20% background in training and 78% in an image. What may go wrong?"
#
#     It has learned that objects are more likely than they are, so it tends to call background an
#     object where it is unsure. Balanced sampling finds rare classes, and pays with false alarms.
#
# ??? question "2. You set `WINDOW = 17`. Which class gains most, and why? Guess, then try it."
#
#     Compare with the table at the end of chapter 3, which uses this window: star and square gain
#     most. A window of 17 reaches the outline from deeper inside a square. It also shows a longer
#     piece of the outline, and hardly any pixel of a star is deep.
#
# ??? question "3. Would more training images help with the deep pixels?"
#
#     No. What is missing is not in the window, so no number of examples can teach it.
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
# Cut the window around any pixel, reflected at the border. Everything in this chapter depends on this
# step.
# Complete `tutorials/exercises/extract_window.py`, then run
# `python tutorials/check.py extract_window`.
#
# ### 2. Draw all classes equally
#
# Give each pixel of a mask a probability of being drawn. Every class must be as likely as any other,
# and void is never drawn.
# Complete `tutorials/exercises/sampling_weights.py`, then run
# `python tutorials/check.py sampling_weights`.
#
# ### 3. Count the multiplications
#
# Count the multiplications of any such network from its list of layers, as the chapter does for one.
# Complete `tutorials/exercises/count_multiplications.py`, then run
# `python tutorials/check.py count_multiplications`.
#
# ### 4. What two windows share
#
# Compute the share of the pixels that two windows have in common, whichever way they are shifted.
# Complete `tutorials/exercises/shared_work.py`, then run `python tutorials/check.py shared_work`.
