# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 6. Transfer from VGG
#
# **You will be able to**
#
# - say what a network knows once it has learned to name images, and show it without any mask;
# - feed a pretrained encoder what it expects, and recognise the usual ways of getting this wrong;
# - train in two stages, the decoder first and the encoder afterwards, and prove what was frozen;
# - say how many masks a pretrained encoder is worth, from curves that you have measured.
#
# **Time:** about 45 minutes of reading and half an hour for the exercises. The code runs in about
# three minutes on two cores.
# **Prerequisite:** [chapter 5](05_unet.md).

# %% [markdown]
# Drawing a mask takes a person minutes; naming what is in the image takes seconds. So there are
# millions of images with names, and only thousands with masks. PASCAL VOC 2009 has 749 masks for
# training. ImageNet's challenge has 1.2 million images, each with one of 1,000 names (Russakovsky et
# al. 2015).
#
# Can the many images with names help us with the few masks? We let a network learn to name images.
# Then we cut off its last layers, the ones that say the name, and use the rest as the encoder of a
# segmentation network. This is transfer learning. It has to beat the U-Net of
# [chapter 5](05_unet.md), which starts from random weights.

# %%
import inspect
import shutil
import textwrap
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from voc_seg import (
    VOC_CLASSES,
    SegmentationDataset,
    build_unet,
    build_vgg_transfer,
    compile_model,
    confusion_matrix,
    draw_scene,
    evaluate,
    iou_from_confusion,
    open_folder,
    predict_labels,
    pretrain_encoder,
    read_image,
    read_mask,
    set_classes,
    train,
    unfreeze,
    write_shapes,
)
from voc_seg.data.shapes import SHAPE_CLASSES
from voc_seg.models.vgg_transfer import bilinear_kernel
from voc_seg.plots import (
    BLUE,
    VERMILLION,
    colorize,
    plot_augmentations,
    plot_history,
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
# The line with `ROOT` switches between the shapes and a VOC folder, as in all chapters. This chapter
# has a second switch, for the encoder.

# %%
WEIGHTS = None  # or "imagenet", or the path of VGG16's .h5 file
BLOCKS = (1, 2, 3)  # the encoder's blocks whose features we decode
if WEIGHTS is not None:  # VGG16 is deeper: block 5 has a jump of 16
    BLOCKS, SIZE = (3, 4, 5), max(SIZE, 96)

# %% [markdown]
# ## The encoder, and our substitute for ImageNet
#
# VGG16 (Simonyan & Zisserman 2015) is a plain stack. It has thirteen convolutions of 3 × 3 in five
# blocks, a max pooling at the end of each block that halves the resolution, and three fully connected
# layers that say the name. Without these three, 14.7 million weights remain. With
# `WEIGHTS = "imagenet"` Keras downloads them (59 MB). If your machine has no connection, give the
# path of the file.
#
# With `WEIGHTS = None` the chapter needs no network connection. `pretrain_encoder` draws 3,000 images
# with one shape each, and trains a small stack in VGG's style, three blocks of two convolutions, to
# name the shape. It never sees a mask. It only ever learns names, like a network on ImageNet.
#
# But our substitute is easier than ImageNet in three ways. Keep them in mind when you read the curves
# at the end. Its images come from the same program as those with masks. Its four names are the very
# classes that we will segment. And its objects are alone in their images. ImageNet's images and names
# are not VOC's, though they are close. So what carries over is the method and the direction of the
# result, not its size.

# %%
PRETRAIN = 3000  # fast: 96
if WEIGHTS is None:
    keras.config.disable_interactive_logging()  # hides the progress bars
    encoder = pretrain_encoder(seed=0, count=PRETRAIN)
    keras.config.enable_interactive_logging()
else:
    encoder = keras.applications.VGG16(include_top=False, weights=WEIGHTS)
layers = [x.name for x in encoder.layers if x.name.startswith("block")]
print(textwrap.fill(", ".join(layers), 76))
print(f"{encoder.count_params():,} parameters")

# %% [markdown]
# ## What it knows
#
# **The first layer.** Yosinski et al. (2014) found that the first layers of such networks are general
# and the last ones specific to the task, with a gradual transition in between. That is what makes
# transfer plausible. So what does the first layer of our encoder see? Its kernels have only
# 3 × 3 pixels, too few to look at. But we can look at what each kernel makes of an image. We draw the
# eight filters whose outputs vary most. (`prepare` brings images into the form that the encoder
# expects. The section on preprocessing, further down, explains it.)
#
# ??? question "What do you expect the first filters to show?"
#
#     Edges and differences between colours. In networks with larger first kernels you find these
#     whatever the network was trained for. Names of objects come much later.

# %%
TRAIN, VAL = 1000, 200  # fast: 40, 20


def load(ids):
    """Images (N, SIZE, SIZE, 3) and masks (N, SIZE, SIZE)."""
    data = SegmentationDataset(folder, ids, SIZE, batch_size=len(ids))
    return data[0]


ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:VAL]
images, masks = load(ids)
val_images, val_masks = load(val_ids)
print("training:", images.shape, "validation:", val_images.shape)


def prepare(images):
    """What the encoder expects, in a new array."""
    return keras.applications.vgg16.preprocess_input(images.copy())


# %%
first = encoder.get_layer("block1_conv1")
example = val_images[:1]
respond = keras.Model(encoder.inputs, first.output)
answers = respond.predict(prepare(example), verbose=0)[0]  # (H, W, F)
chosen = np.argsort(answers.std(axis=(0, 1)))[::-1][:8]
print("one image:", example.shape, " its filters:", answers.shape)

# %% tags=["figure"] alt="A row of nine pictures: an image, and the same image as eight filters of the first layer see it: light objects on dark ground or the reverse, or mainly their outlines."
figure, axes = plt.subplots(1, 9, figsize=(11, 1.6), layout="constrained")
axes[0].imshow(example[0].astype("uint8"))
axes[0].set_title("image", fontsize=10)
for k, ax in zip(chosen, axes[1:], strict=True):
    ax.imshow(answers[..., k], cmap="gray")
    ax.set_title(f"filter {k}", fontsize=10)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# **The last layer.** After its last pooling, the encoder has one vector for each square of 8 × 8
# pixels (32 × 32 in VGG16). The mean over all positions is one vector for the whole image. If the
# encoder has learned what a thing is, images of the same thing should have vectors that point the
# same way, wherever the thing is and whatever its colour.
#
# So let's look for nearest neighbours. For each validation image we find the training image whose
# vector has the smallest angle to its own. (First we bring each number of the vectors to mean 0 and
# variance 1. Otherwise those that are always large would decide alone.) Two descriptors that have
# learned nothing serve as baselines: the pixels themselves, and the same encoder with random
# weights.


# %%
def pool(encoder):
    """The mean of the last feature map: (B, H, W, 3) -> (B, C)."""
    last = encoder.get_layer(f"block{BLOCKS[-1]}_pool").output
    mean = keras.layers.GlobalAveragePooling2D()(last)
    return keras.Model(encoder.inputs, mean)


def describe(network, images):
    """One vector for each image: (N, C)."""
    return network.predict(prepare(images), batch_size=50, verbose=0)


def neighbours(vectors, others):
    """Row i: the indices of the others, the nearest to i first: (N, M)."""
    mean, scale = others.mean(axis=0), others.std(axis=0) + 1e-6
    a, b = (vectors - mean) / scale, (others - mean) / scale
    a /= np.linalg.norm(a, axis=1, keepdims=True) + 1e-6
    b /= np.linalg.norm(b, axis=1, keepdims=True) + 1e-6
    return np.argsort(-a @ b.T, axis=1)


# The same layers with new random weights.
random_encoder = keras.models.clone_model(encoder)

pixels = images.reshape(len(ids), -1)
val_pixels = val_images.reshape(len(val_ids), -1)
nearest = {"pixels": neighbours(val_pixels, pixels)}
random_pooled, pooled = pool(random_encoder), pool(encoder)
for way, network in (
    ("random encoder", random_pooled),
    ("pretrained encoder", pooled),
):
    vectors = describe(network, val_images)
    nearest[way] = neighbours(vectors, describe(network, images))

# %% [markdown]
# Do the neighbours show the same thing? We name each image after the class that covers the most
# pixels, background excluded, and count how often the nearest neighbour has the same name.
#
# ??? question "How often will the neighbour by pixels be right? There are four names."
#
#     More often than by guessing, which is right about one time in four. Images with similar
#     pixels have objects of similar size, and size is a hint: most discs are larger than most
#     stars.

# %%
names = list(folder.classes)


def largest_object(mask):
    """The class with the most pixels in a mask, without background."""
    counts = np.bincount(mask[mask != 255], minlength=len(names))
    return counts[1:].argmax() + 1


labels = np.array([largest_object(mask) for mask in masks])
val_labels = np.array([largest_object(mask) for mask in val_masks])
agree = {}
for way, order in nearest.items():
    agree[way] = np.mean(labels[order[:, 0]] == val_labels)
    print(f"{way:20}{agree[way]:.2f}")

# %% tags=["figure"] alt="Three rows. In each, one image on the left, its three nearest neighbours by pixels in the middle, by the pretrained encoder on the right; the name of the largest object is written below each. By pixels the neighbours have similar colours in similar positions; by the encoder mostly the same shape."
widths = [1, 0.2, 1, 1, 1, 0.2, 1, 1, 1]  # two narrow columns stay empty
figure, axes = plt.subplots(
    3,
    9,
    figsize=(10, 4.8),
    layout="constrained",
    width_ratios=widths,
)
for row, i in zip(axes, range(3), strict=True):
    row[0].imshow(val_images[i].astype("uint8"))
    row[0].set_xlabel(names[val_labels[i]], fontsize=9)
    found = [*nearest["pixels"][i, :3], *nearest["pretrained encoder"][i, :3]]
    for ax, j in zip(row[[2, 3, 4, 6, 7, 8]], found, strict=True):
        ax.imshow(images[j].astype("uint8"))
        ax.set_xlabel(names[labels[j]], fontsize=9)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[], frame_on=False)
titles = {0: "image", 3: "nearest by pixels", 7: "nearest by encoder"}
for column, title in titles.items():
    axes[0, column].set_title(title, fontsize=10)
plt.show()

# %% tags=["see"]
print(
    f"The nearest neighbour has the same largest object in {agree['pretrained encoder']:.1%} of "
    f"the {len(val_ids)} images by the pretrained encoder, in {agree['random encoder']:.1%} by the "
    f"random one and in {agree['pixels']:.1%} by the pixels. If you always said the most frequent "
    f"name, you would be right in {np.bincount(val_labels).max() / len(val_ids):.1%}."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert agree["pretrained encoder"] > agree["random encoder"] + 0.1
    assert agree["pretrained encoder"] > agree["pixels"] + 0.1

# %% [markdown]
# The encoder has never seen a mask, and yet its features tell the classes apart. After the averaging
# they don't say *where*. The decoder has to learn this from masks.
#
# ## A few clicks
#
# Do we need a decoder and masks at all? Without the averaging, each pixel has features of its own.
# We take the last feature map of each block, enlarge it to the size of the image, and concatenate
# the three. That makes 16 + 32 + 64 = 112 numbers for each pixel. On them we train the smallest
# classifier there is, a **logistic regression**: for each class a weighted sum of the features,
# then a softmax. Its examples are a few pixels that somebody has clicked. (A linear classifier on
# features that stay as they are is also called a *linear probe*.)


# %%
def pixel_features(encoder):
    """(B, H, W, 3) RGB, 0..255 -> (B, H, W, C)."""
    photos = keras.Input((None, None, 3))
    offset = [-103.939, -116.779, -123.68]  # blue, green, red
    bgr = keras.ops.flip(photos, axis=-1)
    x = keras.layers.Rescaling(1.0, offset)(bgr)
    last = [encoder.get_layer(f"block{b}_pool").input for b in BLOCKS]
    maps = keras.Model(encoder.inputs, last)(x)
    enlarged = [
        keras.layers.UpSampling2D(2 ** (block - 1))(feature_map)
        for block, feature_map in zip(BLOCKS, maps, strict=True)
    ]
    return keras.Model(photos, keras.layers.Concatenate()(enlarged))


def regress(x, y, steps=1000):
    """Logistic regression on features (N, C): weights (C + 1, classes).

    The loss is the sum of the cross-entropies, plus half the sum of the
    squared weights. Gradient descent with momentum makes it small.
    """
    x = np.column_stack([x, np.ones(len(x))])  # the last weight is the bias
    true = np.eye(len(SHAPE_CLASSES))[y]  # (N, classes) one-hot
    # The loss curves at most this much in any direction, so a learning
    # rate of 1 / curvature never overshoots. The momentum is Nesterov's:
    # the gradient is taken at `ahead`, a bit further on than `weights`.
    curvature = 1 + (x**2).sum() / 2
    momentum = (curvature**0.5 - 1) / (curvature**0.5 + 1)
    weights = ahead = np.zeros((x.shape[1], len(SHAPE_CLASSES)))
    for _ in range(steps):
        z = x @ ahead
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        after = ahead - (x.T @ (p - true) + ahead) / curvature
        ahead = after + momentum * (after - weights)
        weights = after
    return weights


# %% [markdown]
# We draw scenes that show all four shapes, click ten pixels of each class in a scene, and learn from
# them. Then we judge twice: on all the pixels of this scene, and on 30 new images. As baselines we
# have the colour alone, and the random encoder.
#
# ??? question "Which of the three kinds of features wins on the clicked scene? And on new images?"
#
#     On the clicked scene, the colour; on new images, the pretrained encoder. The figure shows
#     both cases, and the numbers come after it.

# %%
SCENES = 12  # fast: 2
CLICKS = 10  # of each class
rng = np.random.default_rng(0)


def full_scene():
    """An image and its mask, with at least 60 pixels of each class."""
    while True:
        image, mask = draw_scene(rng, SIZE, [1, 2, 3, 4])
        if np.bincount(mask[mask != 255], minlength=5).min() >= 60:
            return image, mask


def click(mask):
    """Pixels of each class at random: (CLICKS, classes, 2)."""
    of_each = [rng.permutation(np.argwhere(mask == c)) for c in range(5)]
    return np.stack([pixels[:CLICKS] for pixels in of_each], axis=1)


def mean_iou(masks, labels):
    confusion = confusion_matrix(masks, labels, len(SHAPE_CLASSES))
    return np.nanmean(iou_from_confusion(confusion))


def learn(x, others, clicks):
    """Learns from the clicks in x (H, W, C); labels x and the others."""
    mean, scale = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
    scale[scale == 0] = 1  # some features are 0 everywhere
    x, others = (x - mean) / scale, (others - mean) / scale
    rows, columns = clicks.reshape(-1, 2).T
    y = np.tile(np.arange(5), len(clicks))
    weights = regress(x[rows, columns], y)
    answers = (z @ weights[:-1] + weights[-1] for z in (x, others))
    return [z.argmax(axis=-1) for z in answers]


pairs = [full_scene() for _ in range(SCENES)]
scenes, scene_masks = map(np.stack, zip(*pairs, strict=True))
pairs = [draw_scene(rng, SIZE) for _ in range(30)]
news, new_masks = map(np.stack, zip(*pairs, strict=True))
clicks = [click(mask) for mask in scene_masks]
networks = {
    "random encoder": pixel_features(random_encoder),
    "pretrained encoder": pixel_features(encoder),
}
here, there, maps_of = {}, {}, {}
for way in ("colour", *networks):
    x, others = scenes.astype("float32"), news.astype("float32")
    if way != "colour":
        x, others = (networks[way].predict(i, verbose=0) for i in (x, others))
    learned = [learn(x[i], others, clicks[i]) for i in range(SCENES)]
    own, new = zip(*learned, strict=True)
    here[way] = np.mean(list(map(mean_iou, scene_masks, own)))
    there[way] = np.mean([mean_iou(new_masks, labels) for labels in new])
    maps_of[way] = learned[0]

# %% tags=["figure"] live="clicks" caption="Click pixels of the first image, or let the button choose one of each class, and compare the three features: on this image, and on three new ones that nobody clicked." alt="Three rows of four pictures. Above, an image with clicked pixels and three new images; in the middle, their labels by colour; below, their labels by the pretrained encoder. By colour, the first image is nearly right and the new ones are wrong; by the pretrained encoder, the new ones are better."
shown = next(i for i in range(28) if len(np.unique(new_masks[i : i + 3])) == 6)
shown = range(shown, shown + 3)  # three images that together show every class
shapes = dict(zip(SHAPE_CLASSES, range(5), strict=True))
figure, axes = plt.subplots(3, 4, figsize=(8, 6.2), layout="constrained")
for ax, image in zip(axes[0], [scenes[0], *news[shown]], strict=True):
    ax.imshow(image)
rows, columns = clicks[0].reshape(-1, 2).T
axes[0, 0].plot(columns, rows, "s", color="white", mec="black", ms=4)
axes[0, 0].set_title("clicked", fontsize=10)
for ax, number in zip(axes[0, 1:], (1, 2, 3), strict=True):
    ax.set_title(f"new image {number}", fontsize=10)
for row, way in zip(axes[1:], ("colour", "pretrained encoder"), strict=True):
    own, others = maps_of[way]
    for ax, labels in zip(row, [own, *others[shown]], strict=True):
        ax.imshow(colorize(labels.astype(np.uint8), shapes), interpolation="nearest")
    row[0].set_ylabel(way)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% tags=["live"]
live = {
    "random": networks["random encoder"],
    "pretrained": networks["pretrained encoder"],
    "images": np.stack([scenes[0], *news[shown]]),
    "masks": np.stack([scene_masks[0], *new_masks[shown]]),
    "names": list(SHAPE_CLASSES),
    "values": list(range(5)),
    "rounds": clicks[0].tolist(),
}

# %%
print(f"{'mean IoU':22}same image   new images")
for way in here:
    print(f"{way:22}{here[way]:10.2f}{there[way]:13.2f}")

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert here["colour"] > here["pretrained encoder"] + 0.05
    assert there["pretrained encoder"] > there["colour"] + 0.05
    assert there["colour"] > there["random encoder"] + 0.05
    assert there["pretrained encoder"] < 0.65
    in_figure = {way: mean_iou(new_masks[shown], maps_of[way][1][shown]) for way in here}
    assert max(in_figure, key=in_figure.get) == "pretrained encoder"
    own = {way: mean_iou(scene_masks[0], maps_of[way][0]) for way in here}
    assert max(own, key=own.get) == "colour"

    def merge(labels):
        return np.where(labels == 255, 255, np.minimum(labels, 1))  # object or background

    outline = {}
    for way in here:
        pair = merge(new_masks[shown]), merge(maps_of[way][1][shown])
        outline[way] = iou_from_confusion(confusion_matrix(*pair, 2))[1]
    assert outline["colour"] > outline["pretrained encoder"] + 0.05

# %% [markdown]
# On the scene itself, colour wins: each object has a colour of its own, so three numbers are enough.
# But the next image has other colours. What the pretrained encoder has learned holds for other images
# too, and there it is ahead of colour. The random encoder has just as many features, and its
# regression fails on new images.
#
# Look at the pictures again. On new images, colour even draws the better outlines, because all
# objects are light. It gives them the wrong names.
#
# So if you only need *this* image cut out, simple features and a few clicks may do. And never judge a
# method on the image that it has learned from: here it would have picked the wrong features.
#
# Even the best of the three isn't good on new images. How much better is a decoder that learns from
# 20 whole masks? Before we can build it, we have to know what images the encoder expects.

# %% [markdown]
# ## Preprocessing: once, and inside the model
#
# A network knows images only in the form in which it was trained on them. VGG16 was trained on pixels
# of 0..255. Its channels are in the order blue, green, red, because its authors' software read them
# in this order. And the mean of each channel over ImageNet is subtracted:
#
# $$x' = (B - 103.939,\; G - 116.779,\; R - 123.68)$$
#
# Nothing is divided. Other networks want values in -1..1, or 0..1, or RGB. Which one you need is
# written in the weights' documentation, and no error message will tell you.

# %%
red = np.array([[[255.0, 0.0, 0.0]]], "float32")
print("red:", red[0, 0], "->", prepare(red)[0, 0])

# %% tags=["check"]
by_hand = example[..., ::-1] - np.array([103.939, 116.779, 123.68])
assert np.allclose(prepare(example), by_hand, atol=1e-3)

# %% [markdown]
# `prepare` makes a copy, for a reason. If you give Keras' function an array of floats, it writes into
# it. Run a notebook's cell twice, and the array is preprocessed twice:

# %%
photo = example.copy()
for _ in range(3):
    print(f"{photo.min():7.1f} .. {photo.max():6.1f}")
    keras.applications.vgg16.preprocess_input(photo)

# %% tags=["check"]
assert photo.min() < example.min() - 200

# %% [markdown]
# All models of this library take RGB, 0..255, and do the rest themselves. The preprocessing is part
# of `build_vgg_transfer` and is saved with the model, so nobody who loads the model can forget it.
# You only need to think about it when you use the encoder on its own, as in `prepare` above.
#
# What happens if you get it wrong? Here are four mistakes that people make every day:
#
# - *twice*: the data are preprocessed, and the model does it again;
# - *forgotten*: the encoder gets RGB, 0..255;
# - *channels reversed*: OpenCV read the image, which gives BGR;
# - *divided by 255*: as many other networks want it.
#
# We write each one as a change of the image, followed by a correct preprocessing. For *forgotten*,
# that means applying exactly the change that the preprocessing will undo.
#
# ??? question "Which of the four mistakes will raise an error?"
#
#     None. The shapes are right and the numbers are numbers. The only sign is a model that is worse
#     than it should be.

# %%
MEANS = np.array([123.68, 116.779, 103.939])  # RGB
WAYS = {
    "right": lambda x: x,
    "twice": lambda x: x[..., ::-1] - MEANS[::-1],
    "forgotten": lambda x: x[..., ::-1] + MEANS,
    "channels reversed": lambda x: x[..., ::-1],
    "divided by 255": lambda x: x / 255,
}

# %% tags=["check"]
assert np.allclose(prepare(WAYS["twice"](example)), prepare(prepare(example)), atol=1e-3)
assert np.allclose(prepare(WAYS["forgotten"](example)), example, atol=1e-3)

# %% [markdown]
# So with each mistake, the encoder sees a different image. The upper row shows that image. The lower
# row shows how a channel in the middle of the encoder answers.

# %%
middle = encoder.get_layer("block2_pool").input
middle = keras.Model(encoder.inputs, middle)
maps = {}
for way, change in WAYS.items():
    changed_image = prepare(change(example))
    maps[way] = middle.predict(changed_image, verbose=0)[0]  # (H, W, C)
channel = maps["right"].std(axis=(0, 1)).argmax()

# %% tags=["figure"] alt="Five columns: right, twice, forgotten, channels reversed, divided by 255. Above, the image as the encoder takes it to be: as it is; nearly black with wrong colours; nearly white with wrong colours; with wrong colours; black. Below, a feature map of block 2: it looks different in each column, and least so with reversed channels."
brightest = maps["right"][..., channel].max()
figure, axes = plt.subplots(2, 5, figsize=(10, 4.4), layout="constrained")
for way, (above, below) in zip(WAYS, axes.T, strict=True):
    above.imshow(np.clip(WAYS[way](example[0]), 0, 255).astype("uint8"))
    below.imshow(maps[way][..., channel], cmap="gray", vmin=0, vmax=brightest)
    above.set_title(way, fontsize=10)
for ax in axes.flat:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# In numbers: how much does the vector of an image change, compared with its own length?

# %%
right = describe(pooled, val_images)
lengths = np.linalg.norm(right, axis=1)
changed = {}
for way, change in WAYS.items():
    difference = describe(pooled, change(val_images)) - right
    changed[way] = np.mean(np.linalg.norm(difference, axis=1) / lengths)
    print(f"{way:20}{changed[way]:.2f}")

# %% tags=["see"]
print(
    f"Preprocessed twice, the vector changes by {changed['twice']:.0%} of its length, without "
    f"preprocessing by {changed['forgotten']:.0%}, divided by 255 by "
    f"{changed['divided by 255']:.0%}, with reversed channels by "
    f"{changed['channels reversed']:.0%}. No error was raised."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert min(changed["twice"], changed["forgotten"], changed["divided by 255"]) > 0.2
    assert changed["channels reversed"] < min(changed["twice"], changed["forgotten"])

# %% [markdown]
# Don't take the small change of the reversed channels for good news. Our encoder learned from shapes
# whose colours are random, so colour means little to it. Photographs are different: grass is green,
# and skies are blue. We measured the same four numbers with the real VGG16, on 16 photographs of
# animals (the first of the validation images in the [results](../results.md)), at 96 pixels: 0.88
# for *twice*, 0.90 for *forgotten*, 0.63 for *channels reversed*, and 1.05 for *divided by 255*.
# (Set `WEIGHTS` and `ROOT` above to measure them on your own photographs.)

# %% [markdown]
# ## A decoder on top
#
# `build_vgg_transfer` takes the last feature map of several blocks, as a U-Net takes its skip
# connections. It decodes from the coarsest block to the finest: normalise, reduce the channels with a
# 1 × 1 convolution, upsample, concatenate with the next finer block, convolve.
#
# The idea has a history. TernausNet (Iglovikov & Shvets 2018) put a VGG under a U-Net in a similar
# way. The fully convolutional networks of Long et al. (2015) added up the class scores of three
# blocks. As in ParseNet (Liu et al. 2015), we add to the coarsest block the mean of its features over
# the whole image, so each position knows what the rest of the image shows. Here is the function, as
# the library builds the network:

# %% tags=["source"]
print(inspect.getsource(build_vgg_transfer))

# %% [markdown]
# The first lines check the arguments. Then follow the steps that we listed. The last transposed
# convolution is there if the finest block is smaller than the image: with blocks 3, 4 and 5 of VGG16
# the finest feature map has a jump of 4. It begins as bilinear interpolation, which is sensible before the
# network has learned anything. (With our blocks 1, 2 and 3 the finest map is as large as the image,
# so this last step is not needed.) Its kernel is a tent downwards times a tent to the right, here in
# sixteenths for a stride of 2:

# %%
print(bilinear_kernel(2, 1)[..., 0, 0] * 16)

# %% [markdown]
# The encoder is copied into the model and frozen there: `trainable` is `False`, and the optimiser
# does not get its weights.


# %%
def build_transfer(encoder):
    classes = len(folder.classes)
    return build_vgg_transfer(
        classes,
        encoder=encoder,
        blocks=BLOCKS,
        filters=32,
    )


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


keras.utils.set_random_seed(0)
transfer = build_transfer(encoder)
inside = transfer.get_layer("encoder").count_params()
print(f"all parameters:       {transfer.count_params():10,}")
print(f"in the encoder:       {inside:10,}")
print(f"trained in stage one: {count(transfer.trainable_weights):10,}")

# %% [markdown]
# (The first number is larger than the other two together. The decoder's own batch normalisation has
# running averages. They are parameters too, but the optimiser doesn't train them.)

# %% tags=["check"]
assert not transfer.get_layer("encoder").trainable_weights
for stride in (2, 4):
    kernel = bilinear_kernel(stride, 1)
    assert np.isclose(kernel.sum(), stride**2) and kernel.shape == (
        2 * stride,
        2 * stride,
        1,
        1,
    )

# %% [markdown]
# ## Frozen first, fine-tuned next
#
# The decoder begins with random weights. In the first steps its errors are large, and so are the
# gradients that it sends down. If we trained the encoder at that time, these gradients would wipe out
# what it knows before the decoder could make use of it. So transfer learning has two stages. First
# train the decoder on the frozen encoder. Then unfreeze the encoder from a block you choose, with a
# learning rate a hundred times smaller:
#
# | | decoder | encoder's convolutions | encoder's batch normalisation | learning rate |
# | --- | --- | --- | --- | --- |
# | stage one | trained | frozen | frozen | 0.003 |
# | stage two | trained further | trained from a block on | frozen | 0.00003 |
#
# We have 20 masks. We show their images again and again, each time flipped, scaled, cropped and
# recoloured in another way. This is **augmentation**. An epoch is 200 such images. On the shapes
# you would hardly see the changes, so here they are on a photograph.
#
# ??? question "Which of the changes does the mask go through as well?"
#
#     Those that move pixels: flip, scale and crop. The mask has to stay on the horse, and it is always
#     resized by the nearest neighbour ([chapter 1](01_pixels_and_masks.md)). A change of colour leaves
#     the labels as they are.

# %% tags=["figure"] alt="Six times the same photograph of a galloping horse, with its mask half transparent over it. The first is as it was taken, the others are mirrored, smaller or larger, cut off, paler or darker. The mask lies on the horse each time. The strips beside a smaller photograph have the colour of void."
horse = read_image(PHOTOS / "horse.jpg")
horse_mask = read_mask(PHOTOS / "horse_mask.png")
voc = {name: index for index, name in enumerate(VOC_CLASSES)}
plot_augmentations(horse, horse_mask, voc, size=256, seed=4)

# %% [markdown]
# The strips beside a smaller photograph are grey in the image and void in the mask: nothing is
# learned there. Now the training:

# %%
FEW = 20  # fast: 4
IMAGES = 200  # fast: 8
EPOCHS = 4  # fast: 1
RATE = 3e-3


def fit(model, few, rate=RATE, verbose=2):
    """Trains on these few masks; the learning rate falls to zero."""
    shown = (few * IMAGES)[:IMAGES]  # repeated until there are enough
    data = SegmentationDataset(
        folder,
        shown,
        SIZE,
        augment=True,
        shuffle=True,
        cache=True,
    )
    steps = EPOCHS * len(data)
    compile_model(model, keras.optimizers.schedules.CosineDecay(rate, steps))
    set_classes(model, folder.classes, SIZE)
    model.fit(data, epochs=EPOCHS, shuffle=False, verbose=verbose)


def score(model):
    return evaluate(model, folder, val_ids, batch_size=50)["mean_iou"]


def encoder_weights(model):
    """A copy of all weights of the encoder: {"layer/weight": array}."""
    weights = {}
    for layer in model.get_layer("encoder").layers:
        for w in layer.weights:
            weights[f"{layer.name}/{w.name}"] = w.numpy()
    return weights


start = encoder_weights(transfer)
fit(transfer, ids[:FEW])
after_one = encoder_weights(transfer)
stage_one = score(transfer)
print(f"mean IoU {stage_one:.3f}")

# %% [markdown]
# **Stage two.** `unfreeze` makes the encoder trainable from a named block on. We let only the last
# block change, the most specific one. Two things easily go wrong here.
#
# *Compile again.* Keras decides at `compile` what is trained. Without a new `compile` the model
# trains the same weights as before, whatever the flags say. (`fit` above compiles each time.) And the
# learning rate is now a hundred times smaller: we want to adjust the weights, not relearn them.
#
# *Batch normalisation stays frozen.* Besides its learned scale and shift, it has running averages of
# the mean and the variance of its input. In training it moves these towards those of the current
# batch. With a momentum of 0.9, less than a tenth of the old average is left after 22 batches
# ($0.9^{22} \approx 0.098$). The statistics of thousands of images would give way to those of a few.
# In Keras a frozen batch normalisation uses its averages and keeps them, and `unfreeze` leaves it
# frozen. (VGG16 has none; most later encoders do.)
#
# ??? question "By how much will the second stage improve the mean IoU here?"
#
#     Hardly at all. Think of where our encoder comes from: it learned on images of the same kind, so
#     there is little left to adjust. The next cell prints the number.

# %%
unfreeze(transfer, f"block{BLOCKS[-1]}")
fit(transfer, ids[:FEW], rate=RATE / 100)
after_two = encoder_weights(transfer)
stage_two = score(transfer)
print(f"mean IoU {stage_two:.3f}")

# %% [markdown]
# What has changed in the encoder? We compare the copies of its weights from before and after each
# stage.


# %%
def changes(before, after):
    return [n for n in before if not np.array_equal(before[n], after[n])]


print("stage one:", changes(start, after_one) or "nothing")
print("stage two:", changes(after_one, after_two) or "nothing")
statistics = [name for name in start if "moving" in name]
moved = set(statistics) & set(changes(start, after_two))
print(f"running averages: {len(moved)} of {len(statistics)} changed")

# %% tags=["check"]
last = f"block{BLOCKS[-1]}_conv"
assert changes(start, after_one) == []
assert changes(after_one, after_two) == [name for name in start if name.startswith(last)]
assert not moved
assert (WEIGHTS is None) == bool(statistics)

# %% tags=["see"]
print(
    f"Stage one changes nothing in the encoder. Stage two changes the convolutions of block "
    f"{BLOCKS[-1]}, and no running average. The mean IoU goes from {stage_one:.3f} to "
    f"{stage_two:.3f}."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert abs(stage_two - stage_one) < 0.1

# %% [markdown]
# So we have proved that the right weights were trained. We have **not** shown that fine-tuning helps:
# look at the two numbers. They are not an argument for a second stage, and there is a reason. Our encoder
# learned from images by the same program, and a few small steps are all it gets.
#
# On photographs the encoder has more to learn. Here is the real VGG16, trained on 442 photographs of
# five animals from VOC 2012 and judged on 448 others. (The commands are on the page with the
# [results](../results.md#on-photographs).)
#
# ??? question "442 photographs have masks. Which animals will gain from stage two, the frequent or the rare?"
#
#     The rare ones. Horse, sheep and cow gain 0.05 to 0.13. Cat and dog, which have the most
#     photographs, lose 0.05 each.
#
# | IoU | frozen | fine-tuned | change |
# | --- | --- | --- | --- |
# | background | 0.938 | 0.948 | +0.010 |
# | cat | 0.716 | 0.670 | −0.046 |
# | dog | 0.648 | 0.601 | −0.047 |
# | horse | 0.506 | 0.559 | +0.053 |
# | sheep | 0.547 | 0.654 | +0.107 |
# | cow | 0.435 | 0.564 | +0.129 |
# | **mean IoU** | **0.631** | **0.666** | **+0.035** |
#
# These are numbers from one seed. And stage two saw images of 320 pixels instead of 256, so the
# larger images may explain part of the gain. FCN-32s gained more, from 45.4 % to 59.4 % (Long et
# al. 2015, table 2), but with 8,498 masks. How far down you should unfreeze depends on how many
# masks you have: the more weights you train, the more there is to overfit.
#
# What does that look like? Here are four photographs that aren't from VOC, and what these models make
# of them, with the patch classifier and the U-Net from scratch for comparison:
#
# ![Four photographs, from top to bottom: a horse, a dog, a cat and a zebra. Columns: photograph, mask by hand, patch classifier, U-Net, frozen VGG, fine-tuned VGG, and the latter with flip and scales. The horse becomes a clean shape from left to right. Every model takes part of the dog for a horse. The cat is found by all three VGG columns. Of the zebra, only the head or a patch is labelled, as a horse.](../photographs.png)
#
# Pink is horse, violet is dog, dark red is cat. Against the mask by hand, the horse has an IoU of 0.78
# with the frozen VGG16 and 0.82 with the fine-tuned one. The dog loses: 0.62 and 0.49. So four
# photographs can't tell you which model is better. The table can, because it counts 448. (The zebra is
# none of the five animals, and the last column looks at each photograph six times. More about both in
# [chapter 8](08_judge_and_use.md).)
#
# ### Both stages in one call
#
# You don't have to do this by hand. `train` runs both stages if you name the block from which the
# second one trains. It compiles again between them, keeps the batch normalisation frozen, and writes
# the best model of both stages to a folder.

# %%
RUN = Path("runs/tutorials/06")
shutil.rmtree(RUN, ignore_errors=True)  # of an earlier reading

keras.config.disable_interactive_logging()
keras.utils.set_random_seed(0)
_, history = train(
    build_transfer(encoder),
    SegmentationDataset(
        folder,
        (ids[:FEW] * IMAGES)[:IMAGES],
        SIZE,
        augment=True,
        shuffle=True,
        cache=True,
    ),
    SegmentationDataset(folder, val_ids, SIZE, cache=True),
    RUN,
    epochs=EPOCHS,
    learning_rate=RATE,
    fine_tune=f"block{BLOCKS[-1]}",
    fine_tune_epochs=EPOCHS,
    fine_tune_rate=RATE / 100,
)
keras.config.enable_interactive_logging()
columns = ("epoch", "stage", "learning_rate", "val_mean_iou")
for row in zip(*(history[c] for c in columns), strict=True):
    print("epoch {:.0f}, stage {:.0f}, rate {:.6f}, IoU {:.3f}".format(*row))

# %% tags=["check"]
assert history["stage"] == [1] * EPOCHS + [2] * EPOCHS

# %% tags=["figure"] alt="Two line charts over the epochs, loss and mean IoU, of training and of validation. The second half, stage two, is shaded; both curves are nearly flat there."
plot_history(history)

# %% [markdown]
# The shaded half is stage two. The curves barely move there, as above. With `--fine-tune block4`,
# `voc-seg train vgg-transfer` does the same on the command line.

# %% [markdown]
# ## What a wrong preprocessing costs
#
# Now we have a trained model, and we can put a price on the mistakes from above. The model does its
# preprocessing correctly; we change the images before it sees them.

# %%
price = {}
for way, change in WAYS.items():
    results = transfer.evaluate(
        change(val_images),
        val_masks,
        verbose=0,
        return_dict=True,
    )
    price[way] = results["mean_iou"]
    print(f"{way:20}{price[way]:.2f}")

# %% tags=["figure"] alt="Five horizontal bars with their values: the mean IoU with the right preprocessing, twice, forgotten, with reversed channels, and divided by 255. The bars for twice, forgotten and divided by 255 are much shorter than that for right."
figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
bars = ax.barh(list(price), list(price.values()), color=BLUE)
ax.bar_label(bars, fmt="%.2f", padding=4)
ax.invert_yaxis()
ax.set(xlim=(0, 1), xlabel="mean IoU")
plt.show()

# %% tags=["see"]
print(
    f"The same model has a mean IoU of {price['right']:.2f} with the right preprocessing, "
    f"{price['twice']:.2f} with it done twice, {price['forgotten']:.2f} without it, "
    f"{price['divided by 255']:.2f} with images divided by 255 and "
    f"{price['channels reversed']:.2f} with reversed channels."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert max(price["twice"], price["forgotten"], price["divided by 255"]) < price["right"] - 0.1
    assert price["channels reversed"] > price["right"] - 0.1

# %% tags=["check"]
if {folder.pair(id)[1].shape for id in val_ids} == {(SIZE, SIZE)}:  # nothing was resized
    assert abs(price["right"] - stage_two) < 1e-3  # two ways to the same number

# %% [markdown]
# Nothing fails loudly. The mistakes only show as a model that is worse than it should be. Reversed
# channels are the most treacherous mistake. Here they cost little, because the colours of the shapes
# are random.
#
# And the real VGG16, on photographs? We took 150 of the animals' photographs at 128 pixels and fitted
# only a linear classifier to the frozen features of blocks 4 and 5, on 100 of them. It labels the
# other 50. In the middle column of the table, the classifier was fitted on the right images and is
# used on wrong ones, as above. In the last column it was fitted on wrong ones as well.
#
# ??? question "The classifier was fitted on images with the same mistake. Can it make up for it?"
#
#     Only in part. With the first three mistakes it gains 0.02 to 0.05, but 0.06 to 0.09 are still
#     missing: the frozen features were learned from other images. Divided by 255, all photographs are
#     nearly black to VGG16, and it gains nothing. 0.13 is what "all background" gets.
#
# | mean IoU | wrong in use | wrong in training as well |
# | --- | --- | --- |
# | right | 0.382 | |
# | twice | 0.275 | 0.320 |
# | forgotten | 0.250 | 0.290 |
# | channels reversed | 0.292 | 0.313 |
# | divided by 255 | 0.126 | 0.130 |
#
# So on photographs reversed channels cost nearly a quarter of the score, and still no error was raised. Each
# number is the mean of three random splits; the page with the
# [results](../results.md#what-a-wrong-preprocessing-costs-vgg16) has the command and the spread.

# %% [markdown]
# ## How many masks is it worth?
#
# Now the question of the chapter. With 5, 20 and 100 masks, what does a U-Net reach from scratch, and
# what does the decoder on the pretrained encoder reach (stage one alone)? Everything else is equal:
# the masks, the augmentation, the number of steps, the learning rate. (We build the U-Net first, so
# the decoder starts from other random numbers than above, and its result with 20 masks differs.
# Differences of a hundredth mean nothing here.)
#
# One thing isn't equal: the architecture. So there is a control at 20 masks. We take the transfer
# model with the random encoder, and train all of it, its batch normalisation included. (Random
# features have no averages that are worth keeping.)
#
# ??? question "What would it mean if the control were as good as transfer?"
#
#     Then the architecture would deserve the credit, not the pretraining. A comparison without this
#     control couldn't tell the two apart.

# %%
MASKS = 5, 20, 100  # fast: 4,
curves = {"from scratch (U-Net)": [], "transfer": []}
for n in MASKS:
    keras.utils.set_random_seed(0)
    scratch = build_unet(len(folder.classes), filters=16, depth=3)
    pretrained = build_transfer(encoder)
    both = scratch, pretrained
    for title, model in zip(curves, both, strict=True):
        fit(model, ids[:n], verbose=0)
        curves[title].append(score(model))
        print(f"{n:4} masks  {title:22}{curves[title][-1]:.3f}")
    if n == FEW:
        models = {"U-Net from scratch": scratch, "transfer": pretrained}

keras.utils.set_random_seed(0)
control = build_transfer(random_encoder)
control.get_layer("encoder").trainable = True
fit(control, ids[:FEW], verbose=0)
control_score = score(control)
print(f"{FEW:4} masks  transfer model, random {control_score:.3f}")

# %% tags=["figure"] alt="Mean IoU over the number of masks, on a logarithmic axis. The curve of transfer, with squares, lies above that of the U-Net from scratch, with circles, at 5, 20 and 100 masks. A diamond at 20 masks, the transfer model with a random encoder, is below the curve of transfer."
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
styles = [("o--", VERMILLION, -15), ("s-", BLUE, 8)]
for (title, values), (style, colour, up) in zip(
    curves.items(),
    styles,
    strict=True,
):
    ax.plot(MASKS, values, style, color=colour, label=title)
    for n, value in zip(MASKS, values, strict=True):
        ax.annotate(
            f"{value:.2f}",
            (n, value),
            (0, up),  # points below or above
            textcoords="offset points",
            ha="center",
        )
ax.plot(FEW, control_score, "D", color="black", label="random encoder")
ax.set(xscale="log", xlabel="masks for training")
ax.set(ylim=(-0.05, 1), ylabel="mean IoU (validation)")
ax.set_xticks(MASKS, [str(n) for n in MASKS])
ax.minorticks_off()
figure.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% tags=["see"]
unet, pretrained = curves.values()
gains = ", ".join(
    f"{b - a:+.2f} with {n} masks" for n, a, b in zip(MASKS, unet, pretrained, strict=True)
)
print(
    f"Mean IoU of transfer against the U-Net from scratch: {gains}. With {MASKS[0]} masks transfer "
    f"reaches {pretrained[0]:.2f}, the U-Net with {MASKS[-1]} masks {unet[-1]:.2f}. The transfer "
    f"model without pretraining reaches {control_score:.2f} with {FEW} masks."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert all(b > a + 0.05 for a, b in zip(unet, pretrained, strict=True))
    assert pretrained[MASKS.index(FEW)] > control_score + 0.05

# %% [markdown]
# In this run transfer wins at every number of masks, and the control shows that the pretraining does
# it, not the architecture. Two remarks on this comparison.
#
# First, the transfer model has seen more images than its rival, 3,000 of them with names. That is
# the point of transfer learning and not a flaw in the comparison. But we have to say it: the names
# aren't free, only much cheaper than masks.
#
# Second, all runs have the same number of steps, 100, so that the chapter runs in minutes. Five times
# as many masks then mean more variety, not more training. A network that is still learning makes
# little use of variety, so a curve can even fall. Read the curves as "after 100 steps". From scratch,
# a network needs more of them. The demonstration (`make demo`) trains twice as long. Its
# [results](../results.md) over three seeds still show a large gap with 20 masks.

# %%
shown = val_ids[:4]
pictures, truths = zip(*map(folder.pair, shown), strict=True)
predictions = {}
for title, model in models.items():
    predictions[title] = predict_labels(model, pictures)

# %% tags=["figure"] alt="Four validation images in rows: image, true mask, the labels of the U-Net from scratch and of the transfer model, both trained on 20 masks. Both models find most objects; where they name one wrongly, the whole object has another colour than in the true mask."
plot_predictions(pictures, truths, predictions, folder.classes)

# %% [markdown]
# ## The scoreboard
#
# Both networks that learned from 20 masks get a row. The rows above theirs had 700 or 1,000 masks, so
# compare these two with each other.
#
# ??? question "The encoder has learned names, and never saw a mask. Which errors will it save?"
#
#     *What* errors, surely. But to name a shape you have to see its outline. So its features should
#     help with *where* as well.

# %%
for title, model in zip(("U-Net", "transfer"), models.values(), strict=True):
    name = f"6 {title} {FEW} masks"
    rows = add_row(name, model, folder, val_ids, SIZE)
print(format_rows(rows))

# %% tags=["see"]
one, two = rows[f"6 U-Net {FEW} masks"], rows[f"6 transfer {FEW} masks"]
print(
    f"From the U-Net to transfer, *what* errors change from {one['what']:,} to {two['what']:,}, "
    f"*where* errors from {one['where']:,} to {two['where']:,}. An image takes "
    f"{two['multiplications'] / one['multiplications']:.1f} times as many multiplications."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert two["what"] < one["what"] and two["where"] < one["where"]
    assert two["multiplications"] > 2 * one["multiplications"]

# %% [markdown]
# ## Summary
#
# 1. Names are cheap and masks are expensive. An encoder that has learned names already knows much of
#    what segmentation needs.
# 2. Preprocessing belongs to the weights. For VGG16: BGR with the means subtracted, once, inside the
#    model. A mistake raises no error.
# 3. Stage one trains the decoder on the frozen encoder, so random gradients cannot destroy it.
# 4. Stage two also trains the last blocks: compile again, with a learning rate a hundred times
#    smaller, and keep the batch normalisation frozen. `train(..., fine_tune=...)` does both stages.
#    On the shapes, stage two gained nothing. On photographs, it gained 0.035 of mean IoU.
# 5. With few masks a pretrained encoder was worth a lot here. But only a control with random weights
#    can show that pretraining is what helps.

# %% [markdown]
# ## Three questions
#
# ??? question "You unfreeze block 5, and the training goes on. Nothing changes. What did you forget?"
#
#     To compile. Keras decides at `compile` which weights the optimiser gets, so it still trains the
#     decoder alone.
#
# ??? question "Your model works in the notebook. In the app its predictions are poor. What do you check?"
#
#     Whether the app feeds the same kind of images: RGB or BGR, 0..255 or 0..1, preprocessed once or
#     twice. OpenCV reads BGR. No error will tell you.
#
# ??? question "Why is batch normalisation frozen in stage two, even in the blocks that are trained?"
#
#     Its averages were estimated on many images. A few dozen small batches would replace them with
#     the statistics of your 20 masks, and the features behind it would shift.

# %% [markdown]
# ## Further reading
#
# - O. Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015,
#   <https://arxiv.org/abs/1409.0575>: the data set on which encoders learn.
# - K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
#   Recognition", ICLR 2015, <https://arxiv.org/abs/1409.1556>: VGG.
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural
#   networks?", NeurIPS 2014, <https://arxiv.org/abs/1411.1792>: which layers are general.
# - J. Long, E. Shelhamer and T. Darrell, "Fully Convolutional Networks for Semantic Segmentation",
#   CVPR 2015, <https://arxiv.org/abs/1411.4038>: VGG16 labels pixels.
# - W. Liu, A. Rabinovich and A. C. Berg, "ParseNet: Looking Wider to See Better", 2015,
#   <https://arxiv.org/abs/1506.04579>: the mean over the image as context.
# - V. Iglovikov and A. Shvets, "TernausNet: U-Net with VGG11 Encoder Pre-Trained on ImageNet for
#   Image Segmentation", 2018, <https://arxiv.org/abs/1801.05746>: a pretrained VGG under a U-Net.

# %% [markdown]
# ## Exercises
#
# ### 1. What VGG16 expects
#
# Write VGG's preprocessing in NumPy, for a pixel, an image or a batch, without changing the original.
# Complete `tutorials/exercises/vgg_preprocess.py`, then run
# `python tutorials/check.py vgg_preprocess`.
#
# ### 2. Freeze the right layers
#
# Set the flags of a model so that it trains from a named block on, with all batch normalisation
# frozen.
# Complete `tutorials/exercises/freeze.py`, then run
# `python tutorials/check.py freeze`.
#
# ### 3. Count what is trained
#
# Predict the number of trainable parameters from a description of the layers. It is the quickest
# proof that the freezing worked.
# Complete `tutorials/exercises/count_trainable.py`, then run
# `python tutorials/check.py count_trainable`.
#
# ### 4. A kernel that interpolates
#
# Compute the weights with which a transposed convolution starts as bilinear interpolation.
# Complete `tutorials/exercises/bilinear_kernel.py`, then run
# `python tutorials/check.py bilinear_kernel`.
