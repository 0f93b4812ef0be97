//! exim: a mail server with a private configuration, which accepts no mail. Its user is that of its package.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::certificates::Identity;
use super::host::Host;
use super::server::Server;

/// Starts one on ports 25, and on 26 for nobody: there it is too busy for all.
#[must_use]
pub fn server(host: &Host, identity: &Identity) -> Server {
    let folder = host.folder().join("exim");
    let (spool, log) = (folder.join("spool"), folder.join("log"));
    for folder in [&folder, &spool, &log] {
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // It takes no file that others may write.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (spool, log) = (spool.display(), log.display());
    let (certificate, key) = (identity.certificate.display(), identity.key.display());
    let config = format!(
        "primary_hostname = mail.example.net
        spool_directory = {spool}
        log_file_path = {log}/%slog
        exim_user = Debian-exim
        exim_group = Debian-exim
        daemon_smtp_ports = 25 : 26
        local_interfaces = <; 0.0.0.0 ; ::0
        pid_file_path = {spool}/pid
        tls_advertise_hosts = *
        tls_certificate = {certificate}
        tls_privatekey = {key}
        rfc1413_hosts = :
        keep_environment =
        acl_smtp_connect = connect
        begin acl
        connect:
          defer condition = ${{if eq {{$received_port}}{{26}}}}
                message = too busy
          accept
        "
    );
    let path = folder.join("exim.conf");
    let lines: Vec<&str> = config.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    Server::started(host, "exim", 25, &["exim4", "-bdf", "-C", path.to_str().unwrap()])
}
