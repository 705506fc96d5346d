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
# - say what a network that has learned to name images knows, and show it without any mask;
# - feed a pretrained encoder what it expects, and recognise the usual ways of getting this wrong;
# - train in two stages, the decoder first and the encoder afterwards, and prove what was frozen;
# - say how many masks a pretrained encoder is worth, from curves that you have measured.
#
# **Time:** about half an hour of reading; the code runs in about three minutes on two cores.
# **Stands on:** [chapter 5](05_unet.md).

# %% [markdown]
# A mask takes a person minutes, the name of what an image shows takes seconds. So there are
# millions of images with names and only thousands with masks. PASCAL VOC 2009 has 749 masks for
# training; ImageNet's challenge has 1.2 million images, each with one of 1,000 names (Russakovsky
# et al. 2015).
#
# This chapter uses the many for the sake of the few. A network learns to name images. Then its last
# layers, those that say the name, are cut off, and what is left becomes the encoder of a
# segmentation network. This is transfer learning, and the U-Net of
# [chapter 5](05_unet.md), which begins with random weights, is what it has to beat.

# %%
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from voc_seg import (
    SegmentationDataset,
    build_unet,
    build_vgg_transfer,
    compile_model,
    evaluate,
    open_folder,
    predict_labels,
    pretrain_encoder,
    set_classes,
    unfreeze,
    write_shapes,
)
from voc_seg.models.vgg_transfer import bilinear_kernel
from voc_seg.plots import BLUE, VERMILLION, plot_predictions

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

# %% [markdown]
# The line with `ROOT` is the switch of all chapters: it changes the drawn shapes for a VOC folder.
# This chapter has a second one, for the encoder.

# %%
WEIGHTS = None  # or "imagenet", or the path of VGG16's .h5 file
BLOCKS = (1, 2, 3)  # the encoder's blocks on whose features we shall decode
if WEIGHTS is not None:
    BLOCKS, SIZE = (3, 4, 5), max(SIZE, 96)  # VGG16 is deeper: block 5 works at a stride of 16

# %% [markdown]
# ## The encoder, and what stands in for ImageNet
#
# VGG16 (Simonyan & Zisserman 2015) is a plain stack: thirteen convolutions of 3 × 3 in five blocks,
# a max-pooling that halves the resolution at the end of each block, and three dense layers that say
# the name. Without the dense layers 14.7 million weights remain. With `WEIGHTS = "imagenet"` Keras
# downloads them (59 MB); on a machine without a connection, give the path of the file.
#
# With `WEIGHTS = None` the chapter needs no network: `pretrain_encoder` draws 3,000 images with one
# shape each and trains a small stack in VGG's style, three blocks of two convolutions, to name the
# shape. It sees no mask, so it plays the part of ImageNet honestly: names are all that it is told.
#
# It is easier than ImageNet in three ways, which you should keep in mind when you read the curves
# at the end. Its images come from the same program as those with masks; its four names are the very
# classes that we shall segment; and its objects stand alone. ImageNet's images and names are others
# than VOC's, although close. What carries over is the method and the direction of the result, not
# its size.

# %%
PRETRAIN = 3000  # fast: 96
if WEIGHTS is None:
    keras.config.disable_interactive_logging()  # hides the progress bars
    encoder = pretrain_encoder(seed=0, count=PRETRAIN)
    keras.config.enable_interactive_logging()
else:
    encoder = keras.applications.VGG16(include_top=False, weights=WEIGHTS)
print([layer.name for layer in encoder.layers if "block" in layer.name])
print(f"{encoder.count_params():,} parameters")

# %% [markdown]
# ## What it knows
#
# **The first layer.** Its kernels are small colour images of 3 × 3 pixels, so we can look at them.
# In networks with larger first kernels these turn out alike whatever the network was trained for:
# edges in many directions, and differences between colours. That is what makes transfer plausible:
# Yosinski et al. (2014) found the first layers to be general and the last ones to be specific to
# the task, with a gradual passage in between.
#
# Kernels of 3 × 3 show little, so below each one stands what it makes of an image. The eight whose
# answers vary most are drawn. (`prepare` brings images into the form that the encoder expects; the
# next section is about it.)

# %%
TRAIN, VAL = 1000, 200  # fast: 40, 20


def load(ids):
    """Images (N, SIZE, SIZE, 3) and masks (N, SIZE, SIZE)."""
    return SegmentationDataset(folder, ids, SIZE, batch_size=len(ids))[0]


ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:VAL]
images, masks = load(ids)
val_images, val_masks = load(val_ids)
print("training:", images.shape, "validation:", val_images.shape)


def prepare(images):
    """What the encoder expects, in a new array."""
    return keras.applications.vgg16.preprocess_input(images.copy())


# %% alt="Two rows of eight squares, and one image before them. Above, kernels of 3 by 3 coloured pixels; below, the image as each kernel sees it: light objects on dark ground or the reverse, or mainly their outlines."
first = encoder.get_layer("block1_conv1")
example = val_images[:1]
respond = keras.Model(encoder.inputs, first.output)
answers = respond.predict(prepare(example), verbose=0)[0]  # (H, W, F)
kernels = first.get_weights()[0][:, :, ::-1]  # (3, 3, RGB, F): VGG takes blue first
chosen = np.argsort(answers.std(axis=(0, 1)))[::-1][:8]

figure, axes = plt.subplots(2, 9, figsize=(11, 2.8), layout="constrained")
axes[0, 0].set_title("image", fontsize=10)
axes[0, 0].imshow(example[0].astype("uint8"))
for k, (above, below) in zip(chosen, axes.T[1:], strict=True):
    kernel = kernels[..., k]
    above.imshow(0.5 + 0.5 * kernel / abs(kernel).max())
    below.imshow(answers[..., k], cmap="gray")
    above.set_title(f"filter {k}", fontsize=10)
for ax in axes.flat:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# **The last layer.** After its last pooling the encoder has one vector for each square of 8 × 8
# pixels (32 × 32 in VGG16). Averaged over all places it gives one vector for an image. If the encoder has
# learned what a thing is, images of the same thing should have vectors that point the same way,
# wherever the thing stands and whatever its colour.
#
# So we look for the nearest neighbour: for each validation image the training image whose vector
# has the smallest angle to its own. (Each number of the vectors is first brought to mean 0 and
# variance 1, or those that are always large would decide alone.) Two vectors without knowledge serve as measures: the pixels
# themselves, and the same encoder with random weights.


# %%
def pool(encoder):
    """An encoder's last feature map, averaged over its places: (B, H, W, 3) -> (B, C)."""
    last = encoder.get_layer(f"block{BLOCKS[-1]}_pool").output
    return keras.Model(encoder.inputs, keras.layers.GlobalAveragePooling2D()(last))


def describe(network, images):
    """One vector for an image. (N, C)"""
    return network.predict(prepare(images), batch_size=50, verbose=0)


def neighbours(vectors, others):
    """Row i: the places of the other vectors, the nearest to vector i first. (N, M)"""
    mean, scale = others.mean(axis=0), others.std(axis=0) + 1e-6
    a, b = (vectors - mean) / scale, (others - mean) / scale
    a /= np.linalg.norm(a, axis=1, keepdims=True) + 1e-6
    b /= np.linalg.norm(b, axis=1, keepdims=True) + 1e-6
    return np.argsort(-a @ b.T, axis=1)


random_encoder = keras.models.clone_model(encoder)  # the same layers, new random weights
nearest = {
    "pixels": neighbours(val_images.reshape(len(val_ids), -1), images.reshape(len(ids), -1)),
}
pooled = pool(encoder)
for way, network in (("random encoder", pool(random_encoder)), ("pretrained encoder", pooled)):
    nearest[way] = neighbours(describe(network, val_images), describe(network, images))

# %% [markdown]
# The image's name shall be the class that has most of its pixels, background apart. We count how
# often the nearest neighbour has the same name.

# %%
names = list(folder.classes)


def largest_object(mask):
    """The class with the most pixels in a mask, background and void apart."""
    return np.bincount(mask[mask != 255], minlength=len(names))[1:].argmax() + 1


labels = np.array([largest_object(mask) for mask in masks])
val_labels = np.array([largest_object(mask) for mask in val_masks])
agree = {way: np.mean(labels[order[:, 0]] == val_labels) for way, order in nearest.items()}
for way, share in agree.items():
    print(f"{way:20}{share:.2f}")

# %% alt="Three rows. In each, one image on the left, its three nearest neighbours by pixels in the middle, by the pretrained encoder on the right; the name of the largest object stands below each. By pixels the neighbours have similar colours at similar places; by the encoder mostly the same shape."
widths = [1, 0.2, 1, 1, 1, 0.2, 1, 1, 1]  # two narrow columns stay empty
figure, axes = plt.subplots(3, 9, figsize=(10, 4.8), layout="constrained", width_ratios=widths)
for row, i in zip(axes, range(3), strict=True):
    by_pixels, by_encoder = nearest["pixels"][i, :3], nearest["pretrained encoder"][i, :3]
    row[0].imshow(val_images[i].astype("uint8"))
    row[0].set_xlabel(names[val_labels[i]], fontsize=9)
    for ax, j in zip(row[[2, 3, 4, 6, 7, 8]], [*by_pixels, *by_encoder], strict=True):
        ax.imshow(images[j].astype("uint8"))
        ax.set_xlabel(names[labels[j]], fontsize=9)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[], frame_on=False)
for column, title in ((0, "image"), (3, "nearest by pixels"), (7, "nearest by encoder")):
    axes[0, column].set_title(title, fontsize=10)
plt.show()

# %% tags=["see"]
print(
    f"The nearest neighbour has the same largest object in {agree['pretrained encoder']:.1%} of "
    f"the {len(val_ids)} images by the pretrained encoder, in {agree['random encoder']:.1%} by the "
    f"random one and in {agree['pixels']:.1%} by the pixels. Whoever always said the most frequent "
    f"name would be right in {np.bincount(val_labels).max() / len(val_ids):.1%}."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert agree["pretrained encoder"] > agree["random encoder"] + 0.1
    assert agree["pretrained encoder"] > agree["pixels"] + 0.1

# %% [markdown]
# The encoder has never seen a mask, and yet its features tell the classes apart. What they do not
# tell, after the averaging, is where. The decoder has to learn this from masks.

# %% [markdown]
# ## Preprocessing: once, and inside of the model
#
# A network knows images only in the form in which it was trained on them. VGG16 was trained on
# pixels of 0..255 with the channels in the order blue, green, red, as its authors' software read
# them, and with the mean of each channel over ImageNet subtracted:
#
# $$x' = (B - 103.939,\; G - 116.779,\; R - 123.68)$$
#
# Nothing is divided. Other networks want values in -1..1, or 0..1, or RGB; which one it is stands
# in the weights' description and in no error message.

# %%
red = np.array([[[255.0, 0.0, 0.0]]], "float32")
print("red:", red[0, 0], "->", prepare(red)[0, 0])

# %% tags=["check"]
by_hand = example[..., ::-1] - np.array([103.939, 116.779, 123.68])
assert np.allclose(prepare(example), by_hand, atol=1e-3)

# %% [markdown]
# Above, `prepare` makes a copy, for a reason. Given an array of floats, Keras' function writes into
# it, so that whoever runs a notebook's cell twice has it done twice:

# %%
photo = example.copy()
for _ in range(3):
    print(f"{photo.min():7.1f} .. {photo.max():6.1f}")
    keras.applications.vgg16.preprocess_input(photo)

# %% tags=["check"]
assert photo.min() < example.min() - 200

# %% [markdown]
# All models of this library take RGB, 0..255, and do the rest themselves. The preprocessing is part
# of `build_vgg_transfer`, is saved with the model, and cannot be forgotten by whoever loads it; the
# encoder alone is the only place where you have to think of it, as in `prepare` above.
#
# What if somebody does get it wrong? Four mistakes that are made every day:
#
# - *twice*: the data are preprocessed and the model does it again;
# - *forgotten*: the encoder gets RGB, 0..255;
# - *channels reversed*: the image was read by OpenCV, which gives BGR;
# - *divided by 255*: as most other networks want it.
#
# Each is written here as a change of the image before a correct preprocessing. For the forgotten
# one this means: the very change that the preprocessing will undo.

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
# So each mistake is as though the encoder were shown another image. The upper row is that image,
# the lower row a channel in the middle of the encoder that answers to it.

# %% alt="Five columns: right, twice, forgotten, channels reversed, divided by 255. Above, the image as the encoder takes it to be: as it is; nearly black with wrong colours; nearly white with wrong colours; with wrong colours; black. Below, a feature map of block 2: it looks different in each column, and least so with reversed channels."
middle = keras.Model(encoder.inputs, encoder.get_layer("block2_pool").input)
maps = {}
for way, change in WAYS.items():
    maps[way] = middle.predict(prepare(change(example)), verbose=0)[0]  # (H, W, C)
channel = maps["right"].std(axis=(0, 1)).argmax()
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
# In numbers: by how much does the vector of an image change, measured by its own length?

# %%
vectors = {way: describe(pooled, change(val_images)) for way, change in WAYS.items()}
lengths = np.linalg.norm(vectors["right"], axis=1)
changed = {
    way: np.mean(np.linalg.norm(v - vectors["right"], axis=1) / lengths)
    for way, v in vectors.items()
}
for way, share in changed.items():
    print(f"{way:20}{share:.2f}")

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
# ## A decoder on top
#
# `build_vgg_transfer` takes the last feature map of several blocks, as a U-Net takes its skip
# connections, and decodes from the coarsest to the finest: normalise, bring to fewer channels by a
# 1 × 1 convolution, enlarge, join with the next finer block, convolve. TernausNet
# (Iglovikov & Shvets 2018) put a VGG under a U-Net in a similar way; the fully convolutional
# networks of Long et al. (2015) added up class scores of three blocks. To the coarsest block the
# mean of its features over the whole image is added, as in ParseNet (Liu et al. 2015), so that
# each place knows what the image shows elsewhere.
#
# With blocks 3, 4 and 5 of VGG16 the finest map has a stride of 4, and a transposed convolution
# ([chapter 4](04_encoder_decoder.md)) enlarges the scores to the image. It begins as bilinear
# interpolation, which is sensible before anything has been learned. (With our blocks 1, 2 and 3 the
# finest map is as large as the image, and this last step falls away; between the blocks maps are
# enlarged by repeating each place.) Its kernel is a tent downwards times a tent to the right, here
# in sixteenths for a stride of 2:

# %%
print(bilinear_kernel(2, 1)[..., 0, 0] * 16)

# %% [markdown]
# The encoder is copied into the model and frozen there: `trainable` is `False`, and the optimiser
# does not get its weights.


# %%
def build_transfer(encoder):
    return build_vgg_transfer(len(folder.classes), encoder=encoder, blocks=BLOCKS, filters=32)


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


keras.utils.set_random_seed(0)
transfer = build_transfer(encoder)
print(f"all parameters:       {transfer.count_params():10,}")
print(f"in the encoder:       {transfer.get_layer('encoder').count_params():10,}")
print(f"trained in stage one: {count(transfer.trainable_weights):10,}")

# %% [markdown]
# (The first number is larger than the other two together: the decoder's own normalisation has
# running averages, which are parameters, but not trained by the optimiser.)

# %% tags=["check"]
assert not transfer.get_layer("encoder").trainable_weights
for stride in (2, 4):
    kernel = bilinear_kernel(stride, 1)
    assert np.isclose(kernel.sum(), stride**2) and kernel.shape == (2 * stride, 2 * stride, 1, 1)

# %% [markdown]
# ## Frozen first, fine-tuned next
#
# The decoder begins with random weights. In the first steps its errors are large, and so are the
# gradients that it sends down. If the encoder were trained at that time, these gradients
# would wipe out what it knows before the decoder could make use of it. Hence two stages:
#
# | | decoder | encoder's convolutions | encoder's normalisation | learning rate |
# | --- | --- | --- | --- | --- |
# | stage one | trained | frozen | frozen | 0.003 |
# | stage two | trained on | trained from a block on | frozen | 0.00003 |
#
# We have 20 masks. They are shown again and again, each time flipped, scaled, cropped and
# recoloured in another way; an epoch is 200 such images.

# %%
FEW = 20  # fast: 4
IMAGES = 200  # fast: 8
EPOCHS = 4  # fast: 1
RATE = 3e-3


def fit(model, few, rate=RATE, verbose=2):
    """Trains on the few masks with these IDs, with a learning rate that falls to zero."""
    shown = (few * IMAGES)[:IMAGES]  # from the beginning again, as often as it takes
    data = SegmentationDataset(folder, shown, SIZE, augment=True, shuffle=True, cache=True)
    compile_model(model, keras.optimizers.schedules.CosineDecay(rate, EPOCHS * len(data)))
    set_classes(model, folder.classes, SIZE)
    model.fit(data, epochs=EPOCHS, shuffle=False, verbose=verbose)


def score(model):
    return evaluate(model, folder, val_ids, batch_size=50)["mean_iou"]


def encoder_weights(model):
    """A copy of all weights of the encoder: {"layer/weight": array}."""
    layers = model.get_layer("encoder").layers
    return {f"{x.name}/{w.name}": w.numpy() for x in layers for w in x.weights}


start = encoder_weights(transfer)
fit(transfer, ids[:FEW])
after_one = encoder_weights(transfer)
stage_one = score(transfer)
print(f"mean IoU {stage_one:.3f}")

# %% [markdown]
# **Stage two.** `unfreeze` makes the encoder trainable from a named block on. We let only the last
# block change, the most specific one. Two things are easily done wrong here.
#
# *Compile again.* Keras decides at `compile` what is trained. Without a new `compile` the model
# goes on as before, whatever the flags say; `fit` above compiles each time. The learning rate is
# now a hundred times smaller: the weights shall be adjusted, not learned anew.
#
# *Normalisation stays frozen.* A batch normalisation has, beside its learned scale and shift,
# running averages of the mean and the variance of its input, and in training it moves these towards
# those of the current batch. With a momentum of 0.9, after 22 batches less than a tenth of the old
# average is left ($0.9^{22} \approx 0.098$): statistics of thousands of images would be replaced by
# those of a few. In Keras a frozen normalisation uses its averages and keeps them, and `unfreeze`
# leaves it frozen. (VGG16 has none; nearly all later encoders have.)

# %%
unfreeze(transfer, f"block{BLOCKS[-1]}")
fit(transfer, ids[:FEW], rate=RATE / 100)
after_two = encoder_weights(transfer)
stage_two = score(transfer)
print(f"mean IoU {stage_two:.3f}")

# %% [markdown]
# What has changed in the encoder? We compare the copies that were made before and after each stage.


# %%
def changes(before, after):
    return [name for name in before if not np.array_equal(before[name], after[name])]


print("stage one:", changes(start, after_one) or "nothing")
print("stage two:", changes(after_one, after_two) or "nothing")
statistics = [name for name in start if "moving" in name]
moved = set(statistics) & set(changes(start, after_two))
print(f"averages of the normalisation: {len(moved)} of {len(statistics)} changed")

# %% tags=["check"]
last = f"block{BLOCKS[-1]}_conv"
assert changes(start, after_one) == []
assert changes(after_one, after_two) == [name for name in start if name.startswith(last)]
assert not moved
assert (WEIGHTS is None) == bool(statistics)

# %% tags=["see"]
print(
    f"Stage one changes nothing in the encoder, stage two the convolutions of block {BLOCKS[-1]} "
    f"alone, and no average of the normalisation. The mean IoU goes from {stage_one:.3f} to "
    f"{stage_two:.3f}."
)

# %% tags=["claim"]
if ROOT == SHAPES and WEIGHTS is None:
    assert abs(stage_two - stage_one) < 0.1

# %% [markdown]
# Here the second stage changes the result little, as the encoder was trained on images of the same
# kind, and a few small steps are all that it gets. On photographs the encoder has more to
# learn: FCN-32s on VOC 2011 reached a mean IoU of 45.4 % with VGG16 fixed and 59.4 % with all of it
# fine-tuned (Long et al. 2015, table 2), though with 8,498 masks. How far to go down
# depends on how many masks there are: the more weights train, the more there is to overfit.

# %% [markdown]
# ## What a wrong preprocessing costs
#
# Now there is a trained model, and the mistakes of above have a price. The model does its
# preprocessing correctly; the images that it is given are changed before.

# %%
price = {}
for way, change in WAYS.items():
    results = transfer.evaluate(change(val_images), val_masks, verbose=0, return_dict=True)
    price[way] = results["mean_iou"]

# %% alt="Five horizontal bars with their values: the mean IoU with the right preprocessing, twice, forgotten, with reversed channels, and divided by 255. The bars for twice, forgotten and divided by 255 are much shorter than that for right."
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
# Nothing fails aloud: the mistakes show as a model that is worse than it should be. The
# reversed channels are the most treacherous. Here they cost little, because the shapes take
# their colours at random, and the encoder has learned that colour says nothing. A network that has
# learned from photographs, where grass is green and skies are blue, uses colour.

# %% [markdown]
# ## How many masks is it worth?
#
# Now the question of the chapter: with 5, 20 and 100 masks, what does a U-Net reach from scratch,
# and what the decoder on the pretrained encoder (stage one alone)? Everything else is equal: the
# masks, the augmentation, the number of steps, the learning rate. (The U-Net is built first, so the
# decoder starts from other random numbers than above, and its result with 20 masks is another one.
# Differences of a hundredth mean nothing here.)
#
# One thing is not equal, the architecture. So there is a control at 20 masks: the transfer model
# with the random encoder, all of which is trained, its normalisation, too: random features have no
# averages that are worth keeping.

# %%
MASKS = 5, 20, 100  # fast: 4,
curves = {"from scratch (U-Net)": [], "transfer": []}
for n in MASKS:
    keras.utils.set_random_seed(0)
    scratch = build_unet(len(folder.classes), filters=16, depth=3)
    pretrained = build_transfer(encoder)
    for title, model in zip(curves, (scratch, pretrained), strict=True):
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

# %% alt="Mean IoU over the number of masks, on a logarithmic axis. The curve of transfer, with squares, lies above that of the U-Net from scratch, with circles, at 5, 20 and 100 masks. A diamond at 20 masks, the transfer model with a random encoder, lies below the curve of transfer."
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
styles = [("o--", VERMILLION, -15), ("s-", BLUE, 8)]  # the number below or above the point
for (title, values), (style, colour, up) in zip(curves.items(), styles, strict=True):
    ax.plot(MASKS, values, style, color=colour, label=title)
    for n, value in zip(MASKS, values, strict=True):
        ax.annotate(f"{value:.2f}", (n, value), (0, up), textcoords="offset points", ha="center")
ax.plot(FEW, control_score, "D", color="black", label="transfer model, random encoder")
ax.set(xscale="log", ylim=(-0.05, 1), xlabel="masks for training", ylabel="mean IoU (validation)")
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
# Transfer wins at every number of masks, and the control shows that it is the
# pretraining and not the architecture that does it. Two remarks on what this comparison is.
#
# The transfer model has seen more images than its rival, 3,000 of them with names. This is the
# point of transfer and no flaw of the comparison, but it has to be said: the names are not free,
# only much cheaper than masks.
#
# And the number of steps is the same in all runs, 100, and small, so that the chapter runs in
# minutes. Five times the masks are then no more training, only more variety, of which a network that
# is still learning makes little use, and a curve may even fall: read the curves as "after 100
# steps". From scratch a network
# needs more of them. The demonstration (`make demo`) trains twice as long, and
# [its results](../results.md) over three seeds still show a large gap with 20 masks.

# %% alt="Four validation images in rows: image, true mask, the labels of the U-Net from scratch and of the transfer model, both trained on 20 masks. The U-Net finds most objects but mixes up their classes; the transfer model is closer to the truth."
shown = val_ids[:4]
pictures, truths = zip(*map(folder.pair, shown), strict=True)
predictions = {title: predict_labels(model, pictures) for title, model in models.items()}
plot_predictions(pictures, truths, predictions, folder.classes)

# %% [markdown]
# ## Summary
#
# 1. Names are cheap and masks are dear; an encoder that has learned names knows much of what
#    segmentation needs.
# 2. Preprocessing belongs to the weights: BGR with the means subtracted for VGG16, once, inside of
#    the model; a mistake raises no error.
# 3. Stage one trains the decoder on the frozen encoder, so that random gradients cannot destroy it.
# 4. Stage two trains the last blocks, too: compile again, a hundred times smaller learning rate,
#    normalisation frozen.
# 5. With few masks a pretrained encoder is worth much; that it is the pretraining that helps, only
#    a control with random weights can tell.

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
# Write VGG's preprocessing in NumPy, for a pixel, an image or a batch, without changing the
# original.
# Complete `tutorials/exercises/vgg_preprocess.py`, then run
# `python tutorials/check.py vgg_preprocess`.
#
# ### 2. Freeze the right layers
#
# Set the flags of a model so that it trains from a named block on, with all normalisation frozen.
# Complete `tutorials/exercises/freeze.py`, then run
# `python tutorials/check.py freeze`.
#
# ### 3. Count what is trained
#
# Predict the number of trainable parameters from a description of the layers: the quickest proof
# that the freezing worked.
# Complete `tutorials/exercises/count_trainable.py`, then run
# `python tutorials/check.py count_trainable`.
#
# ### 4. A kernel that interpolates
#
# Compute the weights with which a transposed convolution starts as bilinear interpolation.
# Complete `tutorials/exercises/bilinear_kernel.py`, then run
# `python tutorials/check.py bilinear_kernel`.
