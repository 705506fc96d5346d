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
# - explain the shape error that images of odd size cause, and name three ways out;
# - measure what one part of a network is worth: an ablation with everything else equal;
# - judge contours by themselves, by the IoU in a band around them, and look at feature maps.
#
# **Time:** about half an hour of reading; the code runs in about two minutes on two cores.
# **Stands on:** [chapter 4](04_encoder_decoder.md).

# %% [markdown]
# The chapter uses the images that the library draws. To use PASCAL VOC instead, replace the line
# that sets `ROOT` and `SIZE` by the one in its comment.

# %%
import difflib
import inspect
import re
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

SHAPES = Path("runs/tutorials/shapes")
write_shapes(SHAPES, train=1000, val=200, size=40)
ROOT, SIZE = SHAPES, 40  # for PASCAL VOC: ROOT, SIZE = "data", 128
folder = open_folder(ROOT)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## What the encoder knew and the decoder has lost
#
# The encoder-decoder of chapter 4 halves the resolution three times. What it has to say about the
# image passes through its coarsest map, and there one place stands for a block of 8 x 8 pixels.
#
# How much does such a grid lose? Here is an experiment without any network. We take the *true*
# mask, give each block of $s \times s$ pixels one label, that of most of its pixels, and compare
# the result with the mask.

# %%
TRAIN = 700  # fast: 60
VAL = 200  # fast: 20
classes = len(folder.classes)
train_ids, val_ids = folder.ids("train")[:TRAIN], folder.ids("val")[:VAL]
validation = SegmentationDataset(folder, val_ids, SIZE, batch_size=50, cache=True)


def blocks(mask, stride):
    """Gives each block of stride x stride pixels the label of most of its pixels."""
    height, width = mask.shape
    pad = [(0, -height % stride), (0, -width % stride)]
    mask = np.pad(mask, pad, constant_values=VOID)
    cells = mask.reshape(len(mask) // stride, stride, -1, stride)
    votes = [(cells == c).sum(axis=(1, 3)) for c in range(classes)]  # (H / s, W / s) each
    labels = np.argmax(votes, axis=0).astype(np.uint8)
    return labels.repeat(stride, axis=0).repeat(stride, axis=1)[:height, :width]


best_possible = {}
for stride in (1, 2, 4, 8):
    confusion = np.zeros((classes, classes))
    for _, masks in (validation[i] for i in range(len(validation))):
        for mask in masks:
            confusion += confusion_matrix(mask, blocks(mask, stride), classes)
    best_possible[stride] = np.nanmean(iou_from_confusion(confusion))
    print(f"blocks of {stride} x {stride}: mean IoU {best_possible[stride]:.3f}")

# %% tags=["check"]
assert best_possible[1] == 1  # one label a pixel loses nothing
assert blocks(np.zeros((13, 7), np.uint8), 4).shape == (13, 7)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert best_possible[2] == 1
    assert 0.95 > best_possible[4] > 0.8 > best_possible[8]

# %% tags=["see"]
print(
    f"Whoever knows every label, but may write only one into a block of 8 x 8 pixels, reaches a "
    f"mean IoU of {best_possible[8]:.2f}; with blocks of 4 x 4 it is {best_possible[4]:.2f}, and "
    f"with blocks of 2 x 2 {best_possible[2]:.2f}."
)

# %% alt="Five panels: an image, its true mask with thin lines of void, and the same mask written in blocks of 2, 4 and 8 pixels, ever more like stairs."
example = max(range(len(val_ids)), key=lambda k: len(np.unique(validation.example(k)[1])))
image, mask = validation.example(example)  # (S, S, 3), (S, S)
figure, axes = plt.subplots(1, 5, figsize=(11, 2.6), layout="constrained")
axes[0].imshow(image)
axes[0].set_title("image")
axes[1].imshow(colorize(mask, folder.classes), interpolation="nearest")
axes[1].set_title("truth, void pale")
for ax, stride in zip(axes[2:], (2, 4, 8), strict=True):
    ax.imshow(colorize(blocks(mask, stride), folder.classes), interpolation="nearest")
    ax.set_title(f"blocks of {stride} x {stride}")
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# Void is merciful: it lies along the contours, a pixel wide, and is not judged. Blocks of 2 x 2
# pixels stay within it and lose nothing that counts. Those of 8 x 8 pixels do not: they swallow
# whatever is thin.
#
# The encoder-decoder is not bound to one label a block: its coarsest map has 128 channels, which
# *can* describe where in the block a contour runs. But the network has to learn such a code, write
# it in the encoder, and read it in the decoder. It is a detour, because the answer was there
# before: the encoder's first block computed its features at full resolution, at every pixel. Max
# pooling then kept the largest of each four values and forgot which of the four places it came
# from.
#
# So on its way down the encoder learns *what* is in the image and loses *where*. The decoder needs
# both.

# %% [markdown]
# ## Skip connections
#
# U-Net (Ronneberger, Fischer and Brox 2015) draws the conclusion. On its way up, the decoder passes
# through the same resolutions as the encoder on its way down. At each of them the encoder's map, as
# it was *before* the pooling, is laid beside the decoder's map, channel behind channel:
#
# $$d_i = \text{block}\left(\left[\, e_i,\ \text{up}(d_{i+1}) \,\right]\right)$$
#
# where $e_i$ is the encoder's map at scale $i$, and $d_{i+1}$ what the decoder has computed at the
# next coarser one; the deepest $d$ is the map of the bottleneck. From below comes what it is; from the side comes where it is; the two
# convolutions of the block learn to combine them. Such a wire past the coarse part is a *skip
# connection*.

# %% alt="A diagram in the form of the letter U: four boxes descend on the left from fine to coarse, three ascend on the right to fine again. Thin arrows follow the U; at each of the three finer scales a thick dashed arrow leads straight from the left to the right."
FILTERS, DEPTH = 16, 3
figure, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
places = [(i, -i) for i in range(DEPTH + 1)] + [(2 * DEPTH - i, -i) for i in range(DEPTH)][::-1]
names = [f"encoder{i + 1}" for i in range(DEPTH)] + ["bottleneck"]
names += [f"decoder{i + 1}" for i in reversed(range(DEPTH))]
for name, (x, y) in zip(names, places, strict=True):
    side, channels = -(-SIZE // 2**DEPTH) * 2 ** (DEPTH + y), FILTERS * 2**-y
    text = f"{name}\n{side} x {side}, {channels} ch."
    box = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": "black"}
    ax.text(x, y, text, ha="center", va="center", fontsize=9, color="black", bbox=box, zorder=2)
thin = {"arrowstyle": "-|>", "shrinkA": 22, "shrinkB": 22, "color": BLUE}
for start, end in pairwise(places):
    ax.annotate("", end, start, arrowprops=thin, zorder=1)
thick = {"arrowstyle": "-|>", "lw": 2.5, "ls": "--", "shrinkA": 50, "shrinkB": 50}
for i in range(DEPTH):
    ax.annotate("", places[-1 - i], places[i], arrowprops=thick | {"color": VERMILLION}, zorder=1)
    ax.text(DEPTH, -i + 0.12, "skip", ha="center", color=VERMILLION)
ax.text(0.1, -1.5, "max pooling", ha="center", color=BLUE)
ax.text(2 * DEPTH - 0.1, -1.5, "transposed\nconvolution", ha="center", color=BLUE)
ax.set(xlim=(-0.7, 2 * DEPTH + 0.7), ylim=(-DEPTH - 0.4, 0.4))
ax.set_axis_off()
plt.show()

# %% [markdown]
# ### In the source
#
# `unet.py` and `encoder_decoder.py` in `voc_seg/models` are written so that their difference is the
# lesson. Let Python compare the two functions, without their docstrings; a plus marks the lines
# that only U-Net has, a minus those that only the encoder-decoder has.

# %%
sources = []
for builder in (build_encoder_decoder, build_unet):
    source = re.sub(r' *""".*?"""\n', "", inspect.getsource(builder), flags=re.DOTALL)
    sources.append(source.splitlines())
for line in difflib.unified_diff(*sources, "encoder_decoder.py", "unet.py", n=1, lineterm=""):
    print(line)

# %% [markdown]
# Beside the names, there are three lines: make a list; put each scale's map on it; lay it beside
# the decoder's map. (`layers.Concatenate` joins along the last axis, the channels.)
#
# What does that cost? Only the first convolution of each decoder block notices: it now reads $2F_i$
# channels instead of $F_i$, which are $3 \cdot 3 \cdot F_i \cdot F_i$ weights more, $F_i$ being the
# filters at scale $i$.

# %%
encoder_decoder = build_encoder_decoder(classes, FILTERS, DEPTH)
unet = build_unet(classes, FILTERS, DEPTH)
more = unet.count_params() - encoder_decoder.count_params()
print(f"encoder-decoder {encoder_decoder.count_params():,}, U-Net {unet.count_params():,} weights")
print(f"difference {more:,}, or {more / encoder_decoder.count_params():.0%}")

# %% tags=["check"]
assert more == sum(9 * (FILTERS * 2**i) ** 2 for i in range(DEPTH))
changed = [
    line for line in difflib.ndiff(*sources) if line[0] in "+-" and "def " not in line
]  # three lines of skip connections, and the model's name twice
assert len(changed) == 5 and sum("skip" in line for line in changed) == 3

# %% [markdown]
# ## Images whose size does not fit
#
# Two maps can be laid side by side only if they have the same height and width. Whoever builds a
# U-Net for the first time meets this sooner or later, usually with the first photo of a size of its
# own. Here is a bare U-Net of plain Keras layers, for 48 x 48 and for 45 x 45 pixels.


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
    print("45 pixels:", message)

# %% tags=["check"]
assert "Concatenate" in message and "11, 11" in message and "10, 10" in message

# %% [markdown]
# The numbers in the message tell the story. Pooling a side of odd length drops the last row;
# doubling does not know about it.

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
# With `Input((None, None, 3))`, an input of any size, Keras cannot see this while the model is
# built. The same error then comes only at the first image that does not fit, perhaps in the second
# hour of a training, and from the backend.

# %%
any_size = bare_unet(None)
any_size(np.zeros((1, 48, 48, 3)))
try:
    any_size(np.zeros((1, 45, 45, 3)))
    failed = False
except Exception as error:  # each backend raises another one
    failed = True
    print("45 pixels:", type(error).__name__)

# %% tags=["check"]
assert failed

# %% [markdown]
# There are three ways out.
#
# - **Resize** the images to a side that fits. Simple, but each pixel of image and mask is
#   interpolated.
# - **Crop** the encoder's map to the size of the decoder's. The paper does so, for a reason of its
#   own: see below.
# - **Pad** the image until $2^\text{depth}$ divides both sides, and cut the additional pixels off
#   the result. This library does so, once at the entrance and once at the exit, and no skip
#   connection needs to know: `PadToMultiple` and `CropLike`, both in `voc_seg/models/blocks.py`.
#
# `PadToMultiple` adds at the bottom and at the right, and it adds the mirrored image. Black would
# draw an edge where there is none, and edges are what the network looks for.

# %%
odd = image[: SIZE - 3, : SIZE - 11].astype("float32")  # sides that 8 does not divide
padded = np.array(PadToMultiple(8)(odd[None]))[0]
print(odd.shape, "->", padded.shape)

# %% tags=["check"]
assert all(n % 8 == 0 for n in padded.shape[:2])
assert np.array_equal(padded[: len(odd), : len(odd[0])], odd)
assert np.array_equal(PadToMultiple(8)(padded[None])[0], padded)  # what fits is left alone
cropped = CropLike()([padded[None], odd[None]])
assert np.array_equal(cropped[0], odd)

# %% alt="Two panels. Left: an image that is higher than wide. Right: the same image in the same place, with a few mirrored rows and columns added below and to the right of a dashed line."
figure, axes = plt.subplots(1, 2, figsize=(6.5, 3.4), layout="constrained")
for ax, array in zip(axes, (odd, padded), strict=True):
    shown = np.full_like(padded, 255)
    shown[: len(array), : len(array[0])] = array
    ax.imshow(shown.astype(np.uint8))
    ax.set_title("{} x {} pixels".format(*array.shape[:2]))
    ax.set_axis_off()
height, width = odd.shape[:2]
axes[1].plot([-0.5, width - 0.5, width - 0.5], [height - 0.5, height - 0.5, -0.5], "w--", lw=1.5)
plt.show()

# %% [markdown]
# With that, both models take images of any size, and answer at that size. The smallest below is a
# single pixel.

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
# The paper's convolutions are not padded ("valid"): each takes one pixel off every side, since a 3
# x 3 kernel has no room at the rim. So the maps shrink on the way up, too, and the encoder's map is
# always larger than the decoder's; its middle is cut out. The authors' network takes 572 x 572
# pixels and answers for the 388 x 388 in the middle. Each answer has then seen real pixels only; a
# large image is cut into tiles that overlap, and is mirrored at its border. Let Keras count along
# one side.

# %%
x = keras.Input((572, 1, 1))
lengths, cuts = [x.shape[1]], []
valid = {"kernel_size": (3, 1), "padding": "valid"}  # one column is enough to count rows
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
print("sizes:", " -> ".join(map(str, lengths)))
print("skip connections, cropped from", ", ".join(cuts))

# %% tags=["check"]
assert lengths[0] == 572 and lengths[-1] == 388
assert cuts == ["64 to 56", "136 to 104", "280 to 200", "568 to 392"]

# %% [markdown]
# Our models pad each convolution with zeros ("same"), so that the answer is as large as the image
# and nothing has to be cropped. The price is that near the border a part of what a pixel sees is
# made up. That is one departure from the paper. Others: batch normalisation after each convolution,
# which was only just being published when the paper was written (Ioffe and Szegedy 2015); no
# dropout; a plain cross-entropy, where the paper gives more weight to the pixels between touching
# cells; and a fraction of the size, 16 filters and depth 3 where the paper has 64 and 4.

# %% [markdown]
# ## The ablation: everything else equal
#
# To find out what a part of a network is worth, take it out and leave everything else as it is.
# This is an *ablation*. Here "everything else" means: the same images in the same order, the same
# number of epochs, the same learning rate, optimiser and loss, and, because the seed is set again
# before each model is built, the same first weights in the encoder.

# %%
EPOCHS = 5  # fast: 1
SEED = 0

models, histories = {}, {}
for name, build in {"encoder-decoder": build_encoder_decoder, "U-Net": build_unet}.items():
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
# The learning rate falls from 0.003 to zero along half a cosine, as in `voc-seg demo`. First
# without the skip connections, then with them.


# %%
def fit(model):
    training = SegmentationDataset(folder, train_ids, SIZE, shuffle=True, seed=SEED, cache=True)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(training))
    compile_model(model, rate)
    history = model.fit(
        training, validation_data=validation, epochs=EPOCHS, shuffle=False, verbose=2
    )
    return history.history


histories["encoder-decoder"] = fit(models["encoder-decoder"])

# %%
histories["U-Net"] = fit(models["U-Net"])

# %% alt="Two line charts over the epochs, training loss on the left, mean IoU on the validation images on the right, each with a solid line with round markers for the encoder-decoder and a dashed line with square markers for U-Net."
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
axes[1].set(xlabel="epoch", ylabel="mean IoU, validation", xticks=epochs, ylim=(0, 1))
axes[0].legend()
plt.show()

# %% [markdown]
# Now the judgement, as in VOC: one confusion matrix over all validation images, each at its own
# size. `evaluate` hands each label map to the function `on_prediction`; we keep them in a
# dictionary, because we want to look at them again.

# %%
results, predictions = {}, {}
for name, model in models.items():
    predictions[name] = {}
    results[name] = evaluate(
        model, folder, val_ids, batch_size=50, on_prediction=predictions[name].__setitem__
    )
print(f"{'class':18}" + "".join(f"{name:>18}" for name in results))
for c, label in enumerate(folder.classes):
    row = [np.nan if r["iou"][c] is None else r["iou"][c] for r in results.values()]
    print(f"{label:18}" + "".join(f"{value:18.3f}" for value in row))
print(f"{'mean IoU':18}" + "".join(f"{r['mean_iou']:18.3f}" for r in results.values()))

names = list(folder.classes)
ed, un = (results[name]["mean_iou"] for name in ("encoder-decoder", "U-Net"))
iou = np.array([results[name]["iou"] for name in ("encoder-decoder", "U-Net")], float)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert results["U-Net"]["mean_iou"] > results["encoder-decoder"]["mean_iou"] + 0.02
    last = {name: history["loss"][-1] for name, history in histories.items()}
    assert last["U-Net"] < last["encoder-decoder"]

# %% tags=["see"]
gain = iou[1] - iou[0]
most = np.nanargmax(gain)
print(
    f"The encoder-decoder reaches a mean IoU of {ed:.3f}, U-Net {un:.3f}: {un - ed:+.3f}. The "
    f"class with the largest difference is {names[most]}, from {iou[0, most]:.3f} to {iou[1, most]:.3f}."
)

# %% alt="A bar chart: for each class two bars, the IoU of the encoder-decoder in plain filling and that of U-Net hatched."
figure, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
places = np.arange(classes)
bars = {"encoder-decoder": (-0.2, BLUE, ""), "U-Net": (0.2, VERMILLION, "///")}
for k, (name, (shift, colour, hatch)) in enumerate(bars.items()):
    ax.bar(
        places + shift, np.nan_to_num(iou[k]), 0.38, label=name, color=colour, hatch=hatch,
        edgecolor="white",
    )  # fmt: skip
ax.set_xticks(places, names, rotation=0 if classes < 8 else 90)
ax.set(ylim=(0, 1.05), ylabel="IoU")
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %% [markdown]
# ## Where is the gain?
#
# The mean IoU says that U-Net is better. Our explanation says more: that the gain should lie at the
# *contours*. This can be tested, since an explanation that is right predicts where one has to look.
#
# A pixel lies in the band around the contours if a pixel with another label is within two rows and
# two columns of it. OpenCV finds these pixels in one line. `cv2.dilate` gives each pixel the
# largest label in the square around it, `cv2.erode` the smallest; where the two differ, there is
# more than one. (Void counts as a label here: it lies along the contours, and it stays unjudged
# anyway.)


# %%
def contour_band(mask, width):
    """The pixels with another label within `width` rows and columns: (H, W) bool."""
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return cv2.dilate(mask, square) != cv2.erode(mask, square)


# Two pixels at the size at which the network sees the image; more in a photo that was shrunk.
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

# %% alt="Three panels: an image; its true mask, the void pixels forming a thin line around the objects; and the same mask with the band of pixels along both sides of the contours painted white."
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
# To judge the band alone, set the truth to void everywhere else: what is void is not counted. The
# same confusion matrix then serves for the band and for the rest. (Kohli, Ladický and Torr 2009
# introduced such bands, under the name *trimap*.)


# %%
def confusion_where(predicted, inside):
    """The confusion matrix over the pixels in the bands, or over those outside of them."""
    total = np.zeros((classes, classes), np.int64)
    for id, labels in predicted.items():
        truth = np.where(bands[id] == inside, truths[id], VOID)
        total += confusion_matrix(truth, labels, classes)
    return total


parts = {"in the band": True, "elsewhere": False}
confusions = {
    (name, part): confusion_where(predictions[name], inside)
    for name in models
    for part, inside in parts.items()
}
print(f"{'what':18}{'mean IoU':>24}{'wrong pixels':>24}")
print(f"{'where':18}" + f"{'in the band':>12}{'elsewhere':>12}" * 2)
for name in models:
    tables = [confusions[name, part] for part in parts]
    scores = [np.nanmean(iou_from_confusion(table)) for table in tables]
    wrong = [table.sum() - np.trace(table) for table in tables]
    print(f"{name:18}" + "".join(f"{v:12.3f}" for v in scores) + "".join(f"{v:12,}" for v in wrong))

# %% tags=["check"]
for name in models:
    whole = confusions[name, "in the band"] + confusions[name, "elsewhere"]
    assert np.array_equal(whole, results[name]["confusion"])  # each pixel in exactly one part

# %% tags=["see"]
score, wrong = {}, {}
for key, table in confusions.items():
    score[key] = np.nanmean(iou_from_confusion(table))
    wrong[key] = int(table.sum() - np.trace(table))
gains = {p: score["U-Net", p] - score["encoder-decoder", p] for p in parts}
saved = {p: wrong["encoder-decoder", p] - wrong["U-Net", p] for p in parts}
pixels = {p: int(confusions["U-Net", p].sum()) for p in parts}
share = pixels["in the band"] / sum(pixels.values())
print(
    f"The band holds {share:.0%} of the judged pixels. In it the mean IoU changes by "
    f"{gains['in the band']:+.3f}, elsewhere by {gains['elsewhere']:+.3f}. U-Net has "
    f"{saved['in the band']:,} wrong pixels fewer in the band, which are "
    f"{saved['in the band'] / wrong['encoder-decoder', 'in the band']:.0%} of the "
    f"encoder-decoder's, and {saved['elsewhere']:,} or "
    f"{saved['elsewhere'] / wrong['encoder-decoder', 'elsewhere']:.0%} fewer elsewhere."
)

# %% tags=["claim"]
if ROOT == SHAPES:
    assert gains["in the band"] > gains["elsewhere"]
    assert saved["in the band"] / sum(saved.values()) > share
    for name in models:  # contours are the hard part for both
        assert score[name, "in the band"] < score[name, "elsewhere"]

# %% [markdown]
# For both models the contours are harder than the rest, and the gain in mean IoU is larger in the
# band than elsewhere: so much of the explanation is confirmed. It is not the whole. Away from the
# contours wrong pixels have become rarer, too, and there it is not the place of a contour that was
# wrong but the name of a part of an object. What is seen from close up helps to name, not only to
# place.
#
# Skip connections also give the gradient a short way to the first layers. Drozdzal et al. (2016) look at the gradients in networks of hundreds of layers, and find
# both useful there: long skip connections as here, and short ones within the blocks.

# %% alt="Validation images in rows: the image, its true mask, and the label maps by the encoder-decoder and by U-Net."
# For each class the first image that shows it; at most five.
first = (next((id for id in val_ids if c in truths[id]), None) for c in range(1, classes))
few = [id for id in dict.fromkeys(first) if id][:5]
images = [folder.pair(id)[0] for id in few]
plot_predictions(
    images,
    [truths[id] for id in few],
    {name: [predictions[name][id] for id in few] for name in models},
    folder.classes,
)

# %% [markdown]
# ## Looking at the feature maps
#
# A functional Keras model can be asked for the output of any of its layers: make a second model
# from the same input to that output. It shares the weights, nothing is trained. Each channel of a
# map is a grey picture: dark where it is small, light where it is large. We show the eight channels
# that vary most.


# %%
def features(model, layer):
    """The eight channels of a layer's output that vary most: (8, h, w)."""
    probe = keras.Model(model.input, model.get_layer(layer).output)
    maps = keras.ops.convert_to_numpy(probe(image[None].astype("float32")))[0]  # (h, w, channels)
    chosen = np.argsort(maps.std(axis=(0, 1)))[::-1][:8]
    return np.moveaxis(maps[..., chosen], -1, 0)


def show_features(rows):
    """One row for each {title: (8, h, w)}."""
    figure = plt.figure(figsize=(11, 1.75 * len(rows)), layout="constrained")
    parts = figure.subfigures(len(rows), 1)
    for part, (title, maps) in zip(parts, rows.items(), strict=True):
        part.suptitle(title, x=0.01, ha="left", fontsize=10)
        for ax, channel in zip(part.subplots(1, 8), maps, strict=True):
            ax.imshow(channel, cmap="gray", interpolation="nearest")
            ax.set_axis_off()
    plt.show()


# %% alt="Two rows of eight grey pictures. Above, from the finest block of the encoder, in the resolution of the image; below, from the coarsest block, a few large squares each."
fine, coarse = (features(models["U-Net"], name) for name in ("encoder1_relu2", "bottleneck_relu2"))
show_features(
    {
        "encoder1: finest block, {} x {}".format(*fine.shape[1:]): fine,
        "bottleneck: coarsest block, {} x {}".format(*coarse.shape[1:]): coarse,
    }
)

# %% tags=["check"]
assert fine.shape[1] == 2**DEPTH * coarse.shape[1]
fields, field, step = [], 1, 1  # receptive field, and how far apart two neighbours are
for _ in range(DEPTH + 1):
    field += 2 * 2 * step  # two convolutions
    fields.append(field)
    field, step = field + step, 2 * step  # pooling
assert fields[0] == 5 and fields[-1] == 68

# %% [markdown]
# Above is *where*: each value has its exact place, but it has seen 5 x 5 pixels only (two
# convolutions of 3 x 3), too few to tell a disc from a ring. Below is *what*: each value has seen a
# field of 68 x 68 pixels, more than a whole image of shapes, but it has one place for a block of
# 8 x 8.
#
# In the decoder the two meet. Below are the maps of the finest decoder block, first of the
# encoder-decoder, then of U-Net: what arrives from the coarser scale ("up"), and what the block
# makes of it. Look at the outlines of the objects, and at the pattern of 2 x 2 pixels that the
# transposed convolution leaves behind (chapter 4).

# %% alt="Four rows of eight grey pictures from the finest decoder block: what arrives from below and what leaves the block, for the encoder-decoder and then for U-Net. What arrives from below is covered with a pattern of 2 by 2 pixels."
rows = {}
for name, model in models.items():
    rows[f"{name}: up, from the coarser scale"] = features(model, "decoder1_up")
    rows[f"{name}: output of the finest decoder block"] = features(model, "decoder1_relu2")
show_features(rows)

# %% [markdown]
# ## Cutting the wires
#
# Which of the three skip connections does the trained U-Net rely on? Cut them one at a time. A skip
# connection that brings only zeros has the same effect as zero weights for its channels; in
# `Concatenate` they are the first half.


# %%
def cut(model, scale):
    """A copy of a U-Net in which the skip connection at a scale, from 1, brings nothing."""
    damaged = keras.models.clone_model(model)
    damaged.set_weights(model.get_weights())
    layer = damaged.get_layer(f"decoder{scale}_conv1")
    kernel = np.array(layer.get_weights()[0])  # (3, 3, 2 F, F)
    kernel[:, :, : kernel.shape[2] // 2] = 0
    layer.set_weights([kernel])
    return damaged


damaged = {f"cut at scale {i}": cut(models["U-Net"], i) for i in range(1, DEPTH + 1)}
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

# %% alt="Validation images in rows: the image, its true mask, the label map by U-Net, and the label maps by U-Net with one of its three skip connections cut."
plot_predictions(
    images[:3],
    [truths[id] for id in few[:3]],
    {"U-Net": [predictions["U-Net"][id] for id in few[:3]]}
    | {name: predict_labels(model, images[:3]) for name, model in damaged.items()},
    folder.classes,
)

# %% tags=["see"]
dearest, cheapest = max(without, key=lambda k: un - without[k]), max(without, key=without.get)
print(
    f"A {dearest} costs this network most, {un - without[dearest]:.3f} of mean IoU, a {cheapest} "
    f"least, {un - without[cheapest]:.3f}."
)

# %% [markdown]
# What a coarse skip connection brings passes through all blocks after it, so that its cut disturbs
# each of them; the finest one is read by the last block alone. And look at the pictures: where a
# coarse wire is cut, contours can stay sharp while the *name* of a region changes. Again, the wires
# carry more than contours.
#
# This is not the ablation from above. A damaged network shows what *this* network, trained with all
# its wires, has come to depend on. What can be reached without the wire, only a network says that
# was trained without it.

# %% [markdown]
# ## Summary
#
# 1. Pooling keeps what is there and forgets where; a coarse map alone makes coarse contours.
# 2. A skip connection lays the encoder's map from before the pooling beside the decoder's at the
#    same scale; it takes three lines and a few more weights.
# 3. The two maps must have equal sides: pad the image to a multiple of $2^\text{depth}$ and crop
#    the result, or crop the encoder's map, as the paper does.
# 4. An ablation changes one thing and leaves data, seed, epochs and learning rate as they were.
# 5. The gain is largest at the contours, as the confusion matrix restricted to a band shows.
#
# ## Further reading
#
# - O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
#   Segmentation", MICCAI 2015, [arXiv:1505.04597](https://arxiv.org/abs/1505.04597).
# - J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation",
#   CVPR 2015, [arXiv:1411.4038](https://arxiv.org/abs/1411.4038): skip connections that add coarse
#   and fine scores, instead of laying maps side by side.
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
# To try first: a sceptic says that U-Net wins by its additional weights. Build the encoder-decoder
# with `filters=17`, so that it has more weights than U-Net, train it as above, and answer.
#
# ### 1. How much to pad
#
# How many pixels must be added to a side so that it can be halved `depth` times? `PadToMultiple`
# works this out for every image.
# Complete `tutorials/exercises/pad_to_multiple.py`, then run
# `python tutorials/check.py pad_to_multiple`.
#
# ### 2. Crop a skip connection
#
# The other way out: cut the middle out of the encoder's map. The traps are a difference that is
# odd, and one that is zero.
# Complete `tutorials/exercises/crop_skip.py`, then run `python tutorials/check.py crop_skip`.
#
# ### 3. The size of the paper's answer
#
# How large is the answer of the paper's U-Net for an image of a given size? Whoever cuts a large
# image into tiles has to know, and has to know which sizes are possible at all.
# Complete `tutorials/exercises/valid_unet_size.py`, then run
# `python tutorials/check.py valid_unet_size`.
#
# ### 4. The band around the contours
#
# Write the chapter's function of this name once more, without OpenCV: the largest and the smallest
# label in a square are all one needs.
# Complete `tutorials/exercises/contour_band.py`, then run `python tutorials/check.py contour_band`.
