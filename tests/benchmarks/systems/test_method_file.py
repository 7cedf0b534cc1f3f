"""Method files: those that come with the toolkit, run with a stand-in Python, and wrong ones."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.systems.method_file import (
    check_needs,
    fill,
    find_method,
    known_methods,
    read_method,
)
from benchmarks.systems.other_system import generate_with
from benchmarks.systems.protocol_options import MethodOptions, ProtocolClips
from benchmarks.systems.workspace import placed
from pipeline.errors import UserError
from pipeline.media import read_frames, write_video

NAMES = ("diffused_heads", "eamm", "makeittalk", "pc_avs", "sda", "wav2lip")

# Where each system's code puts its video, and how many pictures of which size it shows in a row.
# Read off the sources that the method's file cites.
MADE = {
    "diffused_heads": ("input/result.mp4", 1, 128),
    "eamm": ("result/emotion.mp4", 1, 256),
    "makeittalk": ("examples/face_pred_fls_speech_audio_embed.mp4", 3, 256),
    "pc_avs": ("results/id_face_pose_pose_audio_speech/G_Pose_Driven_.mp4", 1, 224),
    "sda": ("input/result.mp4", 1, 128),
    "wav2lip": ("input/result.mp4", 1, 256),
}
# What the system finds in its working folder when it starts.
FOUND = {
    "diffused_heads": ["input/face.png", "input/speech.wav", "sample.py"],
    "eamm": ["input/face.png", "3DDFA_V2/test/image/face.png", "input/driving.mp4"],
    "makeittalk": ["examples/face.jpg", "examples/speech.wav", "examples/ckpt/ckpt_autovc.pth"],
    "pc_avs": ["input/face/face.png", "input/pose/000000.jpg", "input/still/000019.jpg"],
    "sda": ["input/face.png", "input/speech.wav", "sda/sda.py"],
    "wav2lip": ["input/face.png", "input/speech.wav", "temp"],
}
PYTHON = """#!{python}
import json, os, sys
from pathlib import Path
job = json.loads(Path({job!r}).read_text())
root = Path(os.getcwd().removesuffix("/3DDFA_V2"))
with open(job["log"], "a") as log:
    lacking = [path for path in job["found"] if not (root / path).exists()]
    log.write(json.dumps([sys.argv[1:], os.getcwd(), lacking]) + chr(10))
if str(root) == os.getcwd():
    (root / job["made"]).parent.mkdir(parents=True, exist_ok=True)
    (root / job["made"]).write_bytes(Path(job["video"]).read_bytes())
"""


def fake_clone(folder, method):
    """A folder with an empty file or folder for everything that a method needs."""
    for need in method.needs:
        path = Path(fill(need.path, {"clone": str(folder), "weights": str(folder)}))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def panels(count, side):
    """A second of video: grey, but for the panel that was generated, which brightens."""
    frames = []
    for k in range(25):
        row = [np.full((side, side, 3), 128, np.uint8) for _ in range(count)]
        row[count // 2][:] = 8 * k + 20
        frames.append(np.concatenate(row, axis=1))
    return frames


def test_all_six_of_the_paper_s_systems_but_ours_are_there():
    assert tuple(known_methods()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_cites_where_its_command_is_from_and_where_its_files_are(name):
    method = read_method(find_method(name))
    assert all(source.startswith("https://github.com/") for source in method.sources)
    assert any("README" in source for source in method.sources)
    assert method.note.strip()
    for need in method.needs:
        assert need.where.startswith(("https://", "http://dlib.net/"))
    assert any("{clone}" in need.path for need in method.needs)


@pytest.mark.parametrize("name", NAMES)
def test_each_runs_as_its_sources_say_and_its_picture_comes_back(name, tmp_path, stand_in_data):
    """The whole path but for the system: in its place a Python that writes a video."""
    method = read_method(find_method(name))
    clone = fake_clone(tmp_path / "clone", method)
    made, count, side = MADE[name]
    write_video(tmp_path / "video.mp4", panels(count, side))
    job = {"log": str(tmp_path / "log"), "made": made, "video": str(tmp_path / "video.mp4")}
    (tmp_path / "job.json").write_text(json.dumps(job | {"found": FOUND[name]}))
    python = tmp_path / "python"
    python.write_text(PYTHON.format(python=sys.executable, job=str(tmp_path / "job.json")))
    python.chmod(0o755)
    options = MethodOptions(ProtocolClips(max_frames=10, clips=1), clone=clone, python=python)
    (one,) = generate_with(name, stand_in_data, tmp_path / "out", options)
    assert one.reason == ""
    calls = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert len(calls) == len(method.steps)
    for arguments, cwd, lacking in calls:
        assert lacking == []
        assert "." not in cwd  # Wav2Lip takes what follows a path's first dot for its suffix
        assert not any("{" in part or "}" in part for part in arguments)
    shown = np.stack(list(read_frames(one.path)))
    assert len(shown) == 10
    levels = shown[:, 8:-8, 8:-8].mean((1, 2, 3))
    expected = [8 * max(0, k - method.output.lead) + 20 for k in range(10)]
    assert np.abs(levels - expected).max() < 4


def test_pc_avs_is_given_pictures_that_it_crops_to_the_frame(stand_in_data, tmp_path):
    """Its loader takes x 16..208, y 0..192 of a 224 x 224 picture; that must be the frame."""
    frame = np.random.default_rng(0).integers(0, 255, (192, 192, 3), np.uint8)
    picture = placed(frame, read_method(find_method("pc_avs")).input)
    assert picture.shape == (224, 224, 3)
    assert np.array_equal(picture[:192, 16:208], frame)


GOOD = """
name = "Mine"
sources = ["https://example.org"]
[input]
face = ["input/face.png"]
speech = ["input/speech.wav"]
[[steps]]
args = ["{python}", "run.py"]
[output]
video = "out.mp4"
"""


def read(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return read_method(path)


def test_a_short_file_will_do(tmp_path):
    method = read(tmp_path, GOOD)
    assert (method.name, method.timeout, method.input.size) == ("Mine", 600.0, 256)
    assert method.output.frame == (0, 0, 1, 1)


def test_the_example_in_the_docs_is_a_method_file(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "benchmark.md").read_text()
    method = read(tmp_path, page.split("```toml\n")[1].split("```")[0])
    assert (method.name, method.output.lead, method.input.driving) == ("Mine", 2, "another")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "Mine"', "", "lacks name"),
        ('name = "Mine"', "name = 7", "name is 7: should be a valid string"),
        ('name = "Mine"', 'nmae = "Mine"', "has an unknown field 'nmae'"),
        ("[output]", "[output]\ncrop = [0, 0, 1, 1]", "unknown field 'output.crop'"),
        ("[output]", "[output]\nframe = [0, 0, 1]", "output.frame: [0.0, 0.0, 1.0] is not [x0"),
        ("[output]", "[output]\nframe = [0.5, 0, 0.5, 1]", "is not [x0, y0, x1, y1], x0 < x1"),
        ("[output]", "[output]\nskip = 1.5", "output.skip is 1.5: should be a valid integer"),
        ("[output]", "[output]\nskip = true", "output.skip is True"),
        ("[output]", "[output]\nlead = -1", "output.lead is -1"),
        ("[input]", "[input]\nsize = 127", "input.size is 127: should be a multiple of 2"),
        ("[input]", "[input]\nsize = 0", "input.size is 0"),
        ("[[steps]]", '[private]\ntmp = "x"\n[[steps]]', "private.tmp is 'x'"),
        ('"{python}"', '"{pyhton}"', "there is no placeholder {pyhton}; known: python, clone"),
        ('face = ["', 'face = ["/etc/', "must lie inside the working folder"),
        ("[[steps]]", "[steps]", "steps: should be a valid"),
        ("out.mp4", "../out.mp4", "must lie inside the working folder"),
        ("[[steps]]", 'driving = "another"\n[[steps]]', "driving and driving_video must be given"),
        ("[[steps]]", 'driving = "other"\n[[steps]]', "'none', 'itself' or 'another'"),
        ("[output]", "[output", "does not read as TOML"),
    ],
)
def test_wrong_files_are_one_sentence_that_names_the_field(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(UserError) as raised:
        read(tmp_path, GOOD.replace(old, new))
    assert message in str(raised.value)
    assert str(tmp_path / "mine.toml") in str(raised.value)
    assert "\n" not in str(raised.value).strip()


def test_unknown_names_and_absent_files(tmp_path):
    with pytest.raises(UserError, match="no method is called 'sad'; known are diffused_heads, ea"):
        find_method("sad")
    with pytest.raises(UserError, match="no such method file"):
        find_method(str(tmp_path / "no.toml"))


def test_what_is_missing_is_listed_with_weights_where_the_user_keeps_them(tmp_path):
    method = read_method(find_method("wav2lip"))
    clone = fake_clone(tmp_path / "clone", method)
    check_needs(method, clone, None)
    weights = tmp_path / "weights"
    weights.mkdir()
    absent = re.escape(f"{weights / 'wav2lip_gan.pth'}: the model Wav2Lip + GAN (https://")
    with pytest.raises(UserError, match=f"^Wav2Lip needs {absent}[^;]*$"):
        check_needs(method, clone, weights)
    (clone / "wav2lip_gan.pth").rename(weights / "wav2lip_gan.pth")
    check_needs(method, clone, weights)
