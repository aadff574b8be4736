#!/bin/sh
# emulated_python.sh FOLDER: an ARM64 Python with LiteRT for the targets litert-aarch64, on Debian and Ubuntu; needs root.
# About 15 s and 200 MB. Nothing is installed into the system: packages are unpacked into FOLDER. The architecture that
# apt needs to know for that is taken away again, unless it was known before.
set -eu
folder=${1:?usage: emulated_python.sh FOLDER}
python=${PYTHON:-python3}
mkdir -p "$folder/debs"
known=$(dpkg --print-foreign-architectures | grep -x arm64 || true)
dpkg --add-architecture arm64
trap '[ -n "$known" ] || dpkg --remove-architecture arm64' EXIT
apt-get update -qq || apt-get update -qq
version=$(apt-cache depends python3-minimal:arm64 | sed -n 's/.*Depends: python\(3\.[0-9]*\)-minimal.*/\1/p' | head -n 1)
(
    cd "$folder/debs"
    apt-get download -qq libc6:arm64 libgcc-s1:arm64 libstdc++6:arm64 zlib1g:arm64 libexpat1:arm64 libffi8:arm64 \
        libbz2-1.0:arm64 liblzma5:arm64 libssl3:arm64 libuuid1:arm64 \
        "python$version-minimal:arm64" "libpython$version-minimal:arm64" "libpython$version-stdlib:arm64"
)
for package in "$folder"/debs/*.deb; do
    dpkg-deb -x "$package" "$folder/root"
done
(cd "$folder/root" && ln -sf "python$version" usr/bin/python3)
"$python" -m pip install --quiet --disable-pip-version-check --target "$folder/site" --only-binary=:all: \
    --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 \
    --platform manylinux_2_17_aarch64 --implementation cp --python-version "$version" ai-edge-litert numpy pillow
rm -r "$folder/debs"
