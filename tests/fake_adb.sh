#!/bin/sh
# Stands in for adb: one phone, "FAKE1", whose /data/local/tmp is $FAKE_PHONE on this machine.
[ "$1" = -s ] || exit 2
serial=$2
command=$3
shift 3
if [ "$serial" != FAKE1 ]; then
    echo "error: device '$serial' not found" >&2
    exit 1
fi
there() { printf '%s' "$1" | sed "s|/data/local/tmp|$FAKE_PHONE|g"; }
case $command in
get-state) echo "${FAKE_STATE:-device}" ;;
push) cp "$1" "$(there "$2")" ;;
pull) cp "$(there "$1")" "$2" ;;
shell)
    case $1 in
    "getprop ro.product.cpu.abi") echo "$FAKE_ABI" ;;
    "getprop ro.soc.model") echo "SM-TEST" ;;
    "getprop ro.build.version.release") echo "16" ;;
    getprop*) echo ;;
    *) if [ -n "$FAKE_LOST" ] && [ "${1#*--about}" = "$1" ] && [ "${1#*jai-trace /}" != "$1" ]; then
           exit 0
       fi
       sh -c "$(there "$1")" | sed 's/$/\r/' ;;
    esac ;;
*) exit 2 ;;
esac
