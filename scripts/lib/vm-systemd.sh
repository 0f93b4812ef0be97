# Sourced by scripts/vm: what it takes to have systemd as the first process in the machine, and only the journal, the
# folders of tmpfiles.d, and the command beside it, which may start the bus.

systemd_init=(/lib/systemd/systemd --unit=vm.target)
# The host's disks are not there.
systemd_append=(fstab=no luks=no systemd.gpt_auto=no systemd.show_status=no)

# Fills a folder for /run/systemd/system.
systemd_units() { # FOLDER
  local wanted
  for wanted in {/etc,/usr/lib}/systemd/system/{sysinit,local-fs,sockets,timers,paths}.target.wants/*; do
    case ${wanted##*/} in
      '*' | dbus.socket | systemd-journald* | systemd-tmpfiles-setup.service) ;;
      *) ln -sf /dev/null "$1/${wanted##*/}" ;;
    esac
  done
  cat >"$1/vm.target" <<'UNIT'
[Unit]
Requires=vm.service
UNIT
  cat >"$1/vm.service" <<'UNIT'
[Unit]
FailureAction=reboot-immediate
[Service]
Type=oneshot
ExecStart=/bin/bash /run/vm/start
UNIT
}
