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
# - write the loss as a mean over the pixels that have a label, with or without weights;
# - weigh classes in Keras, and say what that buys and what it costs.
#
# **Time:** about half an hour of reading; the code runs in about one minute on two cores.
# **Stands on:** [chapter 1](01_pixels_and_masks.md) for masks, void and the mean IoU,
# [chapter 5](05_unet.md) for U-Net.

# %%
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np

from voc_seg import (
    VOID,
    SegmentationDataset,
    build_unet,
    compile_model,
    confusion_matrix,
    cut_out,
    evaluate,
    format_table,
    iou_from_confusion,
    open_folder,
    predict_labels,
    set_classes,
    write_image,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, colorize

# %% [markdown]
# `ROOT` is the switch between the shapes and a VOC folder, as in every chapter. New is
# `classes="object"`: the same masks are read with two classes, background, and everything else
# merged into one.

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

# %% alt="Three panels: an image, its mask with a number for each class, and its mask with two numbers only, 0 for the background and 1 for whatever object. Void separates the regions in both masks."
crowded = [id for id in train_ids[:50] if len(np.unique(folder.pair(id)[1])) > 3]
example = (crowded or train_ids)[0]
image, mask = folder.pair(example)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.5), layout="constrained")
axes[0].imshow(image)
axes[0].set_title("image")
for ax, data, title in zip(axes[1:], (folder, objects), ("all classes", "object"), strict=True):
    labels = data.pair(example)[1]
    ax.imshow(colorize(labels, data.classes), interpolation="nearest")
    for c in np.unique(labels[labels != VOID]):
        rows, columns = np.nonzero(labels == c)
        k = len(rows) // 2
        ax.text(columns[k], rows[k], c, color="white", ha="center", va="center", weight="bold")
    ax.set_title(title)
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## Find it and cut it out
#
# Object against background is the task behind "remove the background". Nothing in the network is
# special: a U-Net with `num_classes=2`, as small as the task allows.

# %%
training = SegmentationDataset(objects, train_ids, SIZE, shuffle=True, cache=True)
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
    f"After {EPOCHS} short epochs the network finds objects with an IoU of {object_iou:.3f}, the "
    f"background with {result['iou'][0]:.3f}; the mean of the two is {result['mean_iou']:.3f}. "
    "With two classes the mean IoU looks kinder than it is, because half of it is the background: "
    "report the object's IoU beside it."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert object_iou > 0.7
    assert result["iou"][0] > result["mean_iou"] > object_iou

# %% [markdown]
# To cut out is to write a fourth channel, **alpha**, beside red, green and blue: 255 where the
# pixel is to be seen, 0 where it is transparent. `cut_out` takes it from the label map. A viewer
# lays such an image over a ground $G$, pixel by pixel, with $\alpha$ scaled to 0..1:
#
# $$\text{shown} = \alpha \cdot \text{image} + (1 - \alpha) \cdot G$$
#
# Image editors show a chequered ground where an image is transparent. So do we.


# %%
def on_checkers(rgba, squares=16):
    """Lays an RGBA image over a checkerboard, which shows where it is transparent."""
    side = max(1, max(rgba.shape[:2]) // squares)
    rows, columns = np.indices(rgba.shape[:2]) // side
    ground = np.where((rows + columns) % 2, 255, 170)[..., None]  # (H, W, 1)
    alpha = rgba[..., 3:] / 255
    return (alpha * rgba[..., :3] + (1 - alpha) * ground).astype(np.uint8)


# %% alt="Four columns, one a validation image: above the image, in the middle the predicted label map, below the object cut out and laid on a checkerboard."
images = [objects.pair(id)[0] for id in val_ids[:4]]
labels = predict_labels(finder, images)
figure, axes = plt.subplots(3, 4, figsize=(9, 7), layout="constrained")
for column, picture, predicted in zip(axes.T, images, labels, strict=True):
    column[0].imshow(picture)
    column[1].imshow(colorize(predicted, objects.classes), interpolation="nearest")
    column[2].imshow(on_checkers(cut_out(picture, predicted)))
for ax, title in zip(axes[:, 0], ("image", "label map", "cut-out"), strict=True):
    ax.set_ylabel(title)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# As a file with transparency it is ready for any image editor. (`voc-seg predict --cutout` does the
# same from the command line.)

# %%
write_image("runs/tutorials/cutout.png", cut_out(images[0], labels[0]))
print("see runs/tutorials/cutout.png")

# %% tags=["check"]
rgba = cut_out(images[0], labels[0])
assert rgba.shape == (*images[0].shape[:2], 4)
assert np.array_equal(rgba[..., 3] > 0, labels[0] > 0)

# %% [markdown]
# ## Sigmoid and softmax
#
# Many programs treat two classes as a task of its own: a network with *one* output channel $z$, a
# sigmoid, a binary cross-entropy, a threshold at one half. Ours has two channels and the softmax of
# all other tasks. The two are the same function. A softmax over the logits 0 and $z$ gives the
# object the probability
#
# $$\frac{e^{z}}{e^{0} + e^{z}} = \frac{1}{1 + e^{-z}} = \sigma(z),$$
#
# by dividing above and below by $e^z$. With two free logits $a$ and $b$, divide by $e^b$ instead:
# $e^b / (e^a + e^b) = \sigma(b - a)$. Only the difference matters. The likelier class is the
# object where $b > a$, that is where $\sigma(b - a) > \frac{1}{2}$: taking the largest of two
# probabilities is the threshold at one half.

# %%
z = np.linspace(-6, 6, 25).astype("float32")  # (25,) logits of the object
logits = np.stack([np.zeros_like(z), z], axis=-1)  # (25, 2)
by_sigmoid = keras.ops.convert_to_numpy(keras.ops.sigmoid(z))
by_softmax = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[:, 1]
print(f"largest difference: {abs(by_sigmoid - by_softmax).max():.1e}")

# %% tags=["check"]
assert np.allclose(by_sigmoid, by_softmax, atol=1e-6)
shifted = keras.ops.convert_to_numpy(keras.ops.softmax(logits + z[:, None] / 2 + 3))[:, 1]
assert np.allclose(by_sigmoid, shifted, atol=1e-5)

# %% [markdown]
# With equal probabilities the losses are equal, too. The **cross-entropy** of a pixel is minus the
# logarithm of the probability that the network gave to the true class $y$. For two classes it has
# a second name:
#
# $$-\log p_y \;=\; -y \log \sigma(z) - (1 - y) \log (1 - \sigma(z)), \qquad y \in \{0, 1\}$$
#
# The right side is the binary cross-entropy: one of its two terms is always zero.

# %%
y = np.arange(len(z)) % 2  # true classes, 0 and 1 in turn
binary = keras.losses.BinaryCrossentropy(from_logits=True)
categorical = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print(f"binary, of z:                    {float(binary(y[:, None], z[:, None])):.6f}")
print(f"sparse categorical, of (0, z):   {float(categorical(y, logits)):.6f}")

# %% tags=["check"]
assert np.isclose(float(binary(y[:, None], z[:, None])), float(categorical(y, logits)), atol=1e-6)

# %% [markdown]
# And so are the gradients, since equal functions have equal derivatives. It is worth knowing which,
# because the result is simple. For any number of classes, the derivative of the cross-entropy by
# the logit of class $c$ is
#
# $$\frac{\partial L}{\partial z_c} = p_c - [c = y],$$
#
# the predicted probability minus the one that it should be ($[c = y]$ is 1 for the true class and 0
# for the others). For the logits 0 and $z$ it is $\sigma(z) - y$. We ask Keras' two losses
# for their slope, by moving $z$ a little to either side.


# %%
def binary_loss(z, y):
    target = np.full_like(z, y)
    return keras.ops.convert_to_numpy(
        keras.ops.binary_crossentropy(target, z, from_logits=True)
    )  # (25,)


def categorical_loss(z, y):
    logits = np.stack([np.zeros_like(z), z], axis=-1)
    target = np.full(len(z), y, "int32")
    return keras.ops.convert_to_numpy(
        keras.ops.sparse_categorical_crossentropy(target, logits, from_logits=True)
    )  # (25,)


def slope(loss, y, step=0.02):
    return (loss(z + step, y) - loss(z - step, y)) / (2 * step)


# %% alt="Two panels. Left: the sigmoid as a line rising from 0 to 1, and the softmax of 0 and z as dots that lie on it. Right: slopes of the loss, a solid line for a true object, from -1 to 0, and a dashed line for true background, from 0 to 1; on each lie dots of the binary loss and crosses of the categorical one."
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
left.plot(z, by_sigmoid, color=BLUE, label="sigmoid of z")
left.plot(z, by_softmax, "o", color=VERMILLION, ms=4, label="softmax of (0, z)")
left.set(xlabel="z", ylabel="probability of the object")
left.legend()
for true, style, name in ((1, "-", "object"), (0, "--", "background")):
    right.plot(z, by_sigmoid - true, style, color="black", lw=1, label=f"p - y, true: {name}")
    right.plot(z, slope(binary_loss, true), "o", color=BLUE, ms=6, mfc="none")
    right.plot(z, slope(categorical_loss, true), "x", color=VERMILLION, ms=5)
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
# The slope is never larger than 1, and it vanishes only where the answer is right and sure. That
# makes cross-entropy a good partner for sigmoid and softmax.
#
# One small difference remains in practice. With two channels both logits have a slope, $p - y$ that
# of the object and $-(p - y)$ that of the background, so that their difference moves twice as far in
# a step of plain gradient descent. That is a matter of the learning rate, not of what can be learned.
#
# What does go wrong is to mix the two. A softmax over a *single* channel divides each number by
# itself:

# %%
print(keras.ops.convert_to_numpy(keras.ops.softmax(z[:, None]))[:3, 0], "for every z")

# %% tags=["check"]
assert np.all(keras.ops.convert_to_numpy(keras.ops.softmax(z[:, None])) == 1)

# %% [markdown]
# Such a network says "object" everywhere, its gradient is zero, and it never learns. One channel
# needs a sigmoid and the binary loss; two or more need a softmax and the categorical loss. By
# keeping to the second pair for any number of classes, our library has one loss, one metric and one
# way from probabilities to labels.
#
# ## The loss is a mean over pixels
#
# A label map is $H \times W$ classifications at once. The loss of a batch is the mean of their
# cross-entropies, over the set $V$ of pixels that have a label. Void is not in it:
#
# $$L = \frac{1}{|V|} \sum_{i \in V} -\log p_{i, y_i}$$
#
# Void has to be left out twice, of the sum and of $|V|$. If it is left out of the sum, but not of
# the number by which the sum is divided, images with much void, such as those filled up to a square,
# count for less than others.

# %%
validation = SegmentationDataset(objects, val_ids, SIZE, batch_size=8)
images, masks = validation[0]
p = np.asarray(finder.predict_on_batch(images))  # (B, H, W, 2)

valid = masks != VOID  # (B, H, W)
classes = np.where(valid, masks, 0)  # any class will do for void: it is dropped in the next line
p_true = np.take_along_axis(p, classes[..., None], axis=-1)[..., 0]  # (B, H, W)
pixel_loss = np.where(valid, -np.log(np.clip(p_true, 1e-7, 1)), 0)  # (B, H, W)

by_hand = pixel_loss.sum() / valid.sum()
by_keras = float(keras.losses.SparseCategoricalCrossentropy(ignore_class=VOID)(masks, p))
print(f"by hand: {by_hand:.5f}    Keras, ignore_class=255: {by_keras:.5f}")
print(f"divided by all pixels, void included: {pixel_loss.sum() / valid.size:.5f}")

# %% tags=["check"]
assert np.isclose(by_hand, by_keras, rtol=1e-3)
assert pixel_loss.sum() / valid.size < by_hand

# %% [markdown]
# Where does the loss sit? The array `pixel_loss` has the shape of the masks, so that we can look at
# it.

# %% alt="Three columns, one a validation image: above the image, in the middle the mask, below the loss of each pixel. Most of the map is dark, that is near zero; brighter pixels lie here and there, many of them beside the contours. Void is hatched."
high = np.quantile(pixel_loss[valid], 0.98)  # or a few large values would leave the rest dark
figure, axes = plt.subplots(3, 3, figsize=(8, 7.4), layout="constrained")
for k, column in enumerate(axes.T):
    column[0].imshow(images[k].astype(np.uint8))
    column[1].imshow(colorize(masks[k], objects.classes), interpolation="nearest")
    column[2].add_patch(plt.Rectangle((-0.5, -0.5), SIZE, SIZE, fc="0.8", hatch="////", zorder=-1))
    shown = column[2].imshow(
        np.where(valid[k], pixel_loss[k], np.nan), cmap="cividis", vmin=0, vmax=high
    )
figure.colorbar(shown, ax=axes[2], label="loss (void hatched)")
for ax, title in zip(axes[:, 0], ("image", "mask", "loss"), strict=True):
    ax.set_ylabel(title)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
square = np.ones((5, 5), np.uint8)
band = np.stack([cv2.dilate((mask == VOID).astype(np.uint8), square) for mask in masks]) > 0
band &= valid  # the labelled pixels within two pixels of a contour
share_of_pixels = band.sum() / valid.sum()
share_of_loss = pixel_loss[band].sum() / pixel_loss.sum()

# %% tags=["see"]
print(
    f"On these {len(masks)} images, {share_of_pixels:.0%} of the labelled pixels lie within two "
    f"pixels of a contour, and {share_of_loss:.0%} of the loss does."
)

# %% [markdown]
# So contours are not all. The rest of the loss lies further inside, where a part of an object was
# missed, or one was seen that is not there.

# %% [markdown]
# ## Weights
#
# In a plain mean each pixel counts the same, so that a frequent class has most of the say. One can
# give each pixel a weight according to its true class:
#
# $$L = \frac{1}{|V|} \sum_{i \in V} w_{y_i} \left( -\log p_{i, y_i} \right), \qquad
# w_c = \frac{|V|}{C \, n_c}$$
#
# where $n_c$ is the number of pixels of class $c$. With these **inverse frequencies** each class
# weighs the same in all, $w_c n_c = |V| / C$, and the mean weight of a pixel is 1, so that loss and
# learning rate keep their scale. We go back to all the classes and count.

# %%
counts = np.zeros(256)
for id in train_ids:
    counts += np.bincount(folder.pair(id)[1].ravel(), minlength=256)
counts = counts[: len(names)]  # without void
shares = counts / counts.sum()
occurs = counts > 0

weight = np.zeros(256, "float32")  # from a label to its weight; void keeps 0
weight[: len(names)][occurs] = counts.sum() / (occurs.sum() * counts[occurs])
for name, share, w in zip(names, shares, weight[: len(names)], strict=True):
    print(f"{name:12} {share:6.1%} of the pixels, weight {w:.2f}")

# %% tags=["check"]
assert np.isclose((weight[: len(names)] * shares).sum(), 1)
assert weight[VOID] == 0

# %% [markdown]
# Keras has an argument for this, `class_weight`. It is made for one label per example, not
# for masks: it takes the last axis of the mask for a list of class probabilities.

# %%
plain = build_unet(len(names), filters=8, depth=3)
compile_model(plain)
try:
    data = SegmentationDataset(folder, train_ids, SIZE)
    plain.fit(data, class_weight=dict(enumerate(weight[: len(names)].tolist())), verbose=0)
except (TypeError, ValueError) as error:
    refused = f"{type(error).__name__}: {error}"
    print(refused)

# %% tags=["check"]
assert refused

# %% [markdown]
# The way is **sample weights**: a data set may return a third array of the shape of the masks,
# $(B, H, W)$, with the weight of each pixel. Looking the labels up in the table `weight` gives just
# that. The class below wraps any data set of ours.


# %%
class Weighted(keras.utils.PyDataset):
    """Batches of another data set, with a weight for each pixel."""

    def __init__(self, data, weight):
        super().__init__()
        self.data, self.weight = data, weight

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        images, masks = self.data[i]
        return images, masks, self.weight[masks]  # (B, H, W, 3), (B, H, W), (B, H, W)

    def on_epoch_end(self):
        self.data.on_epoch_end()


# %% [markdown]
# How does Keras take the mean then? It divides by the number of labelled pixels, as in the formula,
# not by the sum of the weights. So a rare pixel keeps its large weight also in a batch that has
# many of its kind.

# %%
images, masks, pixel_weight = Weighted(SegmentationDataset(folder, val_ids, SIZE), weight)[0]
p = np.asarray(plain.predict_on_batch(images))  # (B, H, W, C), of a network not trained yet
valid = masks != VOID
classes = np.where(valid, masks, 0)
p_true = np.take_along_axis(p, classes[..., None], axis=-1)[..., 0]
pixel_loss = np.where(valid, -np.log(np.clip(p_true, 1e-7, 1)), 0)

by_hand = (pixel_weight * pixel_loss).sum() / valid.sum()
loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=VOID)
by_keras = float(loss(masks, p, sample_weight=pixel_weight))
print(f"by hand: {by_hand:.5f}    Keras with sample weights: {by_keras:.5f}")

# %% tags=["check"]
assert np.isclose(by_hand, by_keras, rtol=1e-3)

# %% [markdown]
# ## Does it help?
#
# An experiment in which only the weights differ: two U-Nets with the same initial weights see the
# same batches in the same order, for few steps, so that the rare classes have not been learned
# well yet. One has the plain loss, the other the weighted one. Seed 0 for both.

# %%
SEED = 0
keras.utils.set_random_seed(SEED)
plain = build_unet(len(names), filters=8, depth=3)
weighted = build_unet(len(names), filters=8, depth=3)
weighted.set_weights(plain.get_weights())
for model, table in ((plain, None), (weighted, weight)):
    data = SegmentationDataset(folder, train_ids, SIZE, shuffle=True, seed=SEED, cache=True)
    compile_model(model, learning_rate=3e-3)
    print("plain" if table is None else "weighted")
    model.fit(
        data if table is None else Weighted(data, table),
        epochs=EPOCHS,
        shuffle=False,
        verbose=2,
    )

# %% [markdown]
# There is a third candidate, which costs no training. A network trained with the plain loss
# estimates how probable each class is, *given the frequencies of the training data*. Divide its
# probabilities by these frequencies, and the largest quotient is the class that would be likeliest
# if all classes were equally frequent. That is what inverse frequencies in the loss aim at, too.
#
# Beside the IoU we look at its two halves. **Recall** is the share of a class's true pixels that
# are found, TP / (TP + FN); **precision** the share of its predicted pixels that are right,
# TP / (TP + FP).


# %%
def confusion_of(model, divide_by=1.0):
    """The confusion matrix over the validation images, probabilities divided by `divide_by`."""
    data = SegmentationDataset(folder, val_ids, SIZE)
    confusion = np.zeros((len(names), len(names)), np.int64)
    for images, masks in (data[i] for i in range(len(data))):
        p = np.asarray(model.predict_on_batch(images))
        labels = (p / divide_by).argmax(axis=-1)
        confusion += confusion_matrix(masks, labels, len(names))
    return confusion


def divide(a, b):
    """a / b, and NaN where b is 0."""
    return np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)


scores = {}
for title, confusion in {
    "plain": confusion_of(plain),
    "weighted": confusion_of(weighted),
    "plain, divided": confusion_of(plain, np.where(occurs, shares, 1)),
}.items():
    hit = np.diag(confusion)
    scores[title] = {
        "IoU": iou_from_confusion(confusion),
        "recall": divide(hit, confusion.sum(axis=1)),
        "precision": divide(hit, confusion.sum(axis=0)),
    }
print(f"{'':16}{'mean IoU':>9}{'mean recall':>13}{'mean precision':>16}")
for title, values in scores.items():
    iou, recall, precision = (np.nanmean(values[k]) for k in ("IoU", "recall", "precision"))
    print(f"{title:16}{iou:9.3f}{recall:13.3f}{precision:16.3f}")

# %% alt="Three groups of bars, for IoU, recall and precision by class. Three bars a class: plain without hatching, weighted with diagonal hatching, plain divided with dots. For the rarest class, the recall of the two others is higher than that of plain."
figure, axes = plt.subplots(3, 1, figsize=(8, 8), layout="constrained", sharex=True)
styles = (
    {"color": BLUE},
    {"color": VERMILLION, "hatch": "//", "edgecolor": "white"},
    {"color": "#E69F00", "hatch": "..", "edgecolor": "black"},
)
for ax, score in zip(axes, ("IoU", "recall", "precision"), strict=True):
    for k, (title, style) in enumerate(zip(scores, styles, strict=True)):
        places = np.arange(len(names)) + 0.27 * (k - 1)
        ax.bar(places, np.nan_to_num(scores[title][score]), 0.26, label=title, **style)
    ax.set(ylim=(0, 1.05), ylabel=score)
axes[2].set_xticks(range(len(names)), names, rotation=0 if len(names) < 8 else 90)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
plt.show()

# %% tags=["see"]
rare = int(np.argmin(np.where(occurs, shares, 1)))
recalls, precisions = ([scores[k][s][rare] for k in scores] for s in ("recall", "precision"))
means = [round(float(np.nanmean(scores[k]["IoU"])), 3) for k in scores]
print(
    f"The rarest class is {names[rare]}. Its recall is {recalls[0]:.2f} with the plain loss, "
    f"{recalls[1]:.2f} with weights and {recalls[2]:.2f} after the division; its precision "
    f"{precisions[0]:.2f}, {precisions[1]:.2f} and {precisions[2]:.2f}. The mean IoU is "
    f"{means[0]:.3f}, {means[1]:.3f} and {means[2]:.3f}: weights changed it by "
    f"{means[1] - means[0]:+.3f}, the division by {means[2] - means[0]:+.3f}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    for title in ("weighted", "plain, divided"):
        assert scores[title]["recall"][rare] > scores["plain"]["recall"][rare]
        assert scores[title]["recall"][0] < scores["plain"]["recall"][0]

# %% [markdown]
# The weights do what they say: more of the rarest class is found, and some background is lost. The
# division, which costs nothing, does the same. That is a trade, and other classes may lose by it, too.
# What it does to precision and to the mean IoU, which suffers from missed pixels and from wrong ones
# alike, is not settled by that: with the seeds 0, 1 and 2 the weights lowered the mean IoU once and
# raised it twice, and the division raised it twice and lowered it once. One run of a few epochs
# decides nothing here. So:
#
# - **Judge by the right number.** With accuracy in mind, imbalance looks harmless; with the mean
#   IoU, class by class, you see what is missing.
# - **Train longer before you weigh.** Much of what looks like imbalance in a short training is a
#   class that has not been learned yet. On VOC, Long et al. (2015) left the classes unbalanced.
# - **Weigh when a miss costs more than a false alarm,** as with a tumour. Weights that are less
#   unequal, by the square roots of the frequencies for instance, go a part of the way.
# - **Show the rare class more often.** The windows of [chapter 2](02_sliding_window.md) were drawn
#   with the same number from each class. With whole images one can draw those more often that hold
#   a rare class; its pixels then come with their surroundings.
# - Losses of another form (focal, Dice) are under *Further reading*; recipes for your own data in
#   [class imbalance](../howto/imbalance.md).
#
# ## Summary
#
# 1. Object extraction is segmentation with two classes; the label map becomes the alpha channel of
#    the cut-out.
# 2. A sigmoid of z is a softmax over the logits 0 and z. Loss and gradient, $p - y$, are the same:
#    two classes need no code of their own.
# 3. The loss is the mean of the cross-entropy over the pixels that have a label; void is neither
#    in the sum nor in the number by which it is divided.
# 4. Weights by class are an array of the shape of the masks, given as sample weights;
#    `class_weight` does not work with masks.
# 5. Inverse frequencies buy recall of the rarest class with recall of the background; the mean IoU
#    may rise or fall. Dividing the probabilities by the frequencies goes the same way without
#    training.
#
# ## Further reading
#
# - J. Long, E. Shelhamer, T. Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR
#   2015, <https://arxiv.org/abs/1411.4038>. The loss as a mean over pixels; on VOC, with three
#   quarters background, they found balancing the classes unnecessary.
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
