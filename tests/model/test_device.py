"""Devices: what is there is taken, what is not is told."""

import pytest
import torch

from model.device import choose_device, choose_precision, few_threads, memory_used
from pipeline.errors import UserError

CPU = torch.device("cpu")


def machine(monkeypatch, *, cuda: bool = False, mps: bool = False, bf16: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)


@pytest.mark.parametrize(
    ("has", "chosen"),
    [
        ({}, "cpu"),
        ({"cuda": True}, "cuda"),
        ({"mps": True}, "mps"),
        ({"cuda": True, "mps": True}, "cuda"),
    ],
)
def test_auto_takes_the_best(monkeypatch, has: dict[str, bool], chosen: str):
    machine(monkeypatch, **has)
    assert choose_device("auto").type == chosen


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there(monkeypatch, name: str):
    machine(monkeypatch)
    with pytest.raises(UserError, match=f"no {name}; use --device auto"):
        choose_device(name)
    machine(monkeypatch, **{name: True})
    assert choose_device(name).type == name
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_auto_computes_in_bf16_where_the_processor_does(monkeypatch, device: str):
    for bf16, expected in ((True, "bf16"), (False, "float32")):
        machine(monkeypatch, bf16=bf16)
        assert choose_precision("auto", torch.device(device)) == expected
        assert choose_precision("bf16", torch.device(device)) == "bf16"
        assert choose_precision("float32", torch.device(device)) == "float32"
    assert choose_precision("auto", torch.device("mps")) == "float32"


def test_this_processor_is_asked():
    """The question torch is asked is private to it; it must not vanish unnoticed."""
    assert choose_precision("auto", CPU) in ("bf16", "float32")


def test_memory_is_said_in_gib():
    held = torch.ones(64 << 20)  # 0.25 GiB
    number, unit, *_ = memory_used().split()
    assert unit == "GiB"
    assert float(number) >= 0.2
    del held


def test_a_network_gets_as_many_threads_as_it_keeps_busy_and_the_machine_allows():
    before = torch.get_num_threads()
    try:
        for most, flops, expected in ((4, 1.7e9, 1), (4, 5e9, 2), (4, 1e12, 4), (1, 1e12, 1)):
            torch.set_num_threads(most)
            with few_threads(flops):
                assert torch.get_num_threads() == expected
            assert torch.get_num_threads() == most
        torch.set_num_threads(3)
        with pytest.raises(KeyError), few_threads(1):
            raise KeyError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
