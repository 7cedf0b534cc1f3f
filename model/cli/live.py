"""dh-sample live on the command line."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from model.cli.new_app import new_app
from model.sampling.sample_config import ModelOptions, SampleConfig
from pipeline.command_options import dataclass_options

live_app = new_app()


@live_app.command()
@dataclass_options
def live_command(
    *,
    model: ModelOptions,
    face: Annotated[Path, typer.Option(help="A picture or a video with one face.")],
    speech: Annotated[
        Path,
        typer.Option(
            help="A recording, played at its own pace; or - for raw mono sound as it comes in."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A .mkv file, or - for a player.")],
    rate: Annotated[int, typer.Option(help="Hz of raw sound.")] = 16_000,
    samples: Annotated[
        Literal["s16", "f32"],
        typer.Option(help="Of raw sound: 16-bit integers, or floats in -1 … 1; little-endian."),
    ] = "s16",
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
) -> None:
    """A face that talks while you speak, Matroska to a player or a file.

    `arecord -t raw -f S16_LE -r 16000 | dh-sample live --checkpoint run/ --face me.jpg --speech -
    --out - | mpv --profile=low-latency -`

    A frame goes out about a quarter of a second after its sound. A machine that is too slow draws
    with fewer calls, then shows frames twice; sound and picture stay in step. Ctrl-C ends it.
    """
    from model.sampling.batch import load
    from model.sampling.inputs import crop_size, read_face
    from model.sampling.live import (
        Pacer,
        denoisers_for_live,
        open_stream,
        raw,
        recorded,
        talk_live,
        warm_up,
    )
    from pipeline.files import atomic_path
    from pipeline.speech.streaming import speech_samples

    loaded = load(model, SampleConfig())
    crop = read_face(face, loaded.tracker, crop_size(loaded.info.preset)).crop
    pacer = Pacer(denoisers_for_live(loaded))
    warm_up(loaded, pacer.denoisers)
    if str(speech) == "-":
        chunks = speech_samples(raw(sys.stdin.buffer, samples), rate)
    else:
        chunks = recorded(speech)
    with ExitStack() as stack:
        target = sys.stdout.buffer if str(out) == "-" else stack.enter_context(atomic_path(out))
        send = stack.enter_context(open_stream(target, loaded.info.preset.unet.image_size))
        try:
            for frame, sound in talk_live(loaded, crop, pacer.timed(chunks), pacer, seed=seed):
                send(frame, sound)
        except (KeyboardInterrupt, BrokenPipeError):  # the user, or the player, has had enough
            pass
    print(pacer.summary(), file=sys.stderr)
