#!/bin/sh
# Makes kaoiro-l: the mean of three teachers in one model file of 20 MB, which is not in the package. From the repository's
# root, in a minute or two:
#   sh recipes/kaoiro-l.sh fer2013.parquet kaoiro-l.onnx
set -e
kaoiro export recipes/teachers/first.onnx recipes/teachers/second.onnx recipes/teachers/third.onnx \
    --corpus "${1:?the stored FER2013}" --name kaoiro-l --licence Apache-2.0 -o "${2:-kaoiro-l.onnx}"
