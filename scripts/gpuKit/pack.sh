#!/usr/bin/env bash
# Packs what a bare Linux machine with an NVIDIA GPU needs to test and time the WebGPU backend. `bash scripts/gpuKit/pack.sh`
# fills .gpukit, .gpukit-model-0 and .gpukit-model-1, ignored by git, each of which travels with the working tree in less than
# 64 MiB: Node with Dawn and Vulkan's loader (../shared/tools/pack-gpu-kit.sh), the tests' packages, the built files, the study's
# goldens, and the default model in two halves. There, `bash scripts/gpuKit/onMachine.sh` unpacks and runs them.
set -euo pipefail
cd "$(dirname "$0")/../.."
kit=../shared/tools/pack-gpu-kit.sh
[ -e "$kit" ] || { echo "$kit is not there: it packs Node and Dawn" >&2; exit 2; }
rm -rf .gpukit .gpukit-model-0 .gpukit-model-1
mkdir .gpukit .gpukit-model-0 .gpukit-model-1

npm run --silent build
npx tsc -p tsconfig.bench.json
KIT_COMP=xz bash "$kit" .gpukit >&2
# webgpu is in the kit; checks, browsers and figures stay here
left_out=(webgpu @biomejs @typescript typescript playwright-core esbuild @esbuild knip zod @oxc-parser @oxc-resolver oxc-parser
  oxc-resolver vega vega-lite @resvg @webgpu .cache .vite)
tar "${left_out[@]/#/--exclude=node_modules/}" -cJf .gpukit/built.tar.xz node_modules dist dist-bench
tar -C .. -cJf .gpukit/shared.tar.xz shared/golden/steering

model="$(node dist/cli/main.js --quiet model pull smollm2-135m)"
hub="${model%/models--*}"
in_hub="${model#"$hub"/}"
tar -C "$hub" -cf .gpukit/refs.tar "${in_hub%%/*}/refs"
echo "$in_hub" >.gpukit/model-path
file="$(readlink -f "$model")"
bytes="$(stat -c %s "$file")"
head -c $((bytes / 2)) "$file" >.gpukit-model-0/half
tail -c +$((bytes / 2 + 1)) "$file" >.gpukit-model-1/half
du -sm .gpukit .gpukit-model-0 .gpukit-model-1 >&2
