# Every public name, once, in the order of the lesson. Editors and type checkers read this file;
# `__init__.py` reads it too, to know where each name is defined.

# The networks, in the order of the chapters.
from .models.patch_classifier import build_patch_classifier as build_patch_classifier
from .models.patch_classifier import sliding_window as sliding_window
from .models.dense import to_dense as to_dense
from .models.encoder_decoder import build_encoder_decoder as build_encoder_decoder
from .models.unet import build_unet as build_unet
from .models.vgg_transfer import build_vgg_transfer as build_vgg_transfer
from .models.vgg_transfer import unfreeze as unfreeze

# Their building blocks, and what a saved model remembers.
from .models.blocks import conv_block as conv_block
from .models.blocks import ReflectPadding2D as ReflectPadding2D
from .models.blocks import PadToMultiple as PadToMultiple
from .models.blocks import CropLike as CropLike
from .models.blocks import ClassProbabilities as ClassProbabilities
from .models.saving import set_classes as set_classes
from .models.saving import get_classes as get_classes
from .models.saving import load_segmenter as load_segmenter

# Data sets.
from .data.voc import VOC_CLASSES as VOC_CLASSES
from .data.voc import VOCFolder as VOCFolder
from .data.voc import open_folder as open_folder
from .data.download import download_voc as download_voc
from .data.shapes import write_shapes as write_shapes
from .data.shapes import draw_scene as draw_scene

# Images and masks.
from .data.images import VOID as VOID
from .data.palette import palette as palette
from .data.images import read_image as read_image
from .data.images import read_mask as read_mask
from .data.images import write_image as write_image
from .data.images import write_mask as write_mask
from .data.images import resize_to_fit as resize_to_fit
from .data.images import letterbox as letterbox

# Batches.
from .data.augmentation import augment as augment
from .data.augmentation import augment_window as augment_window
from .data.datasets import SegmentationDataset as SegmentationDataset
from .data.datasets import WindowDataset as WindowDataset

# Training.
from .training import compile_model as compile_model
from .training import train as train
from .losses import cross_entropy as cross_entropy
from .losses import cross_entropy_and_dice as cross_entropy_and_dice
from .losses import WeightedCrossEntropy as WeightedCrossEntropy
from .losses import class_weights as class_weights
from .pretraining import pretrain_encoder as pretrain_encoder

# Evaluation.
from .evaluation import evaluate as evaluate
from .evaluation import confusion_matrix as confusion_matrix
from .evaluation import iou_from_confusion as iou_from_confusion
from .evaluation import format_table as format_table

# Prediction.
from .prediction import predict_labels as predict_labels
from .prediction import predict_probabilities as predict_probabilities
from .prediction import cut_out as cut_out

# Plots.
from . import plots as plots

__version__: str
