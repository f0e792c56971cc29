#!/usr/bin/env bash
# Runs on the machine with the GPU, in the repository's root, what pack.sh (which see) has packed:
#   onMachine.sh setup           unpacks the kit and prints the adapter; carry .gpukit
#   onMachine.sh model 0|1       takes a half of the default model; carry .gpukit-model-0, then .gpukit-model-1, nothing else
#   onMachine.sh node ARGS       runs the kit's Node on the GPU: scripts/testGpuFull.mjs, dist-bench/bench/main.js gpu,
#                                dist/cli/main.js sweep ... --device webgpu
# Without an NVIDIA driver it stops, unless GPU_KIT_MODE=auto lets it take the driver that VK_DRIVER_FILES names (a rehearsal).
set -euo pipefail
cd "$(dirname "$0")/../.."
export GPU_KIT_DIR="${GPU_KIT_DIR:-/tmp/gpu-kit}" GPU_KIT_MODE="${GPU_KIT_MODE:-nvidia}"
export TRIMTAB_GPU="${TRIMTAB_GPU:-hardware}" HF_HOME="${HF_HOME:-$GPU_KIT_DIR/hf}" HF_HUB_OFFLINE=1
unpack() { tar -C "$2" -xJf "$1" 2>/dev/null || python3 -m tarfile -e "$1" "$2"; }

case "${1:-}" in
  setup)
    unpack .gpukit/built.tar.xz .
    unpack .gpukit/shared.tar.xz ..
    bash .gpukit/gpu-run --selftest
    cp .gpukit/gpu-run .gpukit/model-path .gpukit/refs.tar "$GPU_KIT_DIR" # a later call need not carry them
    ln -sfn "$GPU_KIT_DIR/node_modules/webgpu" node_modules/webgpu
    ;;
  model)
    file="$HF_HOME/hub/$(cat "$GPU_KIT_DIR/model-path")"
    mkdir -p "$(dirname "$file")"
    if [ "$2" = 0 ]; then
      tar -C "$HF_HOME/hub" -xf "$GPU_KIT_DIR/refs.tar"
      cp .gpukit-model-0/half "$file"
    else
      cat .gpukit-model-1/half >>"$file"
      sha256sum "$file"
    fi
    ;;
  node)
    shift
    exec bash "$GPU_KIT_DIR/gpu-run" "$@"
    ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
