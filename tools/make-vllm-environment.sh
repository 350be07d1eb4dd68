#!/bin/sh
# Makes an environment with vLLM's CPU build: tools/make-vllm-environment.sh FOLDER REQUIREMENTS
# It is not part of ours: vLLM pins a hundred packages its own way, and one of them may contradict us any day.
set -eu
folder=$1 requirements=$2
python="$folder/bin/python"

[ -x "$python" ] || "${PYTHON:-$(tools/choose-python.sh)}" -m venv "$folder"
echo "installing vLLM into $folder (2.5 GB; minutes)"
"$python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" ||
    "$python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" \
        --extra-index-url https://download.pytorch.org/whl/cpu
# These come for pictures, sound and GPUs; against torch's CPU build they fail when vLLM imports them.
"$python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
"$python" -c 'import vllm.entrypoints.openai.api_server' >/dev/null
touch "$folder/.installed"
