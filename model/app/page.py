"""The page: where a face and a recording are given, and the video is shown."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import gradio as gr

from model.app.uploads import sentence
from pipeline.media import SAMPLE_RATE, SAMPLES_PER_FRAME
from pipeline.templates import environment

if TYPE_CHECKING:
    from model.app.uploads import UploadedVideoMaker

THEME = gr.themes.Default(
    primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
)
CSS = """
.gradio-container { width: 100%; max-width: 960px !important; margin: auto; }
.input video { height: 240px; }
#live canvas { width: 280px; border-radius: 8px; border: 1px solid var(--border-color-primary);
  background: var(--background-fill-secondary); }
#live p { margin: 8px 0; min-height: 3em; }
"""
_TEXT = """# Make a face talk
Use faces and voices of people who agreed. Files stay on the machine that runs this page."""
_LIVE = """<canvas width=128 height=128 role=img aria-label="Talking face"></canvas>
<p role=status>Choose a face, press Start and speak. With loudspeakers, you may hear an echo.</p>
<label><input type=checkbox checked> Play the sound</label>"""
_PICTURES: Any = ["upload", "webcam", "clipboard"]
_PROGRESS = gr.Progress()


def build_page(maker: UploadedVideoMaker, waiting: int) -> gr.Blocks:
    """The page as a Gradio application; `waiting` videos may wait while another is made."""
    with gr.Blocks(title="Diffused Heads", analytics_enabled=False) as page:
        gr.Markdown(_TEXT)
        with gr.Tabs():
            with gr.Tab("Recording"):
                _recording_tab(maker)
            with gr.Tab("Live"):
                _live_tab()
    return page.queue(api_open=False, max_size=waiting)


def _recording_tab(maker: UploadedVideoMaker) -> None:
    """A face and a recording, and the video that they become."""
    # Inputs, side by side where there is room
    film = {"sources": ["upload", "webcam"], "elem_classes": "input"}
    with gr.Row():
        with gr.Column(min_width=280), gr.Tabs():
            with gr.Tab("Picture"):
                picture = gr.Image(sources=_PICTURES, label="Face", height=280)
            with gr.Tab("Video"):
                face_video = gr.Video(label="Face", **film)
        with gr.Column(min_width=280), gr.Tabs():
            with gr.Tab("Sound"):
                sound = gr.Audio(sources=["upload", "microphone"], label="Recording", buttons=[])
            with gr.Tab("Video"):
                speech_video = gr.Video(label="Recording", **film)
    # Of two files for one purpose, the one given last is used: it clears the other.
    pairs = [(picture, face_video), (sound, speech_video)]
    for given, other in [*pairs, *(pair[::-1] for pair in pairs)]:
        given.input(None, None, other, js="() => null", api_visibility="private")
    with gr.Row(equal_height=True):
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1)
        paste_back = gr.Checkbox(label="Back into the whole picture")
        button = gr.Button("Make it talk", variant="primary")

    # Output
    result = gr.Video(
        label="Result (marked as synthetic in its metadata)",
        interactive=False,
        height=384,
        autoplay=True,
        loop=True,
        buttons=["download"],
        elem_id="result",
    )

    def talk(
        picture: Any,
        face_video: Any,
        sound: Any,
        speech_video: Any,
        seed: Any,
        paste_back: Any,
        progress: gr.Progress = _PROGRESS,
    ) -> str:
        """Makes a video; whatever goes wrong is one sentence on the page."""

        def report(made: int, total: int, rate: float) -> None:
            left = f"{rate:.1f} frames/s, {(total - made) / rate:.0f} s left" if rate else ""
            progress((made, total), desc=left, unit="frames")

        face, recording = picture or face_video, sound or speech_video
        try:
            return str(maker.make(face, recording, seed, paste_back, report))
        except Exception as error:
            text = html.escape(sentence(error))
            raise gr.Error(text, duration=20, print_exception=False) from error

    button.click(
        talk,
        [picture, face_video, sound, speech_video, seed, paste_back],
        result,
        preprocess=False,  # it would open pictures before their format is checked
        concurrency_limit=1,
        api_name="talk",
    )


def _live_tab() -> None:
    """A face that talks while somebody speaks."""
    with gr.Row():
        with gr.Column(min_width=280):
            face = gr.Image(sources=_PICTURES, label="Face", height=280, elem_id="live-face")
            with gr.Row():
                start = gr.Button("Start", variant="primary", min_width=100)
                stop = gr.Button("Stop", min_width=100)
        with gr.Column(min_width=280):
            script = environment("model.app").get_template("live.js.j2")
            numbers = {"rate": SAMPLE_RATE, "samples": SAMPLES_PER_FRAME}
            gr.HTML(_LIVE, elem_id="live", js_on_load=script.render(numbers))
    start.click(None, face, js="(face) => window.startLive(face)", api_visibility="private")
    stop.click(None, js="() => window.stopLive()", api_visibility="private")
