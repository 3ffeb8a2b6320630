#!/bin/sh
# Fetch the 1000 random objects that come with PyBullet (pybullet_data/random_urdfs, zlib licence) for --objects:
#   scripts/fetch-random-urdfs.sh objects && wildgrasp simulate --objects objects --scale 0.015
set -eu
out=${1:?usage: $0 FOLDER}
wheel=$(mktemp -d)
trap 'rm -rf "$wheel"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$wheel" pybullet
python3 - "$wheel"/pybullet-*.whl "$out" <<'PYTHON'
import pathlib, sys, zipfile

wheel, out = sys.argv[1], pathlib.Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(wheel) as archive:
    names = [n for n in archive.namelist() if "/random_urdfs/" in n and n.endswith(".obj")]
    for name in names:
        (out / pathlib.PurePosixPath(name).name).write_bytes(archive.read(name))
    for name in archive.namelist():
        if "dist-info/" in name and "LICENSE" in name.upper():
            (out / "LICENSE").write_bytes(archive.read(name))
print(f"{len(names)} objects in {out}; use --scale 0.015")
PYTHON
