"""The page of `dh-sample serve`: one file, nothing fetched from elsewhere."""

from __future__ import annotations

# The only inline script; its address is told in the page's policy by a nonce.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Diffused Heads</title>
<style nonce="NONCE">
:root { color-scheme: light dark; --line: #8886; --accent: #2a6fdb; --warn: #c0392b; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 760px; margin: 40px auto; padding: 0 20px; }
h1 { font-size: 24px; margin: 0 0 4px; }
p { margin: 0 0 20px; opacity: .8; }
.drops { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 16px; }
.drop { border: 2px dashed var(--line); border-radius: 10px; min-height: 170px; padding: 14px;
  display: flex; flex-direction: column; align-items: center; justify-content: center;
  text-align: center; cursor: pointer; overflow: hidden; }
.drop.over, .drop:focus-within { border-color: var(--accent); }
.drop input { position: absolute; opacity: 0; pointer-events: none; }
.drop img, .drop audio, .drop video { max-width: 100%; max-height: 130px; margin-top: 8px; }
.name { font-size: 13px; opacity: .7; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: 18px; align-items: center; margin: 18px 0; }
input[type=number] { width: 6em; font: inherit; padding: 3px 6px; }
button { font: inherit; padding: 8px 22px; border: 0; border-radius: 8px; color: #fff;
  background: var(--accent); cursor: pointer; }
button:disabled { opacity: .45; cursor: default; }
progress { width: 100%; height: 14px; }
#error { color: var(--warn); font-weight: 600; overflow-wrap: anywhere; }
#video { display: block; width: 384px; max-width: 100%; border-radius: 10px; margin: 8px 0; }
[hidden] { display: none !important; }
</style>
<h1>Make a face talk</h1>
<p>Use faces and voices of people who agreed. Files stay on the machine that runs this page.</p>
<div class="drops">
<label class="drop" id="face-drop"><b>A face</b><span>picture or video, drop or click</span>
<input type="file" id="face" accept="image/*,video/*"><span class="name"></span></label>
<label class="drop" id="speech-drop"><b>A recording</b><span>sound or video, drop or click</span>
<input type="file" id="speech" accept="audio/*,video/*"><span class="name"></span></label>
</div>
<div class="row">
<label>Seed <input type="number" id="seed" value="0" min="0" max="2147483647"></label>
<label><input type="checkbox" id="paste"> back into the whole picture</label>
<button id="go" disabled>Make it talk</button>
</div>
<div id="busy" hidden><progress id="bar" max="1" value="0"></progress>
<div id="status" role="status"></div></div>
<div id="error" role="alert" hidden></div>
<div id="result" hidden><video id="video" controls loop playsinline></video>
<a id="save" download="talking.mp4">Save the video</a> (marked as synthetic in its metadata)</div>
<script nonce="NONCE">
const $ = id => document.getElementById(id);
const files = {face: null, speech: null};
const ask = async (path, options) => {
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) throw new Error("the server does not answer; is dh-sample serve still running?");
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
};
function take(kind, file) {
  if (!file) return;
  files[kind] = file;
  const box = $(kind + "-drop");
  box.querySelector(".name").textContent = file.name;
  box.querySelectorAll("img,audio,video").forEach(old => old.remove());
  const shown = document.createElement(
    file.type.startsWith("image/") ? "img" : file.type.startsWith("video/") ? "video" : "audio");
  shown.src = URL.createObjectURL(file);
  if (shown.tagName !== "IMG") shown.controls = true;
  shown.addEventListener("error", () => shown.remove()); // the server reads more than browsers
  box.append(shown);
  $("go").disabled = !(files.face && files.speech);
}
for (const kind of ["face", "speech"]) {
  const box = $(kind + "-drop");
  $(kind).addEventListener("change", event => take(kind, event.target.files[0]));
  for (const name of ["dragover", "dragleave", "drop"])
    box.addEventListener(name, event => {
      event.preventDefault();
      box.classList.toggle("over", name === "dragover");
      if (name === "drop") take(kind, event.dataTransfer.files[0]);
    });
}
function say(job) {
  $("bar").max = job.total || 1;
  $("bar").value = job.frames;
  $("status").textContent = job.waiting ? `waiting for ${job.waiting} before it` :
    job.rate ? `frame ${job.frames} of ${job.total}, ${job.rate.toFixed(1)} frames/s, ` +
      `${Math.ceil((job.total - job.frames) / job.rate)} s left` : "looking at the files";
}
$("go").addEventListener("click", async () => {
  $("go").disabled = true;
  for (const id of ["error", "result"]) $(id).hidden = true;
  $("busy").hidden = false;
  try {
    const sent = {};
    for (const kind of ["face", "speech"]) {
      $("status").textContent = "sending the " + kind;
      const upload = ask("/upload", {method: "POST", body: files[kind]});
      sent[kind] = (await upload.catch(error => {
        throw new Error(`${files[kind].name}: ${error.message}`);
      })).id;
    }
    const words = {...sent, seed: Number($("seed").value), paste_back: $("paste").checked};
    const {id} = await ask("/jobs", {method: "POST", body: JSON.stringify(words),
      headers: {"Content-Type": "application/json"}});
    let job;
    do {
      await new Promise(wake => setTimeout(wake, 300));
      say(job = await ask("/jobs/" + id));
      if (job.error) throw new Error(job.error);
    } while (!job.done);
    const video = await (await fetch(`/jobs/${id}/video`)).blob();
    $("video").src = $("save").href = URL.createObjectURL(video);
    $("result").hidden = false;
    $("result").scrollIntoView({block: "nearest"});
    $("video").play().catch(() => {});
  } catch (error) {
    $("error").textContent = error.message;
    $("error").hidden = false;
  }
  $("busy").hidden = true;
  $("go").disabled = false;
});
</script>
</html>
"""
