"""The columns of a clip's row in the parquet beside its shard, and what each holds."""

# What a row says of the clip, by column.
DESCRIBED = {
    "clip_id": "key of the sample; of a shot that was split off: the clip's, --, its number",
    "manifest_id": "clip_id in the manifest",
    "source": "the video, as the manifest names it",
    "speaker": "who talks; empty when unknown",
    "split": "train, val or test",
    "collection": "data set that it comes from, as the manifest says; empty without that column",
    "status": "ok: a sample; skipped: dropped by a rule; failed: unreadable, or a fault of ours",
    "stage": "where it was skipped or failed",
    "reason": "why",
    "traceback": "of a fault of ours",
    "notes": "what was done to the file to make it usable: words of pipeline/media/notes.py",
}
# What is measured, by column, with its unit; missing where a clip did not come that far.
MEASURED = {
    "frames": "frames of the sample, at 25 a second",
    "clip_seconds": "length of the sample, s",
    "source_seconds": "length of the video, or of the part of it that the manifest names, s",
    "missing_seconds": "that the file says it has besides, s: it was cut off; 0 below 0.2 s, and "
    "of .mpg and .ts, which do not say",
    "face_seconds": "with a face in view, s",
    "faces": "the most faces seen at once",
    "speaker_margin": "lead of the chosen face over the next in how well its lips follow the "
    "sound, 0 to 2, sure from 0.1 on; missing where there was no choice by speech",
    "implausible": "frames whose landmarks were not those of a face, and were left out",
    "cuts": "scene cuts in the whole clip",
    "interpolated": "frames whose landmarks are interpolated",
    "eye_distance": "between the outer eye corners, px of the source, median over frames",
    "yaw": "mean head pose, degrees; positive to the right of the picture",
    "pitch": "mean head pose, degrees; positive downwards",
    "roll": "mean head pose, degrees; positive clockwise",
    "mouth_opening_std": "deviation of the mouth's opening, eye distances",
    "loudness": "mean over frames, dB full scale",
    "speech_share": "share of the time with speech, 0 to 1",
    "av_lag": "lag of the best correlation of lips and loudness, frames; rough for one clip",
    "av_correlation": "that correlation, -1 to 1",
    "sound_lag": "lag of the sound that --align-sound took out, frames; positive where the sound "
    "was late; missing without that option",
    "sharpness": "of the face in the crop, see pipeline/faces/sharpness.py, median over frames",
    "outside": "share of the crop outside the picture, 0 to 1, mean over frames",
    "mouth_contrast": "edges of the mouth over those of the eyes, median over frames; low where "
    "the mouth is covered, see pipeline/faces/sharpness.py",
    "frame_psnr": "of the stored pictures against the crops, dB",
}
_STAGES = ("decode", "landmarks", "speech", "align")
SECONDS = {f"seconds_{stage}": f"spent in the stage {stage}, s" for stage in _STAGES}
COLUMNS = [*DESCRIBED, *MEASURED, *SECONDS]
# Texts of a clip that a condition may name beside the measures.
TEXTS = ("clip_id", "manifest_id", "source", "speaker", "split", "collection")
