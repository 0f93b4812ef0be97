# Sourced by the scripts: makes sure that what a test step needs is here. `need STEP...` installs Debian's packages
# where it can, and else prints exactly what is missing.

# command:package of Debian and Ubuntu, by step
needs_of() {
  case $1 in
    fmt | clippy | unit | conformance | lan | fuzz | tree) echo cc:gcc ;;
    namespaces) echo cc:gcc ip:iproute2 bridge:iproute2 curl:curl setpriv:util-linux keepalived:keepalived ;;
    protocol) echo cc:gcc ip:iproute2 python3:python3 pip3:python3-pip socat:socat jq:jq ;;
  esac
}

need() {
  local missing=() packages=() entry step
  for step in "$@"; do
    for entry in $(needs_of "$step"); do
      command -v "${entry%%:*}" >/dev/null && continue
      missing+=("${entry%%:*} (package ${entry##*:})") packages+=("${entry##*:}")
    done
  done
  if ((${#packages[@]})) && [[ $(id -u) = 0 && -f /etc/debian_version ]]; then
    echo "installing ${packages[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >/dev/null
    missing=()
    for entry in "${packages[@]}"; do
      [[ $(dpkg-query -W -f '${db:Status-Status}' "$entry" 2>/dev/null) = installed ]] || missing+=("package $entry")
    done
  fi
  local rust; rust=$(rustc --version 2>/dev/null | awk '{ split($2, v, "."); print v[1] * 1000 + v[2] }')
  if ((${rust:-0} < 1089)) || ! command -v cargo >/dev/null; then
    missing+=("Rust 1.89 or later (https://rustup.rs)")
  else
    [[ " $* " != *" fmt "* ]] || cargo fmt --version >/dev/null 2>&1 || missing+=("rustup component add rustfmt")
    [[ " $* " != *" clippy "* ]] || cargo clippy --version >/dev/null 2>&1 || missing+=("rustup component add clippy")
  fi
  if [[ " $* " == *" namespaces "* || " $* " == *" protocol "* ]] && [[ $(id -u) != 0 ]]; then
    missing+=("root, for network namespaces (without: scripts/test fmt clippy unit conformance lan fuzz tree)")
  fi
  ((${#missing[@]})) || return 0
  printf 'missing: %s\n' "${missing[@]}" >&2
  return 1
}
