#!/usr/bin/env bash
# Turn a bare Debian or Ubuntu on a small computer into a WildGrasp recording device: the app starts at boot, full screen.
#
#   sudo scripts/install-stick.sh [--study FILE] [--target FILE] [--dry-run]
#
# --study FILE   tasks, participants and consent of your study (docs/device.md)
# --target FILE  where to upload to, as `wildgrasp ingest-server add-device` wrote it
# --dry-run      say what would be done, and do nothing
#
# It may be run again at any time, to update. Recordings are never touched.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/.." && pwd)
user=wildgrasp
home=/home/$user
app=/opt/wildgrasp
sessions=$home/sessions
study='' target='' dry=''

while [ $# -gt 0 ]; do
    case "$1" in
        --study) study=${2:?--study needs a file}; shift 2 ;;
        --target) target=${2:?--target needs a file}; shift 2 ;;
        --dry-run) dry=1; shift ;;
        *) echo "install-stick: unknown option $1. See the head of this file." >&2; exit 2 ;;
    esac
done
for file in "$study" "$target"; do
    [ -z "$file" ] || [ -r "$file" ] || { echo "install-stick: $file cannot be read. Nothing was changed." >&2; exit 2; }
done
if [ -z "$dry" ]; then
    [ "$(id -u)" -eq 0 ] || { echo "install-stick: run it as root: sudo $0" >&2; exit 2; }
    command -v apt-get >/dev/null && command -v systemctl >/dev/null ||
        { echo "install-stick: this needs Debian or Ubuntu with systemd." >&2; exit 2; }
fi

run() {  # a command, or what it would be
    if [ -n "$dry" ]; then printf '%s\n' "$*"; else "$@"; fi
}
put() {  # what comes in becomes the file $1
    if [ -n "$dry" ]; then echo "--- $1"; cat; else install -D -m 644 /dev/stdin "$1"; fi
}

# Programs. Qt's libraries are those of the project's own list; cage is the kiosk's compositor.
run apt-get update -q
run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    cage seatd python3-venv libegl1 libgl1 libgl1-mesa-dri libgles2 libxkbcommon0 libdbus-1-3 libfontconfig1 \
    libglib2.0-0 libwayland-client0 libwayland-cursor0 libwayland-egl1 libusb-1.0-0 libudev1

# A person of its own, who may use screen, camera and gripper, and nothing else.
id "$user" >/dev/null 2>&1 || run useradd --create-home --shell /usr/sbin/nologin "$user"
run usermod --append --groups video,render,input,dialout,plugdev "$user"
run install -d -o "$user" -g "$user" -m 750 "$sessions"

# The program.
run install -d "$app"
[ -x "$app/.venv/bin/python" ] || run python3 -m venv "$app/.venv"
run "$app/.venv/bin/pip" install -q --upgrade pip
run "$app/.venv/bin/pip" install -q --upgrade "$source_dir[capture]"

# What the study and the lab set.
study_option=''
if [ -n "$study" ]; then
    run install -m 644 "$study" "$app/study.toml"
    study_option="--study $app/study.toml"
elif [ -f "$app/study.toml" ]; then
    study_option="--study $app/study.toml"
fi
if [ -n "$target" ]; then
    run install -d -o "$user" -g "$user" -m 700 "$home/.config/wildgrasp"
    run install -o "$user" -g "$user" -m 600 "$target" "$home/.config/wildgrasp/upload.toml"
fi

# The camera may be used without being root; a stalled USB port may be reset.
put /etc/udev/rules.d/60-wildgrasp.rules <<'RULES'
SUBSYSTEM=="usb", ATTRS{idVendor}=="8086", MODE="0660", GROUP="plugdev"
SUBSYSTEM=="video4linux", ATTRS{idVendor}=="8086", MODE="0660", GROUP="plugdev"
RULES

# Starts at boot; never sleeps by itself, since nobody would know how to wake it.
sed -e "s|@USER@|$user|; s|@HOME@|$home|; s|@APP@|$app|; s|@SESSIONS@|$sessions|; s|@STUDY@|$study_option|" \
    "$source_dir/capture_app/kiosk/wildgrasp-capture.service" | put /etc/systemd/system/wildgrasp-capture.service
run systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target
run systemctl set-default graphical.target
run systemctl daemon-reload
run udevadm control --reload
run systemctl enable wildgrasp-capture.service
run systemctl restart wildgrasp-capture.service

[ -n "$dry" ] || echo "Done. The app is on the screen now, and after every start. Its log: journalctl -u wildgrasp-capture"
