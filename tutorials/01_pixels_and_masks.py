# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 1. Pixels and masks
#
# **You will be able to**
#
# - say what semantic segmentation asks for, and read a data set in the layout of PASCAL VOC;
# - tell a class index from the colour that a viewer shows for it;
# - compute accuracy and mean IoU, and say why accuracy flatters an answer that finds nothing;
# - recognise the two classic mistakes with masks by the numbers they leave behind.
#
# **Time:** about 45 minutes of reading and half an hour for the exercises. The code runs in less
# than a minute on two cores.
# **Prerequisite:** none. We don't train anything in this chapter.
#
# [The previous page](index.md) explains how to run the code: as a script, cell by cell, or as a
# notebook.

# %%
from pathlib import Path
from textwrap import fill

import cv2
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from voc_seg import (
    VOC_CLASSES,
    VOID,
    SegmentationDataset,
    confusion_matrix,
    iou_from_confusion,
    open_folder,
    palette,
    read_image,
    read_mask,
    resize_to_fit,
    write_mask,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, colorize, plot_confusion

# %% [markdown]
# The chapters work on *shapes*, a small data set that the next cell draws on your disk in a few
# seconds. A network learns them in a minute or two, without a GPU. To use PASCAL VOC instead,
# change the line with `ROOT`: the same cells then run on photographs. Where a photograph shows
# something that the shapes can't, we use [one that anyone may copy](../photos.md), with a mask that
# we drew by hand.

# %%
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
names = list(folder.classes)
print(f"{len(names)} classes: {', '.join(names)}")

TRAIN = 1000  # fast: 60
VAL = 200  # fast: 40
train_ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:VAL]

# %% [markdown]
# Here are four of the images. Below each one you see the answer that we want from a network.

# %% tags=["figure"] alt="Two rows of four: images above, their masks below. The names of the classes in each mask are written below it."
figure, axes = plt.subplots(2, 4, figsize=(9, 5), layout="constrained")
for column, id in zip(axes.T, train_ids[3:7], strict=True):
    picture, labels = folder.pair(id)
    column[0].imshow(picture)
    column[1].imshow(colorize(labels, folder.classes), interpolation="nearest")
    found = [names[c] for c in np.unique(labels[labels != VOID])]
    column[1].set_xlabel("\n".join(found[1:]))
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# The objects are light and plain: discs, squares, stars and rings. Anything dark and striped is
# background. So are the small blobs and strokes, which are there to fool the network.
#
# ## A label for every pixel
#
# *Classification* gives one label to a whole image: "a disc". *Detection* adds a box around each
# object. **Semantic segmentation** gives a class to every single pixel. The answer is an array as
# high and as wide as the image, the **mask** or *label map*:
#
# $$\text{image: } H \times W \times 3, \text{ colours} \quad\longrightarrow\quad
# \text{mask: } H \times W, \text{ classes } 0, 1, \dots, C - 1$$
#
# Class 0 is background: everything that isn't one of the other classes. *Semantic* means that two
# discs that touch are one region of the class disc. Telling them apart is a different task, called
# instance segmentation.

# %%
image = read_image(PHOTOS / "horse.jpg")
mask = read_mask(PHOTOS / "horse_mask.png")
print("image:", image.shape, image.dtype)
print("mask: ", mask.shape, mask.dtype, "with the values", np.unique(mask))

# %% [markdown]
# 13 is the horse. VOC has twenty classes of objects, and horse is the thirteenth. (The rider would be
# a *person* in VOC. We only drew the horse, so here he is background.) 255 isn't a class. It means
# *void*; more on that shortly. Let's look at the horse's back from close up. The mask is an array of
# small numbers, and the colours are only there for our eyes.

# %% tags=["figure"] alt="Four panels. Above, a photograph of a galloping horse, and its mask, a horse in pink with a pale line around it; both have a small frame on the horse's back. Below, the 16 x 16 pixels in the frame enlarged: those of the photograph, where brown turns into green over two or three pixels, and those of the mask, each with its number: 13 on one side, 0 on the other, and a band of 255, five pixels wide, between them."
voc = {name: index for index, name in enumerate(VOC_CLASSES)}
top, left = 130, 395
part = np.s_[top : top + 16, left : left + 16]
painted = colorize(mask, voc)

figure, axes = plt.subplots(2, 2, figsize=(9, 7.6), layout="constrained", height_ratios=[2, 3])
for (above, below), picture, title in zip(
    axes.T, (image, painted), ("image", "mask, painted"), strict=True
):
    above.imshow(picture)
    frame = plt.Rectangle((left - 3, top - 3), 22, 22, fill=False, ec="white", lw=2)
    above.add_patch(frame)
    above.set_title(title)
    below.imshow(picture[part], interpolation="nearest")
    below.set_title("the pixels in the frame")
axes[1, 1].set_title("the numbers in the frame")
for (row, column), value in np.ndenumerate(mask[part]):
    ink = "black" if value == VOID else "white"
    axes[1, 1].text(column, row, value, ha="center", va="center", fontsize=7, color=ink)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% tags=["check"]
assert set(np.unique(mask[part])) == {0, voc["horse"], VOID} and voc["horse"] == 13

# %% [markdown]
# ## A folder in VOC's layout
#
# PASCAL VOC is a series of data sets of photographs, 2005 to 2012, from a yearly competition
# (Everingham et al. 2010). Its segmentation task has 20 classes of objects and background. Its
# folder layout is simple, and many data sets have adopted it:
#
# ```
# JPEGImages/ID.jpg                the photographs
# SegmentationClass/ID.png         the masks, of the same ID
# ImageSets/Segmentation/*.txt     the splits: IDs for training and validation
# ```

# %%
for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
    files = sorted((folder.path / name).iterdir())
    print(f"{name:23} {len(files):5} files, for instance {files[-1].name}")

# %% [markdown]
# `folder.pair(ID)` reads an image with its mask, as above. It refuses pairs that don't fit: a mask
# whose size differs from its image's, or one that holds a number that isn't a class.
#
# ## The palette
#
# Open a mask of VOC in an image viewer, and you see colours. The file doesn't hold these colours.
# The masks are PNGs in **palette mode**: each pixel is one byte, an index, and a table in the file's
# header says which colour a viewer should show for each of the 256 indices. The indices *are* the
# classes. Pillow leaves them alone, and calls the mode `P`:

# %%
file = Image.open(PHOTOS / "horse_mask.png")
print("mode:", file.mode)
print("the pixels:", np.unique(np.array(file)))
print("the header's colour for index 13:", file.getpalette()[39:42])

# %% [markdown]
# `read_mask` in our library does the same, and checks what it finds. (`folder.pair` calls it. It
# can also merge several classes into one, as in chapter 7. Here we keep all classes, so the
# numbers are those of the file.)

# %% tags=["check"]
assert np.array_equal(mask, np.array(file))
assert file.getpalette()[39:42] == [192, 0, 128] == palette()[13].tolist()
path = folder.path / "SegmentationClass" / f"{train_ids[2]}.png"
assert ROOT != SHAPES or np.array_equal(read_mask(path), folder.pair(train_ids[2])[1])

# %% [markdown]
# VOC's palette is computed. Write the index as eight bits. The lowest bit goes to red, the next one
# to green, the next to blue, then red again, and so on. In each colour the first bit to arrive
# counts 128, the second 64, the third 32. Take the horse's 13, which is `00001101`. Its bits 0 and 3
# go to red and give 128 + 64 = 192. Its bit 2 goes to blue and gives 128: the pink that you see. So
# neighbours in the list get very different colours, and there is always an unused colour for a new
# class.
#
# ??? question "Which colour does index 8, `00001000`, get?"
#
#     Its only bit is bit 3. Bits 0, 1 and 2 go to red, green and blue, so bit 3 goes to red again.
#     It is the second bit to arrive there, so it counts 64: a very dark red, (64, 0, 0).

# %% tags=["figure"] alt="A table with a line for each class, for the indices 8, 13 and 15 and for void: the index, its eight bits, red, green and blue as numbers, a bar in that colour, and the name of the class."
shown = sorted({*range(len(names)), 8, 13, 15, VOID})
called = dict(enumerate(names)) | {VOID: "void"}
figure, ax = plt.subplots(figsize=(7, 0.6 + 0.28 * len(shown)), layout="constrained")
ax.barh(range(len(shown)), 1, color=palette()[shown] / 255, edgecolor="black")
ax.set(xlim=(0, 1.5), xticks=[], ylim=(len(shown) - 0.5, -0.5))
texts = [f"{i:3}  {i:08b}  ({', '.join(f'{c:3}' for c in palette()[i])})" for i in shown]
ax.set_yticks(range(len(shown)), texts, family="monospace")
for row, i in enumerate(shown):
    ax.text(1.03, row, called.get(i, "(not a class here)"), va="center")
ax.set_frame_on(False)
plt.show()

# %% [markdown]
# ## Void: pixels without a label
#
# Along a contour it is a matter of taste which pixel still belongs to the object. The camera has
# mixed the colours of both sides, as in the enlarged pixels above, and the annotator's hand isn't
# that steady. VOC marks these pixels as **void**, 255: a band a few pixels wide around each object.
# Objects that nobody could label are void as well.
#
# ??? question "The horse wears a saddlecloth. Is it horse, or background?"
#
#     You can argue for both, so nobody should be judged by it. In our mask it is void: the pale patch
#     on the horse's back.

# %%
print(f"the horse:       {np.mean(mask == 13):.1%} of the photograph")
print(f"void around it:  {np.mean(mask == VOID):.1%}")

# %% [markdown]
# Void is neither learned nor judged. It is not the same as background. If you train on void as
# background, you teach the network that the rims of things are background. If you score it, you are
# scoring the annotator's taste.
#
# ## Imbalance
#
# How many pixels does each class have? We count them over the training masks, without void.
#
# ??? question "What share of the pixels is background? Guess from the four images above."
#
#     Most of them: the objects are small, and all their classes together share the rest. The next
#     cell counts, and the bars show it.

# %%
counts = np.zeros(256, np.int64)
for id in train_ids:
    counts += np.bincount(folder.pair(id)[1].ravel(), minlength=256)
judged = counts[: len(names)]  # 255 is not among them
shares = judged / judged.sum()
for name, share in zip(names, shares, strict=True):
    print(f"{name:12} {share:6.1%}")
print(f"void: {counts[VOID] / counts.sum():.1%} of all pixels")

# %% tags=["figure"] alt="Bar chart of the share of pixels by class. The bar of the background is many times as long as any other; the percentages are written next to the bars."
figure, ax = plt.subplots(figsize=(7, 0.9 + 0.3 * len(names)), layout="constrained")
bars = ax.barh(names, shares, color=BLUE)
ax.bar_label(bars, [f"{share:.1%}" for share in shares], padding=3)
ax.set(xlim=(0, 1), xlabel="share of the pixels that are not void")
ax.invert_yaxis()
plt.show()

# %% tags=["see"]
rare = int(np.argmin(np.where(judged > 0, shares, 1)))
print(
    f"{shares[0]:.1%} of the pixels are background. The rarest class, {names[rare]}, has "
    f"{shares[rare]:.1%}: for each of its pixels there are "
    f"{shares[0] / shares[rare]:.0f} of background. "
    f"Another {counts[VOID] / counts.sum():.1%} of all pixels are void."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert shares[0] > 0.7
    assert shares[1:].max() < 0.15

# %% [markdown]
# There is nothing wrong with the data. Most of the world is background to any given list of classes:
# in the photographs of VOC it is also about three quarters of the pixels.
#
# ## What does it cost to find nothing?
#
# Before we train anything, we need a number that says how good an answer is. The obvious one is
# **accuracy**, the share of pixels with the right class. Let's try it on the laziest answer there
# is: a mask of zeros for every image, "all background".
#
# Every score in this chapter follows from one table, the **confusion matrix** $N$. Its entry $N_{tp}$
# counts the pixels whose true class is $t$ (the row) and whose predicted class is $p$ (the column).
# Void is left out. NumPy counts the pairs in one line. With $C$ classes, the number $C t + p$ says
# which of the $C^2$ entries a pixel belongs to:

# %%
truth = folder.pair(val_ids[0])[1]  # (H, W)
answer = np.zeros_like(truth)  # all background
C = len(names)
t, p = truth[truth != VOID].astype(int), answer[truth != VOID]
print(np.bincount(C * t + p, minlength=C * C).reshape(C, C))

# %% tags=["check"]
assert np.array_equal(
    np.bincount(C * t + p, minlength=C * C).reshape(C, C), confusion_matrix(truth, answer, C)
)

# %% [markdown]
# `confusion_matrix` in our library does the same. We add up the tables of all validation images. The
# diagonal holds the pixels that are right, so
#
# $$\text{accuracy} = \frac{\sum_c N_{cc}}{\sum_t \sum_p N_{tp}}$$

# %%
nothing = np.zeros((len(names), len(names)), np.int64)
for id in val_ids:
    truth = folder.pair(id)[1]
    nothing += confusion_matrix(truth, np.zeros_like(truth), len(names))

# %% tags=["figure"] alt="Confusion matrix of the all-background answer, truth by row and prediction by column: all pixels of each true class are in the first column, background."
plot_confusion(nothing, names)

# %% [markdown]
# The picture shows what accuracy hides: every object class scores 0%; only the background is right.
# We need a score that sees this. Take one class, and draw all pixels that truly belong to it as one
# circle, and all pixels that are predicted to be of it as another:

# %% tags=["figure"] alt="Two overlapping circles, truth and prediction. The part that only truth covers is labelled FN, missed; the overlap TP, found; the part that only prediction covers FP, too much."
figure, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
ax.add_patch(plt.Circle((-0.5, 0), 1, fc=BLUE, alpha=0.35, ec="black"))
ax.add_patch(plt.Circle((0.5, 0), 1, fc=VERMILLION, alpha=0.35, ec="black", ls="--", lw=2))
for x, text in ((-1, "FN\nmissed"), (0, "TP\nfound"), (1, "FP\ntoo much")):
    ax.text(x, 0, text, ha="center", va="center", fontsize=12)
ax.text(-0.7, 1.08, "truth", ha="center")
ax.text(0.7, 1.08, "prediction (dashed)", ha="center")
ax.set(xlim=(-2, 2), ylim=(-1.1, 1.35), aspect="equal")
ax.axis("off")
plt.show()

# %% [markdown]
# TP, the true positives, are the pixels of the class that were found. FN, the false negatives, were
# missed. FP, the false positives, got the class and should not have. The **intersection over union**,
# IoU, is the size of the overlap, divided by the size of everything that the two circles cover:
#
# $$\text{IoU}_c = \frac{\text{TP}}{\text{TP} + \text{FP} + \text{FN}}
# = \frac{N_{cc}}{\sum_p N_{cp} + \sum_t N_{tc} - N_{cc}}$$
#
# In the table, $\sum_p N_{cp}$ is row $c$, the truth, and $\sum_t N_{tc}$ is column $c$, the
# prediction. Both contain the overlap $N_{cc}$, so we subtract it once. The **mean IoU** is the mean
# over the classes. Each class counts the same in it, however few pixels it has. All counts are taken
# over the whole validation set, not image by image.
#
# ??? question "What mean IoU does the all-background answer get, with five classes?"
#
#     Four classes have no overlap at all, so their IoU is 0. Background has an IoU equal to the
#     accuracy, since every pixel is predicted as background. So the mean IoU is the accuracy divided
#     by five.


# %%
def scores(confusion):
    """Accuracy and mean IoU, over the classes that occur."""
    accuracy = np.trace(confusion) / confusion.sum()
    return accuracy, np.nanmean(iou_from_confusion(confusion))


accuracy, mean_iou = scores(nothing)
present = np.isfinite(iou_from_confusion(nothing)).sum()
print(f"all background: accuracy {accuracy:.3f}, mean IoU {mean_iou:.3f}")

# %% tags=["see"]
print(
    f"An answer that finds nothing has an accuracy of {accuracy:.1%}. Its mean IoU is only "
    f"{mean_iou:.3f}, the accuracy divided by the {present} classes that occur."
)

# %% tags=["check"]
assert np.isclose(mean_iou, accuracy / present)
assert np.isclose(iou_from_confusion(nothing)[0], accuracy)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert accuracy > 0.75 and mean_iou < 0.2
    assert present == len(names)

# %% [markdown]
# On the 1,449 validation images of VOC 2012 the same answer, counted from the masks, has a mean IoU
# of 0.035: its accuracy of 0.73, divided by the 21 classes. So a network that somebody reports at
# "accuracy 0.73" may have learned nothing at all.
#
# Is this a special case? Let's make two more answers from the true masks. One finds every object and
# gives each the *wrong name*, that of the next class. The other has every name right, but is
# *shifted* to the lower right by a twentieth of the image.


# %%
def wrong_name(truth):
    """Each true object gets the name of the next class."""
    return np.where(truth > 0, truth % (len(names) - 1) + 1, 0)


def shifted(truth):
    """The true objects, a twentieth of the image lower and further right."""
    by = max(1, round(max(truth.shape) / 20))
    height, width = truth.shape
    return np.pad(truth, ((by, 0), (by, 0)))[:height, :width]


confusions = {"all background": nothing}
for title, answer in {"wrong name": wrong_name, "shifted": shifted}.items():
    confusions[title] = np.zeros_like(nothing)
    for id in val_ids:
        truth = folder.pair(id)[1]
        labels = answer(np.where(truth == VOID, 0, truth))  # has no void
        confusions[title] += confusion_matrix(truth, labels, len(names))

# %% [markdown]
# ??? question "Which of the three answers do you like best? Which score agrees with you?"
#
#     Most people prefer the shifted answer: it has every name right, and most pixels. Accuracy can't
#     tell the other two apart. Mean IoU puts the shifted answer far above both.

# %%
for title, confusion in confusions.items():
    result = scores(confusion)
    print(f"{title:14}  accuracy {result[0]:.3f}  mean IoU {result[1]:.2f}")
print("\nIoU of the shifted answer:")
iou = iou_from_confusion(confusions["shifted"])
for name, value in zip(names, iou, strict=True):
    print(f"{name:12} {value:.2f}")

# %% tags=["figure"] alt="Bars for three answers: all background, wrong name, shifted. For each, a plain bar for the accuracy and a hatched one, always shorter, for the mean IoU; the values are written above them."
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for k, (label, style) in enumerate(
    {
        "accuracy": {"color": BLUE},
        "mean IoU": {"color": VERMILLION, "hatch": "//", "edgecolor": "white"},
    }.items()
):
    values = [scores(confusion)[k] for confusion in confusions.values()]
    bars = ax.bar(np.arange(3) + 0.38 * k, values, 0.36, label=label, **style)
    ax.bar_label(bars, fmt="%.2f")
ax.set_xticks(np.arange(3) + 0.19, list(confusions))
ax.set(ylim=(0, 1.1), ylabel="score")
ax.legend(loc="upper center", ncols=2)
plt.show()

# %% tags=["see"]
print(
    f'Accuracy gives "all background" and "wrong name" the same {accuracy:.1%}. Mean IoU gives '
    f"{scores(confusions['all background'])[1]:.2f} and "
    f"{scores(confusions['wrong name'])[1]:.2f}. (Perfect outlines with wrong names score so "
    "little because only one class, the background, has any overlap.) The shifted answer has an "
    f"accuracy of {scores(confusions['shifted'])[0]:.1%} and a mean IoU of {np.nanmean(iou):.2f}. "
    f"The shift hurts {names[np.nanargmin(iou)]} most (IoU {np.nanmin(iou):.2f}) and the "
    f"background least ({iou[0]:.2f}). Thin and small things have few pixels, so accuracy hardly "
    "notices when they are missed."
)

# %% tags=["check"]
assert np.isclose(scores(confusions["wrong name"])[0], accuracy)
for confusion in confusions.values():
    assert scores(confusion)[0] > scores(confusion)[1]

# %% tags=["claim"]
if ROOT == SHAPES:
    assert scores(confusions["shifted"])[0] > 0.9 and scores(confusions["shifted"])[1] < 0.8
    assert np.argmax(iou) == 0 and names[np.argmin(iou)] == "ring"

# %% [markdown]
# From now on we report the mean IoU, and look at the classes one by one.
#
# ## Mistake one: a mask is resized as if it were an image
#
# Networks want batches of one size, so we resize images. OpenCV's `resize` is **bilinear** by
# default, and so are many others: a new pixel is a weighted mean of its four neighbours. That is
# right for colours, since there is orange between a red and a yellow pixel. But there is *no* class 2
# between class 0 and class 4.
#
# Let's take the horse's mask, and treat it as careless code does. Void becomes background, "to
# keep it simple". Then we resize the mask bilinearly (`INTER_LINEAR`), so that its long side has
# 256 pixels.
#
# ??? question "The mask holds only 0 and 13. Which numbers will be in the resized one?"
#
#     A mean of 0 and 13 can be any number in between. So along the contour of the horse classes 1 to
#     12 appear, although nothing of the kind is in the photograph.

# %%
careless = np.where(mask == VOID, 0, mask).astype(np.uint8)
bilinear = resize_to_fit(careless, 256, cv2.INTER_LINEAR)
nearest = resize_to_fit(careless, 256, cv2.INTER_NEAREST_EXACT)
invented = np.isin(bilinear, np.unique(careless), invert=True)
print("classes in the mask:     ", np.unique(careless))
print("resized bilinearly:      ", np.unique(bilinear))
print("by the nearest neighbour:", np.unique(nearest))
print("pixels of classes that are not in the mask:", invented.sum())

# %% [markdown]
# ??? question "At which size of the result does bilinear resizing invent nothing?"
#
#     At the mask's own size, of course. And at a third or a fifth of it, if that is a whole
#     number: the centre of each new pixel is then the centre of an old one, and no neighbour has a
#     weight. On the site, the next figure has a part of 60 × 60 pixels: try 60, 20 and 12.

# %% tags=["check"]
ears = np.s_[60:120, 200:260]
for side in range(12, 121):
    found = np.unique(resize_to_fit(careless[ears], side, cv2.INTER_LINEAR))
    assert (set(found) == {0, 13}) == (side in (60, 20, 12)), side

# %% tags=["figure"] live="resize" caption="Slide the size of the resized mask, and switch between nearest and bilinear: pixels of classes that were never there are red. Point at a pixel, or move with the arrow keys, to read its index, its class and its colour." alt="The horse's mask twice, resized by nearest neighbour and bilinearly; only the part with the head is shown. By nearest neighbour there are two classes, background and horse. In the bilinear one the contour is lined with small squares of other colours, which are other classes."
part = np.s_[35:105, 65:135]  # the head and the forelegs
figure, axes = plt.subplots(1, 2, figsize=(9, 5.4), layout="constrained")
for ax, labels, title in zip(axes, (nearest, bilinear), ("nearest", "bilinear"), strict=True):
    ax.imshow(colorize(labels, voc)[part], interpolation="nearest")
    found = ", ".join(VOC_CLASSES[c] for c in np.unique(labels))
    ax.set_title(fill(f"{title}: {found}", 48), fontsize=10)
    ax.set(xticks=[], yticks=[])
plt.show()

# %% tags=["live"]
live = {
    "mask": mask[ears],
    "corner": [60, 200],
    "names": list(VOC_CLASSES),
}

# %% tags=["see"]
print(
    f"The horse is now lined with {len(np.unique(bilinear[invented]))} classes that aren't in the "
    f"photograph, from {VOC_CLASSES[bilinear[invented].min()]} to "
    f"{VOC_CLASSES[bilinear[invented].max()]}, on {invented.sum()} pixels."
)

# %% tags=["check"]
assert set(np.unique(nearest)) == {0, 13}
assert set(np.unique(bilinear)) == set(range(14))

# %% [markdown]
# Nothing fails, no number is out of range, and a network trained on such masks learns that an
# aeroplane is a thin line around a horse. How often does it happen to the shapes, if we resize them
# to 64 pixels?

# %%
touched = []
for id in train_ids[:200]:
    labels = folder.pair(id)[1]
    labels = np.where(labels == VOID, 0, labels).astype(np.uint8)
    resized = resize_to_fit(labels, 64, cv2.INTER_LINEAR)
    touched.append(len(np.setdiff1d(resized, labels)) > 0)
print(f"{sum(touched)} of {len(touched)} masks get a new class")

# %% tags=["see"]
print(
    f"It happens to {sum(touched)} of the first {len(touched)} masks. The only masks to escape are "
    "those that already contain every class up to their highest, so no new number can appear."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    occurring = [np.setdiff1d(folder.pair(id)[1], [VOID]) for id in train_ids[:200]]
    assert touched == [len(classes) <= classes.max() for classes in occurring]
    assert sum(touched) > len(touched) / 2

# %% [markdown]
# If you leave void in, at least you can see the mistake: numbers appear that aren't classes at all,
# the mean of 255 and something else. The horse's mask has three numbers. How many has it now?

# %%
smeared = resize_to_fit(mask, 256, cv2.INTER_LINEAR)
print(len(np.unique(smeared)), "numbers:", np.unique(smeared)[:16], "...")

# %% [markdown]
# The remedy is the **nearest neighbour**. A new pixel copies the one old pixel that its own centre
# lies in. Let the old mask have $H$ rows and the new one $h$. New row $i$ has its centre at
# $i + \frac{1}{2}$. In the old mask this is at $(i + \frac{1}{2}) H / h$, which lies in old row
#
# $$\left\lfloor \left(i + \tfrac{1}{2}\right) \frac{H}{h} \right\rfloor .$$
#
# Without the halves, with $\lfloor i H / h \rfloor$, you compare corners instead of centres, and the
# mask moves by up to half a pixel against its image. OpenCV has both: `INTER_NEAREST` compares
# corners, `INTER_NEAREST_EXACT` centres. Our library uses the latter for every mask.

# %% tags=["check"]
height, width = nearest.shape
rows = np.floor((np.arange(height) + 0.5) * careless.shape[0] / height).astype(int)
columns = np.floor((np.arange(width) + 0.5) * careless.shape[1] / width).astype(int)
assert np.array_equal(careless[rows][:, columns], nearest)
corners = cv2.resize(careless, (width, height), interpolation=cv2.INTER_NEAREST)
assert not np.array_equal(corners, nearest)
assert len(np.unique(smeared)) > 100

# %% [markdown]
# ## Mistake two: a mask is read through its colours
#
# Most functions that read images want to be helpful, and replace the indices of a palette PNG by the
# colours of its table. OpenCV does it. If you ask for a grey image, it also turns the colours into
# brightness, about $0.299\,R + 0.587\,G + 0.114\,B$:

# %%
path = str(PHOTOS / "horse_mask.png")
grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
print("indices in the file:   ", np.unique(mask))
print("read as a grey image:  ", np.unique(grey))

# %% [markdown]
# The horse is 72 now, and void is 220. Such numbers are worth remembering. **14, 38, 75, 113, 147,
# 220** in a mask are grey values of VOC's colours. If you see them, some code has read a mask as an
# image. A network for 21 classes then meets "class 72". Depending on the framework, you get an error
# message, a loss that is NaN ("not a number"), or a loss that is silently wrong.
#
# Can we compute the classes back from the grey values? Let's write a mask that holds every index
# once, let OpenCV read it as grey, and see which classes collide.

# %%
write_mask("runs/tutorials/indices.png", np.arange(256)[None])
grey_row = cv2.imread("runs/tutorials/indices.png", cv2.IMREAD_GRAYSCALE)
greys = grey_row[0]  # (256,)
print("index  grey  class")
for index in (*range(len(VOC_CLASSES)), VOID):
    name = "void" if index == VOID else VOC_CLASSES[index]
    for i, other in enumerate(VOC_CLASSES):
        if i != index and greys[i] == greys[index]:
            name += f", the same as {other}"
    print(f"{index:5}  {greys[index]:4}  {name}")

# %% tags=["check"]
assert set(np.unique(grey)) == {0, 72, 220}
assert {14, 38, 75, 113, 147, 220} <= set(greys[[*range(21), VOID]].tolist())
assert len(set(greys[:21].tolist())) < 21

# %% [markdown]
# There is no way back: some classes share a grey value.
#
# Code that keeps red, green and blue can look up each pixel's colour in the table and get the index
# back. That is a roundabout way to get what was in the file all along, and it only works if no
# colour has changed in the least. Two things that happen to images every day break it: resizing,
# and saving as JPEG.

# %%
colours = cv2.imread(path)[..., ::-1]  # OpenCV's order is blue, green, red
table = {tuple(palette()[i]): i for i in (*range(21), VOID)}


def look_up(colours):
    """Colours (H, W, 3) -> indices (H, W); -1 if not in the table."""
    flat = [table.get(tuple(colour), -1) for colour in colours.reshape(-1, 3)]
    return np.reshape(flat, colours.shape[:2])


resized = resize_to_fit(colours, 256, cv2.INTER_LINEAR)
quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
_, buffer = cv2.imencode(".jpg", colours[..., ::-1], quality)
jpeg = cv2.imdecode(buffer, cv2.IMREAD_COLOR)[..., ::-1]
unknown = {
    "untouched": np.mean(look_up(colours) == -1),
    "resized": np.mean(look_up(resized) == -1),
    "saved as JPEG": np.mean(look_up(jpeg) == -1),
}
for title, share in unknown.items():
    print(f"{title:14} {share:6.1%} of the colours are not in the table")

# %% tags=["figure"] alt="Two rows of three: the horse's mask in its colours, the same resized, the same after JPEG, which look nearly alike. Below each, the pixels whose colour is not in the table, in black: none; thin lines along the contour; the whole horse, and blocks all around it."
figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained")
for column, picture, title in zip(axes.T, (colours, resized, jpeg), unknown, strict=True):
    column[0].imshow(picture, interpolation="nearest")
    column[0].set_title(title)
    column[1].imshow(look_up(picture) != -1, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    column[1].set_xlabel("black: not in the table")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% tags=["see"]
print(
    f"Untouched, every colour is found. After resizing, {unknown['resized']:.1%} of the pixels "
    f"have a colour that means nothing; after JPEG at quality 95, "
    f"{unknown['saved as JPEG']:.1%}: nearly all of the horse, and more. (JPEG works in blocks of "
    "8 x 8 pixels or more. Where all of a block is background, and so black, nothing changes. In "
    "the lower right picture, these blocks are white.)"
)

# %% tags=["check"]
assert np.array_equal(look_up(colours), mask)
assert unknown["untouched"] == 0 and unknown["resized"] > 0 and unknown["saved as JPEG"] > 0

# %% tags=["claim"]
assert np.mean(look_up(jpeg)[mask == 13] == -1) > 0.99
assert unknown["saved as JPEG"] > np.mean(mask == 13) > unknown["resized"]

# %% [markdown]
# Our library doesn't guess. It refuses a mask that was saved in colours, and says which file it was:

# %%
saved = Path("runs/tutorials/saved_in_colours.png")
Image.fromarray(np.ascontiguousarray(colours)).save(saved)
try:
    read_mask(saved)
except ValueError as error:
    print(error)

# %% [markdown]
# ## What a network gets
#
# Done right, a batch of images and masks looks like this. Each image is resized so that its long side
# is `SIZE`: bilinearly when it grows, and by *area*, the mean of all old pixels that a new one covers,
# when it shrinks. Its mask is resized by the nearest neighbour. Images that aren't square are padded,
# with grey in the image and void in the mask, so the padding never counts in the loss.

# %%
dataset = SegmentationDataset(folder, train_ids, size=SIZE, batch_size=8)
images, masks = dataset[0]
print("images:", images.shape, images.dtype)
print("        from", images.min(), "to", images.max())
print("masks: ", masks.shape, masks.dtype)
print("        with the values", np.unique(masks))

# %% tags=["check"]
assert images.shape == (8, SIZE, SIZE, 3) and masks.shape == (8, SIZE, SIZE)
assert set(np.unique(masks)) <= {*range(len(names)), VOID}

# %% [markdown]
# A network for segmentation is a function from the first array to a probability for each class at
# each pixel. [Chapter 2](02_sliding_window.md) builds one from something you already know: a
# classifier of small images, applied to every pixel in turn.
#
# ## Summary
#
# 1. Semantic segmentation gives a class to every pixel. The answer is an array of class indices.
# 2. VOC's masks are palette PNGs: the pixels are the classes, the colours are only for the eye. 255
#    is void, neither learned nor judged.
# 3. Most pixels are background, so an answer that finds nothing has a high accuracy. The mean IoU
#    counts each class the same, and exposes such an answer.
# 4. Resize masks by the nearest neighbour: a mean of class indices is another class.
# 5. Read masks as indices. 38, 147 or 220 in a mask are brightnesses, and colours don't survive
#    resizing or JPEG.
#
# ## Three questions
#
# ??? question "1. A mask holds the values 0, 38 and 220. What happened?"
#
#     Somebody read it as a grey image. 38 is the brightness of VOC's class 1, (128, 0, 0), and 220
#     that of void.
#
# ??? question "2. Can the IoU of a class be larger than its recall, TP / (TP + FN)?"
#
#     No. The IoU has the same numerator, and FP in its denominator as well, so it is at most as
#     large. Both are equal if nothing was predicted in excess.
#
# ??? question "3. You double the size of a mask by the nearest neighbour. Which new classes appear?"
#
#     None. Each new pixel is a copy of an old one. Every pixel becomes a block of 2 x 2.
#
# ## Further reading
#
# - M. Everingham, L. Van Gool, C. Williams, J. Winn, A. Zisserman: The PASCAL Visual Object Classes
#   (VOC) Challenge, International Journal of Computer Vision 88, 2010.
# - M. Everingham, S. M. A. Eslami, L. Van Gool, C. Williams, J. Winn, A. Zisserman: The PASCAL
#   Visual Object Classes Challenge: A Retrospective, International Journal of Computer Vision,
#   volume 111 (2015): on the choice of IoU as the score of the segmentation task, and on what ten
#   years of competition have shown.
# - G. Csurka, D. Larlus, F. Perronnin: What is a good evaluation measure for semantic
#   segmentation?, British Machine Vision Conference 2013.
#
# ## Exercises
#
# ### 1. The palette from the bit pattern
#
# Compute the 256 colours of VOC's palette, so you never need a table of them.
# Complete `tutorials/exercises/palette.py`, then run `python tutorials/check.py palette`.
#
# ### 2. The share of each class
#
# Count the pixels of each class over a list of masks, without void. It is the first thing to look at
# in any new data set.
# Complete `tutorials/exercises/class_shares.py`, then run `python tutorials/check.py class_shares`.
#
# ### 3. Resize a mask
#
# Resize a mask by the nearest neighbour, with NumPy alone. It has to stay exactly where its image is.
# Complete `tutorials/exercises/nearest_resize.py`, then run
# `python tutorials/check.py nearest_resize`.
#
# ### 4. Predict first
#
# A contour is one pixel too wide. What does that cost a large square, and what a thin pole? Write down
# what you expect. Then the check does the experiment.
# Complete `tutorials/exercises/predict_first.py`, then run
# `python tutorials/check.py predict_first`.
