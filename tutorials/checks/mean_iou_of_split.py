"""The check of `mean_iou_of_split`: against Keras' metric over the pixels of all images."""

import numpy as np

from voc_seg import VOID, confusion_matrix, iou_from_confusion


def expected(truths, predictions, num_classes):
    import keras

    metric = keras.metrics.MeanIoU(num_classes, ignore_class=VOID)
    for truth, prediction in zip(truths, predictions, strict=True):
        metric.update_state(truth, prediction)
    return float(metric.result())


def mean_of_images(truths, predictions, num_classes):
    return np.mean([np.nanmean(row) for row in by_image(truths, predictions, num_classes)])


def mean_by_class(truths, predictions, num_classes):
    columns = by_image(truths, predictions, num_classes).T
    return np.mean([np.nanmean(c) for c in columns if not np.isnan(c).all()])


def absent_as_zero(truths, predictions, num_classes):
    return np.mean(np.nan_to_num(iou_from_confusion(total(truths, predictions, num_classes))))


def void_as_background(truths, predictions, num_classes):
    return expected([np.where(t == VOID, 0, t) for t in truths], predictions, num_classes)


def classes_of_the_truths(truths, predictions, num_classes):
    drawn = np.unique(np.concatenate([truth[truth != VOID] for truth in truths]))
    return np.mean(iou_from_confusion(total(truths, predictions, num_classes))[drawn])


def accuracy(truths, predictions, num_classes):
    confusion = total(truths, predictions, num_classes)
    return np.trace(confusion) / confusion.sum()


def without_background(truths, predictions, num_classes):
    return np.nanmean(iou_from_confusion(total(truths, predictions, num_classes))[1:])


def frequency_weighted(truths, predictions, num_classes):
    confusion = total(truths, predictions, num_classes)
    share = confusion.sum(axis=1) / confusion.sum()
    return np.nansum(share * iou_from_confusion(confusion))


def last_image_only(truths, predictions, num_classes):
    return np.nanmean(by_image(truths, predictions, num_classes)[-1])


def total(truths, predictions, num_classes):
    pairs = zip(truths, predictions, strict=True)
    return sum(confusion_matrix(t, p, num_classes) for t, p in pairs)


def by_image(truths, predictions, num_classes):
    pairs = zip(truths, predictions, strict=True)
    return np.array([iou_from_confusion(confusion_matrix(t, p, num_classes)) for t, p in pairs])


def three_images():
    """A large object that is found but for a column, a small one that is missed, and none."""
    large, small = np.zeros((8, 8), np.uint8), np.zeros((6, 9), np.uint8)
    large[1:7, 1:7] = 1
    small[2, 3:5] = 1
    found = large.copy()
    found[:, 6] = 0
    empty = np.zeros((4, 4), np.uint8)
    return [large, small, empty], [found, np.zeros_like(small), empty.copy()]


def with_void():
    truths, predictions = three_images()
    truths[0][:, 7] = VOID
    predictions[0][:4, 7] = 1
    return truths, predictions, 2


CASES = [
    (
        "three images of different sizes, two classes: a large object found but for a column, a "
        "small one missed, and an image of background only",
        lambda: (*three_images(), 2),
        "Add up the confusion matrices of the images, and compute IoU once, at the end. (The "
        "images differ in size, so you cannot stack them.)",
    ),
    (
        "the same with a column of void",
        with_void,
        "Pixels of void do not belong into the confusion matrix, whatever is predicted there.",
    ),
    (
        "the first case with three classes: class 2 is nowhere in the split",
        lambda: (*three_images(), 3),
        "What is the IoU of class 2, and does it belong in the mean? See `numpy.nanmean`.",
    ),
    (
        "one image, three classes: class 2 is predicted, but not there",
        lambda: ([np.array([[0, 0, 0, 1, 1]])], [np.array([[0, 2, 2, 1, 1]])], 3),
        "Class 2 has an IoU here: it has a union, and no hit.",
    ),
]
MISTAKES = [
    (
        mean_of_images,
        "Mean of the images: you took each image's mean IoU, and the mean of those. The small "
        "object of the second image weighs as much as the large one of the first. Counts have to "
        "be added up before anything is divided.",
    ),
    (
        mean_by_class,
        "Mean over images by class: you averaged each class's IoU over the images. A mean of "
        "quotients is not the quotient of the sums: add up the counts first.",
    ),
    (
        absent_as_zero,
        "Absent counted as 0: a class that occurs nowhere in the split is not a class that the "
        "model missed. Leave it out of the mean.",
    ),
    (
        classes_of_the_truths,
        "Only the classes of the truths: a class that the model invents has a union, too, and an "
        "IoU of 0. Only a class that is in neither has none.",
    ),
    (void_as_background, "Void became background: pixels without a label are judged."),
    (
        accuracy,
        "Pixel accuracy: the share of pixels that are right. The background makes most of it. IoU "
        "is computed class by class, and each class weighs the same in the mean.",
    ),
    (
        without_background,
        "The background is missing. Some papers leave it out, but VOC and we do not: it is a class "
        "like any other in the mean.",
    ),
    (
        frequency_weighted,
        "You weigh each class by its number of pixels (the frequency weighted IoU). In the mean "
        "IoU every class counts the same.",
    ),
    (
        last_image_only,
        "The last image only: you start a new confusion matrix for each image. Make it once, "
        "before the loop.",
    ),
]
READ = "One count over the whole split"
GOOD_FOR = (
    "`evaluate` gives this number, and so do the papers on PASCAL VOC, so yours can stand in the "
    "same table."
)
