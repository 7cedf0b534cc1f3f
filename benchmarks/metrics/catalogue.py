"""Every metric of the benchmark, in the order in which they are listed."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.metrics.distribution.fid import FID
from benchmarks.metrics.distribution.fvd import FVD, WINDOW, fvd_metric
from benchmarks.metrics.distribution.kid import KID
from benchmarks.metrics.image.cpbd import CPBD
from benchmarks.metrics.image.csim import CSIM
from benchmarks.metrics.image.lpips import LPIPS
from benchmarks.metrics.image.mse import MSE
from benchmarks.metrics.image.psnr import PSNR
from benchmarks.metrics.image.region import PROTOCOLS as REGIONS
from benchmarks.metrics.image.region import Region
from benchmarks.metrics.image.ssim import SSIM
from benchmarks.metrics.metric import Metric
from benchmarks.metrics.motion.blinks import BLINK_DURATION, BLINKS_PER_SECOND
from benchmarks.metrics.motion.f_mse import F_MSE, F_MSE_EQUATION
from benchmarks.metrics.motion.ofm import OFM, OFM_EQUATION
from benchmarks.metrics.speech.av_sync import AV_CONFIDENCE, AV_OFFSET, LSE_C, LSE_D
from benchmarks.metrics.speech.lip_correlation import LIP_CORRELATION, LIP_LAG
from benchmarks.metrics.speech.lmd import LMD
from benchmarks.metrics.speech.speech_sync import SYNC_CONFIDENCE, SYNC_LAG
from benchmarks.metrics.speech.wer import CER, WER
from pipeline.errors import UserError

METRICS = {
    metric.name: metric
    for metric in (
        SSIM, PSNR, LPIPS, FID, KID, FVD, BLINKS_PER_SECOND, BLINK_DURATION, OFM, OFM_EQUATION,
        F_MSE, F_MSE_EQUATION, AV_OFFSET, AV_CONFIDENCE, LSE_C, LSE_D, LIP_LAG, LIP_CORRELATION,
        SYNC_LAG, SYNC_CONFIDENCE, WER, CER, CSIM, LMD, CPBD, MSE,
    )
}  # fmt: skip


def as_measured(name: str, *, fvd_frames: int = WINDOW, region: Region = "frame") -> Metric:
    """A metric whose name and protocol say how it is measured by these options."""
    if name == "fvd":
        return fvd_metric(fvd_frames)
    metric = METRICS[name]
    if region == "frame" or metric not in (SSIM, PSNR, MSE):
        return metric
    return replace(metric, variant=region, protocol=metric.protocol + REGIONS[region])


def choose(names: Sequence[str]) -> tuple[str, ...]:
    """The metrics of those names in the benchmark's order; all of them for no name."""
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise UserError(f"no metric is called {unknown[0]!r}; there are {', '.join(METRICS)}")
    return tuple(name for name in METRICS if not names or name in names)
