# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 7. Two classes or twenty-one
#
# **You will be able to**
#
# - train a network that finds objects of any kind, and cut them out of their image;
# - show that a sigmoid is a softmax over the logits 0 and z, with the same loss and gradient;
# - write the loss as a mean over the pixels that have a label, with class weights or with Dice;
# - say who pays when you give a rare class more weight.
#
# **Time:** about 45 minutes of reading and half an hour for the exercises. The code runs in about
# two minutes on two cores.
# **Prerequisite:** [chapter 1](01_pixels_and_masks.md) for masks, void and the mean IoU,
# [chapter 5](05_unet.md) for U-Net.

# %%
import inspect
import textwrap
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np

from voc_seg import (
    VOID,
    SegmentationDataset,
    WeightedCrossEntropy,
    build_unet,
    class_weights,
    compile_model,
    confusion_matrix,
    cross_entropy,
    cross_entropy_and_dice,
    cut_out,
    evaluate,
    format_table,
    iou_from_confusion,
    open_folder,
    predict_labels,
    predict_probabilities,
    set_classes,
    write_image,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, colorize
from voc_seg.scoreboard import add_row, format_rows

# %% [markdown]
# `ROOT` switches between the shapes and a VOC folder, as in every chapter. New is `classes="object"`:
# we read the same masks with two classes, background, and everything else merged into one. (You can
# also merge only some: `classes="animal=cat+dog"`.)

# %%
SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
objects = open_folder(ROOT, classes="object")
keras.utils.set_random_seed(0)

TRAIN = 600  # fast: 40
VAL = 200  # fast: 20
EPOCHS = 3  # fast: 1
train_ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:VAL]
names = list(folder.classes)
print("all:   ", folder.classes)
print("object:", objects.classes)

# %%
ids = train_ids[:50]
crowded = [id for id in ids if len(np.unique(folder.pair(id)[1])) > 3]
example = (crowded or ids)[0]
image, mask = folder.pair(example)
print("all:   ", np.unique(mask))
print("object:", np.unique(objects.pair(example)[1]))

# %% tags=["figure"] alt="Three panels: an image, its mask with a number for each class, and its mask with two numbers only, 0 for the background and 1 for any object. Void separates the regions in both masks."
figure, axes = plt.subplots(1, 3, figsize=(9, 3.5), layout="constrained")
axes[0].imshow(image)
axes[0].set_title("image")
panels = {"all classes": folder, "object": objects}
for ax, (title, data) in zip(axes[1:], panels.items(), strict=True):
    labels = data.pair(example)[1]
    ax.imshow(colorize(labels, data.classes), interpolation="nearest")
    for c in np.unique(labels[labels != VOID]):
        rows, columns = np.nonzero(labels == c)
        x, y = columns[len(rows) // 2], rows[len(rows) // 2]
        style = {"color": "white", "weight": "bold"}
        ax.text(x, y, c, ha="center", va="center", **style)
    ax.set_title(title)
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Find it and cut it out
#
# Object against background is the task behind "remove the background". Nothing in the network is
# special: it is a U-Net with `num_classes=2`, and a small one.
#
# ??? question "Two classes instead of five: will the mean IoU be higher or lower?"
#
#     Higher, for two reasons. The network can no longer mix up two kinds of objects. And half of the
#     mean is now the background, which is easy.

# %%
training = SegmentationDataset(
    objects,
    train_ids,
    SIZE,
    shuffle=True,
    cache=True,
)
finder = build_unet(num_classes=2, filters=8, depth=3)
compile_model(finder, learning_rate=3e-3)
history = finder.fit(training, epochs=EPOCHS, shuffle=False, verbose=2)

# %%
set_classes(finder, objects.classes, SIZE)
result = evaluate(finder, objects, val_ids, batch_size=50)
print(format_table(result))

# %% tags=["see"]
object_iou = result["iou"][1]
print(
    f"After {EPOCHS} short epoch{'s' * (EPOCHS > 1)} the network finds objects with an IoU of "
    f"{object_iou:.3f}, the background with {result['iou'][0]:.3f}. The mean of the two is "
    f"{result['mean_iou']:.3f}. With two classes the mean IoU is flattering, because half of it is "
    "the background. So report the object's IoU as well."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert object_iou > 0.7
    assert result["iou"][0] > result["mean_iou"] > object_iou

# %% [markdown]
# The table has four scores for each class. **Recall** is the fraction of a class's true pixels that
# are found, TP / (TP + FN). **Precision** is the fraction of its predicted pixels that are right,
# TP / (TP + FP). **Dice** combines the two, and we come to it below.
#
# Now let's cut the objects out. To cut out means to write a fourth channel, **alpha**, next to red,
# green and blue: 255 where the pixel is visible, 0 where it is transparent. `cut_out` takes it from
# the label map. An image viewer lays such an image over a ground $G$, pixel by pixel, with $\alpha$
# scaled to 0..1:
#
# $$\text{shown} = \alpha \cdot \text{image} + (1 - \alpha) \cdot G$$
#
# Image editors show a checkerboard where an image is transparent. So do we.


# %%
def on_checkers(rgba, squares=16):
    """Lays an RGBA image over a checkerboard: (H, W, 3) uint8."""
    side = max(1, max(rgba.shape[:2]) // squares)
    rows, columns = np.indices(rgba.shape[:2]) // side
    ground = np.where((rows + columns) % 2, 255, 170)[..., None]  # (H, W, 1)
    alpha = rgba[..., 3:] / 255
    return (alpha * rgba[..., :3] + (1 - alpha) * ground).astype(np.uint8)


images = [objects.pair(id)[0] for id in val_ids[:4]]
labels = predict_labels(finder, images)
cut_outs = [cut_out(*pair) for pair in zip(images, labels, strict=True)]

# %% tags=["figure"] alt="Four columns, one for each validation image: above the image, in the middle the predicted label map, below the object cut out and laid on a checkerboard."
figure, axes = plt.subplots(3, 4, figsize=(9, 7), layout="constrained")
for k, column in enumerate(axes.T):
    column[0].imshow(images[k])
    painted = colorize(labels[k], objects.classes)
    column[1].imshow(painted, interpolation="nearest")
    column[2].imshow(on_checkers(cut_outs[k]))
titles = ("image", "label map", "cut-out")
for ax, title in zip(axes[:, 0], titles, strict=True):
    ax.set_ylabel(title)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# As a file with transparency it is ready for any image editor. (`voc-seg predict --cutout` does the
# same from the command line. With more classes, `cut_out(image, labels, keep=[1, 4])` cuts out only
# those that you name.)

# %%
write_image("runs/tutorials/cutout.png", cut_outs[0])
print("see runs/tutorials/cutout.png")

# %% tags=["check"]
rgba = cut_out(images[0], labels[0])
assert rgba.shape == (*images[0].shape[:2], 4)
assert np.array_equal(rgba[..., 3] > 0, labels[0] > 0)

# %% [markdown]
# ## Sigmoid and softmax
#
# Many programs treat two classes as a special task. Their network has *one* output channel $z$, a
# sigmoid, a binary cross-entropy, and a threshold at one half. Ours has two channels and the softmax
# of all other tasks. Which is right?
#
# ??? question "Can the two ever give different answers?"
#
#     No. They are the same function, as you will see in two lines of algebra. Only the number of
#     output channels differs.
#
# A softmax over the logits 0 and $z$ gives the object the probability
#
# $$\frac{e^{z}}{e^{0} + e^{z}} = \frac{1}{1 + e^{-z}} = \sigma(z).$$
#
# (Divide numerator and denominator by $e^z$.) And if both logits $a$ and $b$ are free? Then divide by
# $e^b$ and get $e^b / (e^a + e^b) = \sigma(b - a)$. Only the difference matters. The object is the
# likelier class if $b > a$, and that is where $\sigma(b - a) > \frac{1}{2}$. So taking the larger of
# two probabilities *is* the threshold at one half.

# %%
z = np.linspace(-6, 6, 25).astype("float32")  # (25,) logits of the object
logits = np.stack([np.zeros_like(z), z], axis=-1)  # (25, 2)
by_sigmoid = np.array(keras.ops.sigmoid(z))
by_softmax = np.array(keras.ops.softmax(logits))[:, 1]
print(f"largest difference: {abs(by_sigmoid - by_softmax).max():.1e}")

# %% tags=["check"]
assert np.allclose(by_sigmoid, by_softmax, atol=1e-6)
shifted = keras.ops.convert_to_numpy(keras.ops.softmax(logits + z[:, None] / 2 + 3))[:, 1]
assert np.allclose(by_sigmoid, shifted, atol=1e-5)

# %% [markdown]
# If the probabilities are equal, so are the losses. The **cross-entropy** of a pixel is minus the
# logarithm of the probability that the network gave to the true class $y$. For two classes it has a
# second name:
#
# $$-\log p_y \;=\; -y \log \sigma(z) - (1 - y) \log (1 - \sigma(z)), \qquad y \in \{0, 1\}$$
#
# The right side is the binary cross-entropy. One of its two terms is always zero.

# %%
y = np.arange(len(z)) % 2  # true classes, 0 and 1 in turn
binary = keras.losses.BinaryCrossentropy(from_logits=True)
categorical = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
of_z = float(binary(y[:, None], z[:, None]))
of_logits = float(categorical(y, logits))
print(f"binary, of z:                    {of_z:.6f}")
print(f"sparse categorical, of (0, z):   {of_logits:.6f}")

# %% tags=["check"]
assert np.isclose(of_z, of_logits, atol=1e-6)

# %% [markdown]
# And the gradients are equal, since equal functions have equal derivatives. The result is worth
# knowing, because it is so simple. For any number of classes, the derivative of the cross-entropy
# with respect to the logit of class $c$ is
#
# $$\frac{\partial L}{\partial z_c} = p_c - [c = y].$$
#
# That is the predicted probability minus what it should be ($[c = y]$ is 1 for the true class and 0
# for the others). For the logits 0 and $z$ it is $\sigma(z) - y$. Let's ask Keras' two losses for
# their slope, by moving $z$ a little to either side.


# %%
def binary_loss(z, y):
    target = np.full_like(z, y)
    loss = keras.ops.binary_crossentropy(target, z, from_logits=True)
    return np.array(loss)  # (25,)


def categorical_loss(z, y):
    logits = np.stack([np.zeros_like(z), z], axis=-1)
    target = np.full(len(z), y, "int32")
    loss = keras.ops.sparse_categorical_crossentropy(
        target,
        logits,
        from_logits=True,
    )
    return np.array(loss)  # (25,)


def slope(loss, y, step=0.02):
    return (loss(z + step, y) - loss(z - step, y)) / (2 * step)


for loss in (binary_loss, categorical_loss):
    error = abs(slope(loss, 1) - (by_sigmoid - 1)).max()
    print(f"{loss.__name__}: slope and p - y differ by {error:.0e} at most")

# %% tags=["figure"] alt="Two panels. Left: the sigmoid as a line rising from 0 to 1, and the softmax of 0 and z as dots that lie on it. Right: slopes of the loss, a solid line for a true object, from -1 to 0, and a dashed line for true background, from 0 to 1; on each lie dots of the binary loss and crosses of the categorical one."
figure, (left, right) = plt.subplots(
    1,
    2,
    figsize=(9.5, 3.8),
    layout="constrained",
)
left.plot(z, by_sigmoid, color=BLUE, label="sigmoid of z")
left.plot(
    z,
    by_softmax,
    "o",
    color=VERMILLION,
    ms=4,
    label="softmax of (0, z)",
)
left.set(xlabel="z", ylabel="probability of the object")
left.legend()
for true, style, name in ((1, "-", "object"), (0, "--", "background")):
    expected, label = by_sigmoid - true, f"p - y, true: {name}"
    right.plot(z, expected, style, color="black", lw=1, label=label)
    slopes = slope(binary_loss, true), slope(categorical_loss, true)
    right.plot(z, slopes[0], "o", color=BLUE, ms=6, mfc="none")
    right.plot(z, slopes[1], "x", color=VERMILLION, ms=5)
right.plot([], [], "o", color=BLUE, mfc="none", label="slope, binary")
right.plot([], [], "x", color=VERMILLION, label="slope, categorical")
right.set(xlabel="z", ylabel="slope of the loss")
right.legend(fontsize=8)
plt.show()

# %% tags=["check"]
for true in (0, 1):
    for loss in (binary_loss, categorical_loss):
        assert np.allclose(slope(loss, true), by_sigmoid - true, atol=1e-3)

# %% [markdown]
# The slope is never larger than 1, and it vanishes only where the answer is right and certain. That
# makes cross-entropy a good partner for sigmoid and softmax.
#
# One small difference remains in practice. With two channels both logits have a slope: $p - y$ for
# the object, and $-(p - y)$ for the background. So in a step of plain gradient descent their
# difference moves twice as far. That is a matter of the learning rate, not of what the network can
# learn.
#
# What does go wrong is mixing the two. A softmax over a *single* channel divides each number by
# itself:

# %%
single = np.array(keras.ops.softmax(z[:, None]))[:, 0]
print(single[:3], "for every z")

# %% tags=["check"]
assert np.all(single == 1)

# %% [markdown]
# Such a network says "object" everywhere, its gradient is zero, and it never learns. One channel needs
# a sigmoid and the binary loss. Two or more need a softmax and the categorical loss. We use the
# second pair for any number of classes. So our library has one loss, one metric and one way from
# probabilities to labels.
#
# ## The loss is a mean over pixels
#
# A label map is $H \times W$ classifications in one. The loss of a batch is the mean of their
# cross-entropies, over the set $V$ of pixels that have a label. Void is not in it:
#
# $$L = \frac{1}{|V|} \sum_{i \in V} -\log p_{i, y_i}$$
#
# Void must be left out of both the sum and $|V|$.
#
# ??? question "What goes wrong if you leave void out of the sum, but divide by all pixels?"
#
#     The loss shrinks with the amount of void in the batch. A labelled pixel then counts for less
#     if its batch has much void, as with images padded to a square. Nothing fails, and training is
#     slightly off.

# %%
validation = SegmentationDataset(objects, val_ids, SIZE, batch_size=8)
images, masks = validation[0]
p = np.asarray(finder.predict_on_batch(images))  # (B, H, W, 2)

valid = masks != VOID  # (B, H, W)
# Void gets any class here; its loss is set to 0 two lines below.
classes = np.where(valid, masks, 0)[..., None]  # (B, H, W, 1)
p_true = np.take_along_axis(p, classes, axis=-1)[..., 0]  # (B, H, W)
pixel_loss = np.where(valid, -np.log(np.clip(p_true, 1e-7, 1)), 0)

by_hand = pixel_loss.sum() / valid.sum()
loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=VOID)
by_keras = float(loss(masks, p))
by_library = float(np.mean(cross_entropy(masks, p)))
print(f"by hand:                        {by_hand:.5f}")
print(f"Keras with ignore_class=255:    {by_keras:.5f}")
print(f"our library's cross_entropy:    {by_library:.5f}")
print(f"wrong, divided by all pixels:   {pixel_loss.sum() / valid.size:.5f}")

# %% tags=["check"]
assert np.isclose(by_hand, by_keras, rtol=1e-3)
assert np.isclose(by_hand, by_library, rtol=1e-3)
assert pixel_loss.sum() / valid.size < by_hand

# %% [markdown]
# This is the library's loss. It gives one number for each pixel, and Keras takes the mean over *all*
# of them. So the function divides by the share of pixels that are not void:

# %% tags=["source"]
print(inspect.getsource(cross_entropy))

# %% [markdown]
# Where in the image is the loss? The array `pixel_loss` has the shape of the masks, so we can look at
# it.
#
# ??? question "Where do you expect most of the loss: along the contours, or inside the objects?"
#
#     The contours are the obvious guess, but most of the loss is away from them. The cell below
#     the picture prints how much.

# %% tags=["figure"] alt="Three columns, one a validation image: above the image, in the middle the mask, below the loss of each pixel. Most of the map is dark, that is near zero; brighter pixels lie here and there, many of them beside the contours. Void is hatched."
# Without this limit, a few large values would leave the rest dark.
high = np.quantile(pixel_loss[valid], 0.98)
figure, axes = plt.subplots(3, 3, figsize=(8, 7.4), layout="constrained")
for k, column in enumerate(axes.T):
    column[0].imshow(images[k].astype(np.uint8))
    painted = colorize(masks[k], objects.classes)
    column[1].imshow(painted, interpolation="nearest")
    void = plt.Rectangle((-0.5, -0.5), SIZE, SIZE, fc="0.8", hatch="////")
    column[2].add_patch(void)
    void.set_zorder(-1)
    loss_map = np.where(valid[k], pixel_loss[k], np.nan)
    shown = column[2].imshow(loss_map, cmap="cividis", vmin=0, vmax=high)
figure.colorbar(shown, ax=axes[2], label="loss (void hatched)")
titles = ("image", "mask", "loss")
for ax, title in zip(axes[:, 0], titles, strict=True):
    ax.set_ylabel(title)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
square = np.ones((5, 5), np.uint8)
void = [(mask == VOID).astype(np.uint8) for mask in masks]
band = np.stack([cv2.dilate(mask, square) for mask in void]) > 0
band &= valid  # the labelled pixels within two pixels of a contour
share_of_pixels = band.sum() / valid.sum()
share_of_loss = pixel_loss[band].sum() / pixel_loss.sum()
print(f"near contours: {share_of_pixels:.0%} of the pixels", end=", ")
print(f"{share_of_loss:.0%} of the loss")

# %% tags=["see"]
print(
    f"On these {len(masks)} images, {share_of_pixels:.0%} of the labelled pixels are within two "
    f"pixels of a contour. They have {share_of_loss:.0%} of the loss."
)

# %% [markdown]
# So the contours have little more than their share. Most of the loss is further away from them:
# where the network missed a part of an object, saw one that isn't there, or is right but not quite
# certain.

# %% [markdown]
# ## Class weights
#
# In a plain mean every pixel counts equally, so frequent classes dominate. What if we give each pixel
# a weight that depends on its true class?
#
# $$L = \frac{1}{|V|} \sum_{i \in V} w_{y_i} \left( -\log p_{i, y_i} \right), \qquad
# w_c = \frac{|V|}{C \, n_c}$$
#
# Here $n_c$ is the number of pixels of class $c$. With these **inverse frequencies** each class weighs
# the same in total, $w_c n_c = |V| / C$. And the mean weight of a pixel is 1, so loss and learning rate
# keep their scale. We go back to all the classes and count.

# %%
counts = np.zeros(256)
for id in train_ids:
    counts += np.bincount(folder.pair(id)[1].ravel(), minlength=256)
counts = counts[: len(names)]  # without void
shares = counts / counts.sum()
occurs = counts > 0

weights = np.zeros(len(names))
weights[occurs] = counts.sum() / (occurs.sum() * counts[occurs])
roots = class_weights(folder, train_ids)  # of the library: see below
print(f"{'':12}{'share':>8}{'weight':>9}{'root':>8}")
for row in zip(names, shares, weights, roots, strict=True):
    print("{:12}{:8.1%}{:9.2f}{:8.2f}".format(*row))

# %% tags=["check"]
assert np.isclose((weights * shares).sum(), 1)
assert np.isclose((np.array(roots) * shares).sum(), 1)
by_roots = np.divide(1, np.sqrt(shares), out=np.zeros_like(shares), where=occurs)
assert np.allclose(roots, by_roots / (by_roots * shares).sum())

# %% [markdown]
# The last column is what our library's `class_weights` computes: one over the *square root* of the
# share, scaled so that the mean weight of a pixel is 1 again. These weights, *roots* for short, go
# only a part of the way towards balance.
#
# Keras has an argument for this, `class_weight`. Can we use it? It is made for one label per example,
# not for masks: it takes the last axis of the mask for a list of class probabilities.

# %%
plain = build_unet(len(names), filters=8, depth=3)
compile_model(plain)
try:
    data = SegmentationDataset(folder, train_ids, SIZE)
    by_class = dict(enumerate(weights.tolist()))
    plain.fit(data, class_weight=by_class, verbose=0)
except (TypeError, ValueError) as error:
    refused = f"{type(error).__name__}: {error}"
    print(textwrap.fill(refused, 76))

# %% tags=["check"]
assert refused

# %% [markdown]
# No. But weights are a loss, and we can write one: look up each pixel's weight, and multiply. Our
# library has it as `WeightedCrossEntropy`. (*Sample weights* would also work: a data set may return a
# third array, $(B, H, W)$, with a weight for each pixel. You will compute it in an exercise.)

# %%
data = SegmentationDataset(folder, val_ids, SIZE)
images, masks = data[0]
p = np.asarray(plain.predict_on_batch(images))  # (B, H, W, C), untrained
valid = masks != VOID
classes = np.where(valid, masks, 0)
p_true = np.take_along_axis(p, classes[..., None], axis=-1)[..., 0]
pixel_loss = np.where(valid, -np.log(np.clip(p_true, 1e-7, 1)), 0)

by_hand = (weights[classes] * pixel_loss).sum() / valid.sum()
by_library = float(WeightedCrossEntropy(weights)(masks, p))
print(f"by hand:              {by_hand:.5f}")
print(f"WeightedCrossEntropy: {by_library:.5f}")

# %% tags=["check"]
assert np.isclose(by_hand, by_library, rtol=1e-3)
sample_weight = np.where(valid, weights[classes], 0).astype("float32")
by_keras = loss(masks, p, sample_weight=sample_weight)
assert np.isclose(by_hand, float(by_keras), rtol=1e-3)

# %% [markdown]
# The sum is divided by the number of labelled pixels, as in the formula, not by the sum of the
# weights. So a rare pixel keeps its large weight even in a batch with many of its kind.
#
# ## Dice
#
# Here is another idea. We judge by overlap, so why not train for overlap? The **Dice** score of a
# class is twice the overlap of truth $T$ and prediction $P$, over the sum of both areas:
#
# $$\mathrm{Dice} = \frac{2\,|P \cap T|}{|P| + |T|} = \frac{2\,TP}{2\,TP + FP + FN}$$
#
# It is a sibling of the IoU: $\mathrm{Dice} = 2\,\mathrm{IoU} / (1 + \mathrm{IoU})$. Counts have no
# gradient. So for a loss, the probabilities take the place of the predicted labels, and we minimise
# one minus Dice, averaged over the classes (Milletari, Navab and Ahmadi 2016). Each class then counts
# the same, however few pixels it has. No weights are needed.
#
# Where does void go? Out of all three: the overlap, the predicted area and the true area.

# %%
C = len(names)
truth = np.eye(256)[masks][..., :C]  # (B, H, W, C) one-hot; void is all 0
predicted = p * valid[..., None]  # (B, H, W, C), 0 at void
overlap = (truth * predicted).sum(axis=(0, 1, 2))  # (C,)
areas = (truth + predicted).sum(axis=(0, 1, 2))  # (C,)
there = truth.any(axis=(0, 1, 2))  # (C,) the classes in this batch
by_hand = np.mean(1 - 2 * overlap[there] / areas[there])

both = float(np.mean(cross_entropy_and_dice(masks, p)))
alone = float(np.mean(cross_entropy(masks, p)))
print(f"Dice loss by hand:     {by_hand:.5f}")
print(f"cross_entropy_and_dice {both:.5f}")
print(f"- cross_entropy        {alone:.5f}")
print(f"=                      {both - alone:.5f}")

# %% tags=["check"]
assert np.isclose(by_hand, both - alone, atol=1e-4)

# %% [markdown]
# The library adds cross-entropy and Dice loss, because the Dice loss alone is unsteady at the
# start of training. From here on, the loss called *Dice* is this sum.
#
# %% [markdown]
# ## Does it help?
#
# We compare four losses: *plain* cross-entropy, *weights* (inverse frequencies), *roots* and
# *Dice*. Everything else is equal: four U-Nets start from the same weights and see the same
# batches in the same order. We train for few steps, so they haven't learned the rare classes well
# yet. Then we repeat all of it with two more seeds.
#
# A fifth candidate costs no training. A network trained with the plain loss estimates how probable
# each class is, *given the frequencies of the training data*. Divide its probabilities by these
# frequencies. The largest quotient is the class that would be likeliest if all classes were equally
# frequent. Inverse frequencies in the loss aim at the same thing.
#
# ??? question "The weights help the rarest class. Which class will pay for it?"
#
#     The disc. Most people say the background, since it gets the smallest weight. It does lose a
#     little. But in the table of recalls below, the largest bill goes to the disc.

# %%
SEEDS = (0, 1, 2)  # fast: (0,)
LOSSES = {
    "plain": cross_entropy,
    "weights": WeightedCrossEntropy(weights),
    "roots": WeightedCrossEntropy(roots),
    "Dice": cross_entropy_and_dice,
}


def confusion_divided(model, batch=25):
    """The confusion matrix after dividing by the frequencies."""
    confusion = np.zeros((C, C), np.int64)
    for i in range(0, len(val_ids), batch):
        pairs = [folder.pair(id) for id in val_ids[i : i + batch]]
        maps = predict_probabilities(model, [image for image, _ in pairs])
        for (_, mask), p in zip(pairs, maps, strict=True):
            labels = (p / np.where(occurs, shares, 1)).argmax(axis=-1)
            confusion += confusion_matrix(mask, labels, C)
    return confusion


confusions = {title: [] for title in [*LOSSES, "divided"]}
first = {}  # the models of the first seed, for the scoreboard
for seed in SEEDS:
    for title, loss in LOSSES.items():
        keras.utils.set_random_seed(seed)
        model = build_unet(len(names), filters=8, depth=3)
        data = SegmentationDataset(
            folder,
            train_ids,
            SIZE,
            shuffle=True,
            seed=seed,
            cache=True,
        )
        set_classes(model, folder.classes, SIZE)
        compile_model(model, learning_rate=3e-3, loss=loss)
        model.fit(data, epochs=EPOCHS, shuffle=False, verbose=0)
        result = evaluate(model, folder, val_ids, batch_size=50)
        confusions[title].append(np.array(result["confusion"]))
        first.setdefault(title, model)
        if title == "plain":
            confusions["divided"].append(confusion_divided(model))

# %% [markdown]
# First the mean IoU, a column for each seed:


# %%
def divide(a, b):
    """a / b, and NaN where b is 0."""
    return np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)


def score(confusion):
    """IoU, recall and precision of each class."""
    hit = np.diag(confusion)
    return {
        "IoU": iou_from_confusion(confusion),
        "recall": divide(hit, confusion.sum(axis=1)),
        "precision": divide(hit, confusion.sum(axis=0)),
    }


scores = {t: [score(one) for one in found] for t, found in confusions.items()}
print(f"{'mean IoU':10}" + "".join(f"{f'seed {n}':>9}" for n in SEEDS))
for title, by_seed in scores.items():
    means = [np.nanmean(one["IoU"]) for one in by_seed]
    print(f"{title:10}" + "".join(f"{mean:9.3f}" for mean in means))

# %% [markdown]
# And then the recall of each class, with the first seed. Who gains, and who pays?

# %%
print(f"{'recall':12}" + "".join(f"{title:>9}" for title in scores))
for c, name in enumerate(names):
    values = [by_seed[0]["recall"][c] for by_seed in scores.values()]
    print(f"{name:12}" + "".join(f"{value:9.2f}" for value in values))

print("\nWho pays most for the weights:")
for n, before, after in zip(
    SEEDS,
    scores["plain"],
    scores["weights"],
    strict=True,
):
    before, after = before["recall"], after["recall"]
    c = np.nanargmin(after - before)
    print(f"seed {n}: {names[c]}, from {before[c]:.2f} to {after[c]:.2f}")

# %% tags=["figure"] alt="Three groups of bars, for IoU, recall and precision by class, with the first seed. Five bars a class, for the four losses and for the division, each with its own hatching."
figure, axes = plt.subplots(
    3,
    1,
    figsize=(8, 8),
    layout="constrained",
    sharex=True,
)
colours = [BLUE, VERMILLION, "#E69F00", "#009E73", "0.6"]
hatches = ["", "//", "..", "xx", "--"]
for ax, kind in zip(axes, ("IoU", "recall", "precision"), strict=True):
    for k, (title, by_seed) in enumerate(scores.items()):
        ax.bar(
            np.arange(len(names)) + 0.17 * (k - 2),
            np.nan_to_num(by_seed[0][kind]),
            width=0.16,
            label=title,
            color=colours[k],
            hatch=hatches[k],
            edgecolor="white",
        )
    ax.set(ylim=(0, 1.05), ylabel=kind)
turned = 0 if len(names) < 8 else 90
axes[2].set_xticks(range(len(names)), names, rotation=turned)
handles = axes[0].get_legend_handles_labels()
figure.legend(*handles, loc="outside upper center", ncols=5)
plt.show()

# %% tags=["see"]
rare = int(np.argmin(np.where(occurs, shares, 1)))
recalls = {title: by_seed[0]["recall"] for title, by_seed in scores.items()}
precisions = {title: by_seed[0]["precision"][rare] for title, by_seed in scores.items()}
paid = int(np.nanargmin(recalls["weights"] - recalls["plain"]))
print(
    f"With seed {SEEDS[0]}: the rarest class is {names[rare]}. Its recall is "
    f"{recalls['plain'][rare]:.2f} with the plain loss and {recalls['weights'][rare]:.2f} with the "
    f"weights; its precision {precisions['plain']:.2f} and {precisions['weights']:.2f}. The background "
    f"loses a little recall, from {recalls['plain'][0]:.3f} to {recalls['weights'][0]:.3f}. The "
    f"{names[paid]} pays the bill: from {recalls['plain'][paid]:.2f} to {recalls['weights'][paid]:.2f}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    for seed in range(len(SEEDS)):
        before = scores["plain"][seed]["recall"]
        for title in ("weights", "divided"):
            after = scores[title][seed]["recall"]
            assert after[rare] > before[rare] and after[0] < before[0]
        after = scores["weights"][seed]["recall"]
        assert names[np.argmin(after - before)] == "disc"
    means = [[np.nanmean(one["IoU"]) for one in by_seed] for by_seed in scores.values()]
    roots_win = np.argmax(means, axis=0) == list(scores).index("roots")
    assert sum(roots_win) == 2
    third = int(np.argmin(roots_win))
    assert means[2][third] < means[0][third] - 0.02  # worse than plain

# %% [markdown]
# The weights do what they say: the network finds more of the rarest class. (The table has the
# first seed; with the other two it is the same.) But somebody pays. With every seed, that is the
# disc. It isn't rare, so why? Look at the weights again.
# Among the four shapes the disc has the smallest one. Where the network hesitates between a disc and
# another shape, the heavier class now wins.
#
# And the mean IoU? It suffers from missed pixels and from wrong ones alike, so it may rise or fall.
# Read the first table row by row. The roots are the best of the five with two of the seeds, and worse
# than the plain loss with the third. One run of a few epochs decides nothing here, and three runs
# don't decide much. So:
#
# - **Judge by the right number.** By accuracy, imbalance looks harmless. The IoU of each class shows
#   you what is missing.
# - **Train longer before you add weights.** Much of what looks like imbalance in a short run is
#   a class that hasn't been learned yet. On VOC, Long et al. (2015) left the classes unbalanced.
# - **Use weights when a miss costs more than a false alarm,** as with a tumour. And check the recall
#   of *all* classes before and after, not only of the one that you care about.
# - **Show the rare class more often.** In [chapter 2](02_sliding_window.md) we drew the same number
#   of windows from each class. With whole images you can draw those with a rare class more often. Its
#   pixels then come with their surroundings.
# - **Try Dice** when your score is Dice. [Class imbalance](../howto/imbalance.md) has recipes for
#   your own data, with focal loss as well.
#
# ## Where to cut
#
# If you care about one class, there is another way to buy recall, and it needs no training. Ask one
# thing of each pixel: is it a disc? All other classes become "not a disc". If the network gives the
# disc the probability $p$, the rest has $1 - p$. The disc is the likelier of the two where $p$ is
# above one half.
#
# But you may cut elsewhere. Each **threshold** makes a label map of its own. With a low one you find
# more discs and get more false alarms: recall rises, and precision usually falls. If you draw
# precision over recall for all thresholds, you get the **precision-recall curve**.
#
# Let's try it with the plain loss and its first seed, on three sheets of four validation images. On
# the first, about 1% of the pixels are disc, on the second 20%, on the third 50%.

# %%
TARGET = 1  # the class that we look for: the disc


def sheet(tiles):
    """Four arrays (H, W, ...) as one: (2 H, 2 W, ...)."""
    a, b, c, d = tiles
    return np.vstack([np.hstack([a, b]), np.hstack([c, d])])


data = SegmentationDataset(folder, val_ids, SIZE, batch_size=len(val_ids))
images, masks = data[0]
targets = np.where(masks == VOID, VOID, masks == TARGET)  # 0, 1 and void
share = (targets == 1).sum(axis=(1, 2)) / (targets != VOID).sum(axis=(1, 2))
smallest = np.argmin(np.where(share > 0, share, 1))
chosen = [
    [smallest, *np.flatnonzero(share == 0)[6:9]],
    np.argsort(abs(share - 0.2))[:4],
    np.argsort(abs(share - 0.5))[:4],
]
sheets = np.stack([sheet(images[four]) for four in chosen])
truths = np.stack([sheet(targets[four]) for four in chosen])
disc = first["plain"].predict_on_batch(sheets)[..., TARGET]  # (3, H, W)

# %% [markdown]
# A program that says background everywhere finds nothing at all.
#
# ??? question "What is the accuracy of this program, on each sheet?"
#
#     About 99%, 80% and 50%: it is right at each pixel that isn't a disc. Press the button below, and
#     see which of the four numbers notice.
#
# ??? question "On which sheets is one half the threshold with the highest IoU?"
#
#     On none of them. Look for a better one with the slider before you read on.

# %% tags=["figure"] live="threshold" caption="Move the threshold, and watch what is cut out, the four numbers, and the dot on the curve of all thresholds. Then say background everywhere, on each sheet: does the accuracy rise or fall?" alt="Three panels. Left: a sheet of four images. Middle: which pixels are found as discs, which are missed and which are false alarms, with the threshold 0.5. Right: three curves of precision over recall, one for each sheet, with a dot for the threshold 0.5 on each; the curve of the sheet with 1% of disc is far below the others."
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4), layout="constrained")
axes[0].imshow(sheets[1].astype(np.uint8))
axes[0].set_title("four images, 20% disc", fontsize=10)
kinds = np.array([[255] * 3, [213, 94, 0], [230, 159, 0], [0, 114, 178]])
kind = 2 * (truths[1] == 1) + (disc[1] > 0.5)
drawn = np.where((truths[1] == VOID)[..., None], 204, kinds[kind])
axes[1].imshow(drawn, interpolation="nearest")
title = "blue: found, red: false, yellow: missed"
axes[1].set_title(title, fontsize=10)
styles = zip(("1%", "20%", "50%"), (":", "--", "-"), strict=True)
for p, truth, (name, style) in zip(disc, truths, styles, strict=True):
    order = np.argsort(-p[truth != VOID])
    hits = np.cumsum((truth[truth != VOID] == 1)[order])
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / hits[-1]
    axes[2].plot(recall, precision, style, color=BLUE, label=f"{name} disc")
    cut = np.count_nonzero(p[truth != VOID] > 0.5) - 1
    axes[2].plot(recall[cut], precision[cut], "o", color=VERMILLION)
axes[2].set(xlabel="recall", ylabel="precision", xlim=(0, 1.03), ylim=(0, 1.03))
axes[2].legend(fontsize=8)
for ax in axes[:2]:
    ax.set_axis_off()
plt.show()

# %% tags=["live"]
live = {
    "model": first["plain"],
    "target": TARGET,
    "name": names[TARGET],
    "images": sheets.astype("uint8"),
    "masks": truths.astype("uint8"),
}

# %% [markdown]
# Here are the numbers. We try 101 thresholds on each sheet.


# %%
def scores_at(threshold, p, truth):
    """IoU and accuracy of the pixels above a threshold."""
    found, true = p[truth != VOID] > threshold, truth[truth != VOID] == 1
    iou = (found & true).sum() / max(1, (found | true).sum())
    return iou, (found == true).mean()


tried = np.linspace(0, 1, 101)
print(f"{'disc':>5}{'IoU at 0.5':>12}{'best IoU':>10}{'at':>6}", end="")
print(f"{'accuracy at 0.5':>17}{'of nothing':>12}")
curves = []
for p, truth in zip(disc, truths, strict=True):
    iou, accuracy = np.transpose([scores_at(t, p, truth) for t in tried])
    curves.append((iou, accuracy))
    there = np.mean(truth[truth != VOID] == 1)
    print(f"{there:5.0%}{iou[50]:12.3f}{iou.max():10.3f}", end="")
    print(f"{tried[iou.argmax()]:6.2f}{accuracy[50]:17.3f}", end="")
    print(f"{accuracy[-1]:12.3f}")

# %% tags=["claim"]
if ROOT == SHAPES:
    best = [tried[iou.argmax()] for iou, _ in curves]
    assert best[0] > 0.55 and max(best[1:]) < 0.45
    assert all(iou.max() > iou[50] + 0.01 for iou, _ in curves)
    iou, accuracy = curves[0]
    assert accuracy[-1] > 0.99 > accuracy[50] and iou[-1] == 0 < iou[50]
    recall = [np.mean(p[t == 1] > 0.5) for p, t in zip(disc, truths, strict=True)]
    assert recall[0] > 0.85

# %% [markdown]
# Where the disc is rare, most of what is called a disc is a false alarm, and a higher threshold is
# better. Where there is much of it, a lower one is better. And don't ask the accuracy: on the
# first sheet it prefers finding nothing to finding almost every pixel of the disc.
#
# So choose the threshold by the score that you will report, or by what a miss and a false alarm
# cost. Choose it on validation images, and report the score on others: the best threshold of a sheet
# is the best for that sheet only.
#
# You have met a threshold already, in the fifth candidate above. With two classes, dividing by the
# frequencies $s$ and $1 - s$ says object where $p / s > (1 - p) / (1 - s)$, that is, where $p > s$.
#
# ## The scoreboard
#
# The first U-Net of this chapter knows two classes, so it can't be compared with the others. Those
# with five can. They have 8 filters instead of 16 (hence the "/2" in their names), and had three
# epochs on 600 images. We add two of them, with the first seed: the one with the plain loss, and
# the one with weights.
#
# ??? question "Half the filters of chapter 5: what does that do to the multiplications?"
#
#     A weight connects a channel that is read with one that is written, and there are half as many
#     of both. So there are about a quarter of the multiplications.

# %%
for title in ("plain", "weights"):
    name = f"7 U-Net/2 {title}"
    rows = add_row(name, first[title], folder, val_ids, SIZE)
print(format_rows(rows))

# %% tags=["see"]
one, two = rows["7 U-Net/2 plain"], rows["7 U-Net/2 weights"]
print(
    f"An image takes {one['multiplications'] / 1e6:.1f} million multiplications. With the weights, "
    f"*where* errors change from {one['where']:,} to {two['where']:,}, *what* errors from "
    f"{one['what']:,} to {two['what']:,}."
)

# %% tags=["check"]
full = rows.get("5 U-Net")
if full:  # chapter 5 was run before
    assert 0.2 < one["multiplications"] / full["multiplications"] < 0.3

# %% [markdown]
# ## Summary
#
# 1. Object extraction is segmentation with two classes. The label map becomes the alpha channel of
#    the cut-out.
# 2. A sigmoid of z is a softmax over the logits 0 and z. Loss and gradient, $p - y$, are the same. So
#    two classes need no code of their own.
# 3. The loss is the mean of the cross-entropy over the pixels that have a label. Void is neither in
#    the sum nor in the number by which you divide.
# 4. Class weights multiply each pixel's loss; `class_weight` of Keras does not work with masks. The
#    Dice loss is one minus the Dice score, and needs no weights.
# 5. Weights buy recall of the rarest class, and another class pays: in our runs the disc more than
#    the background. Dividing the probabilities by the frequencies goes the same way without training.
# 6. For a single class, a threshold trades precision for recall. One half was the best on none of
#    our sheets, and accuracy can't tell.
#
# ## Three questions
#
# ??? question "Your network has one output channel with a softmax. What will it predict?"
#
#     Probability 1 everywhere, since a softmax over one number divides it by itself. Its gradient is
#     zero. Use a sigmoid, or two channels.
#
# ??? question "A class has an IoU of 0.5. What is its Dice score? And is Dice then the kinder score?"
#
#     2 · 0.5 / 1.5 = 0.67. Dice is never below IoU, so the number looks kinder. But for one class both
#     rank two models in the same order.
#
# ??? question "You doubled a class's weight, and its recall rose. Are you done?"
#
#     No. Look at its precision, and at the recall of all other classes. Somebody pays, and it may be
#     a class that you weren't looking at.
#
# ## Further reading
#
# - J. Long, E. Shelhamer, T. Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR
#   2015, <https://arxiv.org/abs/1411.4038>. The loss as a mean over pixels; on VOC, with three
#   quarters background, they found it unnecessary to balance the classes.
# - O. Ronneberger, P. Fischer, T. Brox: U-Net, MICCAI 2015, <https://arxiv.org/abs/1505.04597>.
#   Weights by pixel, large in the gaps between cells that touch.
# - D. Eigen, R. Fergus: Predicting Depth, Surface Normals and Semantic Labels with a Common
#   Multi-Scale Convolutional Architecture, ICCV 2015, <https://arxiv.org/abs/1411.4734>. Weights by
#   the median of the frequencies.
# - F. Milletari, N. Navab, S.-A. Ahmadi: V-Net, 3DV 2016, <https://arxiv.org/abs/1606.04797>. A
#   loss made of the overlap itself, after Dice.
# - T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár: Focal Loss for Dense Object Detection, ICCV
#   2017, <https://arxiv.org/abs/1708.02002>. Less weight for what is easy.
# - A. K. Menon et al.: Long-tail learning via logit adjustment, ICLR 2021,
#   <https://arxiv.org/abs/2007.07314>. Dividing by the frequencies, after or during training.
#
# ## Exercises
#
# ### 1. A sigmoid as a softmax
#
# Turn the logits of a network with one channel into the probabilities of two classes, safely for
# logits of any size.
# Complete `tutorials/exercises/sigmoid_as_softmax.py`, then run
# `python tutorials/check.py sigmoid_as_softmax`.
#
# ### 2. The loss without void
#
# Compute the mean cross-entropy of a batch over the pixels that have a label, in NumPy.
# Complete `tutorials/exercises/mean_loss_without_void.py`, then run
# `python tutorials/check.py mean_loss_without_void`.
#
# ### 3. A weight for each pixel
#
# Compute weights by inverse frequency for a batch of masks, as an array that Keras takes as sample
# weights.
# Complete `tutorials/exercises/pixel_weights.py`, then run
# `python tutorials/check.py pixel_weights`.
#
# ### 4. A Dice loss without void
#
# Write the Dice loss of a batch in NumPy. Void must not count anywhere, and classes that the batch
# doesn't show are left out.
# Complete `tutorials/exercises/dice_without_void.py`, then run
# `python tutorials/check.py dice_without_void`.
