# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 5. U-Net
#
# **You will be able to**
#
# - say what an encoder-decoder loses on its way down, and how a skip connection brings it back;
# - explain the shape error that you get with images of odd size, and name three ways out;
# - measure what one part of a network is worth: an ablation with everything else equal;
# - score the contours alone, by the IoU in a band around them, and look at feature maps.
#
# **Time:** about 45 minutes of reading and half an hour for the exercises. The code runs in about
# three minutes on two cores.
# **Prerequisite:** [chapter 4](04_encoder_decoder.md).

# %% [markdown]
# We work on the shapes again. To use PASCAL VOC instead, change the line with `ROOT` and `SIZE`: its
# comment says to what.

# %%
import difflib
import inspect
import textwrap
from itertools import pairwise
from pathlib import Path

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from voc_seg import (
    VOID,
    CropLike,
    PadToMultiple,
    SegmentationDataset,
    build_encoder_decoder,
    build_unet,
    compile_model,
    confusion_matrix,
    evaluate,
    iou_from_confusion,
    open_folder,
    predict_labels,
    set_classes,
    write_shapes,
)
from voc_seg.plots import BLUE, VERMILLION, colorize, plot_predictions
from voc_seg.scoreboard import add_row, format_rows

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

# %%
TRAIN = 700  # fast: 60
VAL = 200  # fast: 20
FILTERS, DEPTH = 16, 3  # of our networks
classes = len(folder.classes)
train_ids = folder.ids("train")[:TRAIN]
val_ids = folder.ids("val")[:VAL]
validation = SegmentationDataset(
    folder,
    val_ids,
    SIZE,
    batch_size=50,
    cache=True,
)

# The image with the most classes: our example throughout the chapter.
example = max(
    range(len(val_ids)),
    key=lambda k: len(np.unique(validation.example(k)[1])),
)
image, mask = validation.example(example)  # (S, S, 3), (S, S)

# %% [markdown]
# ## What the encoder knew and the decoder has lost
#
# The encoder-decoder of chapter 4 halves the resolution three times. Everything it knows about the
# image passes through the bottleneck, its coarsest feature map. There, one position covers a block
# of 8 x 8 pixels. [Chapter 4](04_encoder_decoder.md) measured what such a grid costs if it holds one
# label per block: anything thin is lost.
#
# Our network isn't limited to one label per block. Its coarsest map has 128 channels, and they *can*
# describe where in the block a contour runs. But the network has to learn such a code, write it in
# the encoder, and read it in the decoder. That is a detour: the information was already there. The
# encoder's first block computed its features at full resolution, at every pixel. Then max pooling
# kept the largest of each four values, and forgot which of the four positions it came from.
#
# So on its way down, the encoder learns *what* is in the image and loses *where*. The decoder needs
# both.
#
# ??? question "How would you give the decoder back what pooling forgot?"
#
#     The encoder has already computed a map at every scale. So keep these maps, and let the decoder
#     read them when it gets back to the same scale. Then this information doesn't have to pass
#     through the bottleneck at all.

# %% [markdown]
# ## Skip connections
#
# U-Net (Ronneberger, Fischer and Brox 2015) does just that. On its way up, the decoder passes
# through the same resolutions as the encoder on its way down. At each of them we take the encoder's
# map from *before* the pooling, and concatenate it with the decoder's map along the channel axis:
#
# $$d_i = \text{block}\left(\left[\, e_i,\ \text{up}(d_{i+1}) \,\right]\right)$$
#
# Here $e_i$ is the encoder's map at scale $i$, and $d_{i+1}$ is the decoder's result at the next
# coarser scale. The deepest $d$ is the bottleneck. The path from below says *what* it is, the encoder's
# map says *where* it is, and the two convolutions of the block learn to combine them. Such a path
# around the coarser layers is called a *skip connection*.

# %% tags=["figure"] alt="A diagram in the form of the letter U. On the left, the image and below it three encoder boxes from fine to coarse; at the bottom the bottleneck; on the right three decoder boxes back to fine, and above them the probabilities. Thin arrows follow the U. At each of the three scales a thick dashed arrow leads straight from the left to the right."
side = -(-SIZE // 2**DEPTH) * 2**DEPTH  # after padding
down = [(0, -i) for i in range(DEPTH)]
up = [(2, -i) for i in reversed(range(DEPTH))]
places = [*down, (1, -DEPTH), *up]
boxes = [f"encoder{i + 1}" for i in range(DEPTH)] + ["bottleneck"]
boxes += [f"decoder{i + 1}" for i in reversed(range(DEPTH))]
figure, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
style = {"ha": "center", "va": "center", "fontsize": 9, "zorder": 2}
box = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": "black"}
for title, (x, y) in zip(boxes, places, strict=True):
    n, channels = side // 2**-y, FILTERS * 2**-y
    text = f"{title}\n{n} x {n}, {channels} ch."
    ax.text(x, y, text, color="black", bbox=box, **style)
ends = {
    (0, 0.8): f"image\n{SIZE} x {SIZE}, 3 ch.",
    (2, 0.8): f"probabilities\n{SIZE} x {SIZE}, {classes} ch.",
}
for (x, y), text in ends.items():
    ax.text(x, y, text, color="black", bbox=box | {"fc": "0.92"}, **style)
thin = {"arrowstyle": "-|>", "color": BLUE}
path = [(0, 0.8), *places, (2, 0.8)]
for start, end in pairwise(path):
    gap = 20 if start[0] == end[0] else 55
    thin |= {"shrinkA": gap, "shrinkB": gap}
    ax.annotate("", end, start, arrowprops=thin, zorder=1)
thick = {"arrowstyle": "-|>", "lw": 2.5, "ls": "--", "color": VERMILLION}
thick |= {"shrinkA": 50, "shrinkB": 50}
for i in range(DEPTH):
    ax.annotate("", (2, -i), (0, -i), arrowprops=thick, zorder=1)
    ax.text(1, -i + 0.1, "skip", ha="center", color=VERMILLION)
ax.text(0.08, -0.5, "max pooling", va="center", color=BLUE)
ax.text(
    1.92,
    -0.5,
    "transposed\nconvolution",
    ha="right",
    va="center",
    color=BLUE,
)
ax.set(xlim=(-0.5, 2.5), ylim=(-DEPTH - 0.35, 1.1))
ax.set_axis_off()
plt.show()

# %% [markdown]
# ### In the source
#
# Here is the whole network, as the library builds it. Find the three lines about `skips`.

# %% tags=["source"]
print(inspect.getsource(build_unet))

# %% [markdown]
# `PadToMultiple` and `CropLike` are about image sizes; we come to them below. Everything else you
# know from chapter 4. How much of it do you know? Let Python compare the bodies of the two functions,
# without their docstrings and the comments at the ends of lines. A plus marks the lines that only
# U-Net has, a minus those that only the encoder-decoder has.

# %%
sources = []
for builder in (build_encoder_decoder, build_unet):
    body = inspect.getsource(builder).split('"""')[2]  # after the docstring
    lines = [line.partition("  # ")[0] for line in body.splitlines()]
    sources.append(lines)
files = "encoder_decoder.py", "unet.py"
for line in difflib.unified_diff(*sources, *files, n=0, lineterm=""):
    print(line)

# %% [markdown]
# Apart from the model's name, only three lines differ: create a list, append each scale's feature map,
# concatenate it with the decoder's. (`layers.Concatenate` joins along the last axis, the channels.)
#
# What does that cost? Only the first convolution of each decoder block notices. It now reads $2F_i$
# channels instead of $F_i$, where $F_i$ is the number of filters at scale $i$. So it has
# $3 \cdot 3 \cdot F_i \cdot F_i$ more weights.

# %%
encoder_decoder = build_encoder_decoder(classes, FILTERS, DEPTH)
unet = build_unet(classes, FILTERS, DEPTH)
more = unet.count_params() - encoder_decoder.count_params()
print(f"encoder-decoder: {encoder_decoder.count_params():,} weights")
print(f"U-Net:           {unet.count_params():,} weights")
print(f"{more:,} more, or {more / encoder_decoder.count_params():.0%}")

# %% tags=["check"]
assert more == sum(9 * (FILTERS * 2**i) ** 2 for i in range(DEPTH))
changed = [
    line for line in difflib.ndiff(*sources) if line[0] in "+-" and "def " not in line
]  # three lines of skip connections, and the model's name twice
assert len(changed) == 5 and sum("skip" in line for line in changed) == 3

# %% [markdown]
# ## Images whose size does not fit
#
# You can concatenate two maps only if they have the same height and width. Everyone who builds a
# U-Net runs into this sooner or later, usually with the first photo of an odd size. Let's run into it
# now. Here is a bare U-Net of plain Keras layers, for 48 x 48 and for 45 x 45 pixels.
#
# ??? question "45 pixels: at which scale will the two maps not fit?"
#
#     Pooling turns 45 into 22, 11 and 5. On the way up, 5 becomes 10, and there the encoder's map has
#     11 rows. So the first skip connection on the way up fails.


# %%
def bare_unet(size, depth=3):
    inputs = x = keras.Input((size, size, 3))
    skips = []
    for _ in range(depth):
        x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    for skip in reversed(skips):
        x = layers.Conv2DTranspose(8, 2, strides=2)(x)
        x = layers.Concatenate()([skip, x])
    return keras.Model(inputs, x)


print("48 pixels:", bare_unet(48).output_shape)
try:
    bare_unet(45)
except ValueError as error:
    message = str(error)
    print(textwrap.fill(f"45 pixels: {message}", 76))

# %% tags=["check"]
assert "Concatenate" in message and "11, 11" in message and "10, 10" in message

# %% [markdown]
# The numbers in the message tell the story. Pooling drops the last row of a side of odd length, and
# upsampling cannot bring it back.

# %%
down = [45]
for _ in range(3):
    down.append(down[-1] // 2)  # max pooling rounds down
up = [down[-1]]
for _ in range(3):
    up.append(up[-1] * 2)
print("down:", " -> ".join(map(str, down)))
print("up:  ", " -> ".join(map(str, up)))

# %% [markdown]
# With `Input((None, None, 3))`, an input of any size, Keras cannot see this while it builds the
# model. Then the error appears only when the first image that doesn't fit comes along, perhaps two
# hours into training. And it comes from the backend, with a different message.

# %%
any_size = bare_unet(None)
any_size(np.zeros((1, 48, 48, 3)))
try:
    any_size(np.zeros((1, 45, 45, 3)))
    failed = False
except Exception as error:  # a different one for each backend
    failed = True
    print("45 pixels:", type(error).__name__)

# %% tags=["check"]
assert failed

# %% [markdown]
# There are three ways out.
#
# - **Resize** the images to a side that fits. That is simple, but it interpolates every pixel of the
#   image, and every pixel of the mask moves.
# - **Crop** the encoder's map to the size of the decoder's. The paper does this, for a reason of its
#   own: see below.
# - **Pad** the image until $2^\text{depth}$ divides both sides, and crop the result. Our library
#   does this, once at the input and once at the output, and no skip connection needs to know. The
#   two layers are `PadToMultiple` and `CropLike`, both in `voc_seg/models/blocks.py`.
#
# `PadToMultiple` adds pixels at the bottom and at the right, and it mirrors the image there. Black
# would draw an edge that isn't there, and edges are what the network looks for.

# %%
odd = image[: SIZE - 3, : SIZE - 11]  # 8 divides neither side
odd = odd.astype("float32")
padded = np.array(PadToMultiple(8)(odd[None]))[0]
print(odd.shape, "->", padded.shape)

# %% tags=["check"]
assert all(n % 8 == 0 for n in padded.shape[:2])
assert np.array_equal(padded[: len(odd), : len(odd[0])], odd)
assert np.array_equal(PadToMultiple(8)(padded[None])[0], padded)  # what fits is left alone
cropped = CropLike()([padded[None], odd[None]])
assert np.array_equal(cropped[0], odd)

# %% tags=["figure"] alt="Two panels. Left: an image that is higher than wide. Right: the same image in the same place, with a few mirrored rows and columns added below and to the right of a dashed line."
figure, axes = plt.subplots(1, 2, figsize=(6.5, 3.4), layout="constrained")
for ax, array in zip(axes, (odd, padded), strict=True):
    shown = np.full_like(padded, 255)
    shown[: len(array), : len(array[0])] = array
    ax.imshow(shown.astype(np.uint8))
    ax.set_title("{} x {} pixels".format(*array.shape[:2]))
    ax.set_axis_off()
height, width = odd.shape[:2]
right, bottom = width - 0.5, height - 0.5
axes[1].plot([-0.5, right, right], [bottom, bottom, -0.5], "w--", lw=1.5)
plt.show()

# %% [markdown]
# With this padding, our U-Net and our encoder-decoder take images of any size, and answer at that
# size. Even a single pixel works. Here is the U-Net:

# %%
for shape in ((48, 48), (45, 45), (37, 90), (1, 1)):
    answer = unet(np.zeros((1, *shape, 3)))
    print(shape, "->", tuple(answer.shape))

# %% tags=["check"]
for model in (unet, encoder_decoder):
    for shape in ((48, 48), (45, 45), (37, 90), (7, 1), (1, 1)):
        answer = keras.ops.convert_to_numpy(model(np.zeros((1, *shape, 3))))
        assert answer.shape == (1, *shape, classes)
        assert np.allclose(answer.sum(axis=-1), 1, atol=1e-5)

# %% [markdown]
# ### What the paper does
#
# The paper's convolutions are not padded ("valid"). Each one takes one pixel off every side, since a
# 3 x 3 kernel has no room at the border. So the maps shrink on the way up as well, and the encoder's
# map is always larger than the decoder's. The authors crop its middle. Their network takes 572 x 572
# pixels and answers for the 388 x 388 in the middle. The advantage: each answer has seen real pixels
# only. A large image is cut into overlapping tiles and mirrored at its border. Let Keras count along
# one side.

# %%
x = keras.Input((572, 1, 1))
lengths, cuts = [x.shape[1]], []
# One column is enough to count rows.
valid = {"kernel_size": (3, 1), "padding": "valid"}
skips = []
for _ in range(4):
    x = layers.Conv2D(1, **valid)(layers.Conv2D(1, **valid)(x))
    skips.append(x.shape[1])
    x = layers.MaxPooling2D((2, 1))(x)
    lengths += [skips[-1], x.shape[1]]
x = layers.Conv2D(1, **valid)(layers.Conv2D(1, **valid)(x))
lengths.append(x.shape[1])
for skip in reversed(skips):
    x = layers.Conv2DTranspose(1, (2, 1), strides=(2, 1))(x)
    cuts.append(f"{skip} to {x.shape[1]}")
    lengths.append(x.shape[1])
    x = layers.Conv2D(1, **valid)(layers.Conv2D(1, **valid)(x))
    lengths.append(x.shape[1])
print("down:", " -> ".join(map(str, lengths[:10])))
print("up:  ", " -> ".join(map(str, lengths[9:])))
print("cropped:", ", ".join(cuts))

# %% tags=["check"]
assert lengths[0] == 572 and lengths[-1] == 388
assert cuts == ["64 to 56", "136 to 104", "280 to 200", "568 to 392"]

# %% [markdown]
# Our models pad each convolution with zeros ("same"). So the answer is as large as the image, and
# there is nothing to crop. The price: near the border, a part of what each pixel sees is made up.
#
# That is one departure from the paper. There are others. We use batch normalisation after each
# convolution; the paper predates it by a few months (Ioffe and Szegedy 2015). We have no dropout.
# Our loss is the plain cross-entropy; theirs gives more weight to the pixels between touching cells.
# And our network is much smaller, with 16 filters and depth 3 instead of 64 and 4.

# %% [markdown]
# ## The ablation: everything else equal
#
# What is one part of a network worth? Take it out, leave everything else as it is, and train again.
# This is called an *ablation*. "Everything else" means the same images in the same order, the same
# number of epochs, and the same learning rate, optimiser and loss. And because we set the seed again
# before we build each model, both encoders start from the same weights.

# %%
EPOCHS = 5  # fast: 1
SEED = 0

models, histories = {}, {}
builders = {"encoder-decoder": build_encoder_decoder, "U-Net": build_unet}
for name, build in builders.items():
    keras.utils.set_random_seed(SEED)
    models[name] = build(classes, FILTERS, DEPTH)
    set_classes(models[name], folder.classes, SIZE)

# %% tags=["check"]
for layer in models["U-Net"].layers:
    if layer.weights and layer.name.startswith(("encoder", "bottleneck")):
        other = models["encoder-decoder"].get_layer(layer.name)
        for a, b in zip(layer.get_weights(), other.get_weights(), strict=True):
            assert np.array_equal(a, b), layer.name

# %% [markdown]
# The learning rate falls from 0.003 to zero along half a cosine, as in `voc-seg demo`. We train the
# encoder-decoder first, then U-Net.
#
# ??? question "Which network will have the lower training loss? And which will score better?"
#
#     If our explanation is right, U-Net wins both. It can label the contours of its own training
#     images better, so its training loss should be lower too. It isn't about overfitting.


# %%
def fit(model, seed=SEED, verbose=2):
    training = SegmentationDataset(
        folder,
        train_ids,
        SIZE,
        shuffle=True,
        seed=seed,
        cache=True,
    )
    steps = EPOCHS * len(training)
    compile_model(model, keras.optimizers.schedules.CosineDecay(3e-3, steps))
    history = model.fit(
        training,
        validation_data=validation,
        epochs=EPOCHS,
        shuffle=False,
        verbose=verbose,
    )
    return history.history


histories["encoder-decoder"] = fit(models["encoder-decoder"])

# %%
histories["U-Net"] = fit(models["U-Net"])

# %% tags=["figure"] alt="Two line charts over the epochs, training loss on the left, mean IoU on the validation images on the right, each with a solid line with round markers for the encoder-decoder and a dashed line with square markers for U-Net."
styles = {
    "encoder-decoder": {"color": BLUE, "linestyle": "-", "marker": "o"},
    "U-Net": {"color": VERMILLION, "linestyle": "--", "marker": "s"},
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
epochs = range(1, EPOCHS + 1)
for name, history in histories.items():
    axes[0].plot(epochs, history["loss"], label=name, **styles[name])
    axes[1].plot(epochs, history["val_mean_iou"], label=name, **styles[name])
axes[0].set(xlabel="epoch", ylabel="training loss", xticks=epochs)
axes[1].set(xlabel="epoch", ylabel="mean IoU, validation")
axes[1].set(xticks=epochs, ylim=(0, 1))
axes[0].legend()
plt.show()

# %% [markdown]
# Now we evaluate both models the way VOC does: one confusion matrix over all validation images, each
# at its own size. `evaluate` passes each label map to the function `on_prediction`. We keep the maps
# in a dictionary, because we want to look at them again.

# %%
results, predictions = {}, {}
for name, model in models.items():
    predictions[name] = {}
    keep = predictions[name].__setitem__
    results[name] = evaluate(
        model,
        folder,
        val_ids,
        batch_size=50,
        on_prediction=keep,
    )
print(f"{'class':18}" + "".join(f"{name:>18}" for name in results))
iou = np.array([r["iou"] for r in results.values()], float)  # (2, C)
for label, row in zip(folder.classes, iou.T, strict=True):
    print(f"{label:18}" + "".join(f"{value:18.3f}" for value in row))
ed, un = (r["mean_iou"] for r in results.values())
print(f"{'mean IoU':18}{ed:18.3f}{un:18.3f}")

# %% tags=["claim"]
if ROOT == SHAPES:
    assert results["U-Net"]["mean_iou"] > results["encoder-decoder"]["mean_iou"] + 0.02
    last = {name: history["loss"][-1] for name, history in histories.items()}
    assert last["U-Net"] < last["encoder-decoder"]

# %% tags=["see"]
names = list(folder.classes)
gain = iou[1] - iou[0]
most = np.nanargmax(gain)
print(
    f"The encoder-decoder reaches a mean IoU of {ed:.3f}, U-Net reaches {un:.3f}. The class that "
    f"gains most is {names[most]}: from {iou[0, most]:.3f} to {iou[1, most]:.3f}."
)

# %% tags=["figure"] alt="A bar chart: for each class two bars, the IoU of the encoder-decoder in plain filling and that of U-Net hatched."
figure, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
places = np.arange(classes)
looks = ((-0.2, BLUE, ""), (0.2, VERMILLION, "///"))
for name, row, (shift, colour, hatch) in zip(models, iou, looks, strict=True):
    ax.bar(
        places + shift,
        np.nan_to_num(row),
        width=0.38,
        label=name,
        color=colour,
        hatch=hatch,
        edgecolor="white",
    )
ax.set_xticks(places, names, rotation=0 if classes < 8 else 90)
ax.set(ylim=(0, 1.05), ylabel="IoU")
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %% [markdown]
# ## The sceptic
#
# "U-Net has more weights", says the sceptic. "Give the encoder-decoder as many, and it will do as
# well." That is a fair objection, and easy to test. With 17 filters instead of 16, the
# encoder-decoder has even more weights than U-Net. Everything else stays as it was. And since one run
# could be luck, we train all three networks again with a second seed.
#
# ??? question "Where will it land: at the encoder-decoder, at U-Net, or in between?"
#
#     Below U-Net, with both seeds: above the encoder-decoder with one, and even below it with the
#     other. If skip connections were only a way to have more weights, it would land at U-Net.

# %%
SEEDS = (0, 1)  # fast: (0,)
candidates = {
    "encoder-decoder": (build_encoder_decoder, FILTERS),
    "with one more filter": (build_encoder_decoder, FILTERS + 1),
    "U-Net": (build_unet, FILTERS),
}
table = {name: [] for name in candidates}
for seed in SEEDS:
    for name, (build, filters) in candidates.items():
        if seed == SEED and name in models:  # trained above
            table[name].append(results[name]["mean_iou"])
            continue
        keras.utils.set_random_seed(seed)
        model = build(classes, filters, DEPTH)
        set_classes(model, folder.classes, SIZE)
        fit(model, seed, verbose=0)
        result = evaluate(model, folder, val_ids, batch_size=50)
        table[name].append(result["mean_iou"])

print(f"{'':20}{'weights':>10}" + "".join(f"{f'seed {n}':>9}" for n in SEEDS))
for name, (build, filters) in candidates.items():
    weights = build(classes, filters, DEPTH).count_params()
    row = "".join(f"{value:9.3f}" for value in table[name])
    print(f"{name:20}{weights:>10,}{row}")

base, wide, skip = (np.array(values) for values in table.values())
for what, gain in (("filter", wide - base), ("skips", skip - base)):
    row = "".join(f"{value:+9.3f}" for value in gain)
    print(f"{'gain by ' + what:30}{row}")

# %% tags=["claim"]
if ROOT == SHAPES:
    assert (skip > wide).all() and (skip > base).all()  # more weights are not enough
    assert (wide > base).any() and (wide < base).any()  # what they do depends on the seed

# %% tags=["see"]
print(
    f"With seed {SEEDS[0]}, one more filter changes the mean IoU by {wide[0] - base[0]:+.3f}, the skip "
    f"connections by {skip[0] - base[0]:+.3f}. With seed {SEEDS[-1]} it is {wide[-1] - base[-1]:+.3f} "
    f"and {skip[-1] - base[-1]:+.3f}."
)

# %% [markdown]
# Look at the first seed alone. One more filter brings a part of what the skip connections bring,
# and the sceptic could claim a small victory. Then look at the second seed: there, one more filter
# makes the network *worse*.
#
# So what is one seed worth? Another seed means other initial weights and another order of the images,
# and that alone moves the score: compare the two numbers in one row of the table. A gain of that
# size can go either way, and one run tells you nothing about it. The gain by the skip connections
# is larger, and it has the same sign with both seeds. So weights alone don't explain it.
#
# But the sceptic may ask for a longer run. After five epochs these networks **haven't finished
# learning**. Part of the gap says that U-Net learns *faster*, not that it ends up better. So we trained
# for 30 epochs with three seeds, until U-Net no longer improved. The wider network had 18 filters this
# time: more weights *and* more multiplications than U-Net. Each score is the mean over the seeds;
# the last column scores only the pixels near a contour, as in the next section. (The command and
# the range over the seeds are in the
# [results](../results.md#skip-connections-trained-for-longer).)
#
# | after 30 epochs | weights | mean IoU | mean IoU near a contour |
# | --- | --- | --- | --- |
# | encoder-decoder, 16 filters | 435,829 | 0.896 | 0.867 |
# | encoder-decoder, 18 filters | 551,111 | 0.909 | 0.873 |
# | U-Net, 16 filters | 484,213 | 0.942 | 0.924 |
#
# The gap is much smaller now, and the sceptic is right about a part of it. More weights alone gain
# 0.013 of the 0.046 between the encoder-decoder and U-Net. But the worst of the three U-Nets beats the
# best of the six others, and near the contours more weights gain hardly anything. So take the
# *direction* from this chapter, and the *size* from this table.
#
# ## Where is the gain?
#
# The mean IoU says that U-Net is better. Our explanation says more than that: the gain should be at
# the *contours*. We can test this. A good explanation tells you where to look.
#
# A pixel is in the band around the contours if a pixel with another label is within two rows and
# two columns of it. As in chapter 4, OpenCV finds these pixels. `cv2.dilate` gives each pixel the
# largest label in the square around it, `cv2.erode` the smallest. Where the two differ, there is
# more than one label. (Void counts as a label here. It runs along the contours, and it is never
# scored anyway.)


# %%
def contour_band(mask, width):
    """The pixels near one with another label: (H, W) bool."""
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return cv2.dilate(mask, square) != cv2.erode(mask, square)


# Two pixels at the size at which the network sees the image; in a photo
# that was shrunk, more.
widths, bands, truths = {}, {}, {}
for id in val_ids:
    _, truths[id] = folder.pair(id)
    widths[id] = max(1, round(2 * max(truths[id].shape) / SIZE))
    bands[id] = contour_band(truths[id], widths[id])

# %% tags=["check"]
plain = np.zeros((9, 9), np.uint8)
plain[:, 5:] = 1
assert contour_band(plain, 2).sum() == 9 * 4  # two columns on each side
assert contour_band(plain, 2)[:, 3:7].all()

# %% tags=["figure"] alt="Three panels: an image; its true mask, the void pixels forming a thin line around the objects; and the same mask with the band of pixels along both sides of the contours painted white."
id = val_ids[example]
painted = colorize(truths[id], folder.classes)
painted[bands[id]] = 255
panels = {
    "image": folder.pair(id)[0],
    "truth, with void": colorize(truths[id], folder.classes),
    f"band of {widths[id]} pixels each side": painted,
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, interpolation="nearest")
    ax.set_title(title)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# How do we score the band alone? We set the truth to void everywhere else, since void is never
# scored. The same confusion matrix then works for the band and for the rest. (Kohli, Ladický and Torr
# 2009 introduced such bands, under the name *trimap*.)
#
# ??? question "Will U-Net be better in the band only, or elsewhere as well?"
#
#     The simple explanation says: in the band only, because skip connections bring back *where*. The
#     table below says: in both. It gains more IoU in the band, but the rest gains as well.


# %%
def confusion_where(predicted, inside):
    """The confusion matrix of the pixels in the bands, or outside them."""
    total = np.zeros((classes, classes), np.int64)
    for id, labels in predicted.items():
        truth = np.where(bands[id] == inside, truths[id], VOID)
        total += confusion_matrix(truth, labels, classes)
    return total


parts = {"in the band": True, "elsewhere": False}
confusions, score, wrong = {}, {}, {}
print(f"{'':18}{'':14}{'mean IoU':>10}{'wrong':>8}{'pixels':>9}")
for name in models:
    for part, inside in parts.items():
        table = confusion_where(predictions[name], inside)
        confusions[name, part] = table
        score[name, part] = np.nanmean(iou_from_confusion(table))
        wrong[name, part] = int(table.sum() - np.trace(table))
        print(f"{name:18}{part:14}{score[name, part]:10.3f}", end="")
        print(f"{wrong[name, part]:8,}{table.sum():9,}")

# %% tags=["check"]
for name in models:
    whole = confusions[name, "in the band"] + confusions[name, "elsewhere"]
    assert np.array_equal(whole, results[name]["confusion"])  # each pixel in exactly one part

# %% tags=["see"]
gains = {p: score["U-Net", p] - score["encoder-decoder", p] for p in parts}
saved = {p: wrong["encoder-decoder", p] - wrong["U-Net", p] for p in parts}
part_saved = {p: saved[p] / max(wrong["encoder-decoder", p], 1) for p in parts}
pixels = {p: int(confusions["U-Net", p].sum()) for p in parts}
share = pixels["in the band"] / sum(pixels.values())
print(
    f"The band holds {share:.0%} of the scored pixels. In it the mean IoU changes by "
    f"{gains['in the band']:+.3f}, elsewhere by {gains['elsewhere']:+.3f}. U-Net makes "
    f"{saved['in the band']:,} fewer errors in the band "
    f"({part_saved['in the band']:.0%} fewer than the encoder-decoder) and "
    f"{saved['elsewhere']:,} fewer ({part_saved['elsewhere']:.0%}) elsewhere."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert gains["in the band"] > gains["elsewhere"]
    assert saved["in the band"] / sum(saved.values()) > share
    for name in models:  # contours are the hard part for both
        assert score[name, "in the band"] < score[name, "elsewhere"]

# %% [markdown]
# For both models the contours are harder than the rest, and the gain in mean IoU is larger in the
# band. That much of the explanation is confirmed, but it is not the whole story. Away from the
# contours, errors have become rarer too. Most of these errors aren't misplaced contours: a part of
# an object has the wrong *name*, as in the pictures below. So the encoder's fine maps also help to
# name.
#
# Skip connections also give the gradient a short way to the first layers. Drozdzal et al. (2016)
# looked at gradients in networks of hundreds of layers, and found both kinds useful there: long skip
# connections like ours, and short ones within the blocks.

# %%
# For each class the first image that shows it; at most five.
shows = [[c in truths[id] for id in val_ids] for c in range(1, classes)]
first = [val_ids[row.index(True)] for row in shows if any(row)]
few = list(dict.fromkeys(first))[:5]
images = [folder.pair(id)[0] for id in few]

# %% tags=["figure"] alt="Validation images in rows: the image, its true mask, and the label maps by the encoder-decoder and by U-Net."
plot_predictions(
    images,
    [truths[id] for id in few],
    {name: [predictions[name][id] for id in few] for name in models},
    folder.classes,
)

# %% [markdown]
# ## Looking at the feature maps
#
# You can ask a functional Keras model for the output of any of its layers. Build a second model from
# the same input to that output: it shares the weights, and there is nothing to train. Each channel of
# a feature map is a grey picture, dark where the values are small and light where they are large. We
# show the eight channels that vary most.


# %%
def features(model, layer):
    """The eight channels of a layer that vary most: (8, h, w)."""
    probe = keras.Model(model.input, model.get_layer(layer).output)
    maps = probe(image[None].astype("float32"))  # (1, h, w, channels)
    maps = keras.ops.convert_to_numpy(maps)[0]
    chosen = np.argsort(maps.std(axis=(0, 1)))[::-1][:8]
    return np.moveaxis(maps[..., chosen], -1, 0)


fine = features(models["U-Net"], "encoder1_relu2")
coarse = features(models["U-Net"], "bottleneck_relu2")
print("finest:", fine.shape, " coarsest:", coarse.shape)


# %% tags=["figure"] alt="Two rows of eight grey pictures. Above, from the finest block of the encoder, in the resolution of the image; below, from the coarsest block, a few large squares each."
def show_features(rows):
    """One row for each {title: (8, h, w)}."""
    figure = plt.figure(figsize=(11, 1.75 * len(rows)), layout="constrained")
    subfigures = figure.subfigures(len(rows), 1)
    for part, (title, maps) in zip(subfigures, rows.items(), strict=True):
        part.suptitle(title, x=0.01, ha="left", fontsize=10)
        for ax, channel in zip(part.subplots(1, 8), maps, strict=True):
            ax.imshow(channel, cmap="gray", interpolation="nearest")
            ax.set_axis_off()
    plt.show()


show_features(
    {
        "encoder1: finest block, {} x {}".format(*fine.shape[1:]): fine,
        "bottleneck: coarsest block, {} x {}".format(
            *coarse.shape[1:],
        ): coarse,
    }
)

# %% tags=["check"]
assert fine.shape[1] == 2**DEPTH * coarse.shape[1]
fields, field, jump = [], 1, 1  # sides of the receptive fields
for _ in range(DEPTH + 1):
    field += 2 * 2 * jump  # two convolutions
    fields.append(field)
    field, jump = field + jump, 2 * jump  # pooling
assert fields[0] == 5 and fields[-1] == 68

# %% [markdown]
# The upper row is *where*. Each value has an exact position, but it has seen only 5 x 5 pixels (two
# convolutions of 3 x 3), too few to tell a disc from a ring. The lower row is *what*. Each value has
# a receptive field of 68 x 68 pixels, more than a whole image of shapes, but one position covers
# 8 x 8 pixels.
#
# In the decoder the two meet. Below you see the maps of the finest decoder block, first of the
# encoder-decoder, then of U-Net: what arrives from the coarser scale ("up"), and what the block makes
# of it. Compare the outlines of the objects. And look for the pattern of 2 x 2 pixels that the
# transposed convolution leaves behind (chapter 4).

# %% tags=["figure"] alt="Four rows of eight grey pictures from the finest decoder block: what arrives from below and what leaves the block, for the encoder-decoder and then for U-Net. What arrives from below is covered with a pattern of 2 by 2 pixels."
rows = {}
for name, model in models.items():
    rows[f"{name}: up, from the coarser scale"] = features(
        model,
        "decoder1_up",
    )
    rows[f"{name}: output of the block"] = features(model, "decoder1_relu2")
show_features(rows)

# %% [markdown]
# ## Cutting the connections
#
# Which of its three skip connections does the trained U-Net rely on? Let's cut them one at a time. A
# skip connection that brings only zeros has the same effect as zero weights for its channels. In
# `Concatenate` these channels are the first half.
#
# ??? question "Which cut will hurt most: the finest, the middle or the coarsest connection?"
#
#     The coarsest. Many people say the finest, because it has the sharpest contours. But think of
#     how many layers come after each cut: all decoder blocks depend on the coarsest connection.


# %%
def cut(model, scale):
    """A copy of a U-Net without the skip connection at a scale, from 1."""
    damaged = keras.models.clone_model(model)
    damaged.set_weights(model.get_weights())
    layer = damaged.get_layer(f"decoder{scale}_conv1")
    kernel = np.array(layer.get_weights()[0])  # (3, 3, 2 F, F)
    kernel[:, :, : kernel.shape[2] // 2] = 0
    layer.set_weights([kernel])
    return damaged


scales = range(1, DEPTH + 1)
damaged = {f"cut at scale {i}": cut(models["U-Net"], i) for i in scales}
without = {
    name: evaluate(model, folder, val_ids, batch_size=50)["mean_iou"]
    for name, model in damaged.items()
}
print(f"{'nothing cut':16}{un:.3f}")
for name, value in without.items():
    print(f"{name:16}{value:.3f}")

# %% tags=["check"]
same = cut(models["U-Net"], 1)
same.set_weights(models["U-Net"].get_weights())
batch = validation[0][0][:2]
assert np.allclose(same.predict_on_batch(batch), models["U-Net"].predict_on_batch(batch))

# %% tags=["figure"] alt="Validation images in rows: the image, its true mask, the label map by U-Net, and the label maps by U-Net with one of its three skip connections cut."
shown = {"U-Net": [predictions["U-Net"][id] for id in few[:3]]}
for name, model in damaged.items():
    shown[name] = predict_labels(model, images[:3])
plot_predictions(
    images[:3],
    [truths[id] for id in few[:3]],
    shown,
    folder.classes,
)

# %% tags=["see"]
worst_cut = min(without, key=without.get)
best_cut = max(without, key=without.get)
print(
    f"A {worst_cut} costs this network most, {un - without[worst_cut]:.3f} of mean IoU. A "
    f"{best_cut} costs least, {un - without[best_cut]:.3f}."
)

# %% [markdown]
# Whatever a coarse skip connection brings passes through all blocks after it, so cutting it disturbs
# each of them. Only the last block reads the finest one. Look at the pictures as well: where we cut a
# coarse connection, contours can stay sharp while the *name* of a region changes. Again, the skip
# connections carry more than contours.
#
# Now cut several at a time. With all three gone, everything has to pass through the bottleneck, as in
# the encoder-decoder. On the site, the next figure has both networks. Tick U-Net's connections on and
# off, and compare its errors with those of the other network. An error has the colour of the wrong
# class.
#
# ??? question "With all three cut, will U-Net do as well as the encoder-decoder?"
#
#     Much worse. The encoder-decoder has learned to get everything through the bottleneck. U-Net
#     never had to.

# %%
bare = models["U-Net"]
for i in scales:
    bare = cut(bare, i)
all_cut = evaluate(bare, folder, val_ids, batch_size=50)["mean_iou"]
print(f"U-Net, all three cut: {all_cut:.3f}")
print(f"encoder-decoder:      {ed:.3f}")

# %% tags=["claim"]
if ROOT == SHAPES:
    assert all_cut < ed - 0.1  # cutting is not the same as training without

# %% tags=["figure"] live="skips" caption="Tick a skip connection off, and see which pixels U-Net now gets wrong, and which names it gives them. Then tick all of them off, and compare it with the network that never had any." alt="Five panels: an image, its true mask, and three label maps: by the encoder-decoder, by U-Net, and by U-Net with all three skip connections cut. U-Net's is the closest to the mask; with its connections cut, it is the furthest from it."
panels = {"image": image, "mask": colorize(mask, folder.classes)}
for title, model in {**models, "U-Net, all three cut": bare}.items():
    labels = predict_labels(model, [image])[0]
    panels[title] = colorize(labels, folder.classes)
figure, axes = plt.subplots(1, len(panels), figsize=(11, 2.6), layout="constrained")
for ax, (title, panel) in zip(axes, panels.items(), strict=True):
    ax.imshow(panel, interpolation="nearest")
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
plt.show()

# %% tags=["live"]
chosen = dict.fromkeys([example, *map(val_ids.index, few)])  # each once
examples = [validation.example(k) for k in chosen][:4]
live = {
    "unet": models["U-Net"],
    "encoderDecoder": models["encoder-decoder"],
    "images": np.stack([image for image, _ in examples]),
    "masks": np.stack([mask for _, mask in examples]).astype("uint8"),
    "names": list(folder.classes),
    "values": list(folder.classes.values()),
}

# %% [markdown]
# This is not the ablation from above. A damaged network shows what *this* network, trained with all
# its connections, has come to depend on. Part of the damage isn't even about the missing features:
# the batch normalisation behind the cut still uses the averages of the intact network. Only a network
# trained without that connection can tell you how far you get without it.

# %% [markdown]
# ## The scoreboard
#
# The encoder-decoder of chapter 4 had more epochs and more images than our two networks here. So we
# add both of ours: these two rows differ only in the skip connections.
#
# ??? question "Which columns will the skip connections change?"
#
#     All of them. Fewer *where* errors, since they bring the contours back; and fewer *what* errors,
#     as we have just seen. It isn't free: each image takes more multiplications.

# %%
for name, model in models.items():
    rows = add_row(f"5 {name}", model, folder, val_ids, SIZE)
print(format_rows(rows))

# %% tags=["see"]
one, two = (rows[f"5 {name}"] for name in models)
print(
    f"With skip connections, *where* errors change from {one['where']:,} to {two['where']:,}, *what* "
    f"errors from {one['what']:,} to {two['what']:,}. The price is "
    f"{two['multiplications'] / one['multiplications'] - 1:.0%} more multiplications."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert two["where"] < one["where"] and two["what"] < one["what"]
    assert all(a < b for a, b in zip(one["iou"], two["iou"], strict=True))

# %% [markdown]
# ## Summary
#
# 1. Pooling keeps what is there and forgets where.
# 2. A skip connection concatenates the encoder's map from before the pooling with the decoder's map
#    at the same scale. It takes three lines and a few more weights.
# 3. The two maps must have equal sides. Pad the image to a multiple of $2^\text{depth}$ and crop the
#    result, or crop the encoder's map, as the paper does.
# 4. An ablation changes one thing and leaves data, seed, epochs and learning rate as they were. One
#    seed is not enough: a small effect can change its sign with the next.
# 5. In our run the gain in IoU was largest at the contours, as the confusion matrix of a band shows.
#    But skip connections also helped to name things.
#
# ## Three questions
#
# ??? question "Why does a skip connection take the map from before the pooling, not after it?"
#
#     After the pooling the map has half the size, and it no longer knows which of four positions each
#     value came from. That is exactly what the decoder is missing. Also, the map from before has the
#     size of the decoder's map at that scale, so the two can be concatenated.
#
# ??? question "Your U-Net of depth 4 trains on crops of 256 x 256, then fails on a photo. Why?"
#
#     Depth 4 needs sides that 16 divides. 256 is such a side; the photo's aren't. The error comes
#     from a concatenation of maps whose sides differ by one. Pad the photo and crop the result.
#
# ??? question "A paper shows a gain of 0.01 from a new layer, with one seed. Do you believe it?"
#
#     Not yet. Our one extra filter changed the score by more, up with one seed and down with the
#     next. You need several seeds for both networks, and the gain must be larger than the spread.
#
# ## Further reading
#
# - O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
#   Segmentation", MICCAI 2015, [arXiv:1505.04597](https://arxiv.org/abs/1505.04597).
# - J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation",
#   CVPR 2015, [arXiv:1411.4038](https://arxiv.org/abs/1411.4038): skip connections that add coarse
#   and fine scores, instead of concatenating maps.
# - M. Drozdzal, E. Vorontsov, G. Chartrand, S. Kadoury, C. Pal, "The Importance of Skip Connections
#   in Biomedical Image Segmentation", DLMIA 2016,
#   [arXiv:1608.04117](https://arxiv.org/abs/1608.04117).
# - S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift", ICML 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# - P. Kohli, L. Ladický, P. Torr, "Robust Higher Order Potentials for Enforcing Label Consistency",
#   IJCV 2009: the band around the contours.
#
# ## Exercises
#
# ### 1. How much to pad
#
# How many pixels do you have to add to a side so that it can be halved `depth` times?
# `PadToMultiple` works this out for every image.
# Complete `tutorials/exercises/pad_to_multiple.py`, then run
# `python tutorials/check.py pad_to_multiple`.
#
# ### 2. Crop a skip connection
#
# The other way out: cut the middle out of the encoder's map. Watch out for a difference that is odd,
# and for one that is zero.
# Complete `tutorials/exercises/crop_skip.py`, then run `python tutorials/check.py crop_skip`.
#
# ### 3. The size of the paper's answer
#
# How large is the answer of the paper's U-Net for an image of a given size? You need to know this
# before you cut a large image into tiles, and you need to know which sizes are possible at all.
# Complete `tutorials/exercises/valid_unet_size.py`, then run
# `python tutorials/check.py valid_unet_size`.
#
# ### 4. The band around the contours
#
# Rewrite `contour_band` without OpenCV. All you need is the largest and smallest label in each
# square.
# Complete `tutorials/exercises/contour_band.py`, then run `python tutorials/check.py contour_band`.
#
# ### 5. The missing lines of a U-Net
#
# We took three lines out of a small U-Net. Write them.
# Complete `tutorials/exercises/small_unet.py`, then run `python tutorials/check.py small_unet`.
