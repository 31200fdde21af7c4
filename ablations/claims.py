"""What the paper claims, C01 to C30, in its own order: numbers, setting, and what confounds them.

An effect is what the idea changes: an error with it minus the error without, or how many times
faster. Sources: Krizhevsky, Sutskever and Hinton (2012), whose sections are named; the training
logs that the Computer History Museum released with the 2012 code ("#145" and the like are its
configurations, one run each); and caffenet-benchmark (2017, commit e47c4ff: CaffeNet at 128 pixels
on ILSVRC-2012, one run and one learning rate for every cell).
"""

from typing import Literal

from alexnet.config import Frozen

Kind = Literal["effect", "count", "result", "procedure"]
Unit = Literal[
    "times", "points", "points top-1", "points top-5", "%", "% top-1", "% top-5",
    "parameters", "neurons", "days", "epochs", "images", "classes",
]  # fmt: skip


class Number(Frozen):
    """A printed or logged number and its unit."""

    value: float
    unit: Unit
    of: str = ""  # what it is the number of, where the claim has several
    is_limit: bool = False  # "at most"
    is_round: bool = False  # given to its leading digits, rounded or cut


class Claim(Frozen):
    """One thing the paper says, and what is known of it without training anything."""

    id: str
    kind: Kind
    section: str
    says: str  # a plain sentence
    setting: str  # what it was measured on; there a comparison is the paper's own
    paper: tuple[Number, ...] = ()
    log: tuple[Number, ...] = ()  # of the 2012 code's own runs
    log_runs: str = ""  # which
    independent: tuple[Number, ...] = ()  # caffenet-benchmark
    confounded: str = ""  # what else differed between the networks compared
    study: str | None = None  # that tests it here
    needs_imagenet: bool = False  # whether that study is of releases of ImageNet alone
    needs: str = ""  # why no study here could, if none could


def _both(
    top1: float, top5: float, kind: Literal["%", "points"], of: str = ""
) -> tuple[Number, Number]:
    return (
        Number(value=top1, unit="% top-1" if kind == "%" else "points top-1", of=of),
        Number(value=top5, unit="% top-5" if kind == "%" else "points top-5", of=of),
    )


_2010, _2012 = "ILSVRC-2010 test images, ten views", "ILSVRC-2012 validation images, ten views"
_SINGLE = "one run of each network; "

_CLAIMS = (
    Claim(
        id="C01", kind="result", section="abstract, 6",
        says="The network's error on ILSVRC-2010 is 37.5 % top-1 and 17.0 % top-5.",
        setting=_2010,
        paper=_both(37.5, 17.0, "%"),
        log=_both(37.4727, 16.9987, "%"), log_runs="#145-2010",
        study="table_1", needs_imagenet=True,
    ),
    Claim(
        id="C02", kind="effect", section="6, footnote 5",
        says="Averaging over ten views lowers the error from 39.0 / 18.3 % to 37.5 / 17.0 %.",
        setting="ILSVRC-2010 test images",
        paper=_both(-1.5, -1.3, "points"),
        log=_both(-1.5520, -1.2966, "points"), log_runs="#145-2010",
        study="ten_views",
    ),
    Claim(
        id="C03", kind="result", section="Table 1",
        says="The best methods before it erred at 47.1 / 28.2 % (sparse coding) and "
        "45.7 / 25.7 % (SIFT and Fisher vectors).",
        setting="ILSVRC-2010 test images",
        paper=(*_both(47.1, 28.2, "%", "sparse coding"), *_both(45.7, 25.7, "%", "SIFT + FVs")),
        study="table_1", needs_imagenet=True,
    ),
    Claim(
        id="C04", kind="count", section="abstract, 4",
        says="The network has 60 million parameters and 650,000 neurons.",
        setting="the built network",
        paper=(
            Number(value=60e6, unit="parameters", is_round=True),
            Number(value=650e3, unit="neurons", is_round=True),
        ),
    ),
    Claim(
        id="C05", kind="count", section="1",
        says="Each convolutional layer, though none can be spared, has no more than 1 % of the "
        "parameters.",
        setting="the built network",
        paper=(Number(value=1, unit="%", of="at most, of the parameters", is_limit=True),),
    ),
    Claim(
        id="C06", kind="procedure", section="1, 5",
        says="Training took five to six days on two GTX 580 3 GB: roughly 90 passes over "
        "1.2 million images.",
        setting="ILSVRC-2010, two GTX 580",
        paper=(Number(value=5.5, unit="days", of="five to six"), Number(value=90, unit="epochs")),
        log=(Number(value=93, unit="epochs"),), log_runs="#145-2010",
        needs="graphics cards of 2010",
    ),
    Claim(
        id="C07", kind="procedure", section="2",
        says="ILSVRC-2010 has roughly 1.2 million training, 50,000 validation and 150,000 test "
        "images of 1,000 classes.",
        setting="ILSVRC-2010",
        paper=(
            Number(value=1.2e6, unit="images", of="training"),
            Number(value=50e3, unit="images", of="validation"),
            Number(value=150e3, unit="images", of="test"),
            Number(value=1000, unit="classes"),
        ),
    ),
    Claim(
        id="C08", kind="procedure", section="2",
        says="Images are scaled to 256 pixels on their shorter side and cropped to the centre; "
        "nothing but the mean of each pixel is subtracted.",
        setting="all datasets",
    ),
    Claim(
        id="C09", kind="effect", section="3.1, Figure 1",
        says="A four-layer network with ReLU reaches 25 % training error six times faster than "
        "the same network with tanh.",
        setting="CIFAR-10 training images",
        paper=(Number(value=6, unit="times"),),
        independent=(Number(value=-7.0, unit="points top-1", of="ReLU's error, at one rate"),),
        confounded="one run of each; the network is not specified, its rates are not printed",
        study="relu_vs_tanh",
    ),
    Claim(
        id="C10", kind="effect", section="3.2",
        says="Two towers lower the error against one with half as many kernels in each "
        "convolution.",
        setting=_2010,
        paper=_both(-1.7, -1.2, "points"),
        log=_both(-1.6953, -1.2300, "points"), log_runs="#145-2010 against #145-half",
        confounded=_SINGLE + "the single tower keeps all kernels of the last convolution and of "
        "the fully connected layers, which favours it; rates of the biases differed at the end",
        study="two_gpus",
    ),
    Claim(
        id="C11", kind="effect", section="3.2",
        says="The two-GPU network takes slightly less time to train than the one-GPU network.",
        setting="ILSVRC-2010, GTX 580",
        needs="graphics cards of 2010",
    ),
    Claim(
        id="C12", kind="procedure", section="3.3",
        says="Response normalisation uses k = 2, n = 5, alpha = 1e-4 and beta = 0.75, chosen on "
        "validation images, after ReLU.",
        setting="ILSVRC validation images",
        confounded="the code divides alpha by n and normalises before ReLU in the first layer",
    ),
    Claim(
        id="C13", kind="effect", section="3.3",
        says="Response normalisation lowers the error.",
        setting=_2012,
        paper=_both(-1.4, -1.2, "points"),
        log=_both(-1.3700, -1.1520, "points"), log_runs="#145 against #148",
        independent=(Number(value=0.1, unit="points top-1", of="LRN"),),
        confounded=_SINGLE + "#148 also lost a second, spatial normalisation that the paper does "
        "not mention; they stopped after 91 and 97 epochs. #167, without norms after conv2, lost "
        "nothing",
        study="response_norm",
    ),
    Claim(
        id="C14", kind="effect", section="3.3",
        says="Response normalisation lowers a four-layer network's error on CIFAR-10 from 13 % "
        "to 11 %.",
        setting="CIFAR-10 test images",
        paper=(Number(value=-2, unit="points"),),
        confounded="as released, the two networks also differ in the filters of local3 (32, 64) "
        "and in a weight decay (0.004, 0.01)",
        study="response_norm_cifar",
    ),
    Claim(
        id="C15", kind="effect", section="3.4",
        says="Overlapping pooling (3/2) lowers the error against 2/2.",
        setting=_2012,
        paper=_both(-0.4, -0.3, "points"),
        log=_both(-0.3940, -0.3000, "points"), log_runs="#145 against #147",
        independent=(Number(value=1.3, unit="points top-1", of="3/2 against 2/2"),),
        confounded=_SINGLE + "#147 also changed two paddings and so the size of its maps, ended "
        "with another rate of the biases, and logs no end of the colour noise",
        study="overlapping_pooling",
    ),
    Claim(
        id="C16", kind="effect", section="3.4",
        says="Networks with overlapping pooling are slightly more difficult to overfit.",
        setting="ILSVRC, not said which",
        confounded="said without a number",
        study="overlapping_pooling",
    ),
    Claim(
        id="C17", kind="count", section="3.5, Figure 2",
        says="The layers have 253,440, 186,624, 64,896, 64,896, 43,264, 4,096, 4,096 and 1,000 "
        "neurons after an input of 150,528.",
        setting="the built network",
        paper=tuple(
            Number(value=value, unit="neurons", of=of)
            for of, value in (
                ("input", 150528), ("conv1", 253440), ("conv2", 186624), ("conv3", 64896),
                ("conv4", 64896), ("conv5", 43264), ("fc6", 4096), ("fc7", 4096), ("fc8", 1000),
            )
        ),
    ),
    Claim(
        id="C18", kind="effect", section="4.1",
        says="Without random crops and reflections the network overfits substantially.",
        setting="ILSVRC, not said which",
        confounded="said without a number",
        study="augmentation",
    ),
    Claim(
        id="C19", kind="procedure", section="4.1",
        says="At test time the softmax outputs of five patches and their reflections are averaged.",
        setting="all datasets",
    ),
    Claim(
        id="C20", kind="effect", section="4.1",
        says="Noise along the principal components of colour lowers the top-1 error by over 1 %.",
        setting="ILSVRC, not said which",
        paper=(Number(value=-1, unit="points top-1", of="over"),),
        confounded="no log was released; the printed formula and the code differ",
        study="pca_colour",
    ),
    Claim(
        id="C21", kind="effect", section="4.2",
        says="Without dropout the network overfits substantially; dropout roughly doubles the "
        "iterations to converge.",
        setting="ILSVRC, not said which",
        paper=(Number(value=2, unit="times", of="iterations"),),
        independent=(
            Number(value=0.2, unit="points top-1", of="0.5 against 0.1"),
            Number(value=-2.4, unit="points top-1", of="0.3 against 0.1"),
        ),
        confounded="overfitting is said without a number; no log was released",
        study="dropout",
    ),
    Claim(
        id="C22", kind="effect", section="5",
        says="A weight decay of 0.0005 lowers the training error.",
        setting="ILSVRC, not said which",
        confounded="said without a number",
        study="weight_decay",
    ),
    Claim(
        id="C23", kind="effect", section="5",
        says="Biases that start at 1 accelerate the early stages of learning.",
        setting="ILSVRC, not said which",
        confounded="said without a number",
        study="initial_biases",
    ),
    Claim(
        id="C24", kind="procedure", section="5",
        says="Batches of 128, momentum 0.9, a rate of 0.01 for all layers, divided by ten three "
        "times, when the validation error stopped improving.",
        setting="ILSVRC",
        confounded="the code's biases had rates of their own, and conv1 was frozen near the end",
    ),
    Claim(
        id="C25", kind="effect", section="6, Table 2",
        says="Averaging five networks lowers the error from 40.7 / 18.2 % to 38.1 / 16.4 %.",
        setting=_2012,
        paper=(
            *_both(-2.6, -1.8, "points"),
            *_both(39.0, 16.6, "%", "pre-trained on all of ImageNet, one"),
            *_both(36.7, 15.4, "%", "two of these and the five"),
        ),
        log=(
            *_both(40.6640, 18.2100, "%", "one network"),
            *_both(38.9900, 16.6220, "%", "pre-trained, one"),
        ),
        log_runs="#145, #146-2012-2011",
        study="ensembles",
    ),
    Claim(
        id="C26", kind="result", section="6",
        says="Validation and test error differ by no more than 0.1 %.",
        setting="ILSVRC-2012",
        paper=(Number(value=0.1, unit="points", of="at most", is_limit=True),),
        needs="the labels of ILSVRC-2012's test images, which were never published",
    ),
    Claim(
        id="C27", kind="result", section="6",
        says="On ImageNet of Fall 2009, with 10,184 classes, the error is 67.4 / 40.9 %.",
        setting="half of ImageNet Fall 2009, a sixth convolution",
        paper=_both(67.4, 40.9, "%"),
        log=_both(69.38, 43.65, "%", "five convolutions"), log_runs="#2009-101",
        needs="ImageNet's release of Fall 2009, split in half as nobody has published",
        study="fall_2009", needs_imagenet=True,
    ),
    Claim(
        id="C28", kind="effect", section="6.1, Figure 3",
        says="The first tower's kernels in conv1 are largely colour-agnostic, the second's largely "
        "colour-specific, in every run.",
        setting="ILSVRC-2010",
        confounded="said without a number",
        study="first_layer_filters",
    ),
    Claim(
        id="C29", kind="effect", section="6.1, Figure 4",
        says="Images whose vectors in the last hidden layer are near each other are alike.",
        setting="ILSVRC-2010, five queries chosen by the authors",
        confounded="shown by examples, without a number",
        study="nearest_neighbours",
    ),
    Claim(
        id="C30", kind="effect", section="7",
        says="Removing any of the middle layers costs about 2 % top-1.",
        setting="ILSVRC, not said which",
        paper=(Number(value=2, unit="points top-1", of="about, for each"),),
        confounded="no configuration and no log was released",
        study="removed_layers",
    ),
)  # fmt: skip

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _CLAIMS}
