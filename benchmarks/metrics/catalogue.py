"""Every metric of the benchmark, in the order in which they are listed."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.metrics.distribution import fid, fvd, kid
from benchmarks.metrics.image import cpbd, csim, lpips, mse, psnr, ssim
from benchmarks.metrics.image.region import PROTOCOLS, Region
from benchmarks.metrics.metric import Metric
from benchmarks.metrics.motion import beat_alignment, blinks, f_mse, ofm
from benchmarks.metrics.speech import av_sync, lip_correlation, lmd, speech_sync, wer
from pipeline.errors import UserError

METRICS = {
    metric.name: metric
    for metric in (
        ssim.SSIM, psnr.PSNR, lpips.LPIPS, fid.FID, kid.KID, fvd.FVD, blinks.BLINKS_PER_SECOND,
        blinks.BLINK_DURATION, ofm.OFM, ofm.OFM_EQUATION, f_mse.F_MSE, f_mse.F_MSE_EQUATION,
        av_sync.AV_OFFSET, av_sync.AV_CONFIDENCE, av_sync.LSE_C, av_sync.LSE_D,
        lip_correlation.LIP_LAG, lip_correlation.LIP_CORRELATION, speech_sync.SYNC_LAG,
        speech_sync.SYNC_CONFIDENCE, wer.WER, wer.CER, csim.CSIM, lmd.LMD, cpbd.CPBD, mse.MSE,
        beat_alignment.BEAT_ALIGNMENT,
    )
}  # fmt: skip


def as_measured(name: str, *, fvd_frames: int = fvd.WINDOW, region: Region = "frame") -> Metric:
    """A metric whose name and protocol say how it is measured by these options."""
    if name == "fvd":
        return fvd.fvd_metric(fvd_frames)
    metric = METRICS[name]
    if region == "frame" or name not in ("ssim", "psnr", "mse"):
        return metric
    return replace(metric, variant=region, protocol=metric.protocol + PROTOCOLS[region])


def choose(names: Sequence[str]) -> tuple[str, ...]:
    """The metrics of those names in the benchmark's order; all of them for no name."""
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise UserError(f"no metric is called {unknown[0]!r}; there are {', '.join(METRICS)}")
    return tuple(name for name in METRICS if not names or name in names)
