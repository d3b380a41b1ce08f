#!/bin/sh
# Copies the compiled kernels of the image to where this process may write, then becomes Foreshock (and so gets its signals).
# The copy belongs to our own user: compiled code of anybody else is never loaded.
set -eu
kernels=/opt/foreshock/kernels
if [ -d "$kernels" ] && [ -n "${NUMBA_CACHE_DIR:-}" ] && [ -w "$NUMBA_CACHE_DIR" ]; then
    for folder in "$kernels"/*; do
        [ -e "$NUMBA_CACHE_DIR/${folder##*/}" ] || cp -R "$folder" "$NUMBA_CACHE_DIR/"
    done
fi
exec foreshock "$@"
