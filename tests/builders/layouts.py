"""The layouts of Tiny ImageNet and of Kaggle's ImageNet, in small."""

from collections.abc import Iterable

from alexnet.data.prepare.files import File
from alexnet.data.prepare.layouts import inventory
from alexnet.data.prepare.published import (
    Inventory,
)


def found(paths: Iterable[str]) -> Inventory:
    """Return the inventory of files that need not exist."""
    files = [File(path, "nowhere", 0, 9) for path in sorted(paths)]
    return inventory(files, 0, "the source")


TINY = {
    "train/n01443537/images/n01443537_0.JPEG": "train n01443537",
    "train/n01443537/images/n01443537_1.JPEG": "train n01443537",
    "train/n01629819/images/n01629819_0.JPEG": "train n01629819",
    "val/images/val_0.JPEG": "test n01629819",
    "val/images/val_1.JPEG": "test n01443537",
}


TINY_TEXTS = {
    "train/n01443537/n01443537_boxes.txt": b"n01443537_0.JPEG\t0\t10\t63\t58\n",
    "train/n01629819/n01629819_boxes.txt": b"n01629819_0.JPEG\t4\t0\t63\t63\n",
    "val/val_annotations.txt": b"val_0.JPEG\tn01629819\t0\t32\t44\t62\n"
    b"val_1.JPEG\tn01443537\t52\t55\t57\t59\n",
    "wnids.txt": b"n01443537\nn01629819\n",
    "words.txt": b"n00001740\tentity\nn01443537\tgoldfish, Carassius auratus\n"
    b"n01629819\tEuropean fire salamander, Salamandra salamandra\n",
}


VAL = "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val"


KAGGLE = {
    "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_10026.JPEG": "train n01440764",
    "ILSVRC/Data/CLS-LOC/train/n01443537/n01443537_2.JPEG": "train n01443537",
    f"{VAL}_00000001.JPEG": "test n01443537",
    f"{VAL}_00000002.JPEG": "test n01440764",
    "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG": "",
}


KAGGLE_TEXTS = {
    "ILSVRC/Annotations/CLS-LOC/train/n01440764/n01440764_10026.xml": b"<annotation/>",
    "ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml": b"<annotation/>",
    "ILSVRC/ImageSets/CLS-LOC/val.txt": b"ILSVRC2012_val_00000001 1\n",
    "LOC_sample_submission.csv": b"ImageId,PredictionString\n",
    "LOC_synset_mapping.txt": b"n01440764 tench, Tinca tinca\nn01443537 goldfish\n",
    "LOC_train_solution.csv": b"ImageId,PredictionString\nn01440764_10026,n01440764 1 2 3 4 \n",
    "LOC_val_solution.csv": b"ImageId,PredictionString\n"
    b"ILSVRC2012_val_00000002,n01440764 1 2 3 4 n01440764 5 6 7 8 \n"
    b"ILSVRC2012_val_00000001,n01443537 9 9 9 9 \n",
}
