# Sourced by scripts/install and scripts/uninstall: what is installed, and where. Both take the same options.

daemons=(healthcheckd ipvs-sync vrrpd)

usage() {
  cat <<TEXT
usage: scripts/$1 [--prefix DIR] [--root DIR]$2

  --prefix DIR   where programs, manual pages and completions go, /usr/local if not given
  --root DIR     a folder that stands for /; nothing is started, stopped or asked there
TEXT
}

prefix=/usr/local root='' from=''
options() { # SCRIPT ARGUMENTS...
  local script=$1 more='' help=''
  wrong() { printf 'scripts/%s: %s\n\n' "$script" "$1" >&2; usage "$script" "$more" >&2; exit 2; }
  shift
  if [[ $script = install ]]; then
    more=' [--from DIR]' help='  --from DIR     programs that are built already; without, they are built'
  fi
  while (($#)); do
    case $1 in
      -h | --help) usage "$script" "$more"; [[ -z $help ]] || echo "$help"; exit 0 ;;
      --prefix | --root | --from) [[ ${2:-} ]] || wrong "$1 needs a folder" ;;&
      --prefix) prefix=$2 ;;
      --root) root=$(realpath -m "$2") ;;
      --from) [[ $script = install ]] || wrong "there is no $1"; from=$(realpath -m "$2") ;;
      *) wrong "there is no $1" ;;
    esac
    shift 2
  done
  # It stands in units, where other letters have a meaning.
  [[ $prefix =~ ^/[A-Za-z0-9/._+-]*$ ]] || wrong "--prefix is a path from /, of letters, digits and /._+-"
  prefix=${prefix%/}
  # Only root may write where systemd looks.
  [[ $root || $(id -u) = 0 ]] || { echo "scripts/$script: run it as root, or with --root" >&2; exit 1; }
}

# A line for each file, with tabs: mode, source, destination. Sources are files of the project, or of the folders `from`
# and `made`.
layout() {
  local lib=/etc name page
  # Where systemd looks for what no package manager brought.
  [[ $prefix != /usr && $prefix != /usr/local ]] || lib=$prefix/lib
  file() { printf '%s\t%s\t%s\n' "$@"; }
  for name in "${daemons[@]}"; do
    file 755 "$from/$name" "$prefix/sbin/$name"
    file 644 "$made/$name.service" "$lib/systemd/system/$name.service"
    file 644 "docs/systemd/$name.socket" "$lib/systemd/system/$name.socket"
  done
  file 644 "$made/healthcheckd@.service" "$lib/systemd/system/healthcheckd@.service"
  file 755 "$from/vipctl" "$prefix/bin/vipctl"
  file 644 docs/systemd/vipkit.target "$lib/systemd/system/vipkit.target"
  file 644 docs/systemd/vipkit.sysusers.conf "$lib/sysusers.d/vipkit.conf"
  file 644 docs/systemd/vipkit.tmpfiles.conf "$lib/tmpfiles.d/vipkit.conf"
  # For whoever wants them: what they are for, and where they go, is in them.
  for name in healthcheckd-{mark,sudo}.conf vipkit-ping.conf; do
    file 644 "docs/systemd/$name" "$prefix/share/vipkit/$name"
  done
  for page in docs/man/*.[58]; do file 644 "$page" "$prefix/share/man/man${page##*.}/${page##*/}"; done
  file 644 "$made/bash" "$prefix/share/bash-completion/completions/vipctl"
  file 644 "$made/zsh" "$prefix/share/zsh/site-functions/_vipctl"
  file 644 "$made/fish" "$prefix/share/fish/vendor_completions.d/vipctl.fish"
}

# True if the systemd that runs here is to know.
systemd_runs() { [[ -z $root && -d /run/systemd/system ]]; }
