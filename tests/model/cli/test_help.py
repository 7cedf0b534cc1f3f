"""Options that commands share: they say what the code does, and `--help` does not wait for it."""

import subprocess
import sys
from typing import get_args

import pytest

from model.config.architecture import DiffusionConfig
from model.config.choices import SamplerName
from model.sampling.sample_config import (
    CORRELATION_DEFAULT,
    STEPS_DEFAULT,
    SampleConfig,
    choose_sampler,
)


def test_defaults_that_are_told_are_those_that_are_taken():
    told = STEPS_DEFAULT
    for name in get_args(SamplerName):
        steps = choose_sampler(SampleConfig(name), DiffusionConfig(prediction="v")).steps
        assert f" {steps}" in told[told.index(name) :].partition(",")[0]
    told = CORRELATION_DEFAULT
    for name in get_args(SamplerName):
        for start in ("noise", "previous"):
            taken = choose_sampler(
                SampleConfig(name, start=start), DiffusionConfig(prediction="v")
            ).noise_correlation
            assert taken == (0.8 if name in told and start == "noise" else 0)
    assert told.startswith("0.8 of")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("model.cli.train:train_main", ""),
        ("model.cli.sample:sample_main", ""),
        ("model.cli.sample:sample_main", "serve"),
        ("benchmarks.cli.main:main", "generate"),
    ],
)
def test_help_comes_without_torch(command: str, words: str):
    module, name = command.split(":")
    program = (
        f"import sys; sys.argv = 'dh {words} --help'.split()\n"
        f"from {module} import {name}\n"
        f"try:\n    {name}()\n"
        "except SystemExit:\n    print('torch' in sys.modules)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines()[-1] == "False"
    assert "--device" in said
    if command != "model.cli.train:train_main":
        assert all(word in said for word in ("--sampler", "--steps", "--noise-correlation"))
