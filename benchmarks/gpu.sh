#!/usr/bin/env bash
# All that wants a GPU, in one call: parity with the CPU, speed of training and sampling, minutes of
# training. Needs no network, no ray and no face tools; writes a log and the run's folder to $OUT.
#
#   DATA=data OUT=out bash benchmarks/gpu.sh          DATA: shards of dh-prep; about 9 minutes
#
# PYTHON: the interpreter; MINUTES: of training; PRESETS, TRAIN, ROUNDS, ROWS: smaller for a trial on a CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${DATA:?the folder of shards}" "${OUT:?where results go}"
: "${PYTHON:=python3}" "${MINUTES:=5}" "${PRESETS:=tiny,grid,crema}" "${ROUNDS:=20}" "${ROWS:=64}"
: "${COMPILE=--compile}"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir -p "$OUT"
exec > >(tee "$OUT/log.md") 2>&1

echo "## The same numbers as the CPU"
"$PYTHON" benchmarks/speed/parity.py --presets "$PRESETS"
echo "## Training step"
# shellcheck disable=SC2086 - COMPILE is an option or nothing
for preset in ${PRESETS//,/ }; do
  "$PYTHON" benchmarks/speed/training.py step --preset "$preset" --rows "$ROWS" \
    --repeat "$ROUNDS" $COMPILE
done
echo "## Sampling"
# shellcheck disable=SC2086
"$PYTHON" benchmarks/speed/sample.py --presets "$PRESETS" --rounds "$ROUNDS" $COMPILE
echo "## Training for $MINUTES minutes"
"$PYTHON" -c 'from model.cli.train import train_main; train_main()' --data "$DATA" \
  --out "$OUT/run" --preset "${TRAIN:-grid}" --minutes "$MINUTES" --strip-every 0
