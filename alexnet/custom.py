"""Parts of one's own, built: their file is run, and what it makes is tried before it trains.

A class of `torch.nn.Module` is made once for each layer that the part follows; a constructor that
has an argument ``maps`` is given the layer's number of maps, or units. A function is called with
the activations and the part's ``kwargs``.

Whatever it is, a run of it has to be one that can be interrupted, repeated and kept:

- What it starts from is drawn from the run's stream of initial weights under the part's own name,
  so that no other layer's chance moves. PyTorch's generator is set to it meanwhile.
- Calls draw no chance. All that calls leave behind is in its parameters and buffers.
- It keeps the type of numbers and, unless it pools, the size of activations.
- It learns as many numbers as its config says, each of which gets a gradient. They learn as biases
  do: at their rate, and without weight decay where biases have none.

What a file computes is run as it was digested, never as it was imported before or has become since.
"""

import contextlib
import copy
import inspect
import random
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from alexnet.config import Custom, Maps, Precision
from alexnet.config.network import Flow
from alexnet.config.source import SourceError, find_same_source, split, was_found_here
from alexnet.precision import weight_type

_TRUSTING = ContextVar("_TRUSTING", default=False)
TRIED = 3
"""Images of a trial: few, and as many as no layer has maps."""


class CustomError(SourceError):
    """Code that cannot be a part; the message has the rule that it breaks."""


@contextlib.contextmanager
def trusting() -> Iterator[None]:
    """Let networks be built from configs that name code which others may have written.

    Without it, `alexnet.model.build` runs no code but that of values which this process has made
    itself, such as those of a person's own study. A record names whatever its writer wanted.
    """
    token = _TRUSTING.set(True)
    try:
        yield
    finally:
        _TRUSTING.reset(token)


class CustomPart(nn.Module):
    """A part of one's own, as the network holds it."""

    def __init__(self, part: nn.Module) -> None:
        """Take what the file makes."""
        super().__init__()
        self.part = part

    def forward(self, activations: Tensor) -> Tensor:
        """Map (n, c, h, w), or (n, units), to the same, or smaller maps."""
        given: Tensor = self.part(activations)
        return given


class Applied(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Tensor], kwargs: dict[str, Any]) -> None:
        """Keep both."""
        super().__init__()
        self.function, self.kwargs = function, kwargs

    def forward(self, activations: Tensor) -> Tensor:
        """Return what the function gives."""
        return self.function(activations, **self.kwargs)


def build_custom(
    part: Custom, maps: int, seed: int = 0, precision: Precision = "float32"
) -> CustomPart:
    """Return a part with what it starts from, on the CPU.

    Args:
        part: Says where its code is.
        maps: Of the layer that it follows, or its units.
        seed: Of what it draws.
        precision: Whose weights it has, and draws in.

    Raises:
        CustomError: If its code may not be run, is gone or changed, or makes no part.
    """
    if not (_TRUSTING.get() or was_found_here(part.target, part.source)):
        raise CustomError(
            f"{part.target} is code that a record or plan names, and whoever wrote that decides "
            "what runs; if you know who did, say so with --trust, or in Python with "
            "load_run(..., trust=True) or alexnet.custom.trusting()"
        )
    module, name = split(part.target)
    kwargs = copy.deepcopy(part.kwargs)  # whoever gets a list may change it
    made = getattr(_run(module, part.source), name, None)
    with _drawing_from(seed, weight_type(precision)), _refusing(part.target):
        if isinstance(made, type) and issubclass(made, nn.Module):
            given = {"maps": maps} if "maps" in inspect.signature(made).parameters else {}
            built: nn.Module = made(**(given | kwargs))
        elif callable(made) and not isinstance(made, type | nn.Module):
            built = Applied(made, kwargs)
        else:
            raise CustomError(
                f"{part.target} is {_kind(made)}; a part is a class of torch.nn.Module, or a "
                "function of a tensor"
            )
    if any(is_lazy(values) for values in (*built.parameters(), *built.buffers())):
        raise CustomError(
            f"{part.target} has no size before it is called; let its constructor take maps, which "
            "it is given"
        )
    return CustomPart(built).to(weight_type(precision))


def refuse_unfit(flow: Flow, is_flat: bool, precision: Precision) -> None:
    """Try a part as it will be used; refuse one whose run could not be kept or repeated.

    Args:
        flow: The part, and the sizes of what it sees and gives.
        is_flat: Whether it follows a fully connected layer.
        precision: Of the run.

    Raises:
        CustomError: With the rule that it breaks.
    """
    if isinstance(flow.part, Custom):
        _try(flow.part.model_dump_json(), flow.module, flow.sees, flow.gives, is_flat, precision)


@lru_cache(maxsize=1024)
def _try(
    text: str, name: str, sees: Maps, gives: Maps, is_flat: bool, precision: Precision
) -> None:
    part, dtype = Custom.model_validate_json(text), weight_type(precision)
    says = f"{part.target} ({name})"
    one, other = (build_custom(part, sees.maps, 0, precision) for _ in range(2))
    _refuse_what_cannot_be_kept(one, other, says)
    _refuse_other_counts(one, part, sees.maps, says)
    noise = torch.Generator().manual_seed(0)  # its own, so that any other draw is the part's
    images, others = (_noise(sees, is_flat, dtype, noise) for _ in range(2))
    with _drawing_from(0, torch.float32), _refusing(says):  # the default while a network trains
        before = _chance()
        _refuse_other_sizes(one, images, part, gives, is_flat, says)
        _refuse_unlearnable(one, images, noise, says)
        for training in (True, False):
            for seen in (images, others):
                one.train(training)(seen.clone())
        if _chance() != before:
            raise CustomError(
                f"{says} draws chance when it is called, and a run that is interrupted would draw "
                "other chance; a part computes, and Dropout() draws"
            )
        other.load_state_dict(one.state_dict())
        for training in (True, False):
            mine, its = (built.train(training)(images.clone()) for built in (one, other))
            if not _same(mine, its):
                raise CustomError(
                    f"{says} remembers more than its parameters and buffers, or draws chance, so "
                    "that a run that is interrupted would go on otherwise; keep what it remembers "
                    "in buffers (register_buffer)"
                )


def refuse_mixing(flow: Flow, is_flat: bool, precision: Precision) -> None:
    """Refuse a part that needs all images of a batch, where they are on several devices.

    Args:
        flow: The part, and the sizes of what it sees and gives.
        is_flat: Whether it follows a fully connected layer.
        precision: Of the run.

    Raises:
        CustomError: If what it gives for an image depends on the others, or it remembers them, or
            it cannot do with none.
    """
    part = flow.part
    if not isinstance(part, Custom):
        return
    dtype, says = weight_type(precision), f"{part.target} ({flow.module})"
    built = build_custom(part, flow.sees.maps, 0, precision)
    images = _noise(flow.sees, is_flat, dtype, torch.Generator().manual_seed(0))
    before, near = copy.deepcopy(built.state_dict()), torch.finfo(dtype).eps ** 0.5
    mixes = False
    with _drawing_from(0, torch.float32), _refusing(says):
        for training in (True, False):
            built.train(training)
            together, none = built(images.clone()), built(images[:0].clone())
            apart = torch.cat([built(image[None].clone()) for image in images])
            mixes |= len(none) > 0 or not torch.allclose(together, apart, near, near, True)
    remembers = any(not _same(one, before[name]) for name, one in built.state_dict().items())
    if mixes or remembers:
        raise CustomError(
            f"{says} uses several images of a batch together or remembers them, and each of "
            "several devices has some of them alone; train it on one"
        )


@lru_cache(maxsize=256)
def _run(module: str, digest: str) -> ModuleType:
    """Return a module made of the bytes that have the digest, under a name of its own."""
    source = find_same_source(module, digest)
    made = ModuleType(f"{module.replace('.', '_')}_{digest[:16]}")
    made.__file__ = str(source.path)
    sys.modules[made.__name__] = made  # which dataclasses and tracebacks look for
    try:
        with _drawing_from(0, torch.float32), _refusing(source.path.name):
            exec(compile(source.content, str(source.path), "exec", dont_inherit=True), vars(made))
    except BaseException:
        del sys.modules[made.__name__]
        raise
    return made


def _kind(made: Any) -> str:
    """Return in words what a name stands for."""
    if made is None:
        return "nothing"
    return f"the class {made.__name__}" if isinstance(made, type) else f"a {type(made).__name__}"


@contextlib.contextmanager
def _drawing_from(seed: int, dtype: torch.dtype) -> Iterator[None]:
    """Let PyTorch draw from a seed and make numbers of a type on the CPU; then, as it was."""
    before = torch.get_default_dtype()
    with (
        torch.random.fork_rng(devices=()),
        torch.device("cpu"),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        torch.default_generator.manual_seed(seed)
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turn whatever a person's code raises into a sentence."""
    try:
        yield
    except (KeyboardInterrupt, SourceError):
        raise
    except BaseException as error:
        lines = str(error).splitlines() or [""]
        raise CustomError(f"{what} raises {type(error).__name__}: {lines[0]}") from error


def _refuse_what_cannot_be_kept(one: CustomPart, other: CustomPart, says: str) -> None:
    """Refuse tensors that a checkpoint would not hold, and chance that no stream gives."""
    for module in one.modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                raise CustomError(
                    f"{says} keeps a tensor as {name}, which neither a checkpoint nor a GPU would "
                    f"get; use register_buffer({name!r}, ...) or nn.Parameter"
                )
    mine, again = one.state_dict(), other.state_dict()
    try:
        save({name: values.contiguous() for name, values in mine.items()})
    except Exception as error:
        raise CustomError(f"{says} has a state that no file of weights holds: {error}") from error
    if not all(_same(values, again[name]) for name, values in mine.items()):
        raise CustomError(
            f"{says} starts from other numbers each time that it is made; draw them with PyTorch, "
            "whose generator is set to the run's seed meanwhile"
        )


def _refuse_other_counts(one: CustomPart, part: Custom, maps: int, says: str) -> None:
    learned = sum(values.numel() for values in one.parameters())
    if learned != part.learned(maps):
        raise CustomError(
            f"{says} learns {learned:,} numbers after a layer of {maps:,} maps or units, and its "
            f"config says {part.learned(maps):,}, which costs are computed from; set parameters= "
            "or parameters_per_map="
        )


def _refuse_other_sizes(
    one: CustomPart, images: Tensor, part: Custom, gives: Maps, is_flat: bool, says: str
) -> None:
    out = one(images.clone())
    if not isinstance(out, Tensor):
        raise CustomError(f"{says} gives {_kind(out)}; a part gives a tensor")
    shape = (TRIED, gives.units) if is_flat else (TRIED, gives.maps, gives.side, gives.side)
    if out.shape != shape:
        seen, given = ("x".join(map(str, sizes[1:])) for sizes in (images.shape, out.shape))
        wanted = "x".join(map(str, shape[1:]))
        way = (
            "set size, stride, padding and rounding to what it computes"
            if part.role == "pool"
            else f"a part of the role {part.role!r} keeps sizes; one that pools says role='pool'"
        )
        raise CustomError(f"{says} makes {given} of {seen}, and {wanted} is expected; {way}")
    if out.dtype != images.dtype:
        raise CustomError(
            f"{says} gives {str(out.dtype).removeprefix('torch.')} of "
            f"{str(images.dtype).removeprefix('torch.')}; compute in the type of what it sees"
        )


def _refuse_unlearnable(one: CustomPart, images: Tensor, noise: torch.Generator, says: str) -> None:
    """Refuse a part through which nothing before it learns, or that has numbers that do not."""
    seen = images.clone().requires_grad_()
    out = one(seen * 1)  # which may be changed in place, as activations may
    if not out.requires_grad:
        raise CustomError(f"{says} gives no gradient, so that no layer before it would learn")
    out.backward(torch.randn(out.shape, dtype=out.dtype, generator=noise))
    if seen.grad is None:
        raise CustomError(f"{says} passes no gradient on, so that no layer before it would learn")
    for name, values in one.part.named_parameters():
        if values.grad is None:
            raise CustomError(
                f"{says} has a parameter {name} that gets no gradient; use it, or make it a buffer "
                "(register_buffer)"
            )
    one.zero_grad(set_to_none=True)


def _noise(sees: Maps, is_flat: bool, dtype: torch.dtype, noise: torch.Generator) -> Tensor:
    if is_flat:
        return torch.randn(TRIED, sees.units, dtype=dtype, generator=noise)
    drawn = torch.randn(TRIED, sees.maps, sees.side, sees.side, dtype=dtype, generator=noise)
    return drawn.to(memory_format=torch.channels_last)


def _chance() -> tuple[object, ...]:
    """Return the state of every generator that code may draw from unasked."""
    kind, keys, *others = np.random.get_state(legacy=True)
    return (
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        kind,
        np.asarray(keys).tobytes(),
        *others,
    )


def _same(one: Tensor, other: Tensor) -> bool:
    """Return whether numbers are equal to the bit, where they are numbers."""
    if one.is_floating_point():
        one, other = one.nan_to_num(), other.nan_to_num()
    return torch.equal(one, other)
