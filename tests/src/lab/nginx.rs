//! nginx: a web server with a private configuration, over HTTP and HTTPS.

use std::fs;

use super::certificates::Identity;
use super::host::Host;
use super::server::Server;

/// Starts one on ports 80 and 443 of all addresses. `/echo` says what it was asked and by whom; `/whole` is a file and
/// `/chunked` the same in chunks; `shop.example.net` is another site; others are as their names say.
#[must_use]
pub fn server(host: &Host, identity: &Identity) -> Server {
    let folder = host.folder().join("nginx");
    fs::create_dir(&folder).unwrap();
    for (name, text) in [("whole", BODY), ("chunked", BODY)] {
        fs::write(folder.join(name), text).unwrap();
    }
    let (certificate, key) = (identity.certificate.display(), identity.key.display());
    let (folder_text, name) = (folder.display(), host.name());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder_text}/{kind};\n"))
        .concat();
    let config = format!(
        "daemon off; master_process off; pid {folder_text}/pid; error_log stderr warn;
        events {{ worker_connections 8192; }}
        http {{
            access_log off; {temporary}
            root {folder_text}; default_type text/plain; server_tokens off;
            ssl_certificate {certificate}; ssl_certificate_key {key};
            server {{
                listen 80 default_server; listen [::]:80 default_server;
                listen 443 ssl default_server; listen [::]:443 ssl default_server;
                location = /echo {{ return 200 '$server_protocol $request_method $host $http_x_token $remote_addr {name}'; }}
                location = /chunked {{ ssi on; ssi_types text/plain; }}
                location = /moved {{ return 301 http://elsewhere.example.net/; }}
                location = /busy {{ return 503; }}
                location = /nothing {{ return 204; }}
            }}
            server {{
                server_name shop.example.net;
                listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
                location / {{ return 200 'the shop'; }}
            }}
        }}"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config).unwrap();
    Server::started(host, "nginx", 80, &["nginx", "-e", "stderr", "-c", path.to_str().unwrap()])
}

/// The body of `/whole` and `/chunked`.
pub const BODY: &str = "all 17 parts are well\n";
