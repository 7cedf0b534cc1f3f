#!/usr/bin/env bash
# make demo: from raw videos to a model, a talking video and a table, with the four commands alone.
# Takes its settings from the Makefile: BIN, RUN, DATA (a folder of videos; empty: synthetic), and
# STEPS and MINUTES of training, whichever ends first.
set -euo pipefail
: "${BIN:=.venv/bin}" "${RUN:=runs/demo}" "${DATA:=}" "${STEPS:=450}" "${MINUTES:=5}"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

begin=$SECONDS
if [ -n "$DATA" ]; then
  say "1/6  your videos: $DATA"
  input=$DATA
else
  say "1/6  synthetic talking heads (the recordings and the photograph are in the public domain)"
  "$BIN/dh-prep" demo --out "$RUN/videos"
  input=$RUN/videos/manifest.csv
fi

say "2/6  faces, speech features and mouth boxes into shards"
"$BIN/dh-prep" run "$input" --out "$RUN/data" || [ $? -eq 1 ]  # 1: some clips failed, and are named
"$BIN/dh-prep" check "$RUN/data"
"$BIN/dh-prep" inspect "$RUN/data" --out "$RUN/contact_sheet.html"

say "3/6  training the tiny model"
if compgen -G "$RUN/model/checkpoint-*.json" >/dev/null; then
  echo "trained already; remove $RUN/model to train again"
else
  # A second core shares each batch with the first; a GPU is one worker.
  workers=$(command -v nvidia-smi >/dev/null && echo 1 || getconf _NPROCESSORS_ONLN)
  "$BIN/dh-train" --data "$RUN/data" --out "$RUN/model" --preset tiny \
    --steps "$STEPS" --minutes "$MINUTES" --workers "$((workers < 2 ? 1 : 2))"
fi

say "4/6  the test protocol: first frame and speech of every test clip"
split=$("$BIN/python" -c "
import sys
from pipeline.dataset.shards import read_dataset
splits = {s['split'] for s in read_dataset(sys.argv[1])['shards'] if s['samples']}
print('test' if 'test' in splits else 'train')" "$RUN/data")
[ "$split" = test ] || echo "no test clips here: scoring training clips, which flatters the model"
"$BIN/dh-bench" generate --data "$RUN/data" --split "$split" --clips 4 \
  --checkpoint "$RUN/model" --out "$RUN/generated"

say "5/6  a face of your choice says what you want"
{ IFS= read -r face; IFS= read -r speech; } < <("$BIN/python" - "$RUN/data" "$input" <<'EOF'
import sys
from pathlib import Path
from pipeline.dataset.rows import read_rows
rows = read_rows(Path(sys.argv[1]))
sources = rows[rows["status"] == "ok"].sort_values("clip_id")["source"].tolist()
folder = Path(sys.argv[2])
folder = folder if folder.is_dir() else folder.parent
print(folder / sources[0], folder / sources[-1], sep="\n")
EOF
)
if [ -e "$RUN/talking.mp4" ]; then
  echo "made already; remove $RUN/talking.mp4 to make it again"
else
  "$BIN/dh-sample" --checkpoint "$RUN/model" --face "$face" --speech "$speech" \
    --out "$RUN/talking.mp4"
fi

say "6/6  numbers, the paper's table with our row, a page to show"
# FID and FVD want hundreds of clips and networks of 140 MB; four clips would make them noise.
metrics=ssim,psnr,mse,lmd,cpbd,blinks_per_second,blink_duration,lip_lag,lip_correlation
metrics+=,ofm,ofm_equation,f_mse,f_mse_equation
"$BIN/dh-bench" score --real "$RUN/data" --split "$split" --fake "$RUN/generated" \
  --metrics "$metrics" --name "demo (tiny)" --dataset "demo" --out "$RUN/scores.json" ||
  [ $? -eq 1 ]  # clips not generated
"$BIN/dh-bench" table --scores "$RUN/scores.json" --out "$RUN/table.md" --out "$RUN/table.html"
"$BIN/dh-bench" report "$RUN/scores.json" --video "$RUN/talking.mp4" --out "$RUN/report.html"

say "Done in $((SECONDS - begin)) s. Look at:"
echo "  $RUN/talking.mp4           the face of $face with the speech of $speech"
echo "  $RUN/generated/            test clips, generated from first frame and speech"
echo "  $RUN/report.html           every number, with the clips as video"
echo "  $RUN/table.html            the paper's table with our row (table.md beside it)"
echo "  $RUN/contact_sheet.html    the data"
echo "  $RUN/model/strips/         what training looked at: sampled frames above real ones"
