"""Chapter 8: the mean IoU of a split."""

import numpy as np

from voc_seg import confusion_matrix, iou_from_confusion


def mean_iou_of_split(truths, predictions, num_classes):
    confusion = np.zeros((num_classes, num_classes), int)
    for truth, prediction in zip(truths, predictions, strict=True):
        confusion += confusion_matrix(truth, prediction, num_classes)
    return np.nanmean(iou_from_confusion(confusion))
