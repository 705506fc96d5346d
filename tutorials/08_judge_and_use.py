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
# - compute IoU, Dice, precision and recall by hand, and say what a mean IoU in a paper is the mean of;
# - compare models fairly, in one table and in one picture;
# - say where a model fails: which classes it mixes up, at contours or inside, on which images;
# - segment a photo of your own, in Python and on the command line, and train on PASCAL VOC 2009.
#
# **Time:** about 45 minutes of reading and half an hour for the exercises. The code runs in about
# two minutes on two cores.
# **Prerequisite:** [chapter 6](06_transfer.md) and all before it. This chapter compares their four
# models.
#
# The line with `ROOT` switches between the shapes and a folder in VOC's layout.

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
    format_table,
    iou_from_confusion,
    load_segmenter,
    open_folder,
    predict_labels,
    predict_probabilities,
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
from voc_seg.scoreboard import add_row, format_rows

PHOTOS = Path("docs/photos")  # next to the notebooks in their .zip file
if not PHOTOS.is_dir():
    raise SystemExit(
        f"{PHOTOS} is missing: put the files of the page 'Free photographs' "
        "there, or unpack voc_seg-notebooks.zip here"
    )

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## IoU by hand
#
# Take a tiny image with three classes, background (0), cat (1) and dog (2). Here are the true label
# map and a prediction. Two pixels of the truth are void: nobody knows what they are, so we don't score
# them.

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
# For one class, a scored pixel is one of four things:
#
# - a **true positive** (TP): the class, and predicted as such;
# - a **false positive** (FP): predicted as the class, but it is another;
# - a **false negative** (FN): the class, but predicted as another;
# - none of these: not the class, and not predicted as it. (These *true negatives* are what makes
#   accuracy look good, and IoU does not count them.)
#
# The third picture below says what each pixel is for the class *cat*.
#
# ??? question "Before you scroll down: how many TP, FP and FN does the cat have?"
#
#     5 TP, 2 FP and 1 FN. The pixel of void that was predicted as cat counts nowhere.

# %%
kinds = np.full(truth.shape, "·", dtype="U4")
kinds[(truth == 1) & (prediction == 1)] = "TP"
kinds[(truth != 1) & (prediction == 1)] = "FP"
kinds[(truth == 1) & (prediction != 1)] = "FN"
kinds[truth == VOID] = "void"

# %% tags=["figure"] alt="Three grids of 4 by 6 cells. The first shows the labels of the truth, the second those of the prediction, as numbers. The third shows for the class cat five cells with TP, two with FP, one with FN, two void cells and dots elsewhere."
shade = {"TP": BLUE, "FP": VERMILLION, "FN": "#E69F00", "void": "0.8"}
grids = {"truth": truth, "prediction": prediction, "for the class cat": kinds}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.5), layout="constrained")
for ax, (title, grid) in zip(axes, grids.items(), strict=True):
    for (row, column), value in np.ndenumerate(grid):
        colour = shade.get(str(value), "white")
        corner = (column, row)
        cell = plt.Rectangle(corner, 1, 1, facecolor=colour, edgecolor="0.4")
        ax.add_patch(cell)
        ink = "white" if value in ("TP", "FP") else "black"
        style = {"ha": "center", "va": "center", "color": ink}
        ax.text(column + 0.5, row + 0.5, value, **style)
    ax.set(xlim=(0, 6), ylim=(4, 0), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title)
plt.show()

# %% [markdown]
# *Intersection over union* (IoU) is the number of pixels that have the class in both the truth and
# the prediction, divided by the number of pixels that have it in at least one of them:
#
# $$\mathrm{IoU}_c = \frac{TP_c}{TP_c + FP_c + FN_c}$$
#
# It is 1 only if both areas are the same. It punishes painting too much, and painting too little. In
# the picture, the cat has 5 TP, 2 FP and 1 FN, so its IoU is $5/8$.
#
# To do this for all classes together, count the scored pixels by truth (row) and prediction (column).
# This is the *confusion matrix*:

# %%
confusion = np.zeros((3, 3), int)
for t, p in zip(truth.ravel(), prediction.ravel(), strict=True):
    if t != VOID:
        confusion[t, p] += 1
print(confusion)

# %% [markdown]
# You can read everything off it that IoU needs. The diagonal entry of a class is TP. The rest of its
# column was predicted as the class but isn't: FP. The rest of its row is the class and was missed: FN.

# %%
for c, name in enumerate(names):
    tp = confusion[c, c]
    fp = confusion[:, c].sum() - tp
    fn = confusion[c, :].sum() - tp
    union = tp + fp + fn
    counted = f"TP {tp}, FP {fp}, FN {fn}"
    print(f"{name:10}  {counted}:  IoU = {tp}/{union} = {tp / union:.3f}")

# %% [markdown]
# Three more scores come from the same counts. **Precision**, $TP / (TP + FP)$: how much of what was
# predicted as the class is right? **Recall**, $TP / (TP + FN)$: how much of the class was found?
# **Dice**, $2\,TP / (2\,TP + FP + FN)$, lies between the two. (It is their harmonic mean, also called
# F1.)
#
# ??? question "The cat's IoU is 5/8. What is its Dice score?"
#
#     $2 \cdot 5 / (2 \cdot 5 + 2 + 1) = 10/13 = 0.769$. From the IoU you get it as
#     $2\,\mathrm{IoU} / (1 + \mathrm{IoU})$. So for one class both scores rank two models the same way.

# %%
dice = np.zeros(3)
for c, name in enumerate(names):
    tp, true = confusion[c, c], confusion[c].sum()
    predicted = confusion[:, c].sum()
    dice[c] = 2 * tp / (predicted + true)
    print(f"{name:10}  precision {tp / predicted:.3f}", end=", ")
    print(f"recall {tp / true:.3f}, Dice {dice[c]:.3f}")

# %% [markdown]
# `confusion_matrix` and `iou_from_confusion` do the counting without a loop over pixels. Keras'
# `MeanIoU`, which watched over the training in the chapters before, keeps the same matrix inside.

# %%
iou = iou_from_confusion(confusion_matrix(truth, prediction, num_classes=3))
metric = keras.metrics.MeanIoU(num_classes=3, ignore_class=VOID)
metric.update_state(truth, prediction)
print("by class:", iou.round(3))
print("mean:", iou.mean().round(3))
print("Keras:", round(float(metric.result()), 3))

# %% tags=["check"]
assert (confusion_matrix(truth, prediction, 3) == confusion).all()
assert np.allclose(iou, [9 / 11, 5 / 8, 5 / 6])
assert np.isclose(iou.mean(), float(metric.result()))
assert np.allclose(dice, 2 * iou / (1 + iou)) and np.isclose(dice[1], 10 / 13)

# %% tags=["see"]
hits, judged = np.trace(confusion), confusion.sum()
print(
    f"All three ways agree: the mean IoU is {iou.mean():.3f}. The mean Dice is {dice.mean():.3f}. The "
    f"accuracy, {hits} of {judged} pixels, is {hits / judged:.3f}."
)

# %% [markdown]
# ### What an error costs
#
# Scores differ in what they forgive. Take three objects, drawn like those of the shapes, and two
# answers: the true object, but *shifted* by two pixels to the lower right, and *empty*, no object at
# all.
#
# ??? question "The thin ring, shifted by two pixels: can the empty answer have the higher accuracy?"
#
#     Yes. More than half of the shifted ring misses the true one. That costs an FN for each pixel
#     where the ring was, and often an FP where it is now (void hides some of them). The empty answer
#     has only FN. But its IoU is 0.


# %%
def scores_of(target, answer):
    """IoU, Dice and accuracy of class 1; void is not scored."""
    (tn, fp), (fn, tp) = confusion_matrix(target, answer, 2)
    union = tp + fp + fn
    return tp / union, 2 * tp / (tp + union), (tp + tn) / (union + tn)


drawn = {"large disc": (1, 9), "thin ring": (4, 10), "small star": (3, 10)}
objects = {}  # name: (40, 40), 0 background, 1 object, 255 void
answers = {}  # name: the shifted answer and the empty one
for name, (label, seed) in drawn.items():
    rng = np.random.default_rng(seed)
    _, labels = draw_scene(rng, size=40, objects=[label])
    objects[name] = np.where(labels == label, 1, labels).astype(np.uint8)
    inside = (objects[name] == 1).astype(np.uint8)
    moved = np.pad(inside, ((2, 0), (2, 0)))[:40, :40]
    answers[name] = {"shifted": moved, "empty": np.zeros_like(inside)}
for name, given in answers.items():
    for title, answer in given.items():
        values = scores_of(objects[name], answer)
        print(f"{name:10} {title:8}", end="")
        print("  IoU {:.2f}  Dice {:.2f}  accuracy {:.3f}".format(*values))

# %% tags=["claim"]
shifted = {name: scores_of(objects[name], answers[name]["shifted"]) for name in objects}
empty = {name: scores_of(objects[name], answers[name]["empty"]) for name in objects}
ring, moved = (objects["thin ring"] == 1), answers["thin ring"]["shifted"] == 1
assert (ring & moved).sum() < moved.sum() / 2
assert empty["thin ring"][2] > shifted["thin ring"][2] and empty["thin ring"][0] == 0
assert max(shifted, key=lambda name: shifted[name][2]) == "small star"
assert shifted["large disc"][0] > shifted["small star"][0] + 0.3

# %% [markdown]
# Of the shifted answers, the star's has the highest accuracy, although the disc's has by far the
# higher IoU: the star is small, so there is little to get wrong. Here are all three. On the site, you
# can paint other answers.

# %% tags=["figure"] live="judge" caption="Start from one of the answers (*Shifted* and *Too wide* are off by two pixels), paint on it or erase, and watch what IoU, Dice and accuracy make of it. Then try the same answer on the other masks: which score hardly notices a small object?" alt="Three panels, for a disc, a ring and a star, each shifted by two pixels against its mask. Pixels that were found, missed or painted in excess have different colours, and so have the void pixels around the true object. IoU, Dice and accuracy are written below each panel."
colours = np.array([[255, 255, 255], [213, 94, 0], [230, 159, 0], [0, 114, 178], [204, 204, 204]])
figure, axes = plt.subplots(1, 3, figsize=(9.5, 4.1), layout="constrained")
for ax, (name, target) in zip(axes, objects.items(), strict=True):
    moved = answers[name]["shifted"]
    ax.imshow(colours[np.where(target == VOID, 4, 2 * target.astype(int) + moved)])
    ax.set_title(f"{name}, shifted")
    values = scores_of(target, moved)
    ax.set_xlabel("IoU {:.2f}, Dice {:.2f}, accuracy {:.3f}".format(*values), fontsize=9)
    ax.set(xticks=[], yticks=[])
keys = {"FP": VERMILLION, "FN": "#E69F00", "TP": BLUE, "void": "0.8"}
handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in keys.values()]
figure.legend(handles, keys, loc="outside lower center", ncols=4, frameon=False)
plt.show()

# %% tags=["live"]
live = {"names": list(objects), "masks": np.stack(list(objects.values()))}

# %% [markdown]
# ## One count over the whole split
#
# A split has many images. There are two ways to get one number, and they measure different things:
#
# 1. count all pixels of all images into **one confusion matrix**, and compute IoU once, at the end;
# 2. compute a mean IoU **for each image**, and take the mean of these.
#
# PASCAL VOC does the first (Everingham et al. 2010), as do nearly all papers, and so does `evaluate`.
# Two images of one class show the difference: an object of 100 pixels, 90 of which are found, and one
# of 4 pixels that is missed.
#
# ??? question "Which of the two numbers is higher?"
#
#     The first. Nearly all pixels are found, so one count gives a high number. The mean of the images
#     gives the small object as much say as the large one, and it was missed: the mean of 0.9 and 0.

# %%
found, size = np.array([90, 0]), np.array([100, 4])  # no false positives
print(f"one count: {found.sum() / size.sum():.3f}")
print(f"mean of the images: {np.mean(found / size):.3f}")

# %% [markdown]
# In the first number every *pixel* counts the same, so large objects dominate. In the second, every
# *image* does, so the four pixels count as much as the hundred. Which is better depends on what you
# need. Csurka et al. (2013) argue that a score for each image gives more insight. But never compare a
# number of one kind with a number of the other.
#
# The second way has another trap: **absent classes**. Most images show one or two classes. A class
# that is neither in the truth nor in the prediction has an IoU of 0/0. Some programs call that 0, some
# 1, some leave it out, and the mean of the images changes a lot. Below we measure how much. Over a
# whole split hardly any class is absent, so the question rarely comes up. `iou_from_confusion` returns
# NaN, *not a number*, and `evaluate` leaves such a class out of the mean. A class that is predicted
# but isn't there has a union, and gets 0.

# %%
absent = confusion_matrix([[0, 1]], [[0, 2]], num_classes=4)
absent = iou_from_confusion(absent)
print(absent)

# %% tags=["check"]
assert np.array_equal(absent, [1, 0, 0, np.nan], equal_nan=True)

# %% [markdown]
# ## At the original resolution
#
# The models see resized images. Why don't we score them at that size? Because it would be an easier
# exam, and a different one for each model. Shrink the masks, and the hard pixels are gone: thin parts
# and contours.
#
# You have seen how much that is worth, in the experiment of [chapter 4](04_encoder_decoder.md). It wrote
# the *true* mask in coarse blocks, one label each. At the resolution of the blocks that map is
# perfect. At the original resolution it is far from perfect. (Long et al. (2015) computed such upper
# bounds for PASCAL VOC.)
#
# So `evaluate` resizes each prediction to the size of its image, and compares it there. (It
# interpolates the probabilities and takes the largest afterwards, since you cannot interpolate labels.)
# Two models that were trained at different sizes can then share one table.

# %%
VAL = 200  # fast: 12
val = folder.ids("val")[:VAL]
num_classes = len(folder.classes)
pairs = {id: folder.pair(id) for id in val}  # {id: (image, mask)}

# %% [markdown]
# ## Four models
#
# Now let's compare the models of the chapters before. They are small enough to train all four here:
#
# - the **patch classifier** of [chapter 2](02_sliding_window.md), turned into a dense network as in
#   [chapter 3](03_one_pass.md);
# - the **encoder-decoder** of [chapter 4](04_encoder_decoder.md);
# - the **U-Net** of [chapter 5](05_unet.md);
# - **transfer** as in [chapter 6](06_transfer.md), from a few masks: an encoder that has learned the
#   names of single objects, and a decoder that learns from only 20 masks.
#
# For photographs the encoder is VGG16 with ImageNet's weights. For the shapes it is a small one that
# we pretrain now, on images without masks. We count its time as well.

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
    transfer = build_vgg_transfer(
        num_classes,
        encoder=encoder,
        blocks=(1, 2, 3),
        filters=32,
    )
else:
    pretraining = 0
    transfer = build_vgg_transfer(num_classes, weights="imagenet")

# %% [markdown]
# `train` is the function behind `voc-seg train`. Besides training, it writes a folder with the best
# model, the history, curves and examples. It refuses a folder that already holds a run, so we first
# remove the folder of an earlier reading.
#
# We validate only at the end, to save time, so no epoch is chosen by its score. (Below we call one of
# four models the best, which flatters that one a little. If you pick the best of many epochs, or of
# many models, by the validation images, you have learned from them. This is why VOC keeps the labels
# of a third split, *test*, to itself.)

# %%
RUNS = Path("runs/tutorials/08")
shutil.rmtree(RUNS, ignore_errors=True)

ids = folder.ids("train")[:TRAIN]
windows = WindowDataset(
    folder,
    ids,
    window=9,
    size=SIZE,
    windows_per_image=32,
)
images = SegmentationDataset(folder, ids, SIZE, shuffle=True, cache=True)
# An epoch shows each of the few images fifteen times, each time changed
# in another way.
few = SegmentationDataset(
    folder,
    ids[:FEW] * 15,
    SIZE,
    augment=True,
    shuffle=True,
    cache=True,
)
validation = SegmentationDataset(folder, val, SIZE, cache=True)

patches = build_patch_classifier(num_classes, window=9, filters=16)
encoder_decoder = build_encoder_decoder(num_classes, filters=16, depth=3)
unet = build_unet(num_classes, filters=16, depth=3)
plans = {  # name: (model, data, number of masks)
    "patch-classifier": (patches, windows, TRAIN),
    "encoder-decoder": (encoder_decoder, images, TRAIN),
    "unet": (unet, images, TRAIN),
    "vgg-transfer": (transfer, few, FEW),
}
seconds = {}
for name, (model, data, _) in plans.items():
    _, history = train(
        model,
        data,
        validation,
        RUNS / name,
        epochs=EPOCHS,
        learning_rate=3e-3,
        validate_every=EPOCHS,
    )
    seconds[name] = sum(history["seconds"])
seconds["vgg-transfer"] += pretraining
print(*sorted(path.name for path in (RUNS / "unet").iterdir()))

# %% [markdown]
# `load_segmenter` loads a model that labels pixels. From a patch classifier it makes the dense
# network. `evaluate` scores it over the split, and passes each label map to the function
# `on_prediction`. Ours keeps them, in a dictionary from the image's ID to its label map.
#
# ??? question "Which model will be the best? And which the worst?"
#
#     The U-Net is the best, the patch classifier the worst. The column *IoU* below shows by how
#     much, and how close to the U-Net 20 masks can come.

# %%
results, predictions = {}, {}
for name in plans:
    model = load_segmenter(RUNS / name / "best.keras")
    predictions[name] = {}
    keep = predictions[name].__setitem__
    results[name] = evaluate(
        model,
        folder,
        val,
        batch_size=50,
        on_prediction=keep,
    )

print(f"{'model':17}{'weights':>9}{'masks':>6}{'seconds':>8}", end="")
print(f"{'IoU':>7}{'Dice':>7}{'image Dice':>12}{'accuracy':>10}")
for name, result in results.items():
    model, _, masks = plans[name]
    print(f"{name:17}{model.count_params():>9,}{masks:>6}", end="")
    print(f"{seconds[name]:>8.1f}{result['mean_iou']:>7.3f}", end="")
    print(f"{result['mean_dice']:>7.3f}", end="")
    print(f"{result['mean_image_dice']:>12.3f}", end="")
    print(f"{result['pixel_accuracy']:>10.3f}")
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
# Three of the columns are overlap scores. *IoU* and *Dice* are means over the classes, from one count
# over the split. *Image Dice* is what many courses and competitions ask for: one Dice score for each
# image, over all its object classes together, without background, and then the mean over the images.
#
# (In chapters 4, 5 and 6 the numbers of masks and epochs were different, so their models have
# different scores. And this table is from one seed. The [results](../results.md) have three.)
#
# Numbers are not enough. Let's look at the same images through all models. What kind of error does
# each one make?

# %%
shown = val[:: -(-len(val) // 5)]

# %% tags=["figure"] alt="Five validation images in rows; in columns the image, its true label map and the label maps of the patch classifier, the encoder-decoder, the U-Net and the transfer model. Regions are outlined in white."
painted = {}
for name, found in predictions.items():
    painted[name] = [found[id] for id in shown]
plot_predictions(
    [pairs[id][0] for id in shown],
    [pairs[id][1] for id in shown],
    painted,
    folder.classes,
)

# %% [markdown]
# The patch classifier paints several classes into one image. Each window decides by itself, and inside
# a large object all windows look alike. The encoder-decoder sees the whole object, but its contours
# are rounded. The U-Net also sees the whole object, and its contours are sharper. The transfer
# model has seen only 20 masks and still does better than the patch classifier, which had all of
# them: its encoder knew the objects before.
#
# Here is the best model class by class:

# %%
result = results[best]
print(format_table(result))

# %% tags=["figure"] alt="A bar for the IoU of each class, with the value written at its end, and a dashed line at the mean."
plot_iou(result["iou"], result["classes"], result["mean_iou"])

# %% [markdown]
# ### The scoreboard
#
# Now we can complete the scoreboard that has grown since chapter 2. The four models of this chapter
# had the same number of epochs, and all but one the same images.
#
# ??? question "Which network has the fewest errors of both kinds? And is it the most expensive?"
#
#     The U-Net, and no: `vgg-transfer` takes twice as many multiplications. Compare the columns
#     *where*, *what* and *mult.* in the last four rows.

# %%
for name in plans:
    model = load_segmenter(RUNS / name / "best.keras")
    rows = add_row(f"8 {name}", model, folder, val, SIZE)
print(format_rows(rows))

# %% tags=["see"]
unet, few_masks = rows["8 unet"], rows["8 vgg-transfer"]
print(
    f"The U-Net makes {unet['where']:,} *where* errors and {unet['what']:,} *what* errors, with "
    f"{unet['multiplications'] / 1e6:.0f} million multiplications. `vgg-transfer`, with {FEW} masks, "
    f"makes {few_masks['where']:,} and {few_masks['what']:,}, with "
    f"{few_masks['multiplications'] / 1e6:.0f} million."
)

# %% tags=["check"]
for name in plans:
    wrong = results[name]["confusion"] * (1 - np.eye(num_classes, dtype=int))
    row = rows[f"8 {name}"]
    assert row["where"] + row["what"] == wrong.sum()

# %% tags=["claim"]
if ROOT == SHAPES:
    ours = [rows[f"8 {name}"] for name in plans]
    assert min(ours, key=lambda row: row["where"]) is unet
    assert min(ours, key=lambda row: row["what"]) is unet
    assert max(ours, key=lambda row: row["multiplications"]) is few_masks

# %% [markdown]
# So the most expensive network isn't the best here. But it comes this far with only 20 masks. Its
# pretraining does that, not its multiplications: think of the control in
# [chapter 6](06_transfer.md).
#
# ### The other way to count
#
# And the mean of the images' own scores? Here it is for the best model, with absent classes left
# out, counted as 0, and counted as 1. Together with one count over the split, these are four
# numbers for the same predictions.

# %%
by_image = []
for id, (_, mask) in pairs.items():
    one = confusion_matrix(mask, predictions[best][id], num_classes)
    by_image.append(iou_from_confusion(one))
by_image = np.array(by_image)  # (images, classes); NaN where one is absent
image_scores = np.nanmean(by_image, axis=1)
one_count = result["mean_iou"]
left_out = image_scores.mean()
as_zero = np.nan_to_num(by_image, nan=0).mean()
as_one = np.nan_to_num(by_image, nan=1).mean()
print(f"one confusion matrix over the split: {one_count:.3f}")
print(f"mean of the images, absent left out: {left_out:.3f}")
print(f"mean of the images, absent as 0:     {as_zero:.3f}")
print(f"mean of the images, absent as 1:     {as_one:.3f}")

# %% tags=["figure"] alt="A scatter plot, a dot for each validation image. Along the bottom the share of the image that objects cover, upwards the image's own mean IoU. A solid line marks the mean IoU of one count over the split, a dashed line the mean of the images."
masks = [mask for _, mask in pairs.values()]
covered = [np.mean((mask > 0) & (mask != VOID)) for mask in masks]
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(covered, image_scores, ".", color="0.5", label="one image")
ax.axhline(one_count, color=BLUE, label="one count over the split")
dashed = {"color": VERMILLION, "linestyle": "--"}
ax.axhline(left_out, label="mean of the images", **dashed)
ax.set(xlabel="share of the image that objects cover")
ax.set(ylabel="mean IoU", ylim=(0, 1.05))
ax.legend(loc="lower right")
plt.show()

# %% tags=["check"]
assert as_zero <= left_out <= as_one

# %% tags=["see"]
print(
    f"One count over the split gives {one_count:.3f}. The mean of the images is {left_out:.3f} if "
    f"absent classes are left out, and anything from {as_zero:.3f} to {as_one:.3f} if they are "
    f"counted. On average {np.isnan(by_image).sum(axis=1).mean():.1f} of the {num_classes} classes "
    "are absent."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert as_zero < left_out - 0.1 and abs(one_count - left_out) > 0.002

# %% [markdown]
# Why do the dots form bands? In an image of one object, the mean is over two classes. Suppose a few
# pixels get the name of a third class, which isn't there. They add a class with an IoU of 0, and the
# image falls from $(1 + 1) / 2$ to $(1 + 1 + 0) / 3$, however few they are. A score by image is
# sensitive to this, and one count over the split hardly at all.
#
# ## Where it fails, and why
#
# ### Which classes are mixed up
#
# What became of the pixels of each class? Here is the confusion matrix of the best model, each row
# divided by its sum.

# %% tags=["figure"] alt="A matrix with the true classes as rows and the predicted ones as columns; each cell has the share of the true class's pixels written in it. Most are on the diagonal."
plot_confusion(result["confusion"], result["classes"])

# %% [markdown]
# With 5 classes you can just look. With 21 it is better to sort. We leave the background out here: which
# objects does the model take for which?

# %%
counts = np.array(result["confusion"])
shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
# Without background. The hits get a negative number, so they come last.
objects = shares[1:, 1:] - np.eye(num_classes - 1)
names = result["classes"][1:]
order = np.argsort(objects, axis=None)[::-1][:3]
mixed = [divmod(int(k), num_classes - 1) for k in order]
for t, p in mixed:
    share = objects[t, p]
    print(f"{share:.1%} of the pixels of {names[t]} are called {names[p]}")

# %% tags=["see"]
as_background = counts[1:, 0].sum()
as_other = counts[1:, 1:].sum() - np.trace(counts[1:, 1:])
objects_on_background = counts[0, 1:].sum()
t, p = mixed[0]
print(
    f"`{best}` is wrong on {as_background + as_other + objects_on_background:,} pixels. On "
    f"{as_background:,} it takes an object for background, on {objects_on_background:,} background "
    f"for an object, and on {as_other:,} one class of object for another. The most frequent mix-up "
    f"of two objects: *{names[t]}* predicted as *{names[p]}*."
)

# %% [markdown]
# ### Contours or interiors
#
# An error at the contour is a small displacement. An error in the interior is a misunderstanding. How
# do we tell them apart? For each pixel of an object, compute how far the nearest pixel with another
# label is (void counts as another label). Then look at the share of wrong pixels by that distance.
#
# ??? question "The patch classifier sees 9 x 9 pixels. Is it worse at contours or inside objects?"
#
#     Inside. Deep inside an object its window shows one plain colour, and every shape looks the
#     same. At the contour it sees both sides, and often a corner or a curve. But it isn't good
#     there either.

# %%
EDGES = (2, 4, 6, 9)  # pixels, at the size at which the models see images


def depth(mask):
    """The distance to the nearest pixel with another label: (H, W)."""
    distance = np.zeros(mask.shape, np.float32)
    for label in np.unique(mask):
        region = (mask == label).astype(np.uint8)
        # The distance is 0 outside the region.
        distance += cv2.distanceTransform(region, cv2.DIST_L2, 5)
    return distance * SIZE / max(mask.shape)


wrong = {name: np.zeros(len(EDGES) + 1) for name in plans}
total = np.zeros(len(EDGES) + 1)
for id, (_, mask) in pairs.items():
    judged = (mask > 0) & (mask != VOID)
    # 0 for a distance below 2, ..., 4 for one beyond 9
    band = np.digitize(depth(mask)[judged], EDGES)
    total += np.bincount(band, minlength=len(total))
    for name in plans:
        errors = predictions[name][id][judged] != mask[judged]
        wrong[name] += np.bincount(band, errors, minlength=len(total))
rates = {name: wrong[name] / np.maximum(total, 1) for name in plans}
ranges = ["below 2", "2 to 4", "4 to 6", "6 to 9", "beyond 9"]
print(f"{'distance in pixels':18}" + "".join(f"{r:>10}" for r in ranges))
for name, rate in rates.items():
    print(f"{name:18}" + "".join(f"{value:10.1%}" for value in rate))

# %% tags=["figure"] alt="A line for each of the four models, with different markers: the share of wrong object pixels for five ranges of the distance from the contour, from below 2 pixels to beyond 9 pixels."
counted = zip(ranges, total, strict=True)
labels = [f"{name}\n({n:,.0f} pixels)" for name, n in counted]
looks = ["o-", "s--", "^-.", "D:"]
colours = [VERMILLION, BLUE, "#009E73", "black"]
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for name, look, colour in zip(rates, looks, colours, strict=True):
    ax.plot(labels, rates[name], look, color=colour, label=name)
ax.set(xlabel="distance from the contour in pixels")
ax.set(ylabel="wrong object pixels", ylim=(0, None))
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
    highest = {name: int(np.argmax(rate)) for name, rate in rates.items()}
    assert highest.pop("patch-classifier") in (2, 3) and set(highest.values()) == {0}

# %% [markdown]
# The other models are wrong most often at the contour. The patch classifier is wrong everywhere,
# and most often 4 to 9 pixels inside, where its window of 9 sees one plain surface. No sharper
# contour would help it there; more context would. (Farthest inside there are only large discs and
# squares, so there are fewer names to confuse, and few pixels. Don't read much into the last
# points.) At the contours the U-Net beats the encoder-decoder. That is what its skip connections
# are for.
#
# ### The worst images
#
# This is the single most useful picture while you develop a model: its worst images. The last column
# shows the wrong pixels.

# %%
worst_five = np.argsort(image_scores)[:5]
worst_ids = [val[k] for k in worst_five]

# %% tags=["figure"] alt="The five validation images on which the best model is worst. For each the image, the true label map, the prediction, and the errors painted over the image. The image's name and its own mean IoU are written below it."
plot_predictions(
    [pairs[id][0] for id in worst_ids],
    [pairs[id][1] for id in worst_ids],
    [predictions[best][id] for id in worst_ids],
    folder.classes,
    titles=[f"{val[k]}: {image_scores[k]:.2f}" for k in worst_five],
)

# %% [markdown]
# Ask of each one: is the object small? Is it cut off by the border of the image, or by another object?
# Did the training show few masks of its class? Or is the mask itself doubtful? Each answer has its
# own remedy: a larger input, other scales in the augmentation, more masks of that kind, better masks.
# A larger network is seldom the first thing to try.
#
# ## Your own photo
#
# `train` has written the best model to `best.keras`, and the model remembers its classes and the size
# of its training images. In a notebook, change the line with `PHOTO`. (In a script, use the command
# below instead, because the script would train all models again.) If you have no photo, the cell draws
# a scene that is larger than the training images and not square.

# %%
PHOTO = RUNS / "photo.png"  # for your own: PHOTO = Path("photo.jpg")

if PHOTO == RUNS / "photo.png":
    rng = np.random.default_rng(22)
    scene, _ = draw_scene(rng, size=120, objects=[2, 4, 1])
    write_image(PHOTO, scene[:96])

model = load_segmenter(RUNS / best / "best.keras")
photo = read_image(PHOTO)  # (H, W, 3) uint8, turned as the camera says
(labels,) = predict_labels(model, [photo])  # (H, W), as large as the photo
print(photo.shape, labels.shape)

# %% tags=["figure"] alt="The drawn scene with several light objects, each covered by the half transparent colour of the class that the model predicts; a legend names the classes."
plot_overlay(photo, labels, folder.classes)

# %% [markdown]
# `cut_out` makes an RGBA image of it, with a transparent background. With `keep` you name the classes
# that stay. We cut out all objects, then only those of the largest class, and show both on a
# checkerboard.

# %%
rgba = cut_out(photo, labels)  # (H, W, 4)
areas = np.bincount(labels.ravel(), minlength=num_classes)[1:]
largest = int(areas.argmax()) + 1
only = cut_out(photo, labels, keep=[largest])
print("the largest class:", list(folder.classes)[largest])

# %% tags=["figure"] alt="Two panels on a grey checkerboard: all objects of the scene, cut out, and only those of one class."
rows, columns = np.indices(labels.shape) * 16 // labels.shape[1]
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, picture in zip(axes, (rgba, only), strict=True):
    ax.imshow((rows + columns) % 2, cmap="gray", vmin=-4, vmax=2)
    ax.imshow(picture)
    ax.set_axis_off()
plt.show()

# %% tags=["check"]
assert labels.shape == photo.shape[:2] and rgba.shape == (*labels.shape, 4)
assert (rgba[labels == 0] == 0).all() and (rgba[labels > 0, 3] == 255).all()
assert np.array_equal(only[..., 3] == 255, labels == largest)

# %% [markdown]
# Do you see a rim of background around an object? It has two causes. The training masks have void along
# the contours, so nobody told the model where exactly to end. And the model sees the photo at the
# size of its training images, so each of its pixels is several of yours.
#
# How does it look on a real photograph? This one isn't from VOC. Three of the four kinds of model label
# it, trained on 442 photographs of five animals (see the [results](../results.md#on-photographs)), and
# the last picture is what `cut_out` makes of the third:
#
# ![Five pictures in a row: a photograph of a galloping horse with its jockey; the labels of the patch classifier, a horse with large wrong patches; those of the U-Net, a small blob of several animals; those of the fine-tuned VGG, a clean horse; and the horse, cut out, on white.](../journey.png)
#
# We drew a mask of this horse by hand, so we can score the three. The IoU of the horse is 0.65 for
# the patch classifier, 0.28 for the U-Net and 0.87 for the fine-tuned VGG16. (That is with the
# further looks of the next section. With one look it has the 0.82 of chapter 6.)
#
# ??? question "Here the patch classifier beats the U-Net by far. Is it the better model?"
#
#     No. On the 448 validation photographs it has a mean IoU of 0.16, and the U-Net 0.26. One
#     photograph is an anecdote, even with a perfect mask. To judge a model, you need a split.
#
# ### A second look
#
# An object in the mirror is still the same object. So show the model the mirror image as well, and
# average the probabilities before you take the largest. `predict_labels`, `predict_probabilities` and
# `evaluate` do this with `flip=True`. With `scales=(0.75, 1, 1.25)` they also look at several sizes.
# No training is needed; it only takes longer.
#
# ??? question "Does a second look always help?"
#
#     No. It helps if the mirror image looks like the training images. Ask `evaluate`, as the next
#     cell does, before you rely on it.

# %%
change, worst = {}, {}
for name in plans:
    mirrored = evaluate(
        load_segmenter(RUNS / name / "best.keras"),
        folder,
        val,
        batch_size=50,
        flip=True,
    )
    one, two = results[name]["mean_iou"], mirrored["mean_iou"]
    change[name] = two - one
    print(f"{name:17} one look {one:.3f}, and a mirror one {two:.3f}")
    before = np.array(results[name]["iou"], float)
    after = np.array(mirrored["iou"], float)
    worst[name] = list(folder.classes)[np.nanargmin(after - before)]
    print(f"    lost most: {worst[name]}, {np.nanmin(after - before):+.3f}")

# %% tags=["claim"]
if ROOT == SHAPES:
    assert change["unet"] < 0 < max(change.values())
    assert worst["unet"] == "star"

# %% [markdown]
# So it can also hurt: the U-Net loses, mostly at the stars. Each of them has a point to the right,
# and without augmentation the U-Net has never seen one that points to the left. (Discs, squares
# and rings look alike in the mirror.) Train with `augment=True` if you want to use `flip`, and
# measure both. More about it, with several sizes, is in [the how-to](../howto/test_time.md).
#
# ### On the command line
#
# The same for as many photos as you like:
#
# ```bash
# voc-seg predict runs/tutorials/08/unet/best.keras \
#     runs/tutorials/08/photo.png \
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
# Our model has seen nothing but drawn shapes, and a photo of your street makes no sense to it. It will
# still label each pixel, since it has no class for "something that I have never seen". Let's show it
# the horse.
#
# ??? question "What will the model call the horse, and what the white rails behind it?"
#
#     Think of what it has learned. Objects are light and plain, and anything dark is background. So
#     the dark horse is background, and the rails are the objects. It can't say anything else than one
#     of its five classes.

# %%
horse = read_image(PHOTOS / "horse.jpg")
inside = read_mask(PHOTOS / "horse_mask.png") == 13  # VOC's index of horse
(probabilities,) = predict_probabilities(model, [horse])  # (H, W, C)
guess = probabilities.argmax(axis=-1).astype(np.uint8)
sure = probabilities.max(axis=-1)
shapes = predict_probabilities(model, [image for image, _ in pairs.values()])
usual = np.mean([found.max(axis=-1).mean() for found in shapes])
print("average of the largest probability")
print(f"on the horse:             {sure[inside].mean():.2f}")
print(f"in the whole photograph:  {sure.mean():.2f}")
print(f"in the validation images: {usual:.2f}")

# %% tags=["figure"] alt="The photograph of the galloping horse. The colours of the classes of shapes lie half transparent over it in large patches: ring over the white rails and the rider's back, star over the grass at the left, disc over the ground. Most of the horse has no colour, so it is background."
plot_overlay(horse, guess, folder.classes)

# %% tags=["see"]
share = np.bincount(guess[inside], minlength=num_classes) / inside.sum()
parts = [
    f"{share[c]:.0%} *{list(folder.classes)[c]}*" for c in np.argsort(-share) if share[c] >= 0.005
]
print(
    f"To `{best}` the horse is {', '.join(parts)}, with an average probability of "
    f"{sure[inside].mean():.2f} for the class that it names. It is less sure than on its own "
    f"validation images ({usual:.2f}), but far from undecided: among {num_classes} classes, a model "
    f"that knows nothing would give each {1 / num_classes:.2f}."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert share[0] > 0.5  # the horse is background
    assert np.mean(guess > 0) > 0.25  # large patches elsewhere are objects
    assert 0.5 < sure[inside].mean() < usual

# %% [markdown]
# That isn't the fault of the shapes. You have seen the zebra in [chapter 6](06_transfer.md). VGG16,
# trained on five other animals, calls its head a horse.
#
# A probability means *of the classes that I know, this one*. Even a high one doesn't mean *I know what
# this is*. For a real photo, take a model that was trained on photographs, of the classes that are in
# yours.
#
# ## PASCAL VOC 2009, on a GPU
#
# The year 2009 of the data set that this library is named after has 1,499 photographs with masks, 749
# for training and 750 for validation. It has 20 classes and background. Networks of full size on
# photographs need a GPU. `voc-seg train` does what the function `train` did above.
# [The how-to](../howto/voc2009_gpu.md) says what the GPU needs, and what to do if its memory is too
# small.
#
# ```bash
# voc-seg download --data data
#
# voc-seg train patch-classifier --data data --out runs/patch \
#     --size 224 --window 65 --epochs 20
# voc-seg train encoder-decoder --data data --out runs/ed \
#     --size 320 --batch-size 16 --epochs 120
# voc-seg train unet --data data --out runs/unet \
#     --size 320 --batch-size 16 --epochs 120
# voc-seg train vgg-transfer --data data --out runs/vgg \
#     --size 320 --batch-size 16 --epochs 40 --fine-tune block4
#
# voc-seg evaluate runs/vgg/best.keras --data data --json runs/vgg/val.json
# voc-seg predict runs/vgg/best.keras photo.jpg --out mine \
#     --overlay --cutout
# ```
#
# (Run `evaluate` for the other three as well.) If a run is killed, repeat the `train` command with
# `--resume` to continue from the last completed epoch.
#
# What can you expect? **The project has not measured VOC 2009 yet.** The [results](../results.md) page
# has what we did measure. Here are published results to compare with, mean IoU in percent over the
# background and 20 classes, without void:
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
# All of these were trained on more images than the 749 of VOC 2009. SBD, the Semantic Boundaries
# Dataset, adds masks to thousands of VOC's photographs. They were also judged on other images. And
# FCN and DeepLab begin with a VGG16 that has learned from ImageNet. So the table gives you an order of
# magnitude, not a target. The closest in its amount of data is FCN on VGG16 without SBD, with one and
# a half times as many images. The encoder-decoder and the U-Net of this course start from nothing and
# have only the 749 masks. No row is comparable with them, and there is every reason to expect less of
# them than of `vgg-transfer`.
#
# ## Summary
#
# 1. IoU is TP / (TP + FP + FN), by class, from one confusion matrix over the whole split. Dice,
#    precision and recall come from the same counts. Void is not counted, and an absent class belongs
#    in no mean.
# 2. The mean of the images' own scores is a different measure. Say which one you use, and never
#    compare the two.
# 3. Score at the original resolution. A smaller size no longer asks for thin parts and contours.
# 4. Look beyond the mean: pairs of classes, contours against interiors, the worst images. Each kind of
#    failure has its own remedy.
# 5. A trained model is a file that knows its classes and its size: `load_segmenter`,
#    `predict_labels`, `cut_out`, or `voc-seg predict`. It knows nothing beyond its classes.
#
# ## Three questions
#
# ??? question "Model A has a mean IoU of 0.71 in one paper, model B a mean Dice of 0.78 in another. Who wins?"
#
#     You can't say. For one class, an IoU of 0.71 is a Dice of 0.83, so B's number isn't better for
#     being larger. And the papers may use other images, other means, or another treatment of void.
#
# ??? question "Why can a single pixel of a wrong class spoil an image's own mean IoU?"
#
#     It adds a class with an IoU of 0 to a mean over very few classes. Over a whole split, one pixel
#     changes almost nothing.
#
# ??? question "Your model is 99 % sure of what it sees in a photo of your kitchen. Do you trust it?"
#
#     Only if kitchens were in its training. The probabilities are shared out among the classes that it
#     knows. They must add up to 1, whatever the photo shows.
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
# IoU of every class on one image, straight from its definition. Watch out for void and for absent
# classes.
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
# One count over several images of different sizes, with void and absent classes.
# Complete `tutorials/exercises/mean_iou_of_split.py`, then run
# `python tutorials/check.py mean_iou_of_split`.
#
# ### 4. An object on a transparent background
#
# Cut out the objects of chosen classes, as an RGBA image that hides nothing under its transparency.
# Complete `tutorials/exercises/cut_out_alpha.py`, then run
# `python tutorials/check.py cut_out_alpha`.
