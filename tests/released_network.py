"""The released network written out from its facts (../shared/paper.md).

Nothing here comes from `model`: names, shapes and arithmetic are those of the paper and of the
released state dict, so that `model` can be held against them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """A network of the released family.

    Attributes:
        base: channels of the first level.
        multiples: of the base, a level each.
        attention: levels with attention, besides the middle.
        motion: channels of all motion frames together.
        head: channels of an attention head.
        heads: of every attention layer; 0 is as many as have `head` channels.
        groups: of GroupNorm.
    """

    base: int = 256
    multiples: tuple[int, ...] = (1, 2, 3)
    attention: tuple[int, ...] = (2,)
    motion: int = 6
    head: int = 64
    heads: int = 0
    groups: int = 32


@dataclass
class Layer:
    """One entry of a block: kind `stem`, `residual`, `up`, `down` or `attention`."""

    kind: str
    given: int
    made: int


@dataclass
class Plan:
    """Blocks by name, in the order in which they are passed."""

    down: dict[str, list[Layer]] = field(default_factory=dict)
    middle: dict[str, list[Layer]] = field(default_factory=dict)
    up: dict[str, list[Layer]] = field(default_factory=dict)

    def all(self) -> Iterator[tuple[str, Layer]]:
        for blocks in (self.down, self.middle, self.up):
            for name, layers in blocks.items():
                for index, layer in enumerate(layers):
                    yield f"{name}.{index}", layer


def plan(shape: Shape) -> Plan:
    """Which layer lies where: two residual blocks a level down, three up."""
    made = Plan()
    now = shape.base
    made.down["input_blocks.0"] = [Layer("stem", 6 + shape.motion, now)]
    kept = [now]
    for level, multiple in enumerate(shape.multiples):
        if level > 0:
            made.down[f"input_blocks.{len(made.down)}"] = [Layer("down", now, now)]
            kept.append(now)
        for _ in range(2):
            layers = [Layer("residual", now, multiple * shape.base)]
            now = multiple * shape.base
            if level in shape.attention:
                layers.append(Layer("attention", now, now))
            made.down[f"input_blocks.{len(made.down)}"] = layers
            kept.append(now)
    made.middle["middle_block"] = [
        Layer("residual", now, now),
        Layer("attention", now, now),
        Layer("residual", now, now),
    ]
    for level in range(len(shape.multiples) - 1, -1, -1):
        for turn in range(3):
            width = shape.multiples[level] * shape.base
            layers = [Layer("residual", now + kept.pop(), width)]
            now = width
            if level in shape.attention:
                layers.append(Layer("attention", now, now))
            if turn == 2 and level > 0:
                layers.append(Layer("up", now, now))
            made.up[f"output_blocks.{len(made.up)}"] = layers
    return made


def shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released state dict."""
    base, width = shape.base, 4 * shape.base
    found: dict[str, tuple[int, ...]] = {}

    def put(name: str, *weight: int) -> None:
        found[f"{name}.weight"] = weight
        found[f"{name}.bias"] = weight[:1]

    put("time_embed.fc.0", width, base)
    put("time_embed.fc.2", width, width)
    put("audio_embed.0", width, 5 * base)
    put("audio_embed.2", width, width)
    for name, layer in plan(shape).all():
        if layer.kind == "stem":
            put(name, layer.made, layer.given, 3, 3)
        elif layer.kind == "attention":
            put(f"{name}.norm", layer.made)
            put(f"{name}.qkv", 3 * layer.made, layer.made, 1)
            put(f"{name}.proj_out", layer.made, layer.made, 1)
        else:
            put(f"{name}.in_layers.0", layer.given)
            put(f"{name}.in_layers.2", layer.made, layer.given, 3, 3)
            put(f"{name}.t_emb_layers.1", 2 * layer.made, width)
            put(f"{name}.audio_emb_layers.1", 2 * layer.made, width)
            put(f"{name}.out_layers.0", layer.made)
            put(f"{name}.out_layers.3", layer.made, layer.made, 3, 3)
            if layer.given != layer.made:
                put(f"{name}.skip_connection", layer.made, layer.given, 1, 1)
    put("out.0", base)
    put("out.2", 6, base, 3, 3)
    return found


def weights(shape: Shape, seed: int = 0) -> dict[str, Tensor]:
    """Random weights, float32, none of them zero."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, size in shapes(shape).items():
        value = torch.randn(size, generator=generator)
        if len(size) > 1:
            value /= math.sqrt(value[0].numel())
        elif name.endswith("weight"):  # of a norm
            value = 1 + 0.3 * value
        else:
            value *= 0.3
        drawn[name] = value
    return drawn


class Network:
    """The forward pass, plainly, in the type of its inputs."""

    def __init__(self, shape: Shape, tensors: dict[str, Tensor]) -> None:
        self.shape, self.plan, self.tensors = shape, plan(shape), tensors

    def __call__(
        self, x: Tensor, t: Tensor, identity: Tensor, motion: Tensor, speech: Tensor
    ) -> Tensor:
        """As the demo model is called; `speech` is (B, 5, base)."""
        half = torch.arange(self.shape.base // 2, dtype=x.dtype)
        angles = t.to(x.dtype)[:, None] * torch.exp(-math.log(1e4) * half / (2 * self.shape.base))
        time = torch.cat([torch.cos(angles), torch.sin(angles)], 1)
        self.time = self._linear(silu(self._linear(time, "time_embed.fc.0")), "time_embed.fc.2")
        window = torch.cat(list(speech.unbind(1)), 1)
        self.speech = self._linear(silu(self._linear(window, "audio_embed.0")), "audio_embed.2")
        h = torch.cat([x, motion, identity], 1)
        kept = []
        for name, layers in self.plan.down.items():
            h = self._block(h, name, layers)
            kept.append(h)
        for name, layers in self.plan.middle.items():
            h = self._block(h, name, layers)
        for name, layers in self.plan.up.items():
            h = self._block(torch.cat([h, kept.pop()], 1), name, layers)
        return self._convolve(silu(self._norm(h, "out.0")), "out.2")

    def _two(self, name: str, like: Tensor) -> tuple[Tensor, Tensor]:
        both = (self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])
        return both[0].to(like.dtype), both[1].to(like.dtype)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._two(name, x)
        return torch.einsum("bi,oi->bo", x, weight) + bias

    def _convolve(self, x: Tensor, name: str) -> Tensor:
        """A convolution as one product of all patches with the weights."""
        weight, bias = self._two(name, x)
        side, (height, width) = weight.shape[-1], x.shape[-2:]
        edge = side // 2
        padded = torch.zeros(*x.shape[:2], height + 2 * edge, width + 2 * edge, dtype=x.dtype)
        padded[..., edge : edge + height, edge : edge + width] = x
        shifted = [
            padded[..., i : i + height, j : j + width] for i in range(side) for j in range(side)
        ]
        patches = torch.stack(shifted, 2).reshape(len(x), -1, height * width)
        made = weight.reshape(len(weight), -1) @ patches + bias[:, None]
        return made.reshape(len(x), -1, height, width)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._two(name, x)
        parts = x.reshape(len(x), self.shape.groups, -1)
        centred = parts - parts.mean(2, keepdim=True)
        spread = (centred.square().mean(2, keepdim=True) + 1e-5).sqrt()
        whole = (centred / spread).reshape(x.shape)
        along = [1, -1] + [1] * (x.dim() - 2)
        return whole * weight.reshape(along) + bias.reshape(along)

    def _block(self, x: Tensor, name: str, layers: list[Layer]) -> Tensor:
        for index, layer in enumerate(layers):
            at = f"{name}.{index}"
            if layer.kind == "stem":
                x = self._convolve(x, at)
            elif layer.kind == "attention":
                x = self.attend(x, at)
            else:
                x = self.residual(x, at, layer)
        return x

    def residual(self, x: Tensor, at: str, layer: Layer) -> Tensor:
        h = silu(self._norm(x, f"{at}.in_layers.0"))
        h = self._convolve(resampled(h, layer.kind), f"{at}.in_layers.2")
        h = self._norm(h, f"{at}.out_layers.0")
        # Eq. 17, both scales as one plus what is learned.
        for embedding, part in ((self.time, "t_emb_layers"), (self.speech, "audio_emb_layers")):
            both = self._linear(silu(embedding), f"{at}.{part}.1")
            scale, shift = both[:, : layer.made], both[:, layer.made :]
            h = h * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        h = self._convolve(silu(h), f"{at}.out_layers.3")
        skip = resampled(x, layer.kind)
        if layer.given != layer.made:
            skip = self._convolve(skip, f"{at}.skip_connection")
        return skip + h

    def attend(self, x: Tensor, at: str) -> Tensor:
        batch, channels = x.shape[:2]
        flat = x.reshape(batch, channels, -1)
        weight, bias = self._two(f"{at}.qkv", x)
        qkv = torch.einsum("oc,bcn->bon", weight[..., 0], self._norm(flat, f"{at}.norm"))
        qkv = qkv + bias[:, None]
        heads = self.shape.heads or channels // self.shape.head
        # Of the channels, each head's queries, keys and values lie together.
        q, k, v = qkv.reshape(batch, heads, 3, channels // heads, -1).unbind(2)
        likeness = torch.einsum("bhcn,bhcm->bhnm", q, k) / math.sqrt(channels // heads)
        mixed = torch.einsum("bhnm,bhcm->bhcn", torch.softmax(likeness, 3), v)
        weight, bias = self._two(f"{at}.proj_out", x)
        answer = torch.einsum("oc,bcn->bon", weight[..., 0], mixed.reshape(flat.shape))
        return (flat + answer + bias[:, None]).reshape(x.shape)


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def resampled(x: Tensor, kind: str) -> Tensor:
    """Twice the size by repetition, half of it by the mean of four, or as it is."""
    if kind == "up":
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    if kind == "down":
        return sum(x[..., i::2, j::2] for i in range(2) for j in range(2)) / 4
    return x


def inputs(shape: Shape, size: int, batch: int = 2, seed: int = 1) -> tuple[Tensor, ...]:
    """x, t, identity, motion frames and speech embeddings, float32."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*of: int) -> Tensor:
        return torch.randn(of, generator=generator)

    frames = [draw(batch, channels, size, size) for channels in (3, 3, shape.motion)]
    t = torch.tensor([7, 633, 999, 0])[:batch]
    return frames[0], t, frames[1].clamp(-1, 1), frames[2].clamp(-1, 1), draw(batch, 5, shape.base)
