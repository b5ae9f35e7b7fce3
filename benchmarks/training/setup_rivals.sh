#!/bin/sh
# Builds the rivals' virtual environments beside .venv: .venv-tf and .venv-jax in the repository's root.
# The third rival, Keras on torch, runs in .venv itself. Pinned, so that a table can be made again.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
python="$root/.venv/bin/python"
for rival in tf jax; do
  [ -x "$root/.venv-$rival/bin/python" ] || "$python" -m venv "$root/.venv-$rival"
done
common="keras==3.15.1 numpy==2.4.6 scipy==1.17.1"
"$root/.venv-tf/bin/python" -m pip install --quiet --disable-pip-version-check $common tensorflow-cpu==2.21.0
"$root/.venv-jax/bin/python" -m pip install --quiet --disable-pip-version-check $common jax==0.10.2
