# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 8. Judge and use
#
# **You will be able to**
#
# - compute IoU by hand, and say what a mean IoU in a paper is the mean of;
# - compare models fairly, in one table and in one picture;
# - say where a model fails: which classes it mixes up, at contours or in interiors, on which
#   images;
# - segment a photo of your own, in Python and on the command line, and train on PASCAL VOC 2009.
#
# **Time:** about half an hour of reading; the code runs in about three minutes on two cores.
# **Stands on:** [chapter 6](06_transfer.md) and all before it: the four models of this chapter are
# theirs.
#
# The line with `ROOT` is the switch between the data set that is drawn here and a folder in VOC's
# layout.

# %%
import shutil
import time
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np

from voc_seg import (
    VOID,
    SegmentationDataset,
    WindowDataset,
    build_encoder_decoder,
    build_patch_classifier,
    build_unet,
    build_vgg_transfer,
    confusion_matrix,
    cut_out,
    draw_scene,
    evaluate,
    iou_from_confusion,
    load_segmenter,
    open_folder,
    predict_labels,
    pretrain_encoder,
    read_image,
    read_mask,
    train,
    write_image,
    write_shapes,
)
from voc_seg.plots import (
    BLUE,
    VERMILLION,
    plot_confusion,
    plot_iou,
    plot_overlay,
    plot_predictions,
)

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## IoU by hand
#
# Take a tiny image with three classes, background (0), cat (1) and dog (2), the true label map and
# a prediction. Two pixels of the truth are void: nobody knows what they are, so nobody is judged
# there.

# %%
truth = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 255, 2, 2],
        [0, 1, 1, 255, 2, 2],
        [0, 1, 1, 0, 2, 2],
    ]
)
prediction = np.array(
    [
        [0, 1, 0, 0, 0, 0],
        [0, 1, 1, 1, 2, 2],
        [0, 1, 1, 2, 2, 2],
        [0, 0, 1, 0, 1, 2],
    ]
)
names = ["background", "cat", "dog"]

# %% [markdown]
# For one class, a judged pixel is one of four things:
#
# - a **true positive** (TP): the class, and predicted as such;
# - a **false positive** (FP): predicted as the class, but it is another;
# - a **false negative** (FN): the class, but predicted as another;
# - none of these: not the class, and not predicted as it. (These *true negatives* are what makes
#   accuracy look good, and IoU does not count them.)
#
# The third picture below says what each pixel is for the class *cat*.

# %% alt="Three grids of 4 by 6 cells. The first shows the labels of the truth, the second those of the prediction, as numbers. The third shows for the class cat five cells with TP, two with FP, one with FN, two void cells and dots elsewhere."
kinds = np.full(truth.shape, "·", dtype="U4")
kinds[(truth == 1) & (prediction == 1)] = "TP"
kinds[(truth != 1) & (prediction == 1)] = "FP"
kinds[(truth == 1) & (prediction != 1)] = "FN"
kinds[truth == VOID] = "void"
shade = {"TP": BLUE, "FP": VERMILLION, "FN": "#E69F00", "void": "0.8"}

figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.5), layout="constrained")
for ax, title, grid in zip(
    axes, ["truth", "prediction", "for the class cat"], [truth, prediction, kinds], strict=True
):
    for (row, column), value in np.ndenumerate(grid):
        colour = shade.get(str(value), "white")
        ax.add_patch(plt.Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="0.4"))
        ink = "white" if value in ("TP", "FP") else "black"
        ax.text(column + 0.5, row + 0.5, value, ha="center", va="center", color=ink)
    ax.set(xlim=(0, 6), ylim=(4, 0), xticks=[], yticks=[], aspect="equal", title=title)
plt.show()

# %% [markdown]
# *Intersection over union* is the number of pixels on which both agree that they are the class,
# over the number of which at least one says so:
#
# $$\mathrm{IoU}_c = \frac{TP_c}{TP_c + FP_c + FN_c}$$
#
# It is 1 only if both areas are the same, and it punishes painting too much as well as painting too
# little. Counting in the picture: the cat has 5 TP, 2 FP and 1 FN, so its IoU is $5/8$. The pixel
# of void that was predicted as cat is no false positive.
#
# To do this for all classes at once, count the judged pixels by truth (row) and prediction
# (column). This is the *confusion matrix*:

# %%
confusion = np.zeros((3, 3), int)
for t, p in zip(truth.ravel(), prediction.ravel(), strict=True):
    if t != VOID:
        confusion[t, p] += 1
print(confusion)

# %% [markdown]
# All that IoU needs can be read off it. The diagonal entry of a class is TP. The rest of its column
# was predicted as the class and is not: FP. The rest of its row is the class and was missed: FN.

# %%
for c, name in enumerate(names):
    tp = confusion[c, c]
    fp = confusion[:, c].sum() - tp
    fn = confusion[c, :].sum() - tp
    union = tp + fp + fn
    print(f"{name:10}  TP {tp}, FP {fp}, FN {fn}:  IoU = {tp}/{union} = {tp / union:.3f}")

# %% [markdown]
# `confusion_matrix` and `iou_from_confusion` do the same without a loop over pixels, and Keras'
# `MeanIoU`, which watched over the training in the chapters before, keeps the same matrix inside.

# %%
iou = iou_from_confusion(confusion_matrix(truth, prediction, num_classes=3))
metric = keras.metrics.MeanIoU(num_classes=3, ignore_class=VOID)
metric.update_state(truth, prediction)
print("by class:", iou.round(3))
print("mean:", iou.mean().round(3), " Keras:", round(float(metric.result()), 3))

# %% tags=["check"]
assert (confusion_matrix(truth, prediction, 3) == confusion).all()
assert np.allclose(iou, [9 / 11, 5 / 8, 5 / 6])
assert np.isclose(iou.mean(), float(metric.result()))

# %% tags=["see"]
hits, judged = np.trace(confusion), confusion.sum()
print(
    f"All three ways agree: the mean IoU is {iou.mean():.3f}. The accuracy, {hits} of {judged} "
    f"pixels, is {hits / judged:.3f}."
)

# %% [markdown]
# ## One count over the whole split
#
# A split has many images. There are two ways to one number, and they are different measures:
#
# 1. count all pixels of all images into **one confusion matrix**, and compute IoU once, at the end;
# 2. compute a mean IoU **for each image**, and take the mean of these.
#
# PASCAL VOC does the first (Everingham et al. 2010), so does nearly every paper, so does
# `evaluate`. Two images of one class show the difference: an object of 100 pixels of which 90 are
# found, and one of 4 pixels that is missed.

# %%
found, size = np.array([90, 0]), np.array([100, 4])  # no false positives
print(f"one count: {found.sum() / size.sum():.3f}")
print(f"mean of the images: {np.mean(found / size):.3f}")

# %% [markdown]
# In the first number every *pixel* weighs the same, so that large objects rule. In the second every
# *image* does, so that the four pixels weigh as much as the hundred. Which is better depends on the
# use; Csurka et al. (2013) argue that a score for each image gives more insight. What is never
# right is to compare a number of one kind with one of the other.
#
# The second way has another trap: **absent classes**. Most images show one or two classes. A class
# that is neither in the truth nor in the prediction has an IoU of 0/0. Some programs call that 0,
# some 1, some leave it out, and the mean of the images changes a lot; below we measure how much.
# Over a whole split hardly any class is absent, so that the question rarely comes up.
# `iou_from_confusion` says NaN, *not a number*, and `evaluate` leaves such a class out of the mean.
# A class that is predicted and not there has a union, and gets 0.

# %%
print(iou_from_confusion(confusion_matrix(np.array([[0, 1]]), np.array([[0, 2]]), num_classes=4)))

# %% tags=["check"]
absent = iou_from_confusion(confusion_matrix(np.array([[0, 1]]), np.array([[0, 2]]), 4))
assert np.array_equal(absent, [1, 0, 0, np.nan], equal_nan=True)

# %% [markdown]
# ## At the original resolution
#
# The models see resized images. Why not judge them at that size? Because it would be a different,
# easier exam for each model. Shrink the masks, and thin parts and contours, the hard pixels, are
# gone.
#
# How much this is worth can be computed without any model, as in [chapter 5](05_unet.md). Cut each
# true mask into blocks of $f$ by $f$ pixels, and give each block the class that most of its judged
# pixels have. At $1/f$ of the resolution that is the truth, and judged there it has a mean IoU of 1.
# Judged at the original size, it has not. (Long et al. (2015) compute such upper bounds for PASCAL
# VOC.)

# %%
VAL = 200  # fast: 12
val = folder.ids("val")[:VAL]
num_classes = len(folder.classes)
pairs = {id: folder.pair(id) for id in val}  # {id: (image, mask)}


def best_in_blocks(mask, f):
    """The best label map that has one label for each block of f x f pixels: (H, W) uint8."""
    height, width = mask.shape
    bottom, right = -height % f, -width % f
    padded = np.pad(mask, [(0, bottom), (0, right)], constant_values=VOID)
    votes = []
    for c in range(num_classes):
        blocks = (padded == c).reshape(len(padded) // f, f, -1, f)
        votes.append(blocks.sum(axis=(1, 3)))  # (H / f, W / f)
    labels = np.argmax(votes, axis=0).astype(np.uint8)
    return labels.repeat(f, axis=0).repeat(f, axis=1)[:height, :width]


FACTORS = (1, 2, 4, 8)
bounds = []
for f in FACTORS:
    confusion = sum(
        confusion_matrix(mask, best_in_blocks(mask, f), num_classes) for _, mask in pairs.values()
    )
    bounds.append(iou_from_confusion(confusion))

# %% alt="A line plot. Along the bottom the side of the blocks, 1, 2, 4 and 8 pixels; upwards the IoU. The line of the mean falls from 1, the line of the class that suffers most lies below it and falls more steeply."
worst = int(np.nanargmin(bounds[-1]))
hardest = list(folder.classes)[worst]
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(FACTORS, [np.nanmean(b) for b in bounds], "o-", color=BLUE, label="mean")
ax.plot(FACTORS, [b[worst] for b in bounds], "s--", color=VERMILLION, label=hardest)
ax.set_xscale("log", base=2)
ax.set_xticks(FACTORS, FACTORS)
ax.set(ylim=(0, 1.05), xlabel="side of the blocks in pixels", ylabel="IoU of the truth in blocks")
ax.legend()
plt.show()

# %% tags=["check"]
assert np.nanmin(bounds[0]) == 1  # blocks of one pixel are the truth itself
assert best_in_blocks(np.zeros((5, 7), np.uint8), 4).shape == (5, 7)

# %% tags=["see"]
print(
    f"The truth in blocks of 2 pixels has a mean IoU of {np.nanmean(bounds[1]):.3f} (what it "
    "loses lies in the void along the contours), in blocks of 4 "
    f"{np.nanmean(bounds[2]):.3f}, in blocks of 8 {np.nanmean(bounds[3]):.3f}; *{hardest}* falls "
    f"to {bounds[3][worst]:.3f}."
)

# %% tags=["claim"]
if ROOT == SHAPES:  # nothing of this depends on a training
    assert np.nanmean(bounds[1]) > 0.99
    assert np.nanmean(bounds[2]) < 0.95 and np.nanmean(bounds[3]) < 0.85
    assert hardest in ("ring", "star")  # the thin parts

# %% [markdown]
# So `evaluate` brings each prediction to the size of its image, and compares it there. (It
# interpolates the probabilities and takes the largest afterwards; labels cannot be interpolated.)
# Two models that were trained at different sizes can then stand in one table.
#
# ## Four models
#
# Now the models of the chapters before, small enough to train all four here:
#
# - the **patch classifier** of [chapter 2](02_sliding_window.md), made dense as in [chapter
#   3](03_one_pass.md);
# - the **encoder-decoder** of [chapter 4](04_encoder_decoder.md);
# - the **U-Net** of [chapter 5](05_unet.md);
# - **transfer** as in [chapter 6](06_transfer.md), from a few masks: an encoder that has learned
#   the names of single objects, and a decoder that learns from 20 masks only.
#
# For photographs the encoder is VGG16 with ImageNet's weights; for the shapes it is a small one
# that we pretrain now, on images without masks. Its time is counted, too.

# %%
TRAIN = 1000  # fast: 24
EPOCHS = 5  # fast: 1
FEW = 20  # fast: 3
PRETRAIN = 3000  # fast: 64

keras.utils.disable_interactive_logging()  # no progress bars on this page
if ROOT == SHAPES:
    start = time.perf_counter()
    encoder = pretrain_encoder(seed=0, count=PRETRAIN)
    pretraining = time.perf_counter() - start
    transfer = build_vgg_transfer(num_classes, encoder=encoder, blocks=(1, 2, 3), filters=32)
else:
    pretraining = 0
    transfer = build_vgg_transfer(num_classes, weights="imagenet")

# %% [markdown]
# `train` is what `voc-seg train` runs. Beside the training it writes a folder: the best model, the
# history, curves and examples. It refuses a folder that holds a run, so the folder of an earlier
# reading is removed first. Validation comes at the end only, to save time, so that no epoch is
# chosen by it. (We shall call one of four models the best by it, which flatters that one a little.
# Whoever picks the best of many epochs, or of many models, by the validation images has learned from
# them. This is why VOC keeps the labels of a third split, *test*, to itself.)

# %%
RUNS = Path("runs/tutorials/08")
shutil.rmtree(RUNS, ignore_errors=True)

ids = folder.ids("train")[:TRAIN]
windows = WindowDataset(folder, ids, window=9, size=SIZE, windows_per_image=32)
images = SegmentationDataset(folder, ids, SIZE, shuffle=True, cache=True)
# An epoch shows each of the few images fifteen times, each time changed in another way.
few = SegmentationDataset(folder, ids[:FEW] * 15, SIZE, augment=True, shuffle=True, cache=True)
validation = SegmentationDataset(folder, val, SIZE, cache=True)

plans = {  # name: (model, data, number of masks)
    "patch-classifier": (build_patch_classifier(num_classes, window=9, filters=16), windows, TRAIN),
    "encoder-decoder": (build_encoder_decoder(num_classes, filters=16, depth=3), images, TRAIN),
    "unet": (build_unet(num_classes, filters=16, depth=3), images, TRAIN),
    "vgg-transfer": (transfer, few, FEW),
}
seconds = {}
for name, (model, data, _) in plans.items():
    _, history = train(
        model, data, validation, RUNS / name, epochs=EPOCHS, learning_rate=3e-3,
        validate_every=EPOCHS,
    )  # fmt: skip
    seconds[name] = sum(history["seconds"])
seconds["vgg-transfer"] += pretraining
print(*sorted(path.name for path in (RUNS / "unet").iterdir()))

# %% [markdown]
# `load_segmenter` loads a model that labels pixels; from a patch classifier it makes the dense
# network. `evaluate` judges it over the split, and hands each label map to the function
# `on_prediction`; ours keeps them, in a dictionary from the image's ID to its label map.

# %%
results, predictions = {}, {}
for name in plans:
    model = load_segmenter(RUNS / name / "best.keras")
    predictions[name] = {}
    results[name] = evaluate(
        model, folder, val, batch_size=50, on_prediction=predictions[name].__setitem__
    )

print(f"{'model':18}{'parameters':>11}{'masks':>7}{'seconds':>9}{'mean IoU':>10}{'accuracy':>10}")
for name, result in results.items():
    model, _, masks = plans[name]
    print(
        f"{name:18}{model.count_params():>11,}{masks:>7}{seconds[name]:>9.1f}"
        f"{result['mean_iou']:>10.3f}{result['pixel_accuracy']:>10.3f}"
    )
best = max(results, key=lambda name: results[name]["mean_iou"])

# %% tags=["check"]
for name, result in results.items():
    confusion = sum(
        confusion_matrix(mask, predictions[name][id], num_classes)
        for id, (_, mask) in pairs.items()
    )
    assert np.array_equal(confusion, result["confusion"])
metric = keras.metrics.MeanIoU(num_classes, ignore_class=VOID)
for id, (_, mask) in pairs.items():
    metric.update_state(mask, predictions["unet"][id])
assert np.isclose(float(metric.result()), results["unet"]["mean_iou"], atol=1e-5)

# %% tags=["see"]
last = min(results, key=lambda name: results[name]["mean_iou"])
scores = {name: result["mean_iou"] for name, result in results.items()}
apart = results[best]["pixel_accuracy"] - results[last]["pixel_accuracy"]
print(
    f"`{best}` is the best of the four, with a mean IoU of {scores[best]:.3f}; `{last}` has "
    f"{scores[last]:.3f}. In accuracy the two are {apart:.3f} apart, in mean IoU "
    f"{scores[best] - scores[last]:.3f}: the many easy pixels of the background hide a part of the "
    f"difference. `vgg-transfer` has {scores['vgg-transfer']:.3f}, from {FEW} masks."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert scores["patch-classifier"] < scores["encoder-decoder"] < scores["unet"]
    assert scores["patch-classifier"] < scores["vgg-transfer"]
    assert apart < scores[best] - scores[last]
    painted = {
        name: np.mean([len(np.unique(labels)) for labels in found.values()])
        for name, found in predictions.items()
    }
    assert painted["patch-classifier"] > painted["unet"] + 0.3  # classes in an image

# %% [markdown]
# (Chapters 4, 5 and 6 had other numbers of masks and of epochs, so their models have other scores.)
#
# Numbers are not enough. Look at the same images through all models: what kind of error does each
# make?

# %% alt="Five validation images in rows; in columns the image, its true label map and the label maps of the patch classifier, the encoder-decoder, the U-Net and the transfer model. Regions are outlined in white."
shown = val[:: -(-len(val) // 5)]
plot_predictions(
    [pairs[id][0] for id in shown],
    [pairs[id][1] for id in shown],
    {name: [found[id] for id in shown] for name, found in predictions.items()},
    folder.classes,
)

# %% [markdown]
# The patch classifier paints several classes into one image: each window decides by itself, and
# inside of a large object all windows look alike. The encoder-decoder sees the whole object, and
# its contours are soft. The U-Net has both. The transfer model has seen 20 masks only, and still
# does better than the patch classifier, which had all of them: its encoder knew the objects before.
#
# The best model class by class:

# %% alt="A bar for the IoU of each class, with the value written at its end, and a dashed line at the mean."
result = results[best]
plot_iou(result["iou"], result["classes"], result["mean_iou"])

# %% [markdown]
# ### The other way to count
#
# And the mean of the images' own numbers? Here it is for the best model, with absent classes left
# out, counted as 0, and counted as 1: four numbers for the same predictions.

# %%
by_image = np.array(
    [
        iou_from_confusion(confusion_matrix(mask, predictions[best][id], num_classes))
        for id, (_, mask) in pairs.items()
    ]
)  # (images, classes); NaN where a class is absent
image_scores = np.nanmean(by_image, axis=1)
one_count = result["mean_iou"]
left_out = image_scores.mean()
as_zero = np.nan_to_num(by_image, nan=0).mean()
as_one = np.nan_to_num(by_image, nan=1).mean()
print(f"one confusion matrix over the split: {one_count:.3f}")
print(f"mean of the images, absent left out: {left_out:.3f}")
print(f"mean of the images, absent as 0:     {as_zero:.3f}")
print(f"mean of the images, absent as 1:     {as_one:.3f}")

# %% alt="A scatter plot, a dot for each validation image. Along the bottom the share of the image that objects cover, upwards the image's own mean IoU. A solid line marks the mean IoU of one count over the split, a dashed line the mean of the images."
covered = [np.mean((mask > 0) & (mask != VOID)) for _, mask in pairs.values()]
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(covered, image_scores, ".", color="0.5", label="one image")
ax.axhline(one_count, color=BLUE, label="one count over the split")
ax.axhline(left_out, color=VERMILLION, linestyle="--", label="mean of the images")
ax.set(xlabel="share of the image that objects cover", ylabel="mean IoU", ylim=(0, 1.05))
ax.legend(loc="lower right")
plt.show()

# %% tags=["check"]
assert as_zero <= left_out <= as_one

# %% tags=["see"]
print(
    f"One count over the split gives {one_count:.3f}, the mean of the images {left_out:.3f} or, "
    f"as absent classes are treated, anything from {as_zero:.3f} to {as_one:.3f}. On average "
    f"{np.isnan(by_image).sum(axis=1).mean():.1f} of the {num_classes} classes are absent."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert as_zero < left_out - 0.1 and abs(one_count - left_out) > 0.002

# %% [markdown]
# Why do the dots lie in bands? In an image of one object the mean is over two classes. A few pixels
# that bear the name of a third, which is not there, add a class with an IoU of 0: from
# $(1 + 1) / 2$ the image falls to $(1 + 1 + 0) / 3$, however few they are. That is what a score by
# image is sensitive to, and one count over the split hardly at all.
#
# ## Where it fails, and why
#
# ### Which classes are mixed up
#
# The confusion matrix of the best model, each row divided by its sum: what became of a class's
# pixels?

# %% alt="A matrix with the true classes as rows and the predicted ones as columns; each cell has the share of the true class's pixels written in it. Most are on the diagonal."
plot_confusion(result["confusion"], result["classes"])

# %% [markdown]
# With 5 classes one can look; with 21 it is better to sort. The background is left out here: we want
# to know which objects the model takes for which.

# %%
counts = np.array(result["confusion"])
shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
objects = shares[1:, 1:] - np.eye(num_classes - 1)  # without background; hits come last
order = np.argsort(objects, axis=None)[::-1][:3]
mixed = [divmod(int(k), num_classes - 1) for k in order]
mixed = [(result["classes"][t + 1], result["classes"][p + 1], objects[t, p]) for t, p in mixed]
for t, p, share in mixed:
    print(f"{share:.1%} of the pixels of {t} are predicted as {p}")

# %% tags=["see"]
as_background = counts[1:, 0].sum()
as_other = counts[1:, 1:].sum() - np.trace(counts[1:, 1:])
objects_on_background = counts[0, 1:].sum()
print(
    f"`{best}` is wrong on {as_background + as_other + objects_on_background:,} pixels: on "
    f"{as_background:,} it takes an object for background, on {objects_on_background:,} background "
    f"for an object, and on {as_other:,} one class of object for another. The most frequent mix-up "
    f"of two objects: *{mixed[0][0]}* predicted as *{mixed[0][1]}*."
)

# %% [markdown]
# ### Contours or interiors
#
# Errors at the contour are small displacements; errors in the interior are misunderstandings. To
# tell them apart, compute for each pixel of an object how far the nearest pixel with another label
# is (void counts as another label), and look at the share of wrong pixels by that distance.

# %%
EDGES = (2, 4, 6, 9)  # in pixels of the size at which the models see the image


def depth(mask):
    """How far each pixel lies from the nearest pixel with another label: (H, W)."""
    distance = np.zeros(mask.shape, np.float32)
    for label in np.unique(mask):
        region = (mask == label).astype(np.uint8)
        distance += cv2.distanceTransform(region, cv2.DIST_L2, 5)  # 0 outside of the region
    return distance * SIZE / max(mask.shape)


wrong = {name: np.zeros(len(EDGES) + 1) for name in plans}
total = np.zeros(len(EDGES) + 1)
for id, (_, mask) in pairs.items():
    judged = (mask > 0) & (mask != VOID)
    band = np.digitize(depth(mask)[judged], EDGES)  # 0 for below 2, ..., 4 for beyond 9
    total += np.bincount(band, minlength=len(total))
    for name in plans:
        errors = predictions[name][id][judged] != mask[judged]
        wrong[name] += np.bincount(band, errors, minlength=len(total))
rates = {name: wrong[name] / np.maximum(total, 1) for name in plans}

# %% alt="A line for each of the four models, with different markers: the share of wrong object pixels for five ranges of the distance from the contour, from below 2 pixels to beyond 9 pixels."
ranges = ["below 2", "2 to 4", "4 to 6", "6 to 9", "beyond 9"]
ranges = [f"{name}\n({n:,.0f} pixels)" for name, n in zip(ranges, total, strict=True)]
styles = zip(["o-", "s--", "^-.", "D:"], [VERMILLION, BLUE, "#009E73", "black"], strict=True)
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for (name, rate), (style, colour) in zip(rates.items(), styles, strict=True):
    ax.plot(ranges, rate, style, color=colour, label=name)
ax.set(xlabel="distance from the contour in pixels", ylabel="wrong object pixels", ylim=(0, None))
ax.yaxis.set_major_formatter("{x:.0%}")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% tags=["see"]
print(
    f"In the outermost 2 pixels of objects the U-Net is wrong at {rates['unet'][0]:.1%}, the "
    f"encoder-decoder at {rates['encoder-decoder'][0]:.1%}, the patch classifier at "
    f"{rates['patch-classifier'][0]:.1%}. 6 to 9 pixels inside it is {rates['unet'][3]:.1%}, "
    f"{rates['encoder-decoder'][3]:.1%} and {rates['patch-classifier'][3]:.1%}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert rates["unet"][0] < rates["encoder-decoder"][0]  # skip connections at the contours
    assert (rates["patch-classifier"][2:4] > rates["unet"][2:4] + 0.1).all()  # too small a window

# %% [markdown]
# The patch classifier is not mainly imprecise: it is wrong inside of objects. From 4 pixels on its
# window of 9 sees one plain surface. No sharper contour would help it; more context would. (Farthest
# inside there are only large discs and squares. There are fewer names to confuse, and few pixels, so
# do not read much into the last points.) At the contours the U-Net beats the encoder-decoder, which
# is what its skip connections are for.
#
# ### The worst images
#
# The single most useful picture while developing a model: its worst images. The last column shows
# the wrong pixels.

# %% alt="The five validation images on which the best model is worst. For each the image, the true label map, the prediction, and the errors painted over the image. The image's name and its own mean IoU stand below it."
worst_five = np.argsort(image_scores)[:5]
worst_ids = [val[k] for k in worst_five]
plot_predictions(
    [pairs[id][0] for id in worst_ids],
    [pairs[id][1] for id in worst_ids],
    [predictions[best][id] for id in worst_ids],
    folder.classes,
    titles=[f"{val[k]}: {image_scores[k]:.2f}" for k in worst_five],
)

# %% [markdown]
# Ask of each: is it the size of the object, is it cut off by the border of the image or by another
# object, is it a class of which the training has seen little, or is the mask itself doubtful? Each
# answer has its own remedy: a larger input, other scales in the augmentation, more masks of that
# kind, better masks. A larger network is seldom the first one to try.
#
# ## Your own photo
#
# `train` has written the best model to `best.keras`, and the model knows its classes and the size of
# its training images. In a notebook, `PHOTO` is the line to change; whoever runs the chapter as a
# script takes the command below, or all models are trained again. Without a photo of yours, a scene
# is drawn that is larger than the training images and not square.

# %%
PHOTO = RUNS / "photo.png"  # for your own: PHOTO = Path("photo.jpg")

if PHOTO == RUNS / "photo.png":
    scene, _ = draw_scene(np.random.default_rng(22), size=120, objects=[2, 4, 1])
    write_image(PHOTO, scene[:96])

model = load_segmenter(RUNS / best / "best.keras")
photo = read_image(PHOTO)  # (H, W, 3) uint8, turned as the camera says
(labels,) = predict_labels(model, [photo])  # (H, W) uint8, as large as the photo
print(photo.shape, labels.shape)

# %% alt="The drawn scene with several light objects, each covered by the half transparent colour of the class that the model predicts; a legend names the classes."
plot_overlay(photo, labels, folder.classes)

# %% [markdown]
# `cut_out` makes an RGBA image of it, in which the background is transparent. Shown on a chequered
# board:

# %% alt="The objects of the scene, cut out, on a grey chequered board."
rgba = cut_out(photo, labels)  # (H, W, 4)
rows, columns = np.indices(labels.shape) * 16 // labels.shape[1]
plt.figure(figsize=(6, 6 * len(labels) / len(labels[0])), layout="constrained")
plt.imshow((rows + columns) % 2, cmap="gray", vmin=-4, vmax=2)
plt.imshow(rgba)
plt.axis("off")
plt.show()

# %% tags=["check"]
assert labels.shape == photo.shape[:2] and rgba.shape == (*labels.shape, 4)
assert (rgba[labels == 0] == 0).all() and (rgba[labels > 0, 3] == 255).all()

# %% [markdown]
# A rim of background that comes along has two causes. Void along the contours of the training masks
# means that nobody has told the model where exactly to end; and it sees the photo at the size of
# its training images, so that each of its pixels is several of yours.
#
# The same on the command line, for as many photos as you like:
#
# ```bash
# voc-seg predict runs/tutorials/08/unet/best.keras runs/tutorials/08/photo.png \
#     --out mine --overlay --cutout
# ```
#
# It writes `mine/photo.png`, a palette PNG whose pixels are the classes, `mine/photo_overlay.png`
# and `mine/photo_cutout.png`.

# %% tags=["check"]
from voc_seg.cli import main  # noqa: E402

files = [str(RUNS / best / "best.keras"), str(PHOTO)]
main(["predict", *files, "--out", str(RUNS / "mine"), "--overlay", "--cutout"])
values = np.array(list(folder.classes.values()))
assert np.array_equal(read_mask(RUNS / "mine" / f"{PHOTO.stem}.png"), values[labels])
assert (RUNS / "mine" / f"{PHOTO.stem}_overlay.png").is_file()
assert (RUNS / "mine" / f"{PHOTO.stem}_cutout.png").is_file()

# %% [markdown]
# ### A model knows what it was trained on
#
# A photo of your street makes no sense to a model of shapes: it will still label each pixel, since
# it has no class for "something that I have never seen". Here is a triangle, which is none of its
# classes:

# %% alt="A light triangle on a dark striped ground. Where the model names a class, its colour lies half transparent over the image; a legend names the classes."
triangle, _ = draw_scene(np.random.default_rng(3), SIZE, objects=[])
corners = np.array([[0.5, 0.15], [0.85, 0.8], [0.15, 0.8]]) * SIZE
inside = cv2.fillPoly(np.zeros((SIZE, SIZE), np.uint8), [corners.round().astype(np.int32)], 1) > 0
triangle[inside] = (235, 205, 160)
probabilities = np.asarray(model.predict_on_batch(triangle[None].astype("float32")))[0]
guess = probabilities.argmax(axis=-1).astype(np.uint8)
plot_overlay(triangle, guess, folder.classes)

# %% tags=["see"]
share = np.bincount(guess[inside], minlength=num_classes) / inside.sum()
confidence = probabilities[inside].max(axis=-1).mean()
parts = [f"{share[c]:.0%} *{list(folder.classes)[c]}*" for c in np.argsort(-share) if share[c]]
print(
    f"To `{best}` the triangle is {', '.join(parts)}, with an average probability of "
    f"{confidence:.2f} for the class that it names."
)

# %% [markdown]
# A high probability means *of the classes that I know, this one*, not *I am sure*. For a real
# photo, take a model that was trained on photographs, of the classes that are in yours.
#
# ## PASCAL VOC 2009, on a GPU
#
# The data set that this library is named after has, in its year 2009, 1,499 photographs with masks,
# 749 for training and 750 for validation, and 20 classes beside the background. Networks of full
# size on photographs want a GPU. `voc-seg train` does what the function `train` did above; what the
# GPU needs, and what to do if its memory is too small, is in
# [the how-to](../howto/voc2009_gpu.md).
#
# ```bash
# voc-seg download --data data
#
# voc-seg train patch-classifier --data data --out runs/patch --size 224 --window 65 --epochs 20
# voc-seg train encoder-decoder --data data --out runs/ed --size 320 --batch-size 16 --epochs 120
# voc-seg train unet --data data --out runs/unet --size 320 --batch-size 16 --epochs 120
# voc-seg train vgg-transfer --data data --out runs/vgg --size 320 --batch-size 16 --epochs 40
#
# voc-seg evaluate runs/vgg/best.keras --data data --json runs/vgg/val.json
# voc-seg predict runs/vgg/best.keras photo.jpg --out mine --overlay --cutout
# ```
#
# (And `evaluate` likewise for the other three.) After a kill, the same `train` command with
# `--resume` goes on at the last finished epoch.
#
# What to expect? **The project has not measured VOC 2009 yet**; what has been measured is in
# [results](../results.md). Published results to stand beside, mean IoU in percent over the
# background and 20 classes, void left out:
#
# | model | trained on (images) | judged on | mean IoU | source |
# | --- | --- | --- | --- | --- |
# | all background | nothing | VOC 2012 val | 3.49 | computed from the masks |
# | FCN-32s, last layer only | VOC 2011, SBD: 8,498 | 736 of VOC 2011 val | 45.4 | Long et al. |
# | VGG16-U-Net in Keras | VOC 2012, SBD | VOC 2012 val | 45.48 | unet-keras' README |
# | FCN on VGG16 | VOC 2011: 1,112 | VOC 2011 val | 56.0 | Long et al. |
# | DeepLab-LargeFOV on VGG16 | VOC 2012, SBD | VOC 2012 val | 62.25 | Chen et al. |
# | FCN-8s | VOC 2011, SBD: 8,498 | 736 of VOC 2011 val | 62.7 | Long et al. |
#
# All of these were trained on more images than the 749 of VOC 2009: SBD, the Semantic Boundaries
# Dataset, adds masks to thousands of VOC's photographs. They are judged on other images, too, and
# FCN and DeepLab begin with a VGG16 that has learned from ImageNet. So the table gives an order of
# magnitude, not a target. The closest in its amount of data is FCN on VGG16 without SBD, with one
# and a half times as many images. The encoder-decoder and the U-Net of this course start from nothing and have
# only the 749 masks; no row is comparable, and there is every reason to expect less of them than of
# `vgg-transfer`.
#
# ## Summary
#
# 1. IoU is TP / (TP + FP + FN), by class, from one confusion matrix over the whole split; void is
#    not counted, and an absent class belongs in no mean.
# 2. The mean of the images' own IoUs is another measure; say which one you use, and never compare
#    the two.
# 3. Judge at the original resolution: at a reduced one, thin parts and contours are no longer asked
#    for.
# 4. Look beyond the mean: pairs of classes, contours against interiors, the worst images; each kind
#    of failure has a remedy of its own.
# 5. A trained model is a file that knows its classes and its size: `load_segmenter`,
#    `predict_labels`, `cut_out`, or `voc-seg predict`; and it knows nothing beside its classes.
#
# ## Further reading
#
# - M. Everingham, L. Van Gool, C. K. I. Williams, J. Winn and A. Zisserman, "The PASCAL Visual
#   Object Classes (VOC) Challenge", International Journal of Computer Vision, 2010,
#   [doi:10.1007/s11263-009-0275-4](https://doi.org/10.1007/s11263-009-0275-4).
# - M. Everingham, S. M. A. Eslami, L. Van Gool, C. K. I. Williams, J. Winn and A. Zisserman, "The
#   PASCAL Visual Object Classes Challenge: A Retrospective", International Journal of Computer
#   Vision, 2015, [doi:10.1007/s11263-014-0733-5](https://doi.org/10.1007/s11263-014-0733-5).
# - J. Long, E. Shelhamer and T. Darrell, "Fully Convolutional Networks for Semantic Segmentation",
#   CVPR 2015, [arXiv:1411.4038](https://arxiv.org/abs/1411.4038).
# - L.-C. Chen, G. Papandreou, I. Kokkinos, K. Murphy and A. L. Yuille, "Semantic Image Segmentation
#   with Deep Convolutional Nets and Fully Connected CRFs", ICLR 2015,
#   [arXiv:1412.7062](https://arxiv.org/abs/1412.7062).
# - G. Csurka, D. Larlus and F. Perronnin, "What is a good evaluation measure for semantic
#   segmentation?", BMVC 2013.
#
# ## Exercises
#
# ### 1. IoU with void
#
# IoU of every class on one image, straight from its definition; void and absent classes are the
# traps.
# Complete `tutorials/exercises/iou_with_void.py`, then run
# `python tutorials/check.py iou_with_void`.
#
# ### 2. The confusion matrix without a loop
#
# The loop of this chapter would take minutes for a split of photographs. Number the pairs, and let
# NumPy count.
# Complete `tutorials/exercises/confusion.py`, then run `python tutorials/check.py confusion`.
#
# ### 3. The mean IoU of a split
#
# One count over several images of different sizes, void and absent classes included.
# Complete `tutorials/exercises/mean_iou_of_split.py`, then run
# `python tutorials/check.py mean_iou_of_split`.
#
# ### 4. An object on transparent ground
#
# The cut-out of chosen classes, as an RGBA image that hides nothing under its transparency.
# Complete `tutorials/exercises/cut_out_alpha.py`, then run
# `python tutorials/check.py cut_out_alpha`.
