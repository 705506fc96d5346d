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
# - recognise the two classic mistakes with masks by the numbers that they leave behind.
#
# **Time:** about half an hour of reading; the code runs in less than a minute on two cores.
# **Stands on:** nothing. Nothing is trained in this chapter.
#
# How to run the code, as a script, cell by cell or as a notebook, stands on
# [the page before](index.md).

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
    read_mask,
    resize_to_fit,
    write_mask,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, colorize, plot_confusion

# %% [markdown]
# The chapters work on *shapes*, a small data set that is drawn on your disk in a few seconds: discs,
# squares, stars and rings, light and plain. What is dark and striped belongs to the background, the
# blobs and strokes in it, too: they are there to mislead. The line with `ROOT` is a switch: name a
# VOC folder there, and the same cells run on photographs.

# %%
SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
names = list(folder.classes)
print(f"{len(names)} classes: {', '.join(names)}")

# %% [markdown]
# ## A label for every pixel
#
# *Classification* gives one label to a whole image: "a disc". *Detection* adds a box around each
# object. **Semantic segmentation** gives a class to every single pixel. The answer is an array as
# high and as wide as the image, the **mask** or *label map*:
#
# $$\text{image: } H \times W \times 3, \text{ colours} \quad\longrightarrow\quad
# \text{mask: } H \times W, \text{ classes } 0, 1, \dots, C - 1$$
#
# Class 0 is the background: all that belongs to none of the other classes. *Semantic* means that
# two discs that touch are one region of the class disc. To tell them apart is another task,
# instance segmentation.

# %%
TRAIN = 1000  # fast: 60
VAL = 200  # fast: 40
train_ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:VAL]

image, mask = folder.pair(train_ids[2])
print("image:", image.shape, image.dtype)
print("mask: ", mask.shape, mask.dtype, "with the values", np.unique(mask))

# %% [markdown]
# The value 255 is no class. It means *void*, and we come to it below. In the picture we look at the
# mask from close up: it is an array of small numbers, and the colours are only there for our eyes.

# %% alt="Three panels: an image, its mask with a square frame on a contour, and the 12 x 12 pixels in the frame enlarged, each with its number written in it: the number of a class on one side, zeros on the other, and a line of 255 between them."
rows, columns = np.nonzero(mask == VOID)
middle = len(rows) // 2
top = np.clip(rows[middle] - 6, 0, mask.shape[0] - 12)
left = np.clip(columns[middle] - 6, 0, mask.shape[1] - 12)
part = mask[top : top + 12, left : left + 12]

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
axes[0].imshow(image)
axes[0].set_title("image")
axes[1].imshow(colorize(mask, folder.classes), interpolation="nearest")
axes[1].add_patch(plt.Rectangle((left - 0.5, top - 0.5), 12, 12, fill=False, ec="white", lw=2))
axes[1].set_title("mask, painted")
axes[2].imshow(colorize(part, folder.classes), interpolation="nearest")
for (row, column), value in np.ndenumerate(part):
    axes[2].text(
        column, row, value, ha="center", va="center", fontsize=7,
        color="black" if value == VOID else "white",
    )  # fmt: skip
axes[2].set_title("the numbers in the frame")
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## A folder in VOC's layout
#
# PASCAL VOC is a series of data sets of photographs, 2005 to 2012, from a yearly competition
# (Everingham et al. 2010). Its segmentation task has 20 classes of objects and background. Its way
# of laying out files is simple, and many data sets have taken it over:
#
# ```
# JPEGImages/ID.jpg                the photographs
# SegmentationClass/ID.png         the masks, of the same ID
# ImageSets/Segmentation/*.txt     the splits: which IDs are for training, which for validation
# ```

# %%
for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
    files = sorted((folder.path / name).iterdir())
    print(f"{name:23} {len(files):5} files, for instance {files[-1].name}")

# %% [markdown]
# `folder.pair(ID)` reads an image with its mask, as above. It refuses pairs that do not fit: masks
# that have another size than their image, or hold a number that is no class.

# %% alt="Two rows of four: images above, their masks below. Below each mask stand the names of the classes that occur in it."
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
# ## The palette
#
# Open a mask of VOC in an image viewer, and you see colours. They are not what the file holds. The
# masks are PNGs in **palette mode**: each pixel is one byte, an index, and a table in the file's
# header says which colour a viewer shall show for each of the 256 indices. The indices *are* the
# classes. Pillow leaves them alone, and calls the mode `P`:

# %%
path = folder.path / "SegmentationClass" / f"{train_ids[2]}.png"
file = Image.open(path)
print("mode:", file.mode)
print("the pixels:", np.unique(np.array(file)))
print("the header's colour for index 1:", file.getpalette()[3:6])

# %% [markdown]
# `read_mask` in our library does just this, and checks what it finds. (`folder.pair` then turns the
# file's values into the classes that we asked for. As long as we ask for all, they are the same.)

# %% tags=["check"]
assert np.array_equal(read_mask(path), np.array(file))
assert np.array_equal(read_mask(path), mask)
assert file.getpalette()[3:6] == [128, 0, 0] == palette()[1].tolist()

# %% [markdown]
# VOC's palette is computed, not chosen. Write the index as eight bits. The lowest bit goes to red,
# the next one to green, the next to blue, and so on in turn; in each colour the first bit to
# arrive counts 128, the second 64, the third 32. So neighbours in the list get colours that are far
# apart, and a new class always finds a free one. Index 255 comes out as a pale beige.

# %% alt="A table with a line for each class and one for void: the index, its eight bits, red, green and blue as numbers, a bar in that colour, and the name of the class."
shown = [*range(len(names)), VOID]
figure, ax = plt.subplots(figsize=(7, 0.6 + 0.28 * len(shown)), layout="constrained")
ax.barh(range(len(shown)), 1, color=palette()[shown] / 255, edgecolor="black")
ax.set(xlim=(0, 1.5), xticks=[], ylim=(len(shown) - 0.5, -0.5))
texts = [f"{i:3}  {i:08b}  ({', '.join(f'{c:3}' for c in palette()[i])})" for i in shown]
ax.set_yticks(range(len(shown)), texts, family="monospace")
for place, name in enumerate([*names, "void"]):
    ax.text(1.03, place, name, va="center")
ax.set_frame_on(False)
plt.show()

# %% [markdown]
# ## Void: pixels without a label
#
# Along a contour it is a matter of taste which pixel still belongs to the object: the camera has
# mixed the colours of both sides, and the annotator's hand is not that steady. VOC marks these
# pixels as **void**, 255, a band a few pixels wide around each object. Objects that nobody could
# label are void as well.
#
# Void is neither learned nor judged. It is not the same as background: who trains on void as
# background teaches the network that the rims of things are background, and who counts it when
# judging measures taste.
#
# ## Imbalance
#
# How many pixels does each class have? We count them over the training masks, without void.

# %%
counts = np.zeros(256, np.int64)
for id in train_ids:
    counts += np.bincount(folder.pair(id)[1].ravel(), minlength=256)
judged = counts[: len(names)]  # 255 is not among them
shares = judged / judged.sum()

# %% alt="Bar chart of the share of pixels by class. The bar of the background is many times as long as any other; the percentages are written beside the bars."
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
    f"{shares[rare]:.1%}: one pixel of it for {shares[0] / shares[rare]:.0f} of background. "
    f"Another {counts[VOID] / counts.sum():.1%} of all pixels are void."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert shares[0] > 0.7
    assert shares[1:].max() < 0.15

# %% [markdown]
# This is no fault of the data. Most of the world is background to any given list of classes: on
# the photographs of VOC it is about three quarters of the pixels, too.
#
# ## What does it cost to find nothing?
#
# Before we train anything, we need a number that says how good an answer is. The obvious one is the
# **accuracy**: the share of pixels with the right class. Let us give it an answer that is
# as bad as an answer can be, a mask of zeros for every image, "all background".
#
# All scores of this chapter follow from one table, the **confusion matrix** $N$. Its entry $N_{tp}$
# counts the pixels whose true class is $t$ (the row) and whose predicted class is $p$ (the column).
# Void is left out. The diagonal holds what is right:
#
# $$\text{accuracy} = \frac{\sum_c N_{cc}}{\sum_t \sum_p N_{tp}}$$

# %%
nothing = np.zeros((len(names), len(names)), np.int64)
for id in val_ids:
    truth = folder.pair(id)[1]
    nothing += confusion_matrix(truth, np.zeros_like(truth), len(names))

# %% alt="Confusion matrix of the all-background answer, truth by row and prediction by column: all pixels of each true class are in the first column, background."
plot_confusion(nothing, names)

# %% [markdown]
# The picture says what the accuracy hides: each class is found to 0 %, and only the background is
# right. The score that shows it is the **intersection over union**, IoU, of each class. Take all
# pixels that truly are class $c$, and all that are predicted to be: IoU is the size of what the two
# sets share, divided by the size of what they cover together:
#
# $$\text{IoU}_c = \frac{N_{cc}}{\sum_p N_{cp} + \sum_t N_{tc} - N_{cc}}
# = \frac{\text{TP}}{\text{TP} + \text{FP} + \text{FN}}$$
#
# TP, the true positives, are the pixels of the class that were found; FN, the false negatives,
# those that were missed; FP, the false positives, the pixels that got the class and should not
# have. The **mean IoU** is the mean over the classes. Each class counts the same in it, however few
# pixels it has. All counts are taken over the whole validation set, not image by image.

# %% alt="Two overlapping circles, truth and prediction. The part that only truth covers is labelled FN, missed; the overlap TP, found; the part that only prediction covers FP, too much."
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


# %%
def scores(confusion):
    """Accuracy and mean IoU; classes that occur nowhere are left out of the mean."""
    return np.trace(confusion) / confusion.sum(), np.nanmean(iou_from_confusion(confusion))


accuracy, mean_iou = scores(nothing)
present = np.isfinite(iou_from_confusion(nothing)).sum()
print(f"all background: accuracy {accuracy:.3f}, mean IoU {mean_iou:.3f}")

# %% tags=["see"]
print(
    f"An answer that finds nothing has an accuracy of {accuracy:.1%}. Its mean IoU is "
    f"{mean_iou:.3f}: that is the accuracy divided by the {present} classes that occur, since "
    "every class but the background has an IoU of 0, and the background one of just the accuracy."
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
# of 0.035 over 21 classes. A network that is reported at "accuracy 0.73" there has perhaps learned
# nothing at all.
#
# Two more answers, made from the true masks, show that this is no special case. One finds every
# object and gives each the *wrong name*, that of the next class. The other has every name right,
# but lies a little to the lower right, by a twentieth of the image.


# %%
def wrong_name(truth):
    """The true objects, each with the name of the next class; the last gets that of the first."""
    return np.where(truth > 0, truth % (len(names) - 1) + 1, 0)


def shifted(truth):
    """The true objects, moved down and right by a twentieth of the image."""
    by = max(1, round(max(truth.shape) / 20))
    return np.pad(truth, ((by, 0), (by, 0)))[: truth.shape[0], : truth.shape[1]]


confusions = {"all background": nothing}
for title, answer in {"wrong name": wrong_name, "shifted": shifted}.items():
    confusions[title] = np.zeros_like(nothing)
    for id in val_ids:
        truth = folder.pair(id)[1]
        labels = answer(np.where(truth == VOID, 0, truth))  # an answer has no void
        confusions[title] += confusion_matrix(truth, labels, len(names))

# %% alt="Bars for three answers: all background, wrong name, shifted. For each, a plain bar for the accuracy and a hatched one, always shorter, for the mean IoU; the values are written above them."
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
iou = iou_from_confusion(confusions["shifted"])
print(
    f'Accuracy gives "all background" and "wrong name" the same {accuracy:.1%}; mean IoU gives '
    f"neither much: {scores(confusions['all background'])[1]:.2f} and "
    f"{scores(confusions['wrong name'])[1]:.2f}. The shifted answer has an accuracy of "
    f"{scores(confusions['shifted'])[0]:.1%} and a mean IoU of {np.nanmean(iou):.2f}. The shift "
    f"costs {names[np.nanargmin(iou)]} most (IoU {np.nanmin(iou):.2f}) and the background least "
    f"({iou[0]:.2f}): accuracy hardly notices thin and small things, because they have few pixels."
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
# From here on we report the mean IoU, and look at the classes one by one.
#
# ## Mistake one: a mask is resized as if it were an image
#
# Networks want batches of one size, so images are resized. Resizing functions are **bilinear** by
# default: a new pixel is a weighted mean of its four neighbours. That is right for colours: between
# a red and a yellow pixel there is orange. Between class 0 and class 4 there is *not* class 2.
#
# We take the mask with most pixels of the last class, and treat it as careless code does: void
# becomes background, "to keep it simple", and the resizing, to 64 pixels, is left at its default.

# %%
areas = [(folder.pair(id)[1] == len(names) - 1).sum() for id in train_ids[:200]]
example = train_ids[int(np.argmax(areas))]
mask = folder.pair(example)[1]

careless = np.where(mask == VOID, 0, mask).astype(np.uint8)
bilinear = resize_to_fit(careless, 64, cv2.INTER_LINEAR)
nearest = resize_to_fit(careless, 64, cv2.INTER_NEAREST_EXACT)
print("classes in the mask:     ", np.unique(careless))
print("resized bilinearly:      ", np.unique(bilinear))
print("by the nearest neighbour:", np.unique(nearest))

# %% alt="The same mask twice, resized by nearest neighbour and bilinearly. In the bilinear one the contour of the object is lined with crosses, on pixels of classes that do not occur in the mask."
invented = np.isin(bilinear, np.unique(careless), invert=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.8), layout="constrained")
for ax, labels, title in zip(axes, (nearest, bilinear), ("nearest", "bilinear"), strict=True):
    ax.imshow(colorize(labels, folder.classes), interpolation="nearest")
    found = ", ".join(names[c] for c in np.unique(labels))
    ax.set_title(fill(f"{title}: {found}", 45), fontsize=10)
    ax.set(xticks=[], yticks=[])
axes[1].plot(*np.nonzero(invented)[::-1], "x", color="white", ms=4, mew=0.9)
axes[1].set_xlabel("x: a class that is not in the mask")
plt.show()

# %% [markdown]
# The object has grown a rim of other classes. Nothing fails, no number is out of range, and a
# network trained on such masks learns that these classes are thin lines around others. How often
# does it happen?

# %%
touched = []
for id in train_ids[:200]:
    labels = folder.pair(id)[1]
    labels = np.where(labels == VOID, 0, labels).astype(np.uint8)
    new = np.setdiff1d(resize_to_fit(labels, 64, cv2.INTER_LINEAR), labels)
    touched.append(len(new) > 0)

# %% tags=["see"]
extra = [names[c] for c in np.setdiff1d(bilinear, careless)]
print(
    f"In the picture {', '.join(extra) or 'no class'} appeared from nowhere, on "
    f"{invented.sum()} pixels. It happens to {sum(touched)} of the first {len(touched)} masks. "
    "Spared are those that hold every number from 0 up to their highest, so that nothing between "
    "them would be new."
)

# %% tags=["check"]
assert set(np.unique(nearest)) <= set(np.unique(careless))
assert invented.any()

# %% tags=["claim"]
if ROOT == SHAPES:
    occurring = [np.setdiff1d(folder.pair(id)[1], [VOID]) for id in train_ids[:200]]
    assert touched == [len(classes) <= classes.max() for classes in occurring]
    assert sum(touched) > len(touched) / 2

# %% [markdown]
# With void left in, the mistake at least shows, in numbers that are no class at all: the mean of
# 255 and something else.

# %%
print(np.unique(resize_to_fit(mask, 64, cv2.INTER_LINEAR)))

# %% [markdown]
# The remedy is the **nearest neighbour**: a new pixel takes the value of the one old pixel whose
# centre is nearest to its own. Pixel $i$ of $h$ has its centre at $i + \frac{1}{2}$; in an image of
# height $H$ this place is at $(i + \frac{1}{2}) H / h$, which lies in the old pixel
#
# $$\left\lfloor \left(i + \tfrac{1}{2}\right) \frac{H}{h} \right\rfloor .$$
#
# Without the halves, with $\lfloor i H / h \rfloor$, corners are compared instead of centres, and
# the mask moves by up to half a pixel against its image. OpenCV has both: `INTER_NEAREST` compares
# corners, `INTER_NEAREST_EXACT` centres. Our library uses the latter for every mask.

# %% tags=["check"]
rows = np.floor((np.arange(64) + 0.5) * careless.shape[0] / 64).astype(int)
columns = np.floor((np.arange(64) + 0.5) * careless.shape[1] / 64).astype(int)
if careless.shape[0] == careless.shape[1]:
    assert np.array_equal(careless[rows][:, columns], nearest)
    assert not np.array_equal(
        cv2.resize(careless, (64, 64), interpolation=cv2.INTER_NEAREST), nearest
    )

# %% [markdown]
# ## Mistake two: a mask is read through its colours
#
# Most functions that read images want to be helpful, and replace the indices of a palette PNG by
# the colours of its table. OpenCV does it. Asked for a grey image, it goes on to turn the colours
# into brightness, about $0.299\,R + 0.587\,G + 0.114\,B$:

# %%
path = str(folder.path / "SegmentationClass" / f"{example}.png")
grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
print("indices in the file:   ", np.unique(mask))
print("read as a grey image:  ", np.unique(grey))

# %% [markdown]
# These numbers are worth remembering: **14, 38, 75, 113, 147, 220** in a mask are the grey values of
# VOC's colours, and 220 is void. They mean that some code has read a mask as an image. A network
# for 21 classes then meets "class 147", and the loss, the number that training makes small, is an
# error message, NaN ("not a number"), or silently wrong, depending on the framework.
#
# The way back is closed. We let OpenCV read a mask of the 256 indices in one row: among VOC's 21
# classes, some share a grey value.

# %%
write_mask("runs/tutorials/indices.png", np.arange(256)[None])
greys = cv2.imread("runs/tutorials/indices.png", cv2.IMREAD_GRAYSCALE)[0]  # (256,)
print("index  grey  class")
for index in (*range(len(VOC_CLASSES)), VOID):
    name = "void" if index == VOID else VOC_CLASSES[index]
    twins = [c for i, c in enumerate(VOC_CLASSES) if i != index and greys[i] == greys[index]]
    print(f"{index:5}  {greys[index]:4}  {name}" + "".join(f", the same as {c}" for c in twins))

# %% tags=["check"]
assert {14, 38, 75, 113, 147, 220} <= set(greys[[*range(21), VOID]].tolist())
assert len(set(greys[:21].tolist())) < 21

# %% [markdown]
# Code that reads all three colours can look each of them up in the table and get the index back.
# That is a detour to what the file held in the first place, and it only works while no colour has
# changed by a single step. Two things that happen to images every day break it: resizing, and
# saving as JPEG.

# %%
colours = cv2.imread(path)[..., ::-1]  # OpenCV's order is blue, green, red
table = {tuple(palette()[i]): i for i in (*range(len(names)), VOID)}


def look_up(colours):
    """From colours (H, W, 3) to indices (H, W); -1 where the colour is not in the table."""
    flat = [table.get(tuple(colour), -1) for colour in colours.reshape(-1, 3)]
    return np.reshape(flat, colours.shape[:2])


resized = resize_to_fit(colours, 64, cv2.INTER_LINEAR)
_, buffer = cv2.imencode(".jpg", colours[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
jpeg = cv2.imdecode(buffer, cv2.IMREAD_COLOR)[..., ::-1]
unknown = {
    "untouched": np.mean(look_up(colours) == -1),
    "resized": np.mean(look_up(resized) == -1),
    "saved as JPEG": np.mean(look_up(jpeg) == -1),
}
for title, share in unknown.items():
    print(f"{title:14} {share:6.1%} of the pixels have a colour that is not in the table")

# %% alt="Two rows of three: a mask in its colours, the same resized, the same after JPEG, which look nearly alike. Below each, the pixels whose colour is not in the table, in black: none; a band along each contour; most of the image."
figure, axes = plt.subplots(2, 3, figsize=(9, 6.2), layout="constrained")
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
    f"Untouched, every colour is found. After resizing {unknown['resized']:.0%} of the pixels have "
    f"a colour that means nothing, after JPEG at quality 95 {unknown['saved as JPEG']:.0%}. The "
    "eye sees a change of tint at most."
)

# %% tags=["check"]
assert np.array_equal(look_up(colours), mask)
assert unknown["untouched"] == 0 and unknown["resized"] > 0 and unknown["saved as JPEG"] > 0

# %% tags=["claim"]
if ROOT == SHAPES:
    assert unknown["saved as JPEG"] > unknown["resized"] > 0.05

# %% [markdown]
# Our library does not guess. A mask that was saved in colours is refused, by name:

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
# Done right, a batch of images and masks looks as follows. Each image is resized so that its long
# side is `SIZE`, bilinearly or by area; its mask goes along by the nearest neighbour. What is not
# square is filled up, grey in the image and void in the mask, so that nobody learns from it.

# %%
dataset = SegmentationDataset(folder, train_ids, size=SIZE, batch_size=8)
images, masks = dataset[0]
print("images:", images.shape, images.dtype, "from", images.min(), "to", images.max())
print("masks: ", masks.shape, masks.dtype, "with the values", np.unique(masks))

# %% tags=["check"]
assert images.shape == (8, SIZE, SIZE, 3) and masks.shape == (8, SIZE, SIZE)
assert set(np.unique(masks)) <= {*range(len(names)), VOID}

# %% [markdown]
# A network for segmentation is a function from the first array to a distribution over the classes
# at each pixel. [Chapter 2](02_sliding_window.md) builds one from what you know already: a
# classifier of small images, applied to every pixel in turn.
#
# ## Summary
#
# 1. Semantic segmentation gives a class to every pixel; the answer is an array of class indices.
# 2. VOC's masks are palette PNGs: the pixels are the classes, the colours only for the eye; 255 is
#    void, neither learned nor judged.
# 3. Most pixels are background, so that an answer that finds nothing has a high accuracy. The mean
#    IoU counts each class the same, and shows it.
# 4. Masks are resized by the nearest neighbour: a mean of class indices is another class.
# 5. Masks are read as indices: 38, 147 or 220 in a mask are brightnesses, and colours do not
#    survive resizing or JPEG.
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
# Compute the 256 colours of VOC's palette, so that you never need a table of them.
# Complete `tutorials/exercises/palette.py`, then run `python tutorials/check.py palette`.
#
# ### 2. The share of each class
#
# Count the pixels of each class over a list of masks, without void. It is the first thing to look
# at in any new data set.
# Complete `tutorials/exercises/class_shares.py`, then run `python tutorials/check.py class_shares`.
#
# ### 3. Resize a mask
#
# Resize a mask by the nearest neighbour, with NumPy alone, and so that it stays where its image is.
# Complete `tutorials/exercises/nearest_resize.py`, then run
# `python tutorials/check.py nearest_resize`.
