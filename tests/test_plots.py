"""Pictures: what is drawn, in which colours, and that nothing is cut off."""

import functools
import io

import cv2
import numpy as np
import pytest
from helpers import python
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from voc_seg import VOC_CLASSES, VOID, augment, letterbox, palette, plots
from voc_seg.data.images import letterbox_mask

CLASSES = {"background": 0, "cat": 8, "dog": 12}
VERMILLION = (213, 94, 0)


def scene(height=40, width=60, seed=0):
    """An image, a truth with background, dog and void, and a prediction with all three classes."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    truth = np.zeros((height, width), np.uint8)
    cv2.circle(truth, (width // 2, height // 2), height // 4, 2, -1)
    cv2.circle(truth, (width // 2, height // 2), height // 4, VOID, 2)
    return image, truth, rng.integers(0, 3, (height, width))


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn(ax):
    return np.asarray(ax.images[0].get_array())


def saved(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    with Image.open(file) as png:
        return np.asarray(png.convert("RGB"))


def assert_nothing_is_cut_off(figure):
    figure.draw_without_rendering()
    box = figure.get_tightbbox()  # inches, around everything that is drawn
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= width + 0.01 and box.y1 <= height + 0.01


def test_colorize_equals_a_loop_over_the_pixels():
    _, truth, prediction = scene()
    labels = np.where(truth == VOID, VOID, prediction)
    picture, colours = plots.colorize(labels, CLASSES), palette()
    assert picture.dtype == np.uint8
    for row, column in np.ndindex(labels.shape):
        label = labels[row, column]
        value = VOID if label == VOID else list(CLASSES.values())[label]
        assert picture[row, column].tolist() == colours[value].tolist()


def test_colorize_paints_known_colours_of_the_development_kit():
    picture = plots.colorize([[0, 1, 2, 255]], CLASSES)
    assert picture.tolist() == [[[0, 0, 0], [64, 0, 0], [64, 0, 128], [224, 224, 192]]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_colorize_takes_every_integer_type(dtype):
    labels = np.array([[0, 1], [2, 255]], dtype)
    assert (plots.colorize(labels, CLASSES) == plots.colorize(labels.tolist(), CLASSES)).all()


@pytest.mark.parametrize("label", [3, 254, 256, -1])
def test_an_unknown_label_is_an_error(label):
    labels = np.zeros((4, 4), int)
    labels[1, 2] = label
    with pytest.raises(
        ValueError, match=rf"labels: found the label {label}, expected 0\.\.2 or 255"
    ):
        plots.colorize(labels, CLASSES)


@pytest.mark.parametrize("labels", [np.zeros((4, 4)), np.zeros((4, 4, 1), int), np.zeros(4, int)])
def test_labels_that_are_not_integers_in_rows_are_an_error(labels):
    with pytest.raises(ValueError, match=r"labels: .* expected integers \(H, W\)"):
        plots.colorize(labels, CLASSES)


def test_predictions_have_a_row_for_each_image_and_a_column_of_errors():
    scenes = [scene(40, 60), scene(64, 32), scene(10, 50)]
    figure = plots.plot_predictions(*zip(*scenes, strict=True), CLASSES, ["one", "two", "three"])
    assert isinstance(figure, Figure)
    grid = np.reshape(figure.axes, (3, 4))
    assert [ax.get_title() for ax in grid[0]] == ["image", "truth", "prediction", "error"]
    assert [ax.get_xlabel() for ax in grid[:, 0]] == ["one", "two", "three"]
    for axes, (image, truth, prediction) in zip(grid, scenes, strict=True):
        assert (drawn(axes[0]) == image).all()
        assert (drawn(axes[1]) == plots.colorize(truth, CLASSES)).all()
        assert (drawn(axes[2]) == plots.colorize(prediction, CLASSES)).all()
    assert_nothing_is_cut_off(figure)


def test_errors_are_the_judged_pixels_where_prediction_and_truth_differ():
    image, truth, prediction = scene()
    figure = plots.plot_predictions([image], [truth], [prediction], CLASSES)
    errors = drawn(figure.axes[3]).astype(int)
    wrong = (errors == VERMILLION).all(axis=-1)
    grey = (errors == errors[:, :, :1]).all(axis=-1)
    assert (wrong == ((truth != prediction) & (truth != VOID))).all()
    assert (grey == ~wrong).all()
    assert (errors[truth == VOID] < 128).all() and (errors[grey & (truth != VOID)] >= 128).all()


def test_models_are_compared_side_by_side_without_a_column_of_errors():
    image, truth, prediction = scene()
    models = {"small": [prediction], "a model with a very long name " * 2: [truth]}
    figure = plots.plot_predictions([image], [truth], models, CLASSES)
    titles = [ax.get_title().replace("\n", " ") for ax in figure.axes]
    assert titles == ["image", "truth", *(name.strip() for name in models)]
    assert (drawn(figure.axes[2]) == plots.colorize(prediction, CLASSES)).all()
    assert legend_texts(figure) == ["background", "cat", "dog", "void"]
    assert_nothing_is_cut_off(figure)


def test_the_legend_names_precisely_the_classes_that_occur_in_their_colours():
    image, truth, prediction = scene()
    dogs = np.full_like(truth, 2)
    figure = plots.plot_predictions([image], [dogs], [dogs], CLASSES)
    assert legend_texts(figure) == ["dog", "wrong", "not scored"]
    figure = plots.plot_predictions([image], [truth], [dogs], CLASSES)
    assert legend_texts(figure) == ["background", "dog", "void", "wrong", "not scored"]
    figure = plots.plot_overlay(image, prediction, CLASSES)
    assert legend_texts(figure) == list(CLASSES)[1:]
    figure = plots.plot_overlay(image, truth, CLASSES)
    assert legend_texts(figure) == ["dog", "void"]
    colours = [patch.get_facecolor()[:3] for patch in figure.legends[0].get_patches()]
    np.testing.assert_allclose(np.multiply(colours, 255), palette()[[12, VOID]])
    figure = plots.plot_overlay(image, np.zeros_like(truth), CLASSES)
    assert legend_texts(figure) == ["no object found"]


def test_augmentations_are_drawn_as_overlays_after_the_image_itself():
    image, truth, _ = scene(40, 60)

    def shift(image, mask, size, rng):
        assert size == 24
        n = int(rng.integers(1, 20))
        image, mask = letterbox(image, 24), letterbox_mask(mask, 24)
        return np.roll(image, n, axis=1), np.roll(mask, n, axis=1)

    figure = plots.plot_augmentations(image, truth, CLASSES, 24, shift, number=3, seed=5)
    plain, *versions = [drawn(ax) for ax in figure.axes if ax.images]
    overlay = drawn(
        plots.plot_overlay(letterbox(image, 24), letterbox_mask(truth, 24), CLASSES).axes[0]
    )
    assert (plain == overlay).all() and len(versions) == 3
    for n, version in enumerate(versions):
        shifted = int(np.random.default_rng((5, n)).integers(1, 20))
        assert (version == np.roll(overlay, shifted, axis=1)).all()
    assert legend_texts(figure) == ["dog", "void"]
    assert_nothing_is_cut_off(figure)


def test_augmentations_of_an_image_without_objects_say_so():
    image, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    plain = functools.partial(augment, scale=(1, 1))
    figure = plots.plot_augmentations(image, mask, CLASSES, 8, plain)
    assert legend_texts(figure) == ["no object found"]
    with pytest.raises(ValueError, match=r"^number: found 0"):
        plots.plot_augmentations(image, mask, CLASSES, 8, number=0)
    with pytest.raises(ValueError, match=r"^augment: the function returned NoneType"):
        plots.plot_augmentations(image, mask, CLASSES, 8, lambda *given: None)


def test_outlines_run_along_every_edge_between_two_regions():
    labels = np.array([[0, 0, 1], [0, 2, 1]])
    figure = plots.plot_overlay(np.zeros((2, 3, 3), np.uint8), labels, CLASSES)
    lines = {
        tuple(map(tuple, line)) for c in figure.axes[0].collections for line in c.get_segments()
    }
    assert lines == {
        *{((1.5, -0.5), (1.5, 0.5)), ((0.5, 0.5), (0.5, 1.5)), ((1.5, 0.5), (1.5, 1.5))},
        ((0.5, 0.5), (1.5, 0.5)),
    }


def test_an_overlay_is_half_image_and_half_colour_and_leaves_the_background_alone():
    image, truth, _ = scene()
    picture = drawn(plots.plot_overlay(image, truth, CLASSES).axes[0])
    half = (image.astype(float) + plots.colorize(truth, CLASSES)) / 2
    assert np.abs(picture - half)[truth > 0].max() <= 0.5
    assert (picture == image)[truth == 0].all()


@pytest.mark.parametrize("shape", [(1, 1), (1500, 3), (3, 1500), (300, 200), (1, 5000)])
def test_overlays_of_any_shape_are_saved_at_a_bounded_size(shape):
    labels = np.ones(shape, np.uint8)
    labels[: shape[0] // 2, : shape[1] // 2] = 2
    figure = plots.plot_overlay(np.full((*shape, 3), 200, np.uint8), labels, CLASSES)
    assert_nothing_is_cut_off(figure)
    cat = (132, 100, 100)  # (64, 0, 0) over grey 200
    picture = drawn(figure.axes[0])
    assert max(picture.shape[:2]) == min(max(shape), 1600)
    assert (picture == cat).all(axis=-1).any()
    png = saved(figure)
    assert max(png.shape) <= 1000
    box = figure.axes[0].get_window_extent()
    if min(box.width, box.height) >= 1:  # Matplotlib 3.10 leaves out what is half a pixel high
        assert (png == cat).all(axis=-1).any()


def test_an_overlay_has_the_aspect_ratio_of_its_image():
    image, truth, _ = scene(300, 400)
    figure = plots.plot_overlay(image, truth, CLASSES)
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    assert box.width == pytest.approx(figure.bbox.width, rel=0.02)
    assert box.height / box.width == pytest.approx(300 / 400, rel=0.01)


def test_a_photograph_of_24_megapixels_is_drawn_downscaled_without_mixed_labels():
    labels = np.zeros((4000, 6000), np.uint8)
    labels[1000:3000, 1000:3000] = 2  # halfway between is 1, the cat
    image = np.full((4000, 6000, 3), 200, np.uint8)
    figure = plots.plot_overlay(image, labels, CLASSES)
    assert drawn(figure.axes[0]).shape == (1067, 1600, 3)
    assert legend_texts(figure) == ["dog"]


@pytest.mark.parametrize("shape", [(1, 1), (1500, 3), (3, 1500)])
def test_predictions_of_any_shape_are_saved_at_a_bounded_size(shape):
    maps = [np.ones(shape, np.uint8)]
    png = saved(plots.plot_predictions([np.zeros((*shape, 3), np.uint8)], maps, maps, CLASSES))
    assert max(png.shape) <= 1200 and png.min() < 128


def test_a_speckled_map_is_drawn_without_outlines():
    labels = np.indices((300, 300)).sum(axis=0) % 2
    figure = plots.plot_overlay(np.zeros((300, 300, 3), np.uint8), labels, CLASSES)
    assert not figure.axes[0].collections


def test_maps_of_another_size_or_number_than_the_images_are_errors():
    image, truth, prediction = scene()
    with pytest.raises(ValueError, match=r"truth 0: found \(39, 60\), expected \(40, 60\)"):
        plots.plot_predictions([image], [truth[1:]], [prediction], CLASSES)
    with pytest.raises(ValueError, match=r"unet 0: found \(40, 59\), expected \(40, 60\)"):
        plots.plot_predictions([image], [truth], {"unet": [prediction[:, 1:]]}, CLASSES)
    with pytest.raises(ValueError, match="truths: found 2 for 1 images"):
        plots.plot_predictions([image], [truth, truth], [prediction], CLASSES)
    with pytest.raises(ValueError, match="titles: found 0 for 1 images"):
        plots.plot_predictions([image], [truth], [prediction], CLASSES, [])
    with pytest.raises(ValueError, match="truths: found 0 for 0 images"):
        plots.plot_predictions([], [], [], CLASSES)
    with pytest.raises(ValueError, match="labels"):
        plots.plot_overlay(image, truth.T, CLASSES)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), "u1")]
)
def test_an_image_that_is_not_rgb_of_eight_bits_is_an_error(image):
    with pytest.raises(ValueError, match=r"image: .* expected uint8 \(H, W, 3\)"):
        plots.plot_overlay(image, np.zeros((4, 4), int), CLASSES)


@pytest.mark.parametrize("names", [list(VOC_CLASSES), ["background", "cat"], ["one"]])
def test_bars_are_as_long_as_the_iou_of_their_classes(names):
    iou = np.random.default_rng(1).random(len(names))
    figure = plots.plot_iou(iou, names, iou.mean())
    ax = figure.axes[0]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], iou)
    assert [text.get_text() for text in ax.texts] == [f"{value:.3f}" for value in iou]
    assert [label.get_text() for label in ax.get_yticklabels()] == names
    assert ax.lines[0].get_xdata()[0] == iou.mean() and ax.lines[0].get_linestyle() == "--"
    assert ax.get_title() == f"mean {iou.mean():.3f}"
    assert_nothing_is_cut_off(figure)


def test_classes_without_iou_are_written_as_absent():
    ax = plots.plot_iou([1, None, float("nan"), 0], list("abcd"), 0.5).axes[0]
    assert [text.get_text() for text in ax.texts] == ["1.000", "absent", "absent", "0.000"]
    ax = plots.plot_iou([None], ["cat"], None).axes[0]
    assert not ax.lines and not ax.get_title()


def test_iou_for_another_number_of_names_is_an_error():
    with pytest.raises(ValueError, match=r"iou: found the shape \(2,\), expected \(3,\)"):
        plots.plot_iou([0.1, 0.2], list("abc"), 0.15)


def test_confusion_is_shown_as_shares_of_the_true_class():
    confusion = [[6, 2, 0], [0, 0, 0], [1, 0, 3]]
    figure = plots.plot_confusion(confusion, list(CLASSES))
    ax = figure.axes[0]
    shares = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [np.nan] * 3, [0.25, 0, 0.75]])
    texts = {text.get_position()[::-1]: text.get_text() for text in ax.texts}
    assert texts == {
        **{(0, 0): "75.0%", (0, 1): "25.0%", (0, 2): "0.0%"},
        **{(2, 0): "25.0%", (2, 1): "0.0%", (2, 2): "75.0%"},
        (1, 1): "no pixels",
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("prediction", "truth")
    assert_nothing_is_cut_off(figure)


def test_percentages_are_readable_on_their_cells():
    confusion = [[100 - p, p] for p in range(0, 101, 25)][:2]
    ax = plots.plot_confusion(confusion, ["background", "cat"]).axes[0]
    for text, share in zip(ax.texts, np.ravel(confusion) / 100, strict=True):
        cell = np.dot(ax.images[0].cmap(share)[:3], (0.299, 0.587, 0.114))
        assert abs(cell - to_rgb(text.get_color())[0]) > 0.45  # luma, 0..1


def test_a_confusion_of_many_classes_has_no_percentages():
    figure = plots.plot_confusion(np.eye(21), VOC_CLASSES)
    assert not figure.axes[0].texts
    assert_nothing_is_cut_off(figure)


def test_a_confusion_of_another_shape_than_the_names_is_an_error():
    with pytest.raises(ValueError, match=r"confusion: found the shape \(2, 3\), expected \(3, 3\)"):
        plots.plot_confusion(np.ones((2, 3)), list("abc"))


def test_history_draws_training_and_validation_apart_and_marks_the_best_epoch():
    history = {
        **{"epoch": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 1.9]},
        **{"mean_iou": [0.1, 0.2, 0.3], "val_mean_iou": [0.1, 0.3, 0.2], "seconds": [9.0] * 3},
    }
    figure = plots.plot_history(history)
    for ax, name in zip(figure.axes, ["loss", "mean_iou"], strict=True):
        training, validation, best = ax.lines
        assert training.get_ydata().tolist() == history[name]
        assert validation.get_ydata().tolist() == history[f"val_{name}"]
        assert best.get_xdata()[0] == 2
        for style in ("color", "linestyle", "marker"):
            assert getattr(training, f"get_{style}")() != getattr(validation, f"get_{style}")()
    assert legend_texts(figure) == ["training", "validation", "best validation: epoch 2"]
    assert_nothing_is_cut_off(figure)


def test_history_of_one_epoch_has_one_tick():
    figure = plots.plot_history({"epoch": [7.0], "loss": [1.0], "val_loss": [2.0]})
    assert_nothing_is_cut_off(figure)
    ticks = [tick for tick in figure.axes[0].get_xticks() if 6.5 <= tick <= 7.5]
    assert ticks == [7]
    assert legend_texts(figure)[-1] == "best validation: epoch 7"


def test_history_without_validation_marks_no_epoch_and_counts_epochs_itself():
    figure = plots.plot_history({"loss": [2.0, 1.0]})
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2]
    assert legend_texts(figure) == ["training"]


def test_without_iou_the_best_epoch_has_the_smallest_validation_loss():
    figure = plots.plot_history({"epoch": [1, 2, 3], "val_loss": [2.0, float("nan"), 1.0]})
    assert legend_texts(figure) == ["validation", "best validation: epoch 3"]


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"epoch": [1], "loss": [1, 2]}])
def test_a_history_without_epochs_or_of_uneven_columns_is_an_error(history):
    with pytest.raises(ValueError, match="history: found columns of"):
        plots.plot_history(history)


def test_long_class_names_fit_into_the_legend():
    classes = {"background": 0, "a class with a name that is very, very long": 1}
    labels = np.array([[0], [1]])
    assert_nothing_is_cut_off(plots.plot_overlay(np.zeros((2, 1, 3), np.uint8), labels, classes))


def test_plots_need_neither_keras_nor_pyplot():
    code = "import sys, voc_seg.plots; print({'keras', 'matplotlib.pyplot'} & set(sys.modules))"
    assert python("-c", code).stdout.strip() == "set()"
